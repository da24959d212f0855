//! Documents as users have them: orders of a shop, of any size, the same in every run.

use bson::{
    DateTime, RawArrayBuf, RawBson, RawDocumentBuf, oid::ObjectId, raw::CString, rawbson, rawdoc,
};

/// Sizes of the documents that everything is measured with, in bytes of BSON.
pub(crate) const SIZES: [usize; 3] = [300, 3000, 300_000];

/// Bytes of an empty array.
const EMPTY_ARRAY_BYTES: usize = 5;
/// Bytes in front of an array's value: its type, its index, the zero behind it.
const INDEX_BYTES_MAX: usize = 10;

const CUSTOMERS: [&str; 4] = ["Jo March", "Ada Byron King", "Zoë Brandt", "松尾 蓮"];
const PRODUCTS: [&str; 5] = [
    "Desk lamp",
    "Shelf, oak, three boards",
    "Screen 27\" matt",
    "Teekanne für sechs Tassen",
    "Cable",
];
const NOTE: &str = "Please ring twice and leave it with the neighbour on the left. ";

/// An order whose BSON is exactly `bytes` long; at least 300.
pub(crate) fn document(bytes: usize) -> RawDocumentBuf {
    let mut lines = RawArrayBuf::new();
    let mut left = bytes - order(RawArrayBuf::new(), String::new()).as_bytes().len();
    for number in 0.. {
        let before = lines.as_bytes().len();
        let next = line(number);
        if next.as_bytes().len() + INDEX_BYTES_MAX > left {
            break;
        }
        lines.push(next);
        left -= lines.as_bytes().len() - before;
    }
    let order = order(lines, NOTE.chars().cycle().take(left).collect());
    assert_eq!(order.as_bytes().len(), bytes, "the note fills up the rest");
    order
}

fn order(lines: RawArrayBuf, note: String) -> RawDocumentBuf {
    let seed = mixed(lines.as_bytes().len() - EMPTY_ARRAY_BYTES);
    rawdoc! {
        "_id": object_id(seed),
        "customer": CUSTOMERS[2],
        "number": 48_213,
        "placed": DateTime::from_millis(1_751_293_805_250),
        "paid": true,
        "total": 1384.95,
        "address": { "street": "Lange Gasse 14", "city": "Graz" },
        "tags": ["gift", "express"],
        "lines": lines,
        "note": note,
    }
}

/// One line of an order; those behind the first have more fields, in turns.
fn line(number: usize) -> RawDocumentBuf {
    let seed = mixed(number);
    let cents = u32::try_from(seed % 50_000).expect("it is small");
    let mut line = rawdoc! {
        "product": PRODUCTS[number % PRODUCTS.len()],
        "count": i32::try_from(seed % 12).expect("it is small"),
        "price": f64::from(cents) / 100.0,
    };
    let mut add = |name: &str, value: RawBson| {
        line.append(CString::try_from(name).expect("no zero in it"), value);
    };
    match number % 4 {
        0 => {}
        1 => {
            add("article", object_id(seed).into());
            add(
                "stock",
                rawbson!(i64::try_from(seed >> 20).expect("it has 44 bits")),
            );
        }
        2 => {
            add(
                "shipped",
                DateTime::from_millis(1_751_293_805_000 + i64::from(cents) * 7919).into(),
            );
            add("buyer", rawbson!(CUSTOMERS[number % CUSTOMERS.len()]));
            add("returned", rawbson!(false));
        }
        _ => {
            add(
                "size",
                rawbson!({ "width": 40, "height": 12.5, "unit": "cm" }),
            );
            add("colours", rawbson!(["green", "grey"]));
            add("discount", RawBson::Null);
        }
    }
    line
}

fn object_id(seed: u64) -> ObjectId {
    let mut bytes = [0x65; 12];
    bytes[4..].copy_from_slice(&seed.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

/// A number without a visible pattern, the same for the same `number`.
fn mixed(number: usize) -> u64 {
    let number = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
