//! Requests over HTTP: one a connection.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asks without credentials.
pub(crate) async fn get(address: &str, path: &str) -> Reply {
    request(address, "GET", path, "").await
}

/// Asks as the broker's guest.
pub(crate) async fn as_guest(address: &str, method: &str, path: &str) -> Reply {
    let credentials = STANDARD.encode("guest:guest");
    let header = format!("Authorization: Basic {credentials}\r\n");
    request(address, method, path, &header).await
}

/// Asks with `headers`, each ended by CR LF. HTTP 1.0, so that the body ends with the connection.
pub(crate) async fn request(address: &str, method: &str, path: &str, headers: &str) -> Reply {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    let text = tokio::time::timeout(Duration::from_secs(5), exchange)
        .await
        .unwrap_or_else(|_| panic!("no answer to {method} {path}"));
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply {
        status,
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}
