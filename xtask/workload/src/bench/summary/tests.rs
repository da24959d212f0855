use super::*;
use crate::bench::tests::fixture;

fn near(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() < 1e-9
}

#[test]
fn samples_of_one_kind_make_one_figure() {
    let summary = Summary::of(&fixture::report());
    let engine = summary.main(Subject::Engine, Some(Queue::Classic)).unwrap();
    assert!(near(engine.rate.value, 1e6 / 30.0), "{engine:?}");
    assert!(near(engine.rate.max, 1e6 / 27.0) && near(engine.rate.min, 1e6 / 36.0));
    assert!(near(engine.cpu_us.value, 6.0) && near(engine.system_us.value, 2.0));
    assert!(near(engine.body_bytes.value, 500.0));
    assert_eq!(engine.delivery.unwrap().delivered, 600_000);
}

#[test]
fn a_sample_with_several_runs_counts_with_all_of_them_together() {
    let mut report = fixture::report();
    for micros in [12.0, 33.0] {
        let run = fixture::run(Subject::Engine, Some(Queue::Classic), 0, micros);
        report.runs.push(run);
    }
    let summary = Summary::of(&report);
    let engine = summary.main(Subject::Engine, Some(Queue::Classic)).unwrap();
    assert_eq!((engine.rate.count, engine.times.len()), (3, 3));
    // Of 12, 30 and 33.
    assert!(near(engine.times[&0], 25e-6), "{:?}", engine.times);
    // 25, 27 and 36.
    assert!(near(engine.time, 27e-6), "{}", engine.time);
    assert!(near(engine.rate.value, 1e6 / 27.0) && near(engine.rate.max, 1e6 / 25.0));
}

#[test]
fn calls_are_of_the_runs_where_they_were_counted() {
    let summary = Summary::of(&fixture::report());
    let engine = summary.main(Subject::Engine, Some(Queue::Classic)).unwrap();
    let calls = engine.calls.unwrap();
    assert!(near(calls.value, 0.1) && calls.count == 1, "{calls:?}");
    assert_eq!((engine.rate.count, engine.times.len()), (3, 3));
    let quorum = summary.main(Subject::Engine, Some(Queue::Quorum)).unwrap();
    assert_eq!(quorum.calls, None);
}

#[test]
fn a_run_that_was_not_checked_leaves_no_delivery() {
    let mut report = fixture::report();
    let of_engine = |run: &&mut Run| run.key.subject == Subject::Engine;
    report.runs.iter_mut().find(of_engine).unwrap().delivery = None;
    let summary = Summary::of(&report);
    let engine = summary.main(Subject::Engine, Some(Queue::Classic)).unwrap();
    assert_eq!(engine.delivery, None);
}

#[test]
fn flaws_of_all_samples_are_added_up() {
    let mut report = fixture::report();
    for run in &mut report.runs {
        if let Some(delivery) = &mut run.delivery {
            delivery.missing = 2;
        }
    }
    let summary = Summary::of(&report);
    let sink = summary.main(Subject::Sink, Some(Queue::Quorum)).unwrap();
    assert_eq!(sink.delivery.unwrap().missing, 6);
}

#[test]
fn other_formats_are_not_the_main_comparison() {
    let mut report = fixture::report();
    let mut event = fixture::run(Subject::Engine, Some(Queue::Classic), 0, 1.0);
    event.key.format = Some("event".to_owned());
    report.runs.push(event);
    let summary = Summary::of(&report);
    let engine = summary.main(Subject::Engine, Some(Queue::Classic)).unwrap();
    assert!(near(engine.time, 30e-6));
    assert_eq!(summary.engine(Group::Main).count(), 4);
}

#[test]
fn latencies_are_put_together_by_rate_and_path() {
    let summary = Summary::of(&fixture::report());
    assert_eq!(summary.latencies.len(), 6);
    let floor = &summary.latencies[&(1_000, Path::Floor)];
    assert!(near(floor.p50.value, 10.0) && near(floor.max.max, 48.0));
    assert!(near(floor.samples[&1].1, 18.0));
}
