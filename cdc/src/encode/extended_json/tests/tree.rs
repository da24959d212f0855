//! Arbitrary documents of every type, and their BSON, made without any code of ours or the driver's.

use proptest::{
    char::range,
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
    sample::select,
    strategy::Just,
};

/// A value, in a form that BSON has exactly one encoding for.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Double(f64),
    String(String),
    Document(Fields),
    Array(Vec<Node>),
    Binary(u8, Vec<u8>),
    Undefined,
    ObjectId([u8; 12]),
    Boolean(bool),
    DateTime(i64),
    Null,
    RegularExpression(String, String),
    DbPointer(String, [u8; 12]),
    Code(String),
    Symbol(String),
    CodeWithScope(String, Fields),
    Int32(i32),
    Timestamp(u32, u32),
    Int64(i64),
    Decimal128([u8; 16]),
    MinKey,
    MaxKey,
}

pub(crate) type Fields = Vec<(String, Node)>;

/// Documents of a few dozen values, nested a few levels.
pub(crate) fn documents() -> impl Strategy<Value = Fields> {
    let node = leaves().prop_recursive(4, 48, 8, |inner| {
        prop_oneof![
            fields(inner.clone()).prop_map(Node::Document),
            vec(inner.clone(), 0..8).prop_map(Node::Array),
            (texts(), fields(inner)).prop_map(|(code, scope)| Node::CodeWithScope(code, scope)),
        ]
    });
    fields(node)
}

/// Fields whose names may be empty, equal, or look like something else, but not like those of a type
/// wrapper, which text cannot tell from one.
fn fields(values: impl Strategy<Value = Node>) -> impl Strategy<Value = Fields> {
    let odd = vec![
        "",
        "a",
        "a",
        "a.b",
        "$key",
        "_id",
        "type",
        "entry_id",
        "\u{7f}\t\"\\",
        "名前",
    ];
    let names = prop_oneof![
        select(odd).prop_map(str::to_owned),
        c_strings().prop_map(|name| name.trim_start_matches('$').to_owned())
    ];
    vec((names, values), 0..8)
}

fn leaves() -> impl Strategy<Value = Node> {
    prop_oneof![
        doubles().prop_map(Node::Double),
        texts().prop_map(Node::String),
        binaries().prop_map(|(subtype, payload)| Node::Binary(subtype, payload)),
        any::<[u8; 12]>().prop_map(Node::ObjectId),
        any::<bool>().prop_map(Node::Boolean),
        dates().prop_map(Node::DateTime),
        (c_strings(), select(["", "i", "imx", "ilmsux"].as_slice()))
            .prop_map(|(pattern, options)| Node::RegularExpression(pattern, options.to_owned())),
        (texts(), any::<[u8; 12]>()).prop_map(|(namespace, id)| Node::DbPointer(namespace, id)),
        texts().prop_map(Node::Code),
        texts().prop_map(Node::Symbol),
        any::<i32>().prop_map(Node::Int32),
        any::<(u32, u32)>().prop_map(|(time, increment)| Node::Timestamp(time, increment)),
        any::<i64>().prop_map(Node::Int64),
        decimals().prop_map(Node::Decimal128),
        select(vec![
            Node::Undefined,
            Node::Null,
            Node::MinKey,
            Node::MaxKey
        ]),
    ]
}

/// Any text, long enough to cross the blocks that the writer looks at, often with escapes.
fn texts() -> impl Strategy<Value = String> {
    let odd = select(vec![
        '"', '\\', '\0', '\n', '\x1f', ' ', '~', '\x7f', 'é', '\u{2028}', '𝄞',
    ]);
    let character = prop_oneof![range(' ', '~'), odd, any::<char>()];
    prop_oneof![
        vec(range(' ', '~'), 0..40).prop_map(String::from_iter),
        vec(character, 0..20).prop_map(String::from_iter),
    ]
}

/// Text without the zero that ends it.
fn c_strings() -> impl Strategy<Value = String> {
    texts().prop_map(|text| text.replace('\0', ""))
}

/// Doubles of every magnitude; of the many NaNs only the one that text can name.
fn doubles() -> impl Strategy<Value = f64> {
    let odd = vec![
        0.0,
        -0.0,
        1.0,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        f64::NAN,
        f64::INFINITY,
    ];
    prop_oneof![
        select(odd),
        any::<i32>().prop_map(f64::from),
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("a nan", |double| !double.is_nan()),
    ]
}

