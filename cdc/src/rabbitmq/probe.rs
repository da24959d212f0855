//! What answers on a port, asked where a connection failed and does not say why.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::cause::Cause;

/// Longest wait for an answer to one question.
const PATIENCE: Duration = Duration::from_millis(500);
/// As many bytes tell what answers.
const ENOUGH: usize = 16;

/// What a client of AMQP 0-9-1 says first (section 4.2.2): a server of AMQP greets, one of TLS sends an alert.
pub(super) const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
/// Ends what an HTTP server takes for a request; it answers that it was a bad one.
const END_OF_REQUEST: &[u8] = b"\r\n\r\n";
/// The command `{hello: 1, $db: "admin"}`, as the wire protocol has it:
/// <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg>.
const HELLO: &[u8] = b"\x34\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\
    \x1f\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Amqp,
    Tls,
    Http,
    Mongodb,
    Other,
}

/// Asks what answers there, and says so where that is not what we came for; nothing where it is, or where nothing
/// answers. Takes one second at most.
///
/// # Cancel safety
/// Cancel safe.
pub(super) async fn mismatch(address: SocketAddr, is_tls: bool) -> Option<Cause> {
    let (greeting, reply) = tokio::join!(
        ask(address, &[HEADER, END_OF_REQUEST]),
        ask(address, &[HELLO])
    );
    match (language(&greeting).or_else(|| language(&reply))?, is_tls) {
        (Language::Amqp, false) | (Language::Tls, true) => None,
        (Language::Amqp, true) => Some(Cause::SpeaksPlain),
        (Language::Tls, false) => Some(Cause::SpeaksTls),
        (Language::Http, _) => Some(Cause::OtherServer("an HTTP server")),
        (Language::Mongodb, _) => Some(Cause::OtherServer("MongoDB")),
        (Language::Other, _) => Some(Cause::NotAmqp),
    }
}

/// The first bytes of the answer to one of `questions`, asked one after the other on one connection.
async fn ask(address: SocketAddr, questions: &[&[u8]]) -> Vec<u8> {
    let mut answer = Vec::with_capacity(ENOUGH);
    let talk = async {
        let mut stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        for question in questions {
            stream.write_all(question).await?;
            let _ = timeout(PATIENCE, read(&mut stream, &mut answer)).await;
            if !answer.is_empty() {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Without an answer, why does not matter.
    let _ = talk.await;
    answer
}

async fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    while answer.len() < ENOUGH && stream.read_buf(answer).await? > 0 {}
    Ok(())
}

fn language(answer: &[u8]) -> Option<Language> {
    Some(match answer {
        [] => return None,
        // The header of the version that it speaks, or the greeting: a method's frame on channel 0.
        [b'A', b'M', b'Q', b'P', ..] | [1, 0, 0, ..] => Language::Amqp,
        // An alert.
        [0x15, 0x03, ..] => Language::Tls,
        [b'H', b'T', b'T', b'P', b'/', ..] => Language::Http,
        _ if answer.get(12..16) == Some(&HELLO[12..16]) => Language::Mongodb,
        _ => Language::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_first_bytes() {
        for (answer, expected) in [
            (&b""[..], None),
            (b"AMQP\x00\x00\x09\x01", Some(Language::Amqp)),
            (
                b"\x01\0\0\0\0\x01\x02\0\x0a\0\x0a\0\x09",
                Some(Language::Amqp),
            ),
            (b"\x15\x03\x03\0\x02\x02\x46", Some(Language::Tls)),
            (b"HTTP/1.1 400 Bad Request", Some(Language::Http)),
            (
                b"\x48\x01\0\0\x07\0\0\0\x01\0\0\0\xdd\x07\0\0",
                Some(Language::Mongodb),
            ),
            (b"SSH-2.0-OpenSSH_9.2", Some(Language::Other)),
        ] {
            assert_eq!(language(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn the_hello_is_as_long_as_it_says() {
        let length = |at: usize| usize::from(HELLO[at]);
        assert_eq!((length(0), length(21)), (HELLO.len(), HELLO.len() - 21));
    }
}
