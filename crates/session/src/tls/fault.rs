//! Why there is no TLS with a service, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat};
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error};

use super::own::is_of_a_ca;

/// Why there is no TLS with a service.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The machine trusts nobody.
    #[error("this machine has no root certificates; name the service's CA: `[tls] ca` in the profile")]
    NoRoots {
        /// What was said.
        source: rustls::client::VerifierBuilderError,
    },
    /// A certificate of the profile is none.
    #[error("{} holds a certificate that cannot be a CA's", file.display())]
    BadRoot {
        /// The profile's file.
        file: PathBuf,
        /// What is wrong with it.
        source: Error,
    },
    /// A host that no certificate can be for.
    #[error("`{host}` is no name or address that a certificate can be for")]
    NoName {
        /// As the profile has it.
        host: String,
    },
    /// The handshake did not end well.
    #[error("no TLS with {host}: {what}")]
    Handshake {
        /// Who was to be spoken with.
        host: String,
        /// What went wrong, and what to do.
        what: String,
        /// What was said.
        source: io::Error,
    },
}

impl TlsError {
    /// What a handshake with `host` ended in, where `file` holds who is trusted.
    pub(super) fn of(error: io::Error, host: &str, file: Option<&Path>) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        let what = match inner {
            Some(inner) => said(inner, file),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => no_tls(),
                _ => error.to_string(),
            },
        };
        Self::Handshake {
            host: host.to_owned(),
            what,
            source: error,
        }
    }

    /// Whether another try would end in the same: the certificate is not taken.
    pub(crate) fn is_for_good(&self) -> bool {
        let Self::Handshake { source, .. } = self else {
            return false;
        };
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref());
        matches!(inner, Some(Error::InvalidCertificate(_)))
    }

    /// The one that an error is about, if it is.
    pub(crate) fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        Self::other(error)
    }
}

fn no_tls() -> String {
    "what listens there speaks no TLS; without TLS it is `ws://` and `http://`".to_owned()
}

fn said(error: &Error, file: Option<&Path>) -> String {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error, file),
        Error::InvalidMessage(_) => no_tls(),
        Error::AlertReceived(alert) => format!("the service ended the handshake with the alert {alert:?}"),
        Error::PeerIncompatible(why) => {
            format!("the service speaks another TLS, here it is 1.2 and 1.3 ({why:?})")
        }
        other => other.to_string(),
    }
}

fn of_certificate(error: &CertificateError, file: Option<&Path>) -> String {
    match error {
        // another CA of the same name has another key
        CertificateError::UnknownIssuer | CertificateError::BadSignature => of_nobody(file),
        // it has signed itself, and is not the one that is named
        error if is_of_a_ca(error) => of_nobody(file),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate was good until {}; renew it", when(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "its certificate is good from {} on; is the clock right?",
            when(*not_before)
        ),
        CertificateError::NotValidForNameContext { presented, .. } => match &presented[..] {
            [] => "its certificate is for no name (subjectAltName)".to_owned(),
            names => {
                let names: Vec<_> = names.iter().map(|name| bare(name)).collect();
                format!("its certificate is for {}; reach it by that", names.join(", "))
            }
        },
        other => format!("its certificate cannot be taken: {other}"),
    }
}

fn of_nobody(file: Option<&Path>) -> String {
    match file {
        Some(file) => format!(
            "its certificate is of nobody whom {} holds (`[tls] ca`); take the CA that has signed it",
            file.display()
        ),
        None => "its certificate is of nobody whom this machine trusts; name its CA: `[tls] ca = \"ca.pem\"` in the profile"
            .to_owned(),
    }
}

/// `chat.test` of `DnsName("chat.test")`.
fn bare(name: &str) -> &str {
    let within = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    within.unwrap_or(name).trim_matches('"')
}

fn when(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(
        || "a time far off".to_owned(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}