fn dates() -> impl Strategy<Value = i64> {
    prop_oneof![0..253_402_300_800_000_i64, any::<i64>()]
}

fn binaries() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (prop_oneof![0..10u8, any::<u8>()], vec(any::<u8>(), 0..40))
}

/// Decimals with a coefficient of at most 34 digits, and the values that are not finite.
fn decimals() -> impl Strategy<Value = [u8; 16]> {
    let finite = (any::<bool>(), 0..=34u32, any::<u128>(), 0..12_288_u128).prop_map(
        |(negative, digits, coefficient, exponent)| {
            let coefficient = coefficient % 10_u128.pow(digits);
            u128::from(negative) << 127 | exponent << 113 | coefficient
        },
    );
    prop_oneof![
        finite,
        Just(0b1_1111 << 122),
        Just(0b1_1110 << 122),
        Just(0b11_1110 << 122)
    ]
    .prop_map(u128::to_le_bytes)
}

/// The BSON of a document.
pub(crate) fn encode<'a>(fields: impl IntoIterator<Item = (&'a str, &'a Node)>) -> Vec<u8> {
    let mut elements = Vec::new();
    for (name, node) in fields {
        let (kind, value) = encode_node(node);
        elements.push(kind);
        elements.extend(c_string(name));
        elements.extend(value);
    }
    super::document(&elements)
}

/// The BSON of `fields`.
pub(crate) fn encode_fields(fields: &Fields) -> Vec<u8> {
    encode(fields.iter().map(|(name, node)| (name.as_str(), node)))
}

/// Type and value.
fn encode_node(node: &Node) -> (u8, Vec<u8>) {
    match node {
        Node::Double(double) => (0x01, double.to_le_bytes().to_vec()),
        Node::String(text) => (0x02, string(text)),
        Node::Document(fields) => (0x03, encode_fields(fields)),
        Node::Array(nodes) => (0x04, array(nodes)),
        Node::Binary(subtype, payload) => (0x05, binary(*subtype, payload)),
        Node::Undefined => (0x06, Vec::new()),
        Node::ObjectId(id) => (0x07, id.to_vec()),
        Node::Boolean(boolean) => (0x08, vec![u8::from(*boolean)]),
        Node::DateTime(milliseconds) => (0x09, milliseconds.to_le_bytes().to_vec()),
        Node::Null => (0x0a, Vec::new()),
        Node::RegularExpression(pattern, options) => {
            (0x0b, [c_string(pattern), c_string(options)].concat())
        }
        Node::DbPointer(namespace, id) => (0x0c, [string(namespace), id.to_vec()].concat()),
        Node::Code(code) => (0x0d, string(code)),
        Node::Symbol(symbol) => (0x0e, string(symbol)),
        Node::CodeWithScope(code, scope) => {
            let parts = [string(code), encode_fields(scope)].concat();
            (0x0f, [length(parts.len() + 4).to_vec(), parts].concat())
        }
        Node::Int32(int) => (0x10, int.to_le_bytes().to_vec()),
        Node::Timestamp(seconds, increment) => (
            0x11,
            [increment.to_le_bytes(), seconds.to_le_bytes()].concat(),
        ),
        Node::Int64(int) => (0x12, int.to_le_bytes().to_vec()),
        Node::Decimal128(bytes) => (0x13, bytes.to_vec()),
        Node::MinKey => (0xff, Vec::new()),
        Node::MaxKey => (0x7f, Vec::new()),
    }
}

fn array(nodes: &[Node]) -> Vec<u8> {
    let names: Vec<String> = (0..nodes.len()).map(|index| index.to_string()).collect();
    encode(names.iter().map(String::as_str).zip(nodes))
}

fn binary(subtype: u8, payload: &[u8]) -> Vec<u8> {
    let payload = match subtype {
        0x02 => [length(payload.len()).as_slice(), payload].concat(),
        _ => payload.to_vec(),
    };
    [length(payload.len()).as_slice(), &[subtype], &payload].concat()
}

fn string(text: &str) -> Vec<u8> {
    [length(text.len() + 1).as_slice(), text.as_bytes(), &[0]].concat()
}

fn c_string(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap().to_le_bytes()
}
