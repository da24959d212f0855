//! TLS: whom we trust, and who we are by a client certificate.
//!
//! The files are read for every connection, so that a renewed certificate counts without a restart.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lapin::tcp::RustlsConnector;
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme,
    client::ResolvesClientCert,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use x509_parser::{parse_x509_certificate, time::ASN1Time};

use super::cause::Asked;

/// What a connection by TLS needs to know.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Certificates of the CAs that are trusted, PEM; the system's where there is none.
    pub ca: Option<PathBuf>,
    /// Who we are.
    pub identity: Option<Identity>,
}

/// A client certificate and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, and perhaps those that lead to its CA, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM, by PKCS#8, PKCS#1 or SEC 1, not encrypted.
    pub key: PathBuf,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Fault {
    /// Which one.
    pub file: File,
    path: String,
    reason: String,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// The CAs' certificates.
    Ca,
    /// The client certificate.
    Certificate,
    /// The client certificate's key.
    Key,
}

impl Tls {
    /// Reads the files and says what is wrong with them.
    pub fn faults(&self) -> Vec<Fault> {
        let identity = self.identity.as_ref().map(Identity::load);
        let faults = [self.roots().err(), identity.and_then(Result::err)];
        faults.into_iter().flatten().collect()
    }

    /// Reads the files. The second value tells later whether the server asked for a client certificate.
    pub(super) fn connector(&self) -> Result<(RustlsConnector, Arc<Client>), Fault> {
        let client = Arc::new(Client {
            key: self.identity.as_ref().map(Identity::load).transpose()?,
            was_asked: AtomicBool::default(),
        });
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| self.fault(error.to_string()))?;
        let resolver: Arc<dyn ResolvesClientCert> = Arc::<Client>::clone(&client);
        let config = builder
            .with_root_certificates(self.roots()?)
            .with_client_cert_resolver(resolver);
        Ok((config.into(), client))
    }

    fn roots(&self) -> Result<RootCertStore, Fault> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.ca {
            for certificate in certificates(File::Ca, path)? {
                let added = roots.add(certificate);
                added.map_err(|error| Fault::new(File::Ca, path, error.to_string()))?;
            }
        } else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
        if roots.is_empty() {
            return Err(self.fault("holds no certificate of a CA"));
        }
        Ok(roots)
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        let system = Path::new("the system's certificate store");
        Fault::new(File::Ca, self.ca.as_deref().unwrap_or(system), reason)
    }
}

impl Identity {
    fn load(&self) -> Result<Arc<CertifiedKey>, Fault> {
        let of_certificate =
            |reason: String| Fault::new(File::Certificate, &self.certificate, reason);
        let chain = certificates(File::Certificate, &self.certificate)?;
        if let Some(day) = expiry(&chain[0]).map_err(of_certificate)? {
            return Err(of_certificate(format!("the certificate expired on {day}")));
        }
        let key = key(&self.key)?;
        let pair = CertifiedKey::from_der(chain, key, &ring::default_provider());
        pair.map(Arc::new).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Fault::new(
                File::Key,
                &self.key,
                format!("not the key of {}", self.certificate.display()),
            ),
            error => Fault::new(File::Key, &self.key, error.to_string()),
        })
    }
}

/// The client's side of a handshake.
#[derive(Debug)]
pub(super) struct Client {
    key: Option<Arc<CertifiedKey>>,
    was_asked: AtomicBool,
}

impl Client {
    /// Whether the server asked for a client certificate.
    pub(super) fn asked(&self) -> Option<Asked> {
        let answer = match self.key {
            Some(_) => Asked::Answered,
            None => Asked::InVain,
        };
        self.was_asked.load(Ordering::Relaxed).then_some(answer)
    }
}

impl ResolvesClientCert for Client {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

impl Fault {
    fn new(file: File, path: &Path, reason: impl Into<String>) -> Self {
        Self {
            file,
            path: path.display().to_string(),
            reason: reason.into(),
        }
    }
}

fn read(file: File, path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|error| Fault::new(file, path, without_code(&error)))
}

/// The certificates of a file; at least one.
fn certificates(file: File, path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let text = read(file, path)?;
    let all: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(all) if all.is_empty() => Err(Fault::new(file, path, "holds no certificate in PEM")),
        Ok(all) => Ok(all),
        Err(error) => Err(Fault::new(file, path, format!("not PEM: {error}"))),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    let text = read(File::Key, path)?;
    let is_encrypted = String::from_utf8_lossy(&text).contains("ENCRYPTED");
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let reason = match error {
            _ if is_encrypted => "the key is encrypted: write it without a password".to_owned(),
            pem::Error::NoItemsFound => "holds no private key in PEM".to_owned(),
            // Its text would quote the file.
            _ => "not PEM".to_owned(),
        };
        Fault::new(File::Key, path, reason)
    })
}

/// The day on which a certificate expired, if it has.
fn expiry(certificate: &CertificateDer<'_>) -> Result<Option<String>, String> {
    let (_, certificate) =
        parse_x509_certificate(certificate).map_err(|_| "not a certificate".to_owned())?;
    let end = certificate.validity().not_after;
    let has_expired = end < ASN1Time::now();
    Ok(has_expired.then(|| end.to_datetime().date().to_string()))
}

/// `No such file or directory (os error 2)` without the number.
fn without_code(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_owned()
}
