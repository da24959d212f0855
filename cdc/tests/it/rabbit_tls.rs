//! TLS to RabbitMQ: what is right works, and each thing that is wrong has an error of its own, in one line.

use std::fs;

use crate::support::{
    Authority, Broker, Engine, Finished, Pair, Scenario, check, eventually, first_copies,
    mongo_uri, stream_address,
};
use harness::port;
use tokio::net::TcpStream;

/// A broker that speaks TLS too, and where.
struct Secured {
    broker: Broker,
    port: u16,
    /// The port of streams with TLS, where there are streams.
    streams: Option<u16>,
}

impl Secured {
    /// With lines of configuration that begin after `ssl_options.`.
    async fn start(authority: &Authority, server: &Pair, options: &[&str], plugins: &str) -> Self {
        let port = port::free();
        let files = [
            format!("cacertfile = {}", authority.file()),
            format!("certfile = {}", server.certificate),
            format!("keyfile = {}", server.key),
        ];
        let options = files
            .iter()
            .map(String::as_str)
            .chain(options.iter().copied());
        let options: Vec<_> = options
            .map(|option| format!("ssl_options.{option}\n"))
            .collect();
        let options = options.concat();
        let lines = format!(
            "listeners.ssl.1 = 127.0.0.1:{port}\n{options}ssl_cert_login_from = common_name\n\
             auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\n"
        );
        let streams = stream_address().map(|_| port::free());
        let of_streams = streams.map_or_else(String::new, |port| {
            format!(
                "stream.listeners.ssl.1 = 127.0.0.1:{port}\nstream.advertised_tls_host = localhost\n\
                 stream.advertised_tls_port = {port}\n"
            )
        });
        let broker = Broker::new(&(lines + &of_streams), plugins);
        let mut secured = Self {
            broker,
            port,
            streams,
        };
        secured.up().await;
        secured
    }

    /// Starts the broker. The port with TLS opens after the one without.
    async fn up(&mut self) {
        self.broker.start().await;
        let opens = async || TcpStream::connect(("127.0.0.1", self.port)).await.is_ok();
        eventually("the port with TLS is open", opens).await;
    }

    /// What says where it is.
    fn at(&self, host: &str) -> Vec<(String, String)> {
        settings(&[
            ("RABBITMQ_HOST", host),
            ("RABBITMQ_PORT", &self.port.to_string()),
        ])
    }
}

fn settings(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let settings = settings.iter();
    settings
        .map(|(variable, value)| ((*variable).to_owned(), (*value).to_owned()))
        .collect()
}

fn with(mut all: Vec<(String, String)>, more: &[(&str, &str)]) -> Vec<(String, String)> {
    all.extend(settings(more));
    all
}

/// How `cdc tail` ends, which needs no other server.
async fn tail(settings: Vec<(String, String)>) -> Finished {
    let settings = with(settings, &[("CDC_STARTUP_TIMEOUT_MS", "8000")]);
    Engine::spawn(&["tail", "--no-follow"], &settings)
        .finish()
        .await
}

/// It got as far as to ask for a queue, which is not there.
fn reached(finished: &Finished) {
    check(finished, 1, &["error: queue `test_queue` does not exist"]);
}

/// Its only line but the hint is this error, at once.
fn refused(finished: &Finished, error: &str, hint: &str) {
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let lines: Vec<_> = finished.log.lines().collect();
    let [line, "", ref advice @ ..] = lines[..] else {
        panic!("more than an error and a hint:\n{}", finished.log)
    };
    // A command has a line of its own.
    let advice = advice.join("\n");
    assert!(advice.lines().count() <= 2, "{advice}");
    assert!(
        line.starts_with("error: rabbitmq at ") && line.ends_with(error),
        "{line}"
    );
    assert!(
        advice.starts_with("hint: ") && advice.contains(hint),
        "{advice}"
    );
}

