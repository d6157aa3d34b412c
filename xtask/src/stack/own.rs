//! The services of a target profile: started in the order in which they stand, or running already.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use services::{Guard, Launch, Postgres, Process, RoleOptions};
use session::profile::{Ready, Service, TargetFile, fill, variable_of};
use session::{Client, Tls};

use super::{Chat, Order};

/// How long a service may take to shake hands over TLS, once it is ready.
const GREETED_WITHIN: Duration = Duration::from_secs(5);
/// How long one look at a service that is coming up may take.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// Starts what the target starts, and says where everything is.
pub(super) async fn start(
    target: &TargetFile,
    guard: &Guard,
    order: Order<'_>,
    postgres: Option<&Postgres>,
) -> Result<Chat> {
    let reach = target
        .reach
        .as_ref()
        .context("the profile does not say where the services are: `reach`")?;
    let mut places = Places::default();
    if let Some(postgres) = postgres {
        let owner = postgres.create_role("owner", RoleOptions::default()).await?;
        let database = postgres.create_database("target", &owner).await?;
        places.postgres = Some(postgres.url(&owner, &database));
    }
    let tls = Tls::new(&reach.trust)?;
    let http = Client::new(tls.clone(), LOOK_WITHIN);
    let starter = Starter { guard, order, http };
    let mut processes = Vec::new();
    for service in &target.services {
        let process = starter.start(service, &mut places).await;
        processes.extend(process.with_context(|| format!("the service {}", service.name))?);
    }
    let mut filled = |url: &str| places.filled(url);
    let gateways = reach
        .web_sockets
        .iter()
        .map(|url| filled(url))
        .collect::<Result<Vec<_>>>()?;
    let auth = reach.http.as_deref().map(&mut filled).transpose()?;
    for url in gateways.iter().chain(&auth) {
        // a wrong certificate is the set-up's fault, and nobody's verdict
        let greeted = tokio::time::timeout(GREETED_WITHIN, tls.greet(url)).await;
        let greeted = greeted.with_context(|| {
            format!("no TLS handshake within {GREETED_WITHIN:?}; without TLS it is `ws://` and `http://`")
        });
        let greeted = greeted.and_then(|greeted| Ok(greeted?));
        greeted.with_context(|| format!("cannot reach {url}"))?;
    }
    Ok(Chat {
        auth: auth.unwrap_or_default(),
        gateways,
        tls,
        operators: Vec::new(),
        processes,
        forks: target.services.iter().any(|service| service.stop.is_some()),
        strangers: Vec::new(),
        audit_url: target.profile.audit.as_ref().and(places.postgres),
    })
}

/// What fills the placeholders of a target.
#[derive(Default)]
struct Places {
    ports: BTreeMap<String, u16>,
    postgres: Option<String>,
}

impl Places {
    fn filled(&mut self, text: &str) -> Result<String> {
        let value = |name: &str| match name.split_once(':') {
            Some(("port", port)) => Some(self.port(port)?.to_string()),
            Some(("env", variable)) => variable_of(variable),
            None if name == "postgres" => self.postgres.clone(),
            _ => None,
        };
        match fill(text, value) {
            Ok(filled) => Ok(filled),
            Err(name) => bail!("no value for `${{{name}}}` in `{text}`"),
        }
    }

    /// A port that was free a moment ago, the same each time.
    fn port(&mut self, name: &str) -> Option<u16> {
        if let Some(port) = self.ports.get(name) {
            return Some(*port);
        }
        let listener = TcpListener::bind("127.0.0.1:0").ok()?;
        let port = listener.local_addr().ok()?.port();
        self.ports.insert(name.to_owned(), port);
        Some(port)
    }
}

struct Starter<'a> {
    guard: &'a Guard,
    order: Order<'a>,
    http: Client,
}

impl Starter<'_> {
    /// Starts it and waits until it is ready; `None` if what was started has ended by then, as it should.
    async fn start(&self, service: &Service, places: &mut Places) -> Result<Option<Process>> {
        let mut launch = self.launch(&service.name, &service.command, service, places)?;
        if service.ready == Ready::Ended {
            launch = launch.task();
        }
        if let Some(stop) = &service.stop {
            let name = format!("the stop command of {}", service.name);
            let undo = self.launch(&name, &stop.command, service, places)?;
            launch = launch.undone_by(undo, stop.within);
        }
        let process = self.guard.spawn(launch).await?;
        if service.stop.is_some() {
            process
                .finished("it had started the service", service.ready_within)
                .await?;
        }
        match &service.ready {
            Ready::Ended => {
                process
                    .finished("it had done its work", service.ready_within)
                    .await?;
                return Ok(None);
            }
            Ready::Http(url) => {
                let url = places.filled(url)?;
                let awaited = format!("GET {url} was answered with success");
                let look = || async {
                    match self.http.status(&url).await {
                        Ok(status) if status.is_success() => Ok(Ok(())),
                        Ok(status) => Err(format!("answered {status}")),
                        // it will not have another certificate in a moment
                        Err(unanswered) if unanswered.for_good => Ok(Err(unanswered)),
                        Err(unanswered) => Err(unanswered.why),
                    }
                };
                let answered = process.until(&awaited, service.ready_within, look).await?;
                answered.with_context(|| format!("GET {url} cannot be asked"))?;
            }
            Ready::Tcp(address) => {
                let address = places.filled(address)?;
                let awaited = format!("something listened at {address}");
                let look = || async {
                    let connected = tokio::net::TcpStream::connect(&address).await;
                    connected.map(drop).map_err(|error| error.to_string())
                };
                process.until(&awaited, service.ready_within, look).await?;
            }
        }
        // what started a service that forked away is over
        Ok(Some(process).filter(|_| service.stop.is_none()))
    }

    /// One of a service's commands, in its folder, with its environment and its log.
    fn launch(
        &self,
        name: &str,
        command: &[String],
        service: &Service,
        places: &mut Places,
    ) -> Result<Launch> {
        let Some((program, arguments)) = command.split_first() else {
            bail!("has no command");
        };
        let log = self.order.run_dir.logs().join(format!("{}.log", service.name));
        let folder = std::path::absolute(&service.folder)
            .with_context(|| format!("cannot find the folder {}", service.folder.display()))?;
        let mut launch = Launch::new(name, places.filled(program)?, log).cwd(folder);
        for argument in arguments {
            launch = launch.arg(places.filled(argument)?);
        }
        for (name, value) in &service.env {
            launch = launch.env(name, places.filled(value)?);
        }
        Ok(launch)
    }
}
