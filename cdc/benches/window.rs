//! The sliding window at the engine's default bounds: what it costs to pass a full window's messages.

mod traffic;

use std::{hint::black_box, time::Duration};

use cdc::pipeline::Window;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn confirms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("window");
    group.throughput(Throughput::Elements(traffic::BOUNDS.events as u64));
    for (name, order) in [
        ("in_order", traffic::in_order()),
        ("shuffled", traffic::shuffled()),
    ] {
        let mut window = Window::new(traffic::BOUNDS);
        group.bench_function(name, |bencher| {
            bencher.iter(|| traffic::pass(&mut window, black_box(&order)));
        });
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
    name = window;
    config = settings();
    targets = confirms
}
criterion_main!(window);
