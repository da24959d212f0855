//! Certificates, made anew for each test.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// A CA and a folder with its files, which goes with it.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// The files of a certificate and its key, PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = parameters(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = pem("CERTIFICATE", issuer.der());
        fs::write(folder.path().join("ca.pem"), text).unwrap();
        Self { folder, issuer }
    }

    /// The file with its own certificate.
    pub(crate) fn file(&self) -> String {
        self.path("ca.pem")
    }

    /// A certificate for a common name and for hosts.
    pub(crate) fn issue(&self, name: &str, hosts: &[&str]) -> Pair {
        self.sign(name, parameters(name, hosts))
    }

    /// The same, which expired on 2024-03-01.
    pub(crate) fn issue_expired(&self, name: &str, hosts: &[&str]) -> Pair {
        let mut params = parameters(name, hosts);
        params.not_after = date_time_ymd(2024, 3, 1);
        self.sign(&format!("{name}-expired"), params)
    }

    fn sign(&self, file: &str, mut params: CertificateParams) -> Pair {
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pair = Pair {
            certificate: self.path(&format!("{file}.pem")),
            key: self.path(&format!("{file}.key")),
        };
        fs::write(&pair.certificate, pem("CERTIFICATE", certificate.der())).unwrap();
        fs::write(&pair.key, pem("PRIVATE KEY", &key.serialize_der())).unwrap();
        pair
    }

    fn path(&self, file: &str) -> String {
        let path: PathBuf = self.folder.path().join(file);
        path.to_str().unwrap().to_owned()
    }
}

fn parameters(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.not_before = date_time_ymd(2024, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
