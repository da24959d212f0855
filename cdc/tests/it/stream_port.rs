//! What the brokers of the tests offer beside AMQP: streams in their own protocol.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{Broker, DEADLINE, stream_address};

/// `PeerProperties`, the first request of every connection: its length, key, version, correlation id and no property.
const REQUEST: [u8; 16] = [0, 0, 0, 12, 0, 0x11, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0];
/// The answer after its length: key, version, correlation id and that all is well.
const ANSWER: [u8; 10] = [0x80, 0x11, 0, 1, 0, 0, 0, 7, 0, 1];

#[tokio::test]
async fn a_broker_that_is_new_enough_offers_streams_in_their_own_protocol() {
    // Nothing where the broker is older than RabbitMQ 3.11.
    let Some(shared) = stream_address() else {
        return;
    };
    let own = Broker::exclusive().await.stream_address().unwrap();
    for address in [shared, own] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(&REQUEST).await.unwrap();
        let mut answer = [0; 14];
        let reading = timeout(DEADLINE, stream.read_exact(&mut answer));
        reading.await.expect("no answer").unwrap();
        assert_eq!(answer[4..], ANSWER, "{address}");
    }
}
