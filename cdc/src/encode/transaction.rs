//! What tells that a change belongs to a transaction, and at which place.

use bson::{RawDocument, Uuid, spec::BinarySubtype};

use crate::{
    event::ChangeEvent,
    message::{Header, Value},
};

/// The headers of a change that belongs to a transaction.
pub(super) fn headers(event: &ChangeEvent) -> impl Iterator<Item = Header> {
    let name = name(event).map(|name| ("cdc-transaction", Value::Text(name.into())));
    let index = name.is_some().then(|| index(event.token())).flatten();
    let index = index.map(|index| ("cdc-transaction-index", Value::Number(index)));
    name.into_iter().chain(index)
}

/// The session's UUID and the transaction's number in it, with a colon between: the same for all changes of a transaction.
fn name(event: &ChangeEvent) -> Option<String> {
    let (session, number) = event.transaction()?;
    let id = session.get_binary("id").ok()?;
    let bytes = <[u8; 16]>::try_from(id.bytes).ok()?;
    let is_uuid = id.subtype == BinarySubtype::Uuid;
    is_uuid.then(|| format!("{}:{number}", Uuid::from_bytes(bytes)))
}

/// The change's place among all operations of its transaction, from 0 on; it has gaps where some are not watched.
///
/// A resume token is a row of values in the server's sortable form: cluster time, version, kind, this number and more. That is
/// so since MongoDB 4.2; the form is that of `key_string.cpp`, the order that of `resume_token.cpp`.
fn index(token: &RawDocument) -> Option<i64> {
    const CLUSTER_TIME: usize = 1 + 8;
    let digits = token.get_str("_data").ok()?;
    let bytes: Option<Vec<u8>> = (2 * CLUSTER_TIME..digits.len().min(2 * (CLUSTER_TIME + 32)))
        .step_by(2)
        .map(|place| u8::from_str_radix(digits.get(place..place + 2)?, 16).ok())
        .collect();
    let bytes = bytes?;
    let mut rest = &bytes[..];
    let (_version, _kind) = (number(&mut rest)?, number(&mut rest)?);
    number(&mut rest)
}

/// Takes a whole number that is not negative: 0x29 is zero, and after 0x2b to 0x32 come so many bytes less 0x2a, most
/// significant first, whose last bit is none of the number's.
fn number(rest: &mut &[u8]) -> Option<i64> {
    const ZERO: u8 = 0x29;
    const BEFORE_ONE_BYTE: u8 = 0x2a;
    let (kind, after) = rest.split_first()?;
    let length = match *kind {
        ZERO => 0,
        0x2b..=0x32 => usize::from(kind - BEFORE_ONE_BYTE),
        _ => return None,
    };
    let (bytes, after) = after.split_at_checked(length)?;
    *rest = after;
    let number = bytes
        .iter()
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    i64::try_from(number >> 1).ok()
}

#[cfg(test)]
mod tests {
    use bson::{Binary, Timestamp, rawdoc};

    use super::*;

    #[test]
    fn the_place_in_a_transaction_is_read_from_the_token() {
        for (data, place) in [
            ("826B04E20500006A722B022C0100296E5A1004", Some(0)),
            ("826B04E20500006A722B022C01002B026E5A1004", Some(1)),
            ("826B04E20500006A722B042C01002C05DC6E5A1004", Some(750)),
            ("826B04E20500006A722B022C0100", None),
            ("82", None),
        ] {
            assert_eq!(index(&rawdoc! { "_data": data }), place, "{data}");
        }
    }

    #[test]
    fn a_transaction_is_named_by_its_session_and_number() {
        let session = Binary {
            subtype: BinarySubtype::Uuid,
            bytes: (0..16).collect(),
        };
        let event = rawdoc! {
            "_id": { "_data": "826B04E20500006A722B022C01002B026E5A1004" }, "operationType": "insert",
            "clusterTime": Timestamp { time: 1, increment: 1 }, "lsid": { "id": session }, "txnNumber": 7_i64,
        };
        let event = ChangeEvent::parse(event.into_bytes().into()).unwrap();
        let headers: Vec<Header> = headers(&event).collect();
        let name = Value::Text("00010203-0405-0607-0809-0a0b0c0d0e0f:7".into());
        let index = Value::Number(1);
        assert_eq!(
            headers,
            [("cdc-transaction", name), ("cdc-transaction-index", index)]
        );
    }
}
