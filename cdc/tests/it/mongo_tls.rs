//! MongoDB with TLS: it works, or one line says why not, at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bson::doc;

use crate::support::{Authority, Engine, MongoServer, Scenario, amqp_uri, check, eventually};

const LOCAL: [&str; 2] = ["localhost", "127.0.0.1"];

/// Arguments for a server that speaks nothing but TLS.
fn tls<'a>(certificate: &'a str, authority: &'a str) -> Vec<&'a str> {
    [
        ["--tlsMode", "requireTLS"],
        ["--tlsCertificateKeyFile", certificate],
        ["--tlsCAFile", authority],
    ]
    .concat()
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The engine reads a change through this connection string.
async fn works(label: &str, uri: &str) {
    let scenario = Scenario::at(label, uri, &amqp_uri()).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..3).await;
    scenario.take_until_number(2).await;
    assert_eq!(engine.stop().await.code, Some(0));
}

/// The engine ends at its first attempt, with one line and a hint.
async fn is_told(uri: &str, cause: &str, hint: &str) {
    let log = ends(uri, cause, hint).await;
    assert!(!log.contains("trying again"), "{log}");
}

/// The engine ends with one line and a hint. Returns its log.
async fn ends(uri: &str, cause: &str, hint: &str) -> String {
    let settings = [
        ("MONGO_DATABASE_HOST", uri),
        ("RABBITMQ_URI", "amqp://127.0.0.1:1"),
        ("CDC_STARTUP_TIMEOUT_MS", "2000"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let finished = Engine::spawn(&[], &settings).finish().await;
    check(&finished, 1, &["error: mongodb at 127.0.0.1:", cause, hint]);
    let (error, hint) = finished.log.rsplit_once("\n\nhint: ").unwrap();
    let (_, error) = error.rsplit_once("error: ").unwrap();
    for text in [error, hint.trim_end()] {
        assert_eq!(text.lines().count(), 1, "{}", finished.log);
    }
    for part in ["Topology", "labels"] {
        assert!(
            !finished.log.contains(part),
            "`{part}` in:\n{}",
            finished.log
        );
    }
    finished.log
}

#[tokio::test]
async fn tls_with_an_authority_of_ones_own_works_and_what_is_wrong_is_told() {
    let authority = Authority::new("An authority of tests");
    let (file, certificate) = (authority.file(), authority.issue("server", &LOCAL).both);
    let mut arguments = tls(&certificate, &file);
    arguments.extend([
        "--tlsAllowConnectionsWithoutCertificates",
        "--replSet",
        "tls",
    ]);
    let access = format!("&tls=true&tlsCAFile={file}");
    let server = MongoServer::start_with_access(&arguments, &access).await;
    server.initiate("tls").await;
    works("tls", &server.uri("replicaSet=tls")).await;

    let port = server.port;
    is_told(
        &format!("mongodb://127.0.0.1:{port}/?replicaSet=tls&tls=true"),
        "its certificate is of an issuer that is not trusted here",
        "`tlsCAFile=`",
    )
    .await;
    is_told(
        &format!("mongodb://127.0.0.1:{port}/?replicaSet=tls"),
        "it speaks TLS, and was spoken to without",
        "add `tls=true`",
    )
    .await;
}

#[tokio::test]
async fn a_client_certificate_logs_in_and_a_missing_or_foreign_one_is_told() {
    let (authority, other) = (
        Authority::new("One authority"),
        Authority::new("Another authority"),
    );
    let (file, certificate) = (authority.file(), authority.issue("server", &LOCAL).both);
    let client = authority.issue("engine", &["engine"]).both;
    let trusted = format!("&tls=true&tlsCAFile={file}");
    let access = format!("{trusted}&tlsCertificateKeyFile={client}");
    let server = MongoServer::guarded_with("client", &tls(&certificate, &file), &access).await;
    server.create_user("root", "password", "root").await;
    let uri = server.uri("replicaSet=client&authMechanism=MONGODB-X509&authSource=$external");
    let root = server.uri_of("root", "password");
    let roles = ["readWriteAnyDatabase"].map(|role| doc! { "role": role, "db": "admin" });
    let user = doc! { "createUser": "CN=engine", "roles": roles.to_vec() };
    let external = server.admin(&root).await.client().database("$external");
    external.run_command(user).await.unwrap();
    works("client_certificate", &uri).await;

    let port = server.port;
    is_told(
        &format!("mongodb://127.0.0.1:{port}/?replicaSet=client{trusted}"),
        "it asks for a client certificate and was given none",
        "`tlsCertificateKeyFile=`",
    )
    .await;
    let foreign = other.issue("engine", &["engine"]).both;
    // It gives no reason, and waiting may help: what is behind a proxy may be away.
    ends(
        &format!(
            "mongodb://127.0.0.1:{port}/?replicaSet=client{trusted}&tlsCertificateKeyFile={foreign}"
        ),
        "it closed the connection after it got the client certificate",
        "`tlsCertificateKeyFile=`",
    )
    .await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_with_its_names() {
    let authority = Authority::new("An authority of tests");
    let (file, certificate) = (
        authority.file(),
        authority.issue("server", &["db.example", "10.1.2.3"]).both,
    );
    let mut arguments = tls(&certificate, &file);
    arguments.push("--tlsAllowConnectionsWithoutCertificates");
    let server = MongoServer::start_with_access(&arguments, "&tls=true&tlsInsecure=true").await;
    is_told(
        &format!(
            "mongodb://127.0.0.1:{}/?tls=true&tlsCAFile={file}",
            server.port
        ),
        "its certificate is not for `127.0.0.1` but for `db.example`, `10.1.2.3`",
        "use one of these names",
    )
    .await;
}

/// A server does not start with a certificate that has expired, so this one expires when it runs.
#[tokio::test]
async fn an_expired_certificate_is_told() {
    let authority = Authority::new("An authority of tests");
    let end = since_1970() + Duration::from_secs(20);
    let certificate = authority.issue_until("server", &LOCAL, end).both;
    let file = authority.file();
    let mut arguments = tls(&certificate, &file);
    arguments.push("--tlsAllowConnectionsWithoutCertificates");
    let server = MongoServer::start_with_access(&arguments, "&tls=true&tlsInsecure=true").await;
    eventually("the certificate has expired", async || {
        since_1970() > end + Duration::from_secs(1)
    })
    .await;
    is_told(
        &format!(
            "mongodb://127.0.0.1:{}/?tls=true&tlsCAFile={file}",
            server.port
        ),
        "its certificate has expired",
        "give the server a valid certificate",
    )
    .await;
}

#[tokio::test]
async fn tls_to_a_server_that_has_none_is_told() {
    let server = MongoServer::start(&["--replSet", "plain"]).await;
    is_told(
        &format!("mongodb://127.0.0.1:{}/?tls=true", server.port),
        "it does not speak TLS, and was spoken to with it",
        "leave `tls=true` out",
    )
    .await;
}
