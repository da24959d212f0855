//! A copy of a document in which every text is UTF-8: old drivers stored some that are not.

use std::borrow::Cow;

use bson::spec::ElementType;

use super::{
    Cursor, DEPTH_MAX, Error, Text,
    frame::{self, LENGTH_BYTES},
};

/// The copy.
#[derive(Debug, PartialEq, Eq)]
pub struct Mended {
    /// A BSON document. What was no UTF-8 is U+FFFD, the replacement character.
    pub bytes: Vec<u8>,
    /// Where that is: names and indexes, with dots between them.
    pub paths: Vec<String>,
}

impl Mended {
    /// Copies the document that `bytes` are.
    ///
    /// # Errors
    /// Fails if anything but a text is not as BSON demands.
    pub fn copy(bytes: &[u8]) -> Result<Self, Error> {
        let mut copy = Copy {
            whole: bytes,
            out: Vec::with_capacity(bytes.len()),
            path: Vec::new(),
            paths: Vec::new(),
        };
        copy.document(Cursor::of_bytes(bytes)?)?;
        Ok(Self {
            bytes: copy.out,
            paths: copy.paths,
        })
    }
}

struct Copy<'a> {
    whole: &'a [u8],
    out: Vec<u8>,
    /// Names from the outermost document to the value that is copied.
    path: Vec<Cow<'a, str>>,
    paths: Vec<String>,
}

impl<'a> Copy<'a> {
    fn document(&mut self, mut from: Cursor<'a>) -> Result<(), Error> {
        if DEPTH_MAX <= self.path.len() {
            let offset = from.position();
            return Err(Error::Depth { offset });
        }
        self.framed(|copy| {
            while let Some(field) = from.field()? {
                copy.out.push(field.kind as u8);
                copy.path
                    .push(String::from_utf8_lossy(field.name.as_bytes()));
                copy.c_string(field.name);
                copy.value(field.kind, &mut from)?;
                copy.path.pop();
            }
            copy.out.push(0);
            Ok(())
        })
    }

    fn value(&mut self, kind: ElementType, from: &mut Cursor<'a>) -> Result<(), Error> {
        match kind {
            ElementType::String | ElementType::Symbol | ElementType::JavaScriptCode => {
                self.string(from.string()?)
            }
            ElementType::RegularExpression => {
                self.c_string(from.c_string()?);
                self.c_string(from.c_string()?);
                Ok(())
            }
            ElementType::DbPointer => {
                self.string(from.string()?)?;
                self.out.extend_from_slice(from.array::<12>()?);
                Ok(())
            }
            ElementType::EmbeddedDocument | ElementType::Array => self.document(from.document()?),
            ElementType::JavaScriptCodeWithScope => {
                let (code, scope) = from.code_with_scope()?;
                self.framed(|copy| {
                    copy.string(code)?;
                    copy.document(scope)
                })
            }
            _ => {
                let start = from.position();
                from.skip(kind)?;
                self.out
                    .extend_from_slice(&self.whole[start..from.position()]);
                Ok(())
            }
        }
    }

    fn c_string(&mut self, text: Text<'a>) {
        self.text(text);
        self.out.push(0);
    }

    fn string(&mut self, text: Text<'a>) -> Result<(), Error> {
        let start = frame::begin(&mut self.out);
        self.c_string(text);
        // The length of a text does not count itself.
        frame::end(&mut self.out, start, start + LENGTH_BYTES)
    }

    fn text(&mut self, text: Text<'a>) {
        let valid = String::from_utf8_lossy(text.as_bytes());
        if let Cow::Owned(_) = valid {
            let path = self.path.join(".");
            // A regular expression has two texts.
            if self.paths.last() != Some(&path) {
                self.paths.push(path);
            }
        }
        self.out.extend_from_slice(valid.as_bytes());
    }

    /// What `inside` writes, after a length that counts itself.
    fn framed(&mut self, inside: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let start = frame::begin(&mut self.out);
        inside(self)?;
        frame::end(&mut self.out, start, start)
    }
}

#[cfg(test)]
mod tests {
    use bson::{
        Bson, Document, JavaScriptCodeWithScope, RawDocumentBuf, Regex, Timestamp, doc,
        oid::ObjectId,
    };

    use super::*;

    /// Every kind of value that has a text, and others between them.
    fn document() -> Document {
        let scope = doc! { "x": "text" };
        let code = "text".to_owned();
        doc! {
            "string": "text", "number": 7, "symbol": Bson::Symbol("text".to_owned()),
            "code": Bson::JavaScriptCode("text".to_owned()),
            "scope": JavaScriptCodeWithScope { code, scope },
            "regex": Regex { pattern: bson::raw::CString::try_from("text").unwrap(), options: bson::raw::CString::try_from("i").unwrap() },
            "inside": { "list": [1.5, "text", { "deep": "text" }], "text": Timestamp { time: 1, increment: 2 } },
            "id": ObjectId::from_bytes([7; 12]),
        }
    }

    fn bytes() -> Vec<u8> {
        RawDocumentBuf::try_from(&document()).unwrap().into_bytes()
    }

    /// The same with the first letter of each `text` as a byte that begins no character.
    fn broken() -> Vec<u8> {
        let mut bytes = bytes();
        for place in 0..bytes.len() - 4 {
            if &bytes[place..place + 4] == b"text" {
                bytes[place] = 0xff;
            }
        }
        bytes
    }

    #[test]
    fn what_is_valid_is_copied_as_it_is() {
        let copy = Mended::copy(&bytes()).unwrap();
        let paths = Vec::new();
        assert_eq!(
            copy,
            Mended {
                bytes: bytes(),
                paths
            }
        );
    }

    #[test]
    fn each_text_is_mended_wherever_it_stands_and_its_path_is_told() {
        let copy = Mended::copy(&broken()).unwrap();
        let mended = Document::from_reader(&copy.bytes[..]).unwrap().to_string();
        assert_eq!(
            mended,
            document().to_string().replace("text", "\u{fffd}ext")
        );
        let wanted = [
            "string",
            "symbol",
            "code",
            "scope",
            "scope.x",
            "regex",
            "inside.list.1",
            "inside.list.2.deep",
            "inside.\u{fffd}ext",
        ];
        assert_eq!(copy.paths, wanted);
    }

    #[test]
    fn what_is_wrong_beside_texts_is_an_error() {
        for cut in 1..broken().len() {
            let whole = broken();
            assert!(Mended::copy(&whole[..whole.len() - cut]).is_err(), "{cut}");
        }
    }
}
