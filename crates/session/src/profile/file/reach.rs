//! Where services are, and those that a run starts.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::mistake::{Source, suggestion};
use super::placed::Placed;
use super::shape::{self, Text};
use crate::profile::{Reach, Ready, Service, fill, variable_of};

/// How long a service may take to be ready, unless the profile says otherwise.
const READY_WITHIN: Duration = Duration::from_secs(20);

pub(super) fn reach(shape: &shape::Reach, starts: bool, source: &mut Source<'_>) -> Reach {
    let mut url = |text: &Text, scheme: &str| {
        if text.contains("${") && !starts {
            source.wrong(text.span(), "a run that starts no service chooses no port");
        } else {
            placeholders(text, false, source);
        }
        let rest = text.strip_prefix(scheme);
        match rest.map(|rest| rest.trim_end_matches('/')) {
            Some(host) if host.contains(':') && !host.contains('/') => {}
            Some(_) => {
                let what =
                    format!("has to be `{scheme}HOST:PORT`; paths are the exchanges' and the dialects'");
                source.wrong(text.span(), what);
            }
            None => source.wrong(
                text.span(),
                format!("has to begin with `{scheme}`; TLS is not there yet"),
            ),
        }
        text.trim_end_matches('/').to_owned()
    };
    let http = shape.http.as_ref().map(|http| url(http, "http://"));
    let web_sockets: Vec<_> = shape.web_sockets.iter().map(|one| url(one, "ws://")).collect();
    if web_sockets.is_empty() {
        source.wrong(shape.web_sockets.span(), "names no place to connect to");
    }
    Reach { http, web_sockets }
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
        if shape.command.is_empty() {
            source.wrong(shape.command.span(), "names no program");
        }
        let ready = match &shape.ready {
            shape::Ready::Http(text) | shape::Ready::Tcp(text) => Some(text),
            shape::Ready::Ended(_) => None,
        };
        for text in shape.command.iter().chain(shape.env.values()).chain(ready) {
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
    Service {
        name: String::clone(&shape.name),
        command: shape.command.iter().map(|word| String::clone(word)).collect(),
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
