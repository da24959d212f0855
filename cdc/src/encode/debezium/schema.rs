//! The Kafka Connect schema of the envelope, as `org.apache.kafka.connect.json.JsonConverter` writes it beside each body.

use super::{JsonMode, Namespace};
use crate::encode::extended_json::Object;

/// About as long as the schema is.
pub(super) const BYTES: usize = 2_500;

/// The schema of a field that is a string of JSON.
macro_rules! json {
    ($field:literal) => {
        concat!(
            r#"{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,"field":""#,
            $field,
            r#""}"#
        )
    };
}

/// The schema up to the name of the collection's envelope.
const FIELDS: &str = concat!(
    r#""type":"struct","fields":["#,
    json!("before"),
    ",",
    json!("after"),
    r#",{"type":"struct","fields":["#,
    r#"{"type":"array","items":{"type":"string","optional":false},"optional":true,"field":"removedFields"},"#,
    json!("updatedFields"),
    r#",{"type":"array","items":{"type":"struct","fields":["#,
    r#"{"type":"string","optional":false,"field":"field"},{"type":"int32","optional":false,"field":"size"}"#,
    r#"],"optional":false,"name":"io.debezium.connector.mongodb.changestream.truncatedarray","version":1},"#,
    r#""optional":true,"field":"truncatedArrays"}"#,
    r#"],"optional":true,"name":"io.debezium.connector.mongodb.changestream.updatedescription","version":1,"#,
    r#""field":"updateDescription"},"#,
    r#"{"type":"struct","fields":["#,
    r#"{"type":"string","optional":false,"field":"version"},"#,
    r#"{"type":"string","optional":false,"field":"connector"},"#,
    r#"{"type":"string","optional":false,"field":"name"},"#,
    r#"{"type":"int64","optional":false,"field":"ts_ms"},"#,
    r#"{"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"#,
    r#""true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},"#,
    r#""default":"false","field":"snapshot"},"#,
    r#"{"type":"string","optional":false,"field":"db"},"#,
    r#"{"type":"string","optional":true,"field":"sequence"},"#,
    r#"{"type":"int64","optional":true,"field":"ts_us"},"#,
    r#"{"type":"int64","optional":true,"field":"ts_ns"},"#,
    r#"{"type":"string","optional":false,"field":"collection"},"#,
    r#"{"type":"int32","optional":false,"field":"ord"},"#,
    r#"{"type":"string","optional":true,"field":"lsid"},"#,
    r#"{"type":"int64","optional":true,"field":"txnNumber"},"#,
    r#"{"type":"int64","optional":true,"field":"wallTime"}"#,
    r#"],"optional":false,"name":"io.debezium.connector.mongo.Source","field":"source"},"#,
    r#"{"type":"string","optional":true,"field":"op"},"#,
    r#"{"type":"int64","optional":true,"field":"ts_ms"},"#,
    r#"{"type":"struct","fields":["#,
    r#"{"type":"string","optional":false,"field":"id"},"#,
    r#"{"type":"int64","optional":false,"field":"total_order"},"#,
    r#"{"type":"int64","optional":false,"field":"data_collection_order"}"#,
    r#"],"optional":true,"name":"event.block","version":1,"field":"transaction"}"#,
    r#"],"optional":false"#,
);

/// Writes the schema, and what stands before the envelope.
pub(super) fn open(name: &str, namespace: Namespace<'_>, mode: JsonMode, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"schema":"#);
    let mut schema = Object::open(mode, out);
    schema.fields(FIELDS);
    schema.display("name", format_args!("{name}.{namespace}.Envelope"));
    schema.close();
    out.extend_from_slice(br#","payload":"#);
}

/// Writes what stands behind the envelope.
pub(super) fn close(out: &mut Vec<u8>) {
    out.push(b'}');
}
