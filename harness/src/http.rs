//! Requests over HTTP: one per connection.

use std::{
    io::{Error, ErrorKind, Result},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Header, ended by CR LF, of the user that a broker has from the start: guest, with the password guest.
pub const GUEST: &str = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// Body.
    pub body: String,
}

impl Reply {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The value of the first series of this name on a page of metrics.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let mut lines = self.body.lines();
        let line = lines.find_map(|line| {
            line.strip_prefix(name)
                .filter(|rest| rest.starts_with(['{', ' ']))
        })?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

/// Asks `address` (host and port) with `headers`, each ended by CR LF. HTTP 1.0, so that the body ends with the
/// connection.
///
/// # Errors
/// If there is no connection, or no whole answer within `limit`.
pub async fn request(
    address: &str,
    what: (&str, &str),
    headers: &str,
    limit: Duration,
) -> Result<Reply> {
    send(address, what, headers, "", limit).await
}

/// The same, with a body.
///
/// # Errors
/// As [`request`].
pub async fn send(
    address: &str,
    (method, path): (&str, &str),
    headers: &str,
    body: &str,
    limit: Duration,
) -> Result<Reply> {
    let length = body.len();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    };
    let text: Result<String> = timeout(limit, exchange).await?;
    parse(&text?).ok_or_else(|| Error::new(ErrorKind::InvalidData, "not an answer of HTTP"))
}

fn parse(text: &str) -> Option<Reply> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Reply {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_lowercase(),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let page = "HTTP/1.1 200 OK\r\n\r\n# TYPE cdc_leader gauge\n\
            cdc_leader_x{pipeline=\"a\"} 7\ncdc_leader{pipeline=\"a b\"} 1\n";
        let reply = parse(page).unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.metric("cdc_leader"), Some(1.0));
        assert_eq!(reply.metric("cdc_lead"), None);
        assert_eq!(parse("x"), None);
    }
}