#[tokio::test]
async fn a_private_ca_is_trusted_until_the_certificate_expires_or_is_for_another_name() {
    let authority = Authority::new("tests' CA");
    let server = authority.issue("broker", &["localhost", "broker.example"]);
    let mut secured = Secured::start(&authority, &server, &["verify = verify_none"], "").await;
    let ca = authority.file();

    let trusted = with(secured.at("localhost"), &[("RABBITMQ_CA_FILE", &ca)]);
    reached(&tail(trusted.clone()).await);
    let uri = format!("amqps://guest:guest@localhost:{}", secured.port);
    reached(
        &tail(settings(&[
            ("RABBITMQ_URI", &uri),
            ("RABBITMQ_CA_FILE", &ca),
        ]))
        .await,
    );

    let other_name = with(secured.at("127.0.0.1"), &[("RABBITMQ_CA_FILE", &ca)]);
    refused(
        &tail(other_name).await,
        ": its certificate is for `localhost`, `broker.example`, not for `127.0.0.1`",
        "name the host as the certificate does",
    );
    let untrusted = "the issuer of its certificate is not trusted";
    let stranger = Authority::new("another CA");
    for settings in [
        with(secured.at("localhost"), &[("RABBITMQ_TLS", "on")]),
        with(
            secured.at("localhost"),
            &[("RABBITMQ_CA_FILE", &stranger.file())],
        ),
    ] {
        refused(&tail(settings).await, untrusted, "RABBITMQ_CA_FILE");
    }

    let client = authority.issue("cdc", &[]);
    let external = [
        ("RABBITMQ_AUTH", "external"),
        ("RABBITMQ_CERT_FILE", &client.certificate),
        ("RABBITMQ_KEY_FILE", &client.key),
    ];
    check(
        &tail(with(trusted.clone(), &external)).await,
        1,
        &[
            ": closed the connection at the login: it may not offer the authentication mechanism EXTERNAL\n",
            "rabbitmq_auth_mechanism_ssl",
        ],
    );

    secured.broker.stop().await;
    let expired = authority.issue_expired("broker", &["localhost"]);
    fs::copy(&expired.certificate, &server.certificate).unwrap();
    fs::copy(&expired.key, &server.key).unwrap();
    secured.up().await;
    refused(
        &tail(trusted).await,
        "its certificate expired on 2024-03-01",
        "renew the broker's certificate",
    );
}

#[tokio::test]
async fn a_client_certificate_is_a_login_and_its_lack_is_told() {
    let authority = Authority::new("tests' CA");
    let server = authority.issue("broker", &["localhost"]);
    let options = ["verify = verify_peer", "fail_if_no_peer_cert = true"];
    let secured = Secured::start(
        &authority,
        &server,
        &options,
        ",rabbitmq_auth_mechanism_ssl",
    )
    .await;
    let ca = authority.file();
    let trusted = with(secured.at("localhost"), &[("RABBITMQ_CA_FILE", &ca)]);
    let certified = |pair: &Pair| {
        let files = [
            ("RABBITMQ_CERT_FILE", pair.certificate.as_str()),
            ("RABBITMQ_KEY_FILE", pair.key.as_str()),
        ];
        with(trusted.clone(), &files)
    };
    refused(
        &tail(trusted.clone()).await,
        "it asks for a client certificate, and none is set",
        "RABBITMQ_CERT_FILE and RABBITMQ_KEY_FILE",
    );
    let stranger = Authority::new("another CA");
    let finished = tail(certified(&stranger.issue("cdc", &[]))).await;
    check(
        &finished,
        1,
        &["it does not accept the client certificate ("],
    );

    let client = authority.issue("cdc", &[]);
    reached(&tail(certified(&client)).await);
    let external = with(certified(&client), &[("RABBITMQ_AUTH", "external")]);
    refused(
        &tail(external.clone()).await,
        "refused the user whose name the client certificate gives (EXTERNAL)",
        "rabbitmqctl add_user",
    );

    secured.broker.control(&["add_user", "cdc", "unused"]).await;
    refused(
        &tail(external.clone()).await,
        "user `of the client certificate` has no permissions on virtual host `/`",
        "rabbitmqctl set_permissions",
    );
    secured
        .broker
        .control(&["set_permissions", "cdc", ".*", ".*", ".*"])
        .await;
    reached(&tail(external.clone()).await);
    crossed(&secured, &trusted).await;
    delivers(&secured, &external).await;
}

