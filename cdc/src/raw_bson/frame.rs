//! Lengths of documents that are being written.

use super::Error;

/// Bytes of a length.
pub(crate) const LENGTH_BYTES: usize = 4;

/// Leaves room for a length at the end of `out`, and tells where.
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    start
}

/// Writes at `start` how many bytes there are from `counted` on.
///
/// # Errors
/// Fails if they are too many for a length.
pub(crate) fn end(out: &mut [u8], start: usize, counted: usize) -> Result<(), Error> {
    let length = i32::try_from(out.len() - counted).map_err(|_| Error::Length {
        offset: start,
        length: i32::MAX,
    })?;
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(())
}
