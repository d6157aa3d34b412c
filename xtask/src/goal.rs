//! Whom a run is about: the built-in target, or that of a profile, with what it allows.

use std::path::Path;

use session::plan::Scale;
use session::profile::TargetFile;

use crate::cli::{E2eArgs, Misuse, Plane, usage};
use crate::fault::Victim;
use crate::stack::REPLICAS;

/// Users of a run when nobody says otherwise.
const USERS: u32 = 12;

/// A target, and what a run against it can be.
#[derive(Debug)]
pub(crate) struct Goal {
    /// `None` for the built-in one.
    pub(crate) target: Option<TargetFile>,
    pub(crate) users: u32,
    pub(crate) replicas: u8,
    pub(crate) notes: Vec<String>,
}

impl Goal {
    /// Checks what was asked for against what the target allows.
    pub(crate) fn of(args: &E2eArgs) -> Result<Self, Misuse> {
        let Some(path) = &args.target else {
            if !args.allow_host.is_empty() {
                return Err(usage(
                    "--allow-host: the services of the built-in target are ours, on loopback",
                ));
            }
            return Ok(Self {
                target: None,
                users: args.users.unwrap_or(USERS),
                replicas: REPLICAS,
                notes: Vec::new(),
            });
        };
        let target = read(path)?;
        alone(args)?;
        let mut notes = vec![format!("target profile {}", path.display())];
        let places = target.reach.iter().flat_map(|reach| &reach.web_sockets);
        let replicas = u8::try_from(places.count()).unwrap_or(u8::MAX);
        allowed(&target, &args.allow_host)?;
        let users = users(args.users, &target, &mut notes)?;
        Ok(Self {
            target: Some(target),
            users,
            replicas,
            notes,
        })
    }

    /// Every user is a tenant of its own where the target has no tenants.
    pub(crate) fn tenants(&self, args: &E2eArgs) -> Result<u32, Misuse> {
        let apart = self.target.as_ref().is_none_or(|target| target.profile.tenants);
        match (apart, args.tenants) {
            (true, asked) => Ok(asked.unwrap_or_else(|| Scale::tenants_for(self.users))),
            (false, None) => Ok(self.users),
            (false, Some(_)) => Err(usage("--tenants: the target keeps no tenants apart")),
        }
    }

    /// What a run covers when nobody says otherwise: the pools under stress are ours, not a target's.
    pub(crate) fn planes(&self) -> &'static [Plane] {
        match self.target {
            None => &Plane::ALL,
            Some(_) => &[Plane::Isolation, Plane::Performance],
        }
    }
}

/// Reads a profile that says where its services are; what is wrong with it is bad usage.
pub(crate) fn read(path: &Path) -> Result<TargetFile, Misuse> {
    let target = TargetFile::read(path).map_err(|error| {
        let error = anyhow::Error::new(error);
        usage(format!("{error:#}"))
    })?;
    match target.reach {
        Some(_) => Ok(target),
        None => Err(usage(format!(
            "{}: `reach` has to say where the services are",
            path.display()
        ))),
    }
}

/// What goes with the reference services alone.
fn alone(args: &E2eArgs) -> Result<(), Misuse> {
    let of_service = |fault: &&crate::fault::Fault| matches!(fault.victim, Victim::Service(_));
    let not = [
        ("--mutant", args.mutant.is_some()),
        ("--binaries", args.binaries.is_some()),
        ("--differential", args.differential),
        ("--only dbpool", args.only.contains(&Plane::Dbpool)),
        (
            "--fault of a service",
            args.faults.iter().any(|fault| of_service(&fault)),
        ),
    ];
    match not.into_iter().find(|(_, given)| *given) {
        Some((what, _)) => Err(usage(format!(
            "{what} is for the reference services, not for a --target"
        ))),
        None => Ok(()),
    }
}

/// No more users than the target takes.
fn users(asked: Option<u32>, target: &TargetFile, notes: &mut Vec<String>) -> Result<u32, Misuse> {
    let Some(max) = target.profile.accounts.max() else {
        return Ok(asked.unwrap_or(USERS));
    };
    match asked {
        Some(asked) if asked > max => {
            let what = format!("--users: {asked} are asked for, the target has {max} at most");
            Err(usage(what))
        }
        Some(asked) => Ok(asked),
        None => {
            if max < USERS {
                notes.push(format!("the target has {max} users at most"));
            }
            Ok(max.min(USERS))
        }
    }
}

/// Only loopback, unless a host is spelt out: a profile is somebody's file, and a run is an attack.
pub(crate) fn allowed(target: &TargetFile, hosts: &[String]) -> Result<(), Misuse> {
    let Some(reach) = &target.reach else { return Ok(()) };
    for url in reach.http.iter().chain(&reach.web_sockets) {
        let host = host_of(url);
        if !is_loopback(host) && !hosts.iter().any(|allowed| allowed == host) {
            let what = format!(
                "{url} is not on loopback; a run attacks what it reaches: --allow-host {host} if it is yours"
            );
            return Err(usage(what));
        }
    }
    Ok(())
}

/// The host of `scheme://host:port`.
fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, host: &str, loopback: bool) {
        assert_eq!(
            (host_of(url), is_loopback(host_of(url))),
            (host, loopback),
            "{url}"
        );
    }

    #[test]
    fn hosts() {
        check("http://127.0.0.1:8000", "127.0.0.1", true);
        check("ws://localhost:${port:web}", "localhost", true);
        check("ws://[::1]:8000", "::1", true);
        check("http://10.0.0.1:80", "10.0.0.1", false);
        check("http://localhost.example.org:80", "localhost.example.org", false);
        check("http://127.0.0.1@example.org:80", "example.org", false);
        check("http://127.0.0.1.example.org:80", "127.0.0.1.example.org", false);
    }
}
