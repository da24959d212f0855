//! What bodies look like.

use std::sync::Arc;

use super::{
    Faults,
    kind::Kind,
    settings::{Formats, Messages},
};
use crate::{
    encode::{Options, Shape, cloudevents, debezium},
    event::Operation,
    source::Operations,
};

/// Longest URI reference in bytes, which has to fit into the headers beside others.
const URI_BYTES_MAX: usize = 255;

/// A URI or a relative reference: <https://www.rfc-editor.org/rfc/rfc3986#section-4.1>.
pub(super) fn uri_reference() -> Kind<String> {
    Kind::new("", |text| match fault_of_uri(text) {
        Some(fault) => Err(format!("`{text}` is no URI reference: {fault}")),
        None => Ok(text.to_owned()),
    })
}

/// The shape of bodies; it must have one for each operation.
pub(super) fn shape(
    messages: &Messages,
    formats: &Formats,
    pipeline: &str,
    operations: &Operations,
    faults: &mut Faults,
) -> Arc<dyn Shape> {
    let name = formats.debezium_name.as_deref().unwrap_or(pipeline);
    let shape = messages.format.shape(&Options {
        debezium: debezium::Options {
            name: name.to_owned(),
            has_schema: formats.debezium_schema,
        },
        cloudevents: cloudevents::Options {
            mode: formats.cloudevents_mode,
            prefix: formats.cloudevents_prefix,
            source: formats.cloudevents_source.clone(),
        },
    });
    if formats.cloudevents_mode == cloudevents::Mode::Binary {
        let mut prefixes = cloudevents::Prefix::NAMES.iter();
        let prefix = prefixes.find(|(_, prefix)| *prefix == formats.cloudevents_prefix);
        let begin = prefix.map_or("", |(begin, _)| begin);
        for name in messages
            .headers
            .names()
            .filter(|name| name.starts_with(begin))
        {
            let fault = format!("`{name}`: names that begin with {begin} are those of attributes");
            faults.add("CDC_HEADERS", fault);
        }
    }
    let chosen = match operations {
        Operations::All => &Operation::ALL[..],
        Operations::Some(operations) => operations,
    };
    let untold = chosen.iter().filter(|one| !shape.tells_of(one));
    let untold: Vec<&str> = untold.map(Operation::as_str).collect();
    if !untold.is_empty() {
        let fault = format!(
            "the format that CDC_FORMAT chooses has no body for {}; leave them out, or choose another format for all or for a \
             second pipeline",
            untold.join(", ")
        );
        faults.add("CDC_OPERATIONS", fault);
    }
    shape
}

/// What is wrong with a URI reference.
fn fault_of_uri(text: &str) -> Option<String> {
    if URI_BYTES_MAX < text.len() {
        return Some(format!("it is longer than {URI_BYTES_MAX} bytes"));
    }
    let is_mark = |letter: char| "-._~:/?#[]@!$&'()*+,;=%".contains(letter);
    let foreign = text
        .chars()
        .find(|letter| !letter.is_ascii_alphanumeric() && !is_mark(*letter));
    if let Some(foreign) = foreign {
        return Some(format!("`{foreign}` has to be percent-encoded"));
    }
    let is_code = |rest: &str| {
        let digits = rest.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_code) {
        return Some("a `%` stands before two hexadecimal digits".to_owned());
    }
    let segment = text.split(['/', '?', '#']).next().unwrap_or_default();
    let (scheme, _) = segment.split_once(':')?;
    let is_scheme = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    (!is_scheme).then(|| format!("`{scheme}` before the first colon is no scheme"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_references_are_told_from_other_texts() {
        for good in [
            "/mongodb/shop",
            "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
            "https://[::1]:80/a%20b?c=d#e",
            "mailto:ada@example.org",
            "a/b:c",
            "../a",
        ] {
            assert_eq!(fault_of_uri(good), None, "{good}");
        }
        for bad in ["a b", "/größe", "/a%2", "/%zz", "1a:b", ":a", "<a>", "a\\b"] {
            assert!(fault_of_uri(bad).is_some(), "{bad}");
        }
        assert!(fault_of_uri(&"a".repeat(256)).is_some());
    }
}
