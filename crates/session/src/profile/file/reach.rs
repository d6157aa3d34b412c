//! Where services are, and those that a run starts.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::mistake::{Source, suggestion};
use super::placed::Placed;
use super::shape::{self, Text};
use crate::carrier::is_secure;
use crate::profile::{Reach, Ready, Service, Stop, fill, variable_of};
use crate::tls::Trust;

/// How long a service may take to be ready, unless the profile says otherwise.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long its stop command may take, unless the profile says otherwise.
const STOP_WITHIN_MS: u64 = 10_000;
/// The longest that it may: a run that has ended waits for it.
const STOP_WITHIN_MS_MAX: u64 = 20_000;

/// Where the services of a file are; `None` if it does not say.
pub(super) fn reach(file: &shape::File, folder: &Path, source: &mut Source<'_>) -> Option<Reach> {
    let starts = !file.service.is_empty();
    let shape = file.reach.as_ref()?;
    let http = shape.http.as_ref();
    let http = http.map(|http| place(http, ["http://", "https://"], starts, source));
    let places = shape.web_sockets.iter();
    let web_sockets: Vec<_> = places
        .map(|one| place(one, ["ws://", "wss://"], starts, source))
        .collect();
    if web_sockets.is_empty() {
        source.wrong(shape.web_sockets.span(), "names no place to connect to");
    }
    let looked_at = file.service.iter().filter_map(|service| match &service.ready {
        shape::Ready::Http(url) => Some(String::clone(url)),
        _ => None,
    });
    let mut all = web_sockets.iter().chain(&http).cloned().chain(looked_at);
    let secure = all.any(|url| url.split_once("://").is_some_and(|(scheme, _)| is_secure(scheme)));
    let trust = trust(file, folder, secure, source);
    Some(Reach {
        http,
        web_sockets,
        trust,
    })
}

/// A URL without a path, of one of two schemes.
fn place(text: &Text, schemes: [&str; 2], starts: bool, source: &mut Source<'_>) -> String {
    if text.contains("${") && !starts {
        source.wrong(text.span(), "a run that starts no service chooses no port");
    } else {
        placeholders(text, false, source);
    }
    let [plain, secure] = schemes;
    let url = text.trim_end_matches('/');
    match url.strip_prefix(plain).or_else(|| url.strip_prefix(secure)) {
        Some(host) if !host.is_empty() && !host.contains('/') => {}
        Some(_) => {
            let what = format!("has to be `{plain}HOST:PORT`; paths are the exchanges' and the dialects'");
            source.wrong(text.span(), what);
        }
        None => {
            let what = format!("has to begin with `{plain}`, or over TLS with `{secure}`");
            source.wrong(text.span(), what);
        }
    }
    url.to_owned()
}

/// Whose word is taken on who the services are.
fn trust(file: &shape::File, folder: &Path, secure: bool, source: &mut Source<'_>) -> Trust {
    match &file.tls {
        None if secure => Trust::Machine,
        None => Trust::Nobody,
        Some(tls) if !secure => {
            let what = "nothing is reached over TLS: `reach` has no `https://` and no `wss://`";
            source.wrong(tls.span(), what);
            Trust::Nobody
        }
        Some(tls) => Trust::read(&folder.join(tls.ca.as_str()), &tls.ca).unwrap_or_else(|what| {
            source.wrong(tls.ca.span(), what);
            Trust::Nobody
        }),
    }
}

pub(super) fn services(
    shapes: &[Placed<shape::Service>],
    folder: &Path,
    source: &mut Source<'_>,
) -> Vec<Service> {
    let names: Vec<&str> = shapes.iter().map(|service| service.name.as_str()).collect();
    let mut started: BTreeSet<&str> = BTreeSet::new();
    let mut services = Vec::new();
    for shape in shapes {
        for other in &shape.after {
            if !names.contains(&other.as_str()) {
                let near = suggestion(other, names.iter().copied());
                source.wrong(other.span(), format!("there is no service `{}`{near}", **other));
            } else if !started.contains(other.as_str()) {
                let what = format!("`{}` has to stand before what is started after it", **other);
                source.wrong(other.span(), what);
            }
        }
        if !is_name(&shape.name) || !started.insert(&shape.name) {
            let what = "a service's name is its own: lower-case letters, digits and hyphens";
            source.wrong(shape.name.span(), what);
        }
        let commands = [&shape.command, &shape.start, &shape.stop];
        let commands = commands.into_iter().flatten();
        for command in commands.clone().filter(|command| command.is_empty()) {
            source.wrong(command.span(), "names no program");
        }
        let ready = match &shape.ready {
            shape::Ready::Http(text) | shape::Ready::Tcp(text) => Some(text),
            shape::Ready::Ended(_) => None,
        };
        let words = commands.flat_map(|command| command.iter());
        for text in words.chain(shape.env.values()).chain(ready) {
            placeholders(text, shape.postgres, source);
        }
        services.push(service(shape, folder, source));
    }
    services
}

