//! A frame that publishes.

/// Key, version, and the publisher's number.
const HEAD: [u8; 5] = [0, 2, 0, 1, 0];
/// Where the number of messages is, after the frame's length and its head.
const COUNT: usize = 4 + HEAD.len();

/// Messages of the connection's only publisher.
pub(super) struct Frame {
    bytes: Vec<u8>,
    messages: u32,
}

impl Frame {
    pub(super) fn new() -> Self {
        let mut frame = Self {
            bytes: Vec::new(),
            messages: 0,
        };
        frame.clear();
        frame
    }

    /// Begins anew, in the same memory.
    pub(super) fn clear(&mut self) {
        self.messages = 0;
        self.bytes.clear();
        self.bytes.extend([0; 4]);
        self.bytes.extend(HEAD);
        self.bytes.extend([0; 4]);
    }

    /// Adds the message that `write` appends, with the publishing id `id`.
    pub(super) fn push(&mut self, id: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend(id.to_be_bytes());
        let length = self.bytes.len();
        self.bytes.extend([0; 4]);
        write(&mut self.bytes);
        let bytes = self.bytes.len() - length - 4;
        self.set(length, bytes);
        self.messages += 1;
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn messages(&self) -> usize {
        self.messages as usize
    }

    /// The whole frame, with its length in front.
    pub(super) fn finish(&mut self) -> &[u8] {
        self.set(0, self.bytes.len() - 4);
        self.set(COUNT, self.messages as usize);
        &self.bytes
    }

    fn set(&mut self, place: usize, number: usize) {
        let number = u32::try_from(number).expect("a frame is shorter than 4 GiB");
        self.bytes[place..place + 4].copy_from_slice(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_the_protocol_says() {
        let mut frame = Frame::new();
        frame.push(7, |bytes| bytes.extend(b"a"));
        frame.clear();
        frame.push(0x0102, |bytes| bytes.extend(b"ab"));
        let mut expected = vec![0, 0, 0, 9 + 14, 0, 2, 0, 1, 0, 0, 0, 0, 1];
        expected.extend([0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 2]);
        expected.extend(b"ab");
        assert_eq!(frame.messages(), 1);
        assert_eq!(frame.finish(), expected);
    }
}
