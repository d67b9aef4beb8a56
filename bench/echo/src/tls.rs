//! The origin's TLS: from files, or a certificate made for one run.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A configuration from PEM files. The error names the file.
pub(crate) fn from_files(cert: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| invalid(&format!("{} cannot be read as certificates: {error}", cert.display())))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| invalid(&format!("{} cannot be read as a key: {error}", key.display())))?;
    config(chain, private)
}

/// A configuration with a new certificate for localhost.
pub(crate) fn self_signed() -> io::Result<Arc<ServerConfig>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| invalid(&error.to_string()))?;
    let private = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(invalid)?;
    config(vec![made.cert.der().clone()], private)
}

fn config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| invalid(&error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_certificate_fits_its_key() {
        assert!(self_signed().is_ok());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = from_files(Path::new("no-such.pem"), Path::new("no-such.key")).unwrap_err();
        assert!(error.to_string().contains("no-such.pem"), "{error}");
    }
}
