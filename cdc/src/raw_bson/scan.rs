//! Where the bytes end that need no second look.

#![expect(
    clippy::inline_always,
    reason = "a value that goes through memory on its way to the writer costs half as much again"
)]

/// Bytes looked at in one step.
const BLOCK: usize = size_of::<u64>();
/// A one in each byte of a block.
const ONES: u64 = u64::MAX / 255;
/// The highest bit of each byte of a block.
const HIGH_BITS: u64 = ONES << 7;

/// How many bytes from the first on are ASCII that JSON takes as it is.
#[inline(always)]
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some(block) = bytes[length..].first_chunk() {
        let others = others(*block);
        if others != 0 {
            return length + (others.trailing_zeros() / u8::BITS) as usize;
        }
        length += BLOCK;
    }
    let is_plain = |byte: &&u8| matches!(**byte, b' '..=0x7f) && !matches!(**byte, b'"' | b'\\');
    length + bytes[length..].iter().take_while(is_plain).count()
}

/// Marks, in its high bit, the first byte of `block` that is not plain; none if all are.
///
/// A subtraction borrows a byte's high bit if the byte is too small. It may then mark bytes after
/// the first wrongly.
#[inline(always)]
fn others(block: [u8; BLOCK]) -> u64 {
    let block = u64::from_le_bytes(block);
    let control = block.wrapping_sub(ONES * 0x20);
    let quote = (block ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
    let backslash = (block ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (block | control | quote | backslash) & HIGH_BITS
}
