//! The frame that publishes.
//!
//! It is made here, not by the client library: that one's messages have a wrong length where a header is a small number
//! (0.11.0, `Long::encoded_size`), and the broker stores them all the same.

/// Key and version of the frame.
const KEY: u16 = 2;
const VERSION: u16 = 1;
/// Bytes of a frame's length, which stands before it.
const LENGTH_BYTES: usize = 4;
/// Where the number of messages is.
const COUNT: usize = LENGTH_BYTES + 2 + 2 + 1;
/// Bytes of a message in a frame beside itself: id and length.
const MESSAGE_EXTRA: usize = 8 + 4;

/// Messages of one publisher, as they are written.
#[derive(Debug)]
pub struct Publish {
    bytes: Vec<u8>,
    count: u32,
}

impl Publish {
    /// Bytes of a frame without a message, its length not counted, as the broker's limit does not.
    pub const EMPTY_BYTES: usize = COUNT + 4 - LENGTH_BYTES;

    /// A frame without messages of the publisher `number` of a connection.
    pub fn new(number: u8) -> Self {
        let mut bytes = vec![0; LENGTH_BYTES];
        bytes.extend(KEY.to_be_bytes());
        bytes.extend(VERSION.to_be_bytes());
        bytes.push(number);
        bytes.extend(0_u32.to_be_bytes());
        Self { bytes, count: 0 }
    }

    /// Bytes that a message of `bytes` bytes takes in a frame.
    pub fn bytes_of(bytes: usize) -> usize {
        bytes.saturating_add(MESSAGE_EXTRA)
    }

    /// Adds an AMQP 1.0 message, whose publishing id is greater than those before.
    ///
    /// # Panics
    /// Where it has 4 GiB or more.
    pub fn push(&mut self, id: u64, message: &[u8]) {
        self.bytes.extend(id.to_be_bytes());
        let length = u32::try_from(message.len()).expect("a message is shorter than 4 GiB");
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(message);
        self.count += 1;
    }

    /// Bytes of the frame, its length not counted.
    pub fn len(&self) -> usize {
        self.bytes.len() - LENGTH_BYTES
    }

    /// Whether it has no message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The whole frame.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        let length = u32::try_from(self.len()).expect("a frame is shorter than 4 GiB");
        self.bytes[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        self.bytes[COUNT..COUNT + 4].copy_from_slice(&self.count.to_be_bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_the_protocol_says() {
        let mut frame = Publish::new(3);
        assert_eq!(
            (frame.len(), frame.is_empty()),
            (Publish::EMPTY_BYTES, true)
        );
        frame.push(0x0102, b"ab");
        let mut expected = vec![0, 0, 0, 9 + 14, 0, 2, 0, 1, 3, 0, 0, 0, 1];
        expected.extend([0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 2]);
        expected.extend(b"ab");
        assert_eq!(frame.len(), Publish::EMPTY_BYTES + Publish::bytes_of(2));
        assert_eq!(frame.into_bytes(), expected);
    }
}
