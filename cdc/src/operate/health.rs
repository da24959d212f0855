//! Asks a running engine on this machine how it is, as a container's health check does.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::admin::Token;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens, or whoever does breaks off.
    #[error("the engine's admin port {address} does not answer")]
    Io {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("the engine's admin port {address} gives no answer within {} ms", .after.as_millis())]
    TimedOut {
        /// The address.
        address: SocketAddr,
        /// How long we waited.
        after: Duration,
    },
    /// It is another kind of server.
    #[error("what listens on {address} gives no answer of an engine")]
    Foreign {
        /// The address.
        address: SocketAddr,
    },
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the status is 200.
    pub is_well: bool,
    /// The body.
    pub body: String,
}

/// Asks `GET path` of the admin port that listens on `address`, and shows it its token, where it has one.
///
/// # Errors
/// See [`Error`].
pub async fn ask(
    address: SocketAddr,
    token: Option<&Token>,
    path: &str,
    within: Duration,
) -> Result<Answer, Error> {
    let address = reachable(address);
    let request = request(address, token, path);
    let answer = match tokio::time::timeout(within, converse(address, &request)).await {
        Ok(answer) => answer.map_err(|source| Error::Io { address, source })?,
        Err(_) => {
            return Err(Error::TimedOut {
                address,
                after: within,
            });
        }
    };
    read(&answer).ok_or(Error::Foreign { address })
}

fn request(address: SocketAddr, token: Option<&Token>, path: &str) -> String {
    let authorization = token.map(|token| format!("Authorization: {}\r\n", token.authorization()));
    let authorization = authorization.unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{authorization}\r\n")
}

async fn converse(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// An engine that listens on every address is asked on this machine's own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let is_well = status == "200";
    (is_well || status == "503").then(|| Answer {
        is_well,
        body: body.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_answers_are_told_from_another_servers() {
        let well = read("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nlive\n").unwrap();
        assert_eq!((well.is_well, well.body.as_str()), (true, "live"));
        assert!(
            !read("HTTP/1.1 503 Service Unavailable\r\n\r\n{}")
                .unwrap()
                .is_well
        );
        for other in [
            "",
            "AMQP\0\0\u{9}\u{1}",
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "HTTP/1.1 2",
        ] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }

    #[test]
    fn every_address_is_asked_on_this_machine() {
        let asked = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(asked("[::]:9464"), "[::1]:9464");
        assert_eq!(asked("10.1.2.3:9464"), "10.1.2.3:9464");
    }
}
