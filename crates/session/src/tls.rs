//! TLS: whose word a target's certificates are taken on, and what is said where it cannot be.

mod fault;
mod own;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::Uri;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::carrier::{Carrier, is_secure};

pub use fault::TlsError;
use own::OwnCa;

/// Whose word a target's certificates are taken on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nobody's: nothing of the target goes over TLS.
    #[default]
    Nobody,
    /// Theirs whom the machine trusts.
    Machine,
    /// Theirs alone whose certificates a file holds; a self-signed one is its own CA.
    Only {
        /// The file, as the profile names it.
        file: PathBuf,
        /// What it holds; at least one.
        certificates: Vec<CertificateDer<'static>>,
    },
}

impl Trust {
    /// The certificates of a PEM file, which messages name `shown`.
    pub(crate) fn read(path: &Path, shown: &str) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| format!("cannot read it: {error}"))?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => {
                Err("holds no certificate: `-----BEGIN CERTIFICATE-----`, PEM".to_owned())
            }
            Ok(certificates) => Ok(Self::Only {
                file: shown.into(),
                certificates,
            }),
            Err(error) => Err(format!("is no PEM: {error}")),
        }
    }
}

/// What TLS connections are made with; all of a run's are made with one. A name that does not match, a certificate that is over, or
/// one that nobody who is trusted has signed, ends a handshake: there is no way around that.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// The file with the CA, if the profile names one.
    file: Option<PathBuf>,
}

impl Default for Tls {
    /// For a target that has none.
    fn default() -> Self {
        let roots = RootCertStore::empty();
        Self {
            config: Arc::new(
                begun(&provider())
                    .with_root_certificates(roots)
                    .with_no_client_auth(),
            ),
            file: None,
        }
    }
}

impl Tls {
    /// TLS of version 1.2 or 1.3 with whoever is trusted.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoRoots`] if the machine trusts nobody, [`TlsError::BadRoot`] if a certificate of the profile is none.
    pub fn new(trust: &Trust) -> Result<Self, TlsError> {
        let (provider, mut roots) = (provider(), RootCertStore::empty());
        let (file, certificates) = match trust {
            Trust::Nobody => return Ok(Self::default()),
            Trust::Machine => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                (None, Vec::new())
            }
            Trust::Only { file, certificates } => {
                for certificate in certificates {
                    let added = roots.add(certificate.clone());
                    added.map_err(|source| TlsError::BadRoot {
                        file: file.clone(),
                        source,
                    })?;
                }
                (Some(file.clone()), certificates.clone())
            }
        };
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let web = web.build().map_err(|source| TlsError::NoRoots { source })?;
        let verifier = Arc::new(OwnCa { web, certificates });
        // there is no other way to say it; what `OwnCa` takes beyond webpki is in its words
        let config = begun(&provider)
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(Self {
            config: Arc::new(config.with_no_client_auth()),
            file,
        })
    }

    /// Shakes hands over `tcp` with `host`.
    pub(crate) async fn over(&self, tcp: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, TlsError> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let name = ServerName::try_from(bare.unwrap_or(host).to_owned());
        let name = name.map_err(|_| TlsError::NoName {
            host: host.to_owned(),
        })?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let shaken = connector.connect(name, tcp).await;
        shaken.map_err(|error| TlsError::of(error, host, self.file.as_deref()))
    }

    /// Connects to `https://HOST:PORT` or `wss://HOST:PORT`, shakes hands, and hangs up: whether everybody else could. Nobody is
    /// connected to where there are no hands to shake, at `http://` or `ws://`.
    ///
    /// # Errors
    ///
    /// What went wrong: a [`TlsError`] within the [`io::Error`] if that was it.
    pub async fn greet(&self, url: &str) -> io::Result<()> {
        let url: Uri = url.parse().map_err(io::Error::other)?;
        match url.scheme_str().is_some_and(is_secure) {
            true => Carrier::dial(&url, self).await.map(drop),
            false => Ok(()),
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn begun(provider: &Arc<CryptoProvider>) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let versions =
        ClientConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions();
    versions.expect("ring has ciphers for TLS 1.2 and 1.3")
}
