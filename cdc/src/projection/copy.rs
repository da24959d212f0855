//! A copy of documents without what their rules take away.

use bson::spec::ElementType;

use super::matcher::{Fate, Matcher, Place};
use crate::raw_bson::{Cursor, DEPTH_MAX, Error, Field, frame};

/// The copy in the making.
#[derive(Debug)]
pub(super) struct Copy<'a, 'r> {
    /// The outermost document.
    pub(super) whole: &'a [u8],
    pub(super) out: Vec<u8>,
    pub(super) matcher: Matcher<'r>,
    depth: usize,
}

impl<'a, 'r> Copy<'a, 'r> {
    pub(super) fn new(whole: &'a [u8], matcher: Matcher<'r>) -> Self {
        Self {
            whole,
            out: Vec::with_capacity(whole.len()),
            matcher,
            depth: 0,
        }
    }

    /// Copies what is left of a document.
    pub(super) fn document(&mut self, from: Cursor<'a>) -> Result<(), Error> {
        let root = self.matcher.root();
        self.inside(from, &root, false)
    }

    fn inside(
        &mut self,
        mut from: Cursor<'a>,
        place: &Place<'r>,
        is_array: bool,
    ) -> Result<(), Error> {
        if DEPTH_MAX <= self.depth {
            let offset = from.position();
            return Err(Error::Depth { offset });
        }
        self.depth += 1;
        self.framed(|copy| {
            while let Some(field) = from.field()? {
                let mark = copy.matcher.mark();
                match copy.matcher.enter(place, field.name.as_bytes(), is_array) {
                    Fate::Gone => from.skip(field.kind)?,
                    Fate::Null => copy.null(&field, &mut from)?,
                    Fate::Whole => copy.element(&field, &mut from)?,
                    Fate::Inside(place) => copy.value(&field, &mut from, &place)?,
                }
                copy.matcher.leave(mark);
            }
            Ok(())
        })?;
        self.depth -= 1;
        Ok(())
    }

    fn value(
        &mut self,
        field: &Field<'a>,
        from: &mut Cursor<'a>,
        place: &Place<'r>,
    ) -> Result<(), Error> {
        let is_array = field.kind == ElementType::Array;
        if is_array || field.kind == ElementType::EmbeddedDocument {
            self.head(field.kind, field);
            return self.inside(from.document()?, place, is_array);
        }
        match place.mask {
            // A path goes on where no more is: what stands there was not listed.
            _ if !place.is_included => self.null(field, from),
            None => self.element(field, from),
            Some(mask) => {
                self.head(ElementType::String, field);
                let start = from.position();
                from.skip(field.kind)?;
                let value = &self.whole[start..from.position()];
                mask.write(field.kind, value, &mut self.out);
                Ok(())
            }
        }
    }

    /// Copies a value with its name.
    pub(super) fn element(
        &mut self,
        field: &Field<'_>,
        from: &mut Cursor<'_>,
    ) -> Result<(), Error> {
        self.head(field.kind, field);
        let start = from.position();
        from.skip(field.kind)?;
        self.out
            .extend_from_slice(&self.whole[start..from.position()]);
        Ok(())
    }

    fn null(&mut self, field: &Field<'_>, from: &mut Cursor<'_>) -> Result<(), Error> {
        self.head(ElementType::Null, field);
        from.skip(field.kind)
    }

    /// Writes what stands before a value.
    pub(super) fn head(&mut self, kind: ElementType, field: &Field<'_>) {
        self.named(kind, field.name.as_bytes());
    }

    /// The same with a name of ours.
    pub(super) fn named(&mut self, kind: ElementType, name: &[u8]) {
        self.out.push(kind as u8);
        self.out.extend_from_slice(name);
        self.out.push(0);
    }

    /// A document of the elements that `inside` writes.
    pub(super) fn framed(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let start = frame::begin(&mut self.out);
        inside(self)?;
        self.out.push(0);
        frame::end(&mut self.out, start, start)
    }
}
