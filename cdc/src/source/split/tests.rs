use bson::{RawBson, RawDocumentBuf, rawdoc};
use proptest::{prelude::*, test_runner::TestCaseResult};

use super::*;
use crate::property;

fn part(fragment: i32, of: i32, fields: &[(&str, RawBson)]) -> RawDocumentBuf {
    let token = format!("token {fragment} of {of}");
    let mut part = rawdoc! {
        "_id": { "_data": token },
        "splitEvent": { "fragment": fragment, "of": of },
    };
    for (name, value) in fields {
        part.append(bson::raw::CString::try_from(*name).unwrap(), value.clone());
    }
    part
}

fn small(fragment: i32, of: i32) -> RawDocumentBuf {
    part(
        fragment,
        of,
        &[(&format!("f{fragment}"), RawBson::Int32(fragment))],
    )
}

fn add_all(parts: Vec<RawDocumentBuf>) -> Result<Option<RawDocumentBuf>, Error> {
    let mut assembly = Assembly::default();
    let mut event = None;
    for part in parts {
        event = add(&mut assembly, part)?;
    }
    Ok(event)
}

fn add(assembly: &mut Assembly, part: RawDocumentBuf) -> Result<Option<RawDocumentBuf>, Error> {
    let event = assembly.add(part.into_bytes().into())?;
    Ok(event.map(|event| RawDocumentBuf::from_bytes(event.into()).unwrap()))
}

#[test]
fn an_event_that_was_not_split_passes_as_it_is() {
    let event = rawdoc! { "_id": { "_data": "82" }, "operationType": "insert" };
    assert_eq!(
        add(&mut Assembly::default(), event.clone()),
        Ok(Some(event))
    );
}

#[test]
fn the_event_has_every_field_once_in_order_and_the_last_token_first() {
    let first = part(
        1,
        2,
        &[
            ("operationType", RawBson::String("update".to_owned())),
            ("ns", RawBson::Document(rawdoc! { "db": "d" })),
        ],
    );
    let second = part(2, 2, &[("updateDescription", RawBson::Null)]);
    let mut assembly = Assembly::default();
    assert_eq!(add(&mut assembly, first), Ok(None));
    assert!(assembly.is_begun());
    let event = add(&mut assembly, second).unwrap().unwrap();
    assert!(!assembly.is_begun());
    assert_eq!(
        event,
        rawdoc! {
            "_id": { "_data": "token 2 of 2" },
            "operationType": "update",
            "ns": { "db": "d" },
            "updateDescription": null,
        }
    );
}

#[test]
fn an_event_of_one_part_is_whole() {
    let event = add_all(vec![small(1, 1)]).unwrap().unwrap();
    assert_eq!(
        event,
        rawdoc! { "_id": { "_data": "token 1 of 1" }, "f1": 1 }
    );
}

#[test]
fn parts_out_of_sequence_are_an_error() {
    let whole = rawdoc! { "_id": { "_data": "82" }, "operationType": "insert" };
    for (parts, found, expected) in [
        (vec![small(2, 3)], "2/3", "1/3"),
        (vec![small(1, 3), small(3, 3)], "3/3", "2/3"),
        (vec![small(1, 3), small(1, 3)], "1/3", "2/3"),
        (vec![small(1, 3), small(2, 2)], "2/2", "2/3"),
        (vec![small(1, 3), small(2, 3), whole], "none", "3/3"),
    ] {
        let error = Error::OutOfSequence {
            found: found.to_owned(),
            expected: expected.to_owned(),
        };
        assert_eq!(add_all(parts), Err(error));
    }
}

#[test]
fn a_part_needs_a_number_that_can_be() {
    for mark in [
        rawdoc! {},
        rawdoc! { "fragment": 1 },
        rawdoc! { "fragment": "1", "of": 2 },
        rawdoc! { "fragment": 0, "of": 2 },
        rawdoc! { "fragment": 3, "of": 2 },
        rawdoc! { "fragment": -1, "of": -1 },
    ] {
        let part = rawdoc! { "_id": { "_data": "82" }, "splitEvent": mark };
        assert_eq!(add_all(vec![part]), Err(Error::Unnumbered));
    }
    let part = rawdoc! { "_id": { "_data": "82" }, "splitEvent": 1 };
    assert_eq!(add_all(vec![part]), Err(Error::Unnumbered));
}

#[test]
fn a_field_may_come_once_only() {
    let one = || part(1, 2, &[("ns", RawBson::Null)]);
    let two = part(2, 2, &[("ns", RawBson::Null)]);
    let error = Error::Repeated("ns".to_owned());
    assert_eq!(add_all(vec![one(), two]), Err(error));
}

#[test]
fn a_part_without_a_token_is_an_error() {
    let part = rawdoc! { "splitEvent": { "fragment": 1, "of": 2 }, "ns": 1 };
    assert_eq!(add_all(vec![part]), Err(Error::Corrupt));
}

#[test]
fn an_endless_event_is_an_error_before_it_fills_the_memory() {
    let mut assembly = Assembly::default();
    let text = RawBson::String("x".repeat(16 << 20));
    let mut outcome = Ok(None);
    for fragment in 1..6 {
        let field = format!("f{fragment}");
        outcome = add(&mut assembly, part(fragment, 9, &[(&field, text.clone())]));
        if outcome.is_err() {
            break;
        }
    }
    assert_eq!(outcome, Err(Error::TooLarge));
}

/// Whatever the fields are and wherever it is cut, the event is what it was.
#[test]
fn every_cut_of_every_event_is_undone() {
    let value = prop_oneof![
        any::<i64>().prop_map(RawBson::Int64),
        any::<f64>().prop_map(|number| RawBson::Double(if number.is_nan() { 0.0 } else { number })),
        any::<bool>().prop_map(RawBson::Boolean),
        ".{0,40}".prop_map(RawBson::String),
        Just(RawBson::Null),
        Just(RawBson::MaxKey),
        ".{0,9}".prop_map(|text| RawBson::Document(rawdoc! { "inner": text })),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| {
            RawBson::Binary(bson::Binary {
                subtype: bson::spec::BinarySubtype::Generic,
                bytes,
            })
        }),
    ];
    let fields = proptest::collection::vec((value, any::<bool>()), 1..12);
    property::run(&fields, |fields| -> TestCaseResult {
        let of = 1 + fields[1..].iter().filter(|(_, cut)| *cut).count();
        let of = i32::try_from(of).unwrap();
        let mut expected = rawdoc! { "_id": { "_data": format!("token {of} of {of}") } };
        let (mut parts, mut part_fields): (Vec<RawDocumentBuf>, Vec<(String, RawBson)>) =
            (Vec::new(), Vec::new());
        let close = |parts: &mut Vec<RawDocumentBuf>, fields: &mut Vec<(String, RawBson)>| {
            let fields: Vec<(String, RawBson)> = std::mem::take(fields);
            let fields: Vec<(&str, RawBson)> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.clone()))
                .collect();
            parts.push(part(i32::try_from(parts.len()).unwrap() + 1, of, &fields));
        };
        for (index, (value, cut)) in fields.into_iter().enumerate() {
            if cut && index > 0 {
                close(&mut parts, &mut part_fields);
            }
            let name = format!("field {index}");
            expected.append(
                bson::raw::CString::try_from(name.as_str()).unwrap(),
                value.clone(),
            );
            part_fields.push((name, value));
        }
        close(&mut parts, &mut part_fields);
        prop_assert_eq!(add_all(parts), Ok(Some(expected)));
        Ok(())
    });
}
