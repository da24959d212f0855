//! Clients that dawdle, and clients that mean well, on a port of loopback.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::super::{Access, Admin, Config, Serving, Subject, Token};
use super::*;
use crate::{
    health::{Health, Role},
    metrics::Metrics,
};

/// Longest wait for an answer that nobody may keep out.
const SOON: Duration = Duration::from_millis(500);
const METRICS: &str = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

async fn open(access: Access) -> (SocketAddr, Serving) {
    let config = Config {
        address: Some(([127, 0, 0, 1], 0).into()),
        access,
        ..Config::default()
    };
    let admin = Admin::bind(&config).await.unwrap();
    let address = admin.address();
    let health = Health::default();
    health.set_role(Role::Leader);
    let subject = Subject {
        metrics: Metrics::new("p"),
        health,
        ..Subject::default()
    };
    (address, admin.serve(subject))
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// The whole answer, however late.
async fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = send(address, request).await;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn assert_is_answered_soon(address: SocketAddr) {
    let answer = timeout(SOON, answer(address, METRICS)).await;
    let answer = answer.expect("somebody keeps the scrape out");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
}

#[tokio::test]
async fn clients_that_are_silent_or_half_open_keep_no_scrape_out() {
    let (address, _serving) = open(Access::default()).await;
    let mut clients = Vec::new();
    for index in 0..1_500 {
        let begun = ["", "GET /metrics HT"][index % 2];
        clients.push(send(address, begun).await);
        if index % 500 == 499 {
            assert_is_answered_soon(address).await;
        }
    }
}

#[tokio::test]
async fn clients_that_send_byte_by_byte_keep_no_scrape_out() {
    let (address, _serving) = open(Access::default()).await;
    let clients = (0..2 * CONNECTIONS).map(|_| {
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for byte in METRICS.bytes() {
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    sleep(Duration::from_millis(200)).await;
    for _ in 0..10 {
        assert_is_answered_soon(address).await;
    }
    for client in clients {
        client.abort();
    }
}

#[tokio::test]
async fn clients_that_do_not_take_their_answers_keep_no_scrape_out() {
    let (address, _serving) = open(Access::default()).await;
    let mut clients = Vec::new();
    for _ in 0..4 * CONNECTIONS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream.write_all(METRICS.as_bytes()).await.unwrap();
        clients.push(stream);
    }
    assert_is_answered_soon(address).await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let (address, _serving) = open(Access::default()).await;
    let head = format!(
        "GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(64 << 10)
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(head.as_bytes()).await;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    let text = String::from_utf8_lossy(&text);
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 431"),
        "{text}"
    );
}

fn request(what: &str, headers: &str) -> String {
    format!("{what} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_browser_safe() {
    let (address, _serving) = open(Access::default()).await;
    for what in [
        "GET /metrics",
        "GET /ready",
        "GET /live",
        "GET /nowhere",
        "POST /metrics",
        "GET http://evil.example/metrics",
    ] {
        let answer = answer(address, &request(what, "")).await.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
            "frame-ancestors 'none'",
        ] {
            assert!(answer.contains(header), "{what}: no {header} in {answer}");
        }
    }
}

#[tokio::test]
async fn nothing_can_be_written_and_no_other_name_asks() {
    let (address, _serving) = open(Access::default()).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = answer(address, &request(&format!("{method} /metrics"), "")).await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        assert!(answer.contains("allow: GET,HEAD\r\n"), "{answer}");
    }
    let foreign = "GET /metrics HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n";
    let answer = answer(address, foreign).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    assert!(!answer.contains("cdc_"), "{answer}");
}

#[tokio::test]
async fn without_the_token_a_probe_is_told_whether_and_nothing_more() {
    let token = Token::new("0123456789abcdef".to_owned());
    let shown = format!("Authorization: {}\r\n", token.authorization());
    let (address, _serving) = open(Access {
        token: Some(token),
        ..Access::default()
    })
    .await;
    let refused = answer(address, &request("GET /metrics", "")).await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(refused.contains("www-authenticate: Bearer"), "{refused}");
    assert!(!refused.contains("cdc_"), "{refused}");
    let ready = answer(address, &request("GET /ready", "")).await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.ends_with("\r\n\r\n{\"ready\":true}\n"), "{ready}");
    let live = answer(address, &request("GET /live", "")).await;
    assert!(live.ends_with("live\n"), "{live}");
    let scrape = answer(address, &request("GET /metrics", &shown)).await;
    assert!(scrape.starts_with("HTTP/1.1 200"), "{scrape}");
    let ready = answer(address, &request("GET /ready", &shown)).await;
    assert!(ready.contains("\"role\":\"leader\""), "{ready}");
}
