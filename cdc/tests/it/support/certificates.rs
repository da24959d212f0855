//! Certificates, made anew for each test.

use std::{fs, path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// 2024-03-01, from 1970 on.
const MARCH_2024: Duration = Duration::from_secs(1_709_251_200);

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
    /// Certificate and key in one file.
    pub(crate) both: String,
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

    /// The same, which expires so long after 1970.
    pub(crate) fn issue_until(&self, name: &str, hosts: &[&str], end: Duration) -> Pair {
        let mut params = parameters(name, hosts);
        params.not_after = date_time_ymd(1970, 1, 1) + end;
        self.sign(name, params)
    }

    /// The same, which expired on 2024-03-01.
    pub(crate) fn issue_expired(&self, name: &str, hosts: &[&str]) -> Pair {
        self.issue_until(&format!("{name}-expired"), hosts, MARCH_2024)
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
            both: self.path(&format!("{file}.both.pem")),
        };
        let certificate = pem("CERTIFICATE", certificate.der());
        let key = pem("PRIVATE KEY", &key.serialize_der());
        fs::write(&pair.certificate, &certificate).unwrap();
        fs::write(&pair.key, &key).unwrap();
        fs::write(&pair.both, certificate + &key).unwrap();
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
    let lines: Vec<_> = lines.collect();
    let lines = lines.join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}
