//! One TLS handshake, to learn whether a server speaks TLS and asks for a client certificate: one that was given none may
//! close the connection without a word.

use std::{
    net::{TcpStream, ToSocketAddrs as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use crate::tls::Fault;

/// Notes that it was asked for a certificate, and has none.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

/// Takes any server for what it says it is. Nothing is sent to it after the handshake.
#[derive(Debug)]
struct Anybody;

/// What a server did in a handshake.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Handshake {
    /// It answered in TLS. A connection that was closed or reset before proves nothing: whatever is there may be going
    /// down.
    pub(super) is_tls: bool,
    /// It asked for a client certificate.
    pub(super) is_asked: bool,
}

/// Tries a handshake, without a client certificate, within some `timeout`s.
pub(super) async fn attempt(host: &str, port: u16, timeout: Duration) -> Handshake {
    let host = host.to_owned();
    let handshake = tokio::task::spawn_blocking(move || shake_hands(&host, port, timeout));
    handshake.await.ok().flatten().unwrap_or_default()
}

fn shake_hands(host: &str, port: u16, timeout: Duration) -> Option<Handshake> {
    let asked = Arc::new(Asked::default());
    let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.client_auth_cert_resolver = Arc::clone(&asked) as Arc<dyn ResolvesClientCert>;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let mut tls = ClientConnection::new(Arc::new(config), name).ok()?;
    let address = (host, port).to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, timeout).ok()?;
    stream.set_read_timeout(Some(timeout)).ok()?;
    stream.set_write_timeout(Some(timeout)).ok()?;
    let failure = loop {
        if !tls.is_handshaking() {
            break None;
        }
        if let Err(error) = tls.complete_io(&mut stream) {
            break Some(error);
        }
    };
    let is_asked = asked.0.load(Ordering::Relaxed);
    // A refusal in TLS is an answer too.
    let is_answer = |error| Fault::of(error).is_some_and(|fault| fault != Fault::NotTls);
    Some(Handshake {
        is_tls: is_asked || failure.as_ref().is_none_or(is_answer),
        is_asked,
    })
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
