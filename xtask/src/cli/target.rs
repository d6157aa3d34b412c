//! What a user can type about target profiles.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `target`.
#[derive(Debug, Subcommand)]
pub(crate) enum TargetCommand {
    /// List the built-in profiles.
    List,
    /// Print a built-in profile, to begin one's own from.
    Show {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print the JSON Schema of profiles, for editors.
    Schema,
    /// Read a profile and play two users step by step: what was sent, what came, which rule took it, what nothing matched.
    Check(TargetCheckArgs),
    /// Write a profile to begin with, its parts explained.
    New(TargetNewArgs),
}

/// `target check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0   two users got in, their own secrets came back, and every message was understood
  10  something of one user reached the other    13  the services did not come up
  12  it went less far than that                 2   the profile is wrong")]
pub(crate) struct TargetCheckArgs {
    /// The profile
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Host that the target may be at, beside loopback; may be given again
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,
}

/// `target new`.
#[derive(Debug, Args)]
pub(crate) struct TargetNewArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Name of the service in reports
    #[arg(long, value_name = "NAME", default_value = "my-service")]
    pub(crate) name: String,

    /// Where it is asked over HTTP
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) http: String,

    /// Where one connects
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8000")]
    pub(crate) web_socket: String,
}