/// The engine itself, from MongoDB to the queue, and to a stream by its own protocol.
async fn delivers(secured: &Secured, external: &[(String, String)]) {
    delivers_to(secured, external, secured.port).await;
    let Some(port) = secured.streams else {
        return;
    };
    let streams = with(
        external.to_vec(),
        &[
            ("CDC_QUEUE_TYPE", "stream"),
            ("CDC_STREAM_PROTOCOL", "native"),
            ("RABBITMQ_STREAM_PORT", &port.to_string()),
        ],
    );
    delivers_to(secured, &streams, port).await;
}

async fn delivers_to(secured: &Secured, settings: &[(String, String)], port: u16) {
    let mut scenario = Scenario::at("external", &mongo_uri(), &secured.broker.uri("")).await;
    scenario.unset("RABBITMQ_URI");
    for (variable, value) in settings {
        scenario.set(variable, value);
    }
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (0..10).collect::<Vec<_>>());
    engine.wait_for(&format!("localhost:{port}")).await;
    assert_eq!(engine.stop().await.code, Some(0));
}

/// TLS where there is none, and none where there is.
async fn crossed(secured: &Secured, trusted: &[(String, String)]) {
    refused(
        &tail(secured.at("localhost")).await,
        "this port speaks TLS: use amqps",
        "amqps:// in RABBITMQ_URI, or set RABBITMQ_TLS=on",
    );
    let address = secured.broker.address();
    let plain = with(trusted.to_vec(), &[("RABBITMQ_HOST", &address)]);
    refused(
        &tail(plain).await,
        "this port speaks AMQP without TLS: use amqp, or the port for amqps",
        "5671 is usual for TLS",
    );
}

#[tokio::test]
async fn files_that_cannot_be_used_are_faults_of_the_configuration() {
    let authority = Authority::new("tests' CA");
    let (client, other) = (authority.issue("cdc", &[]), authority.issue("other", &[]));
    let expired = authority.issue_expired("cdc", &[]);
    let check_files = async |ca: &str, certificate: &str, key: &str, expected: &str| {
        let files = [
            ("RABBITMQ_CA_FILE", ca),
            ("RABBITMQ_CERT_FILE", certificate),
            ("RABBITMQ_KEY_FILE", key),
        ];
        let finished = tail(settings(&files)).await;
        check(&finished, 64, &[expected]);
    };
    let ca = authority.file();
    let Pair {
        certificate, key, ..
    } = &client;
    let no_ca = format!("RABBITMQ_CA_FILE: {key}: holds no certificate in PEM");
    check_files(key, certificate, key, &no_ca).await;
    let no_certificate = format!("RABBITMQ_CERT_FILE: {key}: holds no certificate in PEM");
    check_files(&ca, key, key, &no_certificate).await;
    let no_key = format!("RABBITMQ_KEY_FILE: {certificate}: holds no private key in PEM");
    check_files(&ca, certificate, certificate, &no_key).await;
    let mismatch = format!(
        "RABBITMQ_KEY_FILE: {}: not the key of {certificate}",
        other.key
    );
    check_files(&ca, certificate, &other.key, &mismatch).await;
    let late = format!(
        "RABBITMQ_CERT_FILE: {}: the certificate expired on 2024-03-01",
        expired.certificate
    );
    check_files(&ca, &expired.certificate, &expired.key, &late).await;
    let text = "RABBITMQ_KEY_FILE: /nowhere: No such file or directory";
    check_files(&ca, certificate, "/nowhere", text).await;
}
