//! The Extended JSON writer's micro-benchmarks, as criterion has left them.

use std::{fs, path::Path};

use serde_json::Value;

use super::{report::Writer, spread::Spread};

/// Bytes of the documents that are written.
const SIZES: [u64; 3] = [300, 3_000, 300_000];
/// What the names of their passes begin with: everything was measured in each of them, so that a machine that was busy
/// for a moment decides nothing.
const PASS: &str = "pass-";

/// The median of all passes; what was not measured is left out.
pub(super) fn read(criterion: &Path) -> Vec<Writer> {
    let group = criterion.join("extended_json");
    let median = |function: &str, size: u64| {
        let passes = fs::read_dir(group.join(format!("{function}/{size}"))).ok()?;
        let passes = passes.filter_map(Result::ok).filter(|folder| {
            let name = folder.file_name();
            name.to_string_lossy().starts_with(PASS)
        });
        let figures = passes.filter_map(|folder| figure(&folder.path()));
        Some(Spread::of(figures)?.value)
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

/// The median of one pass, in nanoseconds.
fn figure(pass: &Path) -> Option<f64> {
    let text = fs::read_to_string(pass.join("estimates.json")).ok()?;
    let estimates: Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_counts_if_both_were_measured_and_one_odd_pass_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let write = |function: &str, size: u64, pass: &str, median: f64| {
            let folder = folder.join(format!("extended_json/{function}/{size}/{pass}"));
            fs::create_dir_all(&folder).unwrap();
            let text = format!("{{\"median\":{{\"point_estimate\":{median}}}}}");
            fs::write(folder.join("estimates.json"), text).unwrap();
        };
        for (pass, ours) in [("pass-1", 250.5), ("pass-2", 616.0), ("pass-3", 249.0)] {
            write("ours", 300, pass, ours);
            write("serde_json", 300, pass, 900.0);
        }
        // That of somebody who has run the micro-benchmarks by hand.
        write("ours", 300, "new", 1.0);
        write("ours", 3_000, "pass-1", 1.0);
        let found = read(folder);
        let expected = Writer {
            document_bytes: 300,
            ours_ns: 250.5,
            serde_json_ns: 900.0,
        };
        assert_eq!(found, [expected]);
        assert_eq!(read(&folder.join("nothing")), []);
    }
}
