//! Bodies that are compressed, once they have a certain size.

use std::{cell::RefCell, io::Write as _};

use flate2::write::GzEncoder;
use zstd::bulk::Compressor;

/// What bodies are compressed with, and which.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compression {
    /// None leaves all as they are.
    pub algorithm: Option<Algorithm>,
    /// Smaller bodies stay as they are.
    pub min_bytes: usize,
}

/// How to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Zstandard, <https://www.rfc-editor.org/rfc/rfc8878>.
    Zstd,
    /// gzip, <https://www.rfc-editor.org/rfc/rfc1952>.
    Gzip,
}

/// The fastest level of both: the engine has one thread, and the levels above save few bytes of JSON.
const LEVEL: u8 = 1;

thread_local! {
    /// Made once, since it has more memory than most bodies.
    static ZSTD: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL.into()).ok());
}

impl Compression {
    /// `body` as it is sent, and its content encoding; as it is where it is small, or would not get smaller.
    pub(super) fn apply(self, body: Vec<u8>) -> (Vec<u8>, Option<&'static str>) {
        let Some(algorithm) = self.algorithm.filter(|_| self.min_bytes <= body.len()) else {
            return (body, None);
        };
        match algorithm.compress(&body) {
            Some(mut smaller) if smaller.len() < body.len() => {
                smaller.shrink_to_fit();
                (smaller, Some(algorithm.encoding()))
            }
            _ => (body, None),
        }
    }
}

impl Algorithm {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Option<Self>); 3] = [
        ("none", None),
        ("zstd", Some(Self::Zstd)),
        ("gzip", Some(Self::Gzip)),
    ];

    /// Its name as a content encoding: <https://www.iana.org/assignments/http-parameters/http-parameters.xhtml>.
    fn encoding(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    fn compress(self, body: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Zstd => ZSTD.with_borrow_mut(|zstd| zstd.as_mut()?.compress(body).ok()),
            Self::Gzip => {
                let level = flate2::Compression::new(LEVEL.into());
                let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), level);
                encoder.write_all(body).ok()?;
                encoder.finish().ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Zstd, Algorithm::Gzip];

    fn compression(algorithm: Algorithm) -> Compression {
        Compression {
            algorithm: Some(algorithm),
            min_bytes: 1_000,
        }
    }

    fn read(encoding: Option<&str>, body: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        match encoding {
            Some("zstd") => zstd::stream::copy_decode(body, &mut text).unwrap(),
            Some("gzip") => {
                let mut decoder = flate2::read::GzDecoder::new(body);
                decoder.read_to_end(&mut text).unwrap();
            }
            other => panic!("{other:?}"),
        }
        text
    }

    #[test]
    fn a_compressed_body_is_smaller_and_reads_back() {
        let body: Vec<u8> = (0..1_000)
            .flat_map(|n| format!("{{\"number\":{n}}}").into_bytes())
            .collect();
        for algorithm in BOTH {
            // Twice: what one body leaves behind does not show in the next.
            for _ in 0..2 {
                let (compressed, encoding) = compression(algorithm).apply(body.clone());
                assert!(compressed.len() < body.len() / 2, "{}", compressed.len());
                assert_eq!(read(encoding, &compressed), body);
                assert_eq!(compressed.capacity(), compressed.len());
            }
        }
    }

    #[test]
    fn the_same_body_is_compressed_the_same() {
        let body = b"word ".repeat(1_000);
        for algorithm in BOTH {
            let one = compression(algorithm).apply(body.clone());
            let other = compression(algorithm).apply(body.clone());
            assert_eq!(one, other);
        }
    }

    #[test]
    fn a_small_body_and_one_that_would_not_get_smaller_stay_as_they_are() {
        let small = vec![b'x'; 999];
        // No byte comes twice in the same company.
        let random: Vec<u8> = (0..2_000_u32)
            .map(|n| {
                n.wrapping_mul(2_654_435_761)
                    .rotate_left(n % 31)
                    .to_be_bytes()[0]
            })
            .collect();
        for algorithm in BOTH {
            for body in [&small, &random] {
                assert_eq!(
                    compression(algorithm).apply(body.clone()),
                    (body.clone(), None)
                );
            }
            let (_, encoding) = compression(algorithm).apply(vec![b'x'; 1_000]);
            assert_eq!(encoding, Some(algorithm.encoding()));
        }
    }

    #[test]
    fn without_an_algorithm_nothing_is_compressed() {
        let body = vec![b'x'; 100_000];
        assert_eq!(Compression::default().apply(body.clone()), (body, None));
    }
}
