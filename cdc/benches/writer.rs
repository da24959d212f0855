//! The Extended JSON writer beside `serde_json` over the same raw document, and the bodies made with it.
//!
//! Times alone mean little on a shared machine; the ratio of two within one run does.

mod change_events;
mod documents;

use std::{hint::black_box, time::Duration};

use cdc::{
    encode::{Format, JsonMode, Options, extended_json},
    projection::{Action, Hasher, Mask, Projection, Rule},
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use self::documents::SIZES;

/// Ours and `serde_json`'s, each into a buffer that it has used before.
fn extended_json(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("extended_json");
    for bytes in SIZES {
        let document = documents::document(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new("ours", bytes), |bencher| {
            bencher.iter(|| {
                out.clear();
                extended_json::write_document(black_box(&document), JsonMode::Relaxed, &mut out)
                    .expect("the document is BSON");
                black_box(out.len())
            });
        });
        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new("serde_json", bytes), |bencher| {
            bencher.iter(|| {
                out.clear();
                serde_json::to_writer(&mut out, &black_box(&*document))
                    .expect("the document is BSON");
                black_box(out.len())
            });
        });
    }
    group.finish();
}

/// The bodies of the event of an insert.
fn format(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("format");
    for bytes in SIZES {
        let insert = change_events::insert(&documents::document(bytes));
        group.throughput(Throughput::Bytes(bytes as u64));
        for (name, format) in Format::NAMES {
            let (shape, mut out) = (format.shape(&Options::default()), Vec::new());
            group.bench_function(BenchmarkId::new(name, bytes), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    shape
                        .write(black_box(&insert), JsonMode::Relaxed, &mut out)
                        .expect("the event is BSON");
                    black_box(out.len())
                });
            });
        }
    }
    group.finish();
}

/// What rules for fields cost before that, one rule at a time.
fn projection(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("projection");
    for bytes in SIZES {
        let insert = change_events::insert(&documents::document(bytes));
        group.throughput(Throughput::Bytes(bytes as u64));
        let hash = Mask::Hash(Hasher::new(b"0123456789abcdef"));
        for (name, path, action) in [
            ("exclude", "address.street", Action::Exclude),
            ("exclude in an array", "lines.price", Action::Exclude),
            ("hash", "customer", Action::Mask(hash)),
        ] {
            let path = path.parse().expect("a path");
            let projection = Projection::new(vec![Rule { path, action }]).expect("a rule");
            group.bench_function(BenchmarkId::new(name, bytes), |bencher| {
                bencher.iter(|| projection.apply(black_box(&insert)).expect("it is BSON"));
            });
        }
    }
    group.finish();
}

/// Long enough for a steady median, short enough to be run often.
fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
}

criterion_group! {
    name = writer;
    config = settings();
    targets = extended_json, format, projection
}
criterion_main!(writer);
