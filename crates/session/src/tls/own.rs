//! Certificates that a profile names itself.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Webpki, and beyond it the very certificates that a profile names. A self-signed one is marked as a CA by `openssl req -x509`,
/// and webpki takes no CA for a server; that and nothing else is overlooked: its name, its time and its key have to be right.
#[derive(Debug)]
pub(super) struct OwnCa {
    pub(super) web: Arc<WebPkiServerVerifier>,
    /// In the profile's file; none where the machine's roots count.
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for OwnCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by_web = self
            .web
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match by_web {
            // its time has been looked at before that is said (`webpki::verify_cert`), its name has not
            Err(Error::InvalidCertificate(error))
                if is_of_a_ca(&error) && self.certificates.iter().any(|own| own == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}

/// Whether a certificate was refused since it is a CA's, as self-signed ones mostly are.
pub(super) fn is_of_a_ca(error: &CertificateError) -> bool {
    let CertificateError::Other(other) = error else {
        return false;
    };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}
