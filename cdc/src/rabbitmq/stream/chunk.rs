//! What a subscription brings: the messages that the broker stored together.
//! <https://github.com/rabbitmq/osiris/blob/main/src/osiris_log.erl>, "Log format".

use rabbitmq_stream_protocol::{codec::Decoder as _, message::Message};

/// Bytes before a chunk's entries, from the frame's first on: length, key, version and subscription, then the header.
const BEFORE_ENTRIES: usize = 4 + 2 + 2 + 1 + 48;
/// Where the header has the number of records, and the offset of the first one.
const RECORDS: usize = 4 + 2 + 2 + 1 + 4;
const FIRST_OFFSET: usize = RECORDS + 4 + 8 + 8;
/// Set in the first byte of an entry that holds several messages, perhaps compressed.
const IS_BATCH: u8 = 0x80;

/// Messages that were stored together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Offset of the first message.
    pub first_offset: u64,
    /// How many messages it has, those included that are not read here.
    pub records: u32,
    /// Offset and bytes of each message that is an entry of its own.
    entries: Vec<(u64, Vec<u8>)>,
}

impl Chunk {
    /// Reads a frame that brings one. Nothing where it is none.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let records = u32_at(frame, RECORDS)?;
        let first_offset = u64_at(frame, FIRST_OFFSET)?;
        let mut rest = frame.get(BEFORE_ENTRIES..)?;
        let mut offset = first_offset;
        let mut entries = Vec::new();
        while offset < first_offset + u64::from(records) {
            if rest.first()? & IS_BATCH == 0 {
                let length = usize::try_from(u32_at(rest, 0)?).ok()?;
                entries.push((offset, rest.get(4..4 + length)?.to_vec()));
                rest = &rest[4 + length..];
                offset += 1;
            } else {
                let count = u16::from_be_bytes(rest.get(1..3)?.try_into().ok()?);
                let length = usize::try_from(u32_at(rest, 7)?).ok()?;
                rest = rest.get(11 + length..)?;
                offset += u64::from(count);
            }
        }
        Some(Self {
            first_offset,
            records,
            entries,
        })
    }

    /// The messages from the last one on, with their offsets; those are left out that are not AMQP 1.0.
    pub fn messages_backwards(&self) -> impl Iterator<Item = (u64, Message)> {
        let entries = self.entries.iter().rev();
        entries.filter_map(|(offset, bytes)| Some((*offset, Message::decode(bytes).ok()?.1)))
    }

    /// Offset after the last message.
    pub fn end(&self) -> u64 {
        self.first_offset + u64::from(self.records)
    }
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    let bytes = bytes.get(place..place + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn u64_at(bytes: &[u8], place: usize) -> Option<u64> {
    let bytes = bytes.get(place..place + 8)?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use rabbitmq_stream_protocol::codec::Encoder as _;

    use super::*;

    /// A frame whose chunk begins at offset 7 and has these entries.
    fn frame(records: u32, entries: &[Vec<u8>]) -> Vec<u8> {
        let mut frame = vec![0; BEFORE_ENTRIES];
        frame[RECORDS..RECORDS + 4].copy_from_slice(&records.to_be_bytes());
        frame[FIRST_OFFSET..FIRST_OFFSET + 8].copy_from_slice(&7_u64.to_be_bytes());
        frame.extend(entries.concat());
        frame
    }

    fn simple(body: &str) -> Vec<u8> {
        let message = Message::builder().body(body).build();
        let mut entry = message.encoded_size().to_be_bytes().to_vec();
        message.encode(&mut entry).unwrap();
        entry
    }

    /// An entry of two messages.
    fn batch() -> Vec<u8> {
        let mut entry = vec![IS_BATCH, 0, 2];
        entry.extend(3_u32.to_be_bytes());
        entry.extend(3_u32.to_be_bytes());
        entry.extend(b"xyz");
        entry
    }

    #[test]
    fn messages_come_with_their_offsets_and_batches_are_passed_over() {
        let chunk = Chunk::parse(&frame(4, &[simple("a"), batch(), simple("b")])).unwrap();
        let messages: Vec<_> = chunk
            .messages_backwards()
            .map(|(offset, message)| (offset, message.data().unwrap().to_vec()))
            .collect();
        assert_eq!(messages, [(10, b"b".to_vec()), (7, b"a".to_vec())]);
        assert_eq!(chunk.end(), 11);
    }

    #[test]
    fn what_is_cut_short_is_no_chunk() {
        let whole = frame(2, &[simple("a"), simple("b")]);
        for length in 0..whole.len() {
            assert_eq!(Chunk::parse(&whole[..length]), None, "{length}");
        }
        assert!(Chunk::parse(&whole).is_some());
    }
}
