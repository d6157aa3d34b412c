//! `target new`: a profile to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use anyhow::{Context as _, Result, bail};

use crate::cli::{TargetNewArgs, usage};
use crate::screen;
use crate::workspace;

const TEMPLATE: &str = include_str!("template.toml");

pub(super) fn run(args: &TargetNewArgs) -> Result<()> {
    let shown = workspace::shown(&args.file);
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&args.file) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!(usage(format!("{shown} exists; name a new file")));
        }
        Err(error) => return Err(error).with_context(|| format!("cannot make {shown}")),
    };
    file.write_all(profile(args).as_bytes())
        .with_context(|| format!("cannot write {shown}"))?;
    screen::print(&format!(
        "{shown} is a profile to begin with: make it your service's, then `cargo xtask target check {shown}`"
    ))
}

fn profile(args: &TargetNewArgs) -> String {
    let TargetNewArgs {
        name,
        http,
        web_socket,
        ..
    } = args;
    let text = |value: &str| format!("{value:?}");
    TEMPLATE
        .replace("\"NAME\"", &text(name))
        .replace("\"HTTP\"", &text(http))
        .replace("\"WEB-SOCKET\"", &text(web_socket))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use session::profile::TargetFile;

    use super::*;

    #[test]
    fn what_is_written_is_a_profile() {
        let args = TargetNewArgs {
            file: "my.toml".into(),
            name: "a \"quoted\" name".to_owned(),
            http: "http://127.0.0.1:81".to_owned(),
            web_socket: "ws://127.0.0.1:82".to_owned(),
        };
        let target = TargetFile::parse("my.toml", &profile(&args), Path::new(""));
        let target = target.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(target.profile.name, args.name);
        let reach = target.reach.unwrap();
        assert_eq!(
            (reach.http, reach.web_sockets),
            (Some(args.http), vec![args.web_socket])
        );
    }
}
