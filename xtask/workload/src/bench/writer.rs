//! The Extended JSON writer's micro-benchmarks, as criterion has left them.

use std::{fs, path::Path};

use serde_json::Value;

use super::report::Writer;

/// Bytes of the documents that are written.
const SIZES: [u64; 3] = [300, 3_000, 300_000];

/// What is there; what was not measured is left out.
pub(super) fn read(criterion: &Path) -> Vec<Writer> {
    let group = criterion.join("extended_json");
    let median = |function: &str, size: u64| {
        let file = format!("{function}/{size}/new/estimates.json");
        let text = fs::read_to_string(group.join(file)).ok()?;
        let estimates: Value = serde_json::from_str(&text).ok()?;
        estimates["median"]["point_estimate"].as_f64()
    };
    let writer = |document_bytes| {
        Some(Writer {
            document_bytes,
            ours_ns: median("ours", document_bytes)?,
            serde_json_ns: median("serde_json", document_bytes)?,
        })
    };
    SIZES.into_iter().filter_map(writer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_counts_if_both_were_measured() {
        let folder = std::env::temp_dir().join(format!("criterion-{}", std::process::id()));
        let write = |function: &str, size: u64, median: f64| {
            let folder = folder.join(format!("extended_json/{function}/{size}/new"));
            fs::create_dir_all(&folder).unwrap();
            let text = format!("{{\"median\":{{\"point_estimate\":{median}}}}}");
            fs::write(folder.join("estimates.json"), text).unwrap();
        };
        write("ours", 300, 250.5);
        write("serde_json", 300, 900.0);
        write("ours", 3_000, 1.0);
        let found = read(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let expected = Writer {
            document_bytes: 300,
            ours_ns: 250.5,
            serde_json_ns: 900.0,
        };
        assert_eq!(found, [expected]);
        assert_eq!(read(&folder), []);
    }
}
