//! Properties of valid documents.

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq};

use super::{
    JsonMode, field, reader,
    tree::{documents, encode_fields},
    written,
};

#[test]
fn canonical_text_read_back_is_the_document_byte_for_byte() {
    crate::property::run(&documents(), |fields| {
        let bytes = encode_fields(&fields);
        let text = written(&bytes, JsonMode::Canonical)?;
        prop_assert_eq!(encode_fields(&reader::read(&text)), bytes, "{}", text);
        Ok(())
    });
}

#[test]
fn relaxed_text_is_json_with_the_names_of_the_document() {
    crate::property::run(&documents(), |fields| {
        let text = written(&encode_fields(&fields), JsonMode::Relaxed)?;
        let json: reader::Json = serde_json::from_str(&text)?;
        let reader::Json::Object(json) = json else {
            panic!("not an object: {text}")
        };
        let names = |(name, _): &(String, _)| name.clone();
        prop_assert_eq!(
            json.iter().map(names).collect::<Vec<_>>(),
            fields
                .iter()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        );
        Ok(())
    });
}

#[test]
fn relaxed_doubles_are_read_as_the_same_double_and_never_as_an_integer() {
    let doubles = any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("finite", |d| d.is_finite());
    crate::property::run(&doubles, |double| {
        let text = written(&field(0x01, &double.to_le_bytes()), JsonMode::Relaxed)?;
        let number = text
            .strip_prefix(r#"{"a":"#)
            .and_then(|text| text.strip_suffix('}'))
            .unwrap();
        prop_assert!(number.contains(['.', 'e']), "{}", number);
        prop_assert_eq!(number.parse::<f64>()?.to_bits(), double.to_bits());
        Ok(())
    });
}

#[test]
fn decimals_of_any_bits_have_the_text_that_the_driver_gives_them() {
    crate::property::run(&any::<[u8; 16]>(), |bits| {
        let decimal = bson::Decimal128::from_bytes(bits);
        let expected = format!(r#"{{"a":{{"$numberDecimal":"{decimal}"}}}}"#);
        prop_assert_eq!(written(&field(0x13, &bits), JsonMode::Relaxed)?, expected);
        Ok(())
    });
}

#[test]
fn relaxed_dates_name_the_day_that_counting_day_by_day_names() {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    for days in 0..2_932_897_i64 {
        // Every day is counted, some are compared: what differs between eras shows in all of them.
        if days % 97 == 0 || (month, day) == (2, 29) || (month, day) == (3, 1) {
            let milliseconds = (days * 86_400_000).to_le_bytes();
            let expected =
                format!(r#"{{"a":{{"$date":"{year:04}-{month:02}-{day:02}T00:00:00Z"}}}}"#);
            assert_eq!(
                written(&field(0x09, &milliseconds), JsonMode::Relaxed),
                Ok(expected)
            );
        }
        day += 1;
        if day > days_of_month(year, month) {
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
    assert_eq!(year, 10_000, "all relaxed years are seen");
}

fn days_of_month(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
