//! Servers that are there and not ready: `docker compose up -d` returns before they are.

use std::time::{Duration, Instant};

use clap::Parser;
use lapin::uri::AMQPUri;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use workload::broker;

use super::{Line, required};

/// A published port of a container: hangs up on the first `refusals` clients, then lets them through.
async fn published_port(refusals: usize) -> (AMQPUri, JoinHandle<()>) {
    let mut uri: AMQPUri = required("CDC_TEST_AMQP_URI").parse().unwrap();
    let broker = (uri.authority.host.clone(), uri.authority.port);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    uri.authority.host = address.ip().to_string();
    uri.authority.port = address.port();
    let task = tokio::spawn(async move {
        for number in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            if refusals <= number {
                let mut server = TcpStream::connect(broker.clone()).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        }
    });
    (uri, task)
}

async fn connect(uri: &AMQPUri) -> anyhow::Result<lapin::Connection> {
    let line = ["workload", "--rabbitmq-uri", &uri.to_string()].map(str::to_owned);
    broker::connect(&Line::parse_from(line).settings).await
}

#[tokio::test]
async fn a_broker_that_hangs_up_at_first_is_waited_for() {
    let (uri, port) = published_port(3).await;
    let started = Instant::now();
    let connection = connect(&uri).await.unwrap();
    assert!(Duration::from_secs(1) < started.elapsed());
    connection.close(200, "done".into()).await.unwrap();
    port.abort();
}

#[tokio::test]
async fn a_refused_password_and_a_closed_port_are_told_at_once() {
    let (mut uri, port) = published_port(0).await;
    uri.authority.userinfo.password = "wrong".to_owned();
    let started = Instant::now();
    let refused = connect(&uri).await.unwrap_err();
    assert!(
        format!("{refused:#}").contains("refuses user `guest`"),
        "{refused:#}"
    );
    port.abort();
    assert!(port.await.unwrap_err().is_cancelled());
    let closed = connect(&uri).await.unwrap_err();
    assert!(
        format!("{closed:#}").contains("cannot be used: IO error"),
        "{closed:#}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
}