/// Only what a run can fill in.
fn placeholders(text: &Text, postgres: bool, source: &mut Source<'_>) {
    let known = |name: &str| {
        let variable = name.strip_prefix("env:").and_then(variable_of);
        let port = name.strip_prefix("port:").is_some_and(is_name);
        (port || (postgres && name == "postgres") || variable.is_some()).then(String::new)
    };
    match fill(text, known) {
        Ok(_) => {}
        Err(name) if name == "postgres" => {
            source.wrong(text.span(), "there is no `${postgres}` unless `postgres = true`");
        }
        Err(name) if name.starts_with("env:") => {
            let what = format!("the environment variable {} is not set", &name["env:".len()..]);
            source.wrong(text.span(), what);
        }
        Err(name) => {
            let what = format!(
                "unknown placeholder `${{{name}}}`: there are `${{port:NAME}}`, `${{env:NAME}}`, `${{env:NAME=VALUE}}` and `${{postgres}}`"
            );
            source.wrong(text.span(), what);
        }
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(fits)
}

/// What starts a service, and what ends it if it forks away.
fn commands(shape: &Placed<shape::Service>, source: &mut Source<'_>) -> (Vec<String>, Option<Stop>) {
    let words = |command: &Placed<Vec<Text>>| command.iter().map(|word| String::clone(word)).collect();
    let within = shape.stop_within_ms.as_ref();
    if let Some(within) = within.filter(|within| ***within > STOP_WITHIN_MS_MAX) {
        let what = format!("is {}, at most {STOP_WITHIN_MS_MAX}", **within);
        source.wrong(within.span(), what);
    }
    match (&shape.command, &shape.start, &shape.stop) {
        (Some(command), None, None) => {
            if let Some(within) = within {
                source.wrong(within.span(), "goes with `stop`, and there is none");
            }
            (words(command), None)
        }
        (None, Some(start), Some(stop)) => {
            if matches!(shape.ready, shape::Ready::Ended(_)) {
                let what =
                    "what forks away is ready when it answers (`http`, `tcp`), not when its start has ended";
                source.wrong(start.span(), what);
            }
            let within = Duration::from_millis(within.map_or(STOP_WITHIN_MS, |within| **within));
            let command = words(stop);
            (words(start), Some(Stop { command, within }))
        }
        _ => {
            let what =
                "a service has either a `command`, which stays in the foreground, or a `start` and a `stop`";
            source.wrong(shape.name.span(), what);
            (Vec::new(), None)
        }
    }
}

fn service(shape: &Placed<shape::Service>, folder: &Path, source: &mut Source<'_>) -> Service {
    let ready = match &shape.ready {
        shape::Ready::Http(url) => Ready::Http(String::clone(url)),
        shape::Ready::Tcp(address) => Ready::Tcp(String::clone(address)),
        shape::Ready::Ended(true) => Ready::Ended,
        shape::Ready::Ended(false) => {
            source.wrong(shape.span(), "`ended` is `true` or left out");
            Ready::Ended
        }
    };
    let (command, stop) = commands(shape, source);
    Service {
        name: String::clone(&shape.name),
        command,
        stop,
        env: shape
            .env
            .iter()
            .map(|(name, value)| (name.clone(), String::clone(value)))
            .collect(),
        folder: folder.join(shape.folder.as_ref().map_or("", |folder| folder.as_str())),
        after: shape.after.iter().map(|name| String::clone(name)).collect(),
        postgres: shape.postgres,
        ready,
        ready_within: shape.ready_within_ms.map_or(READY_WITHIN, Duration::from_millis),
    }
}
