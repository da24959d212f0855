use super::*;
use crate::bench::{report::Run, tests::fixture};

fn near(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() < 1e-9
}

/// The fixture with the time of each of `subject`'s main runs changed.
fn with(subject: Subject, change: impl Fn(&mut Run)) -> Summary {
    let mut report = fixture::report();
    let runs = report.runs.iter_mut();
    runs.filter(|run| run.key.subject == subject && run.key.group == Group::Main)
        .for_each(change);
    Summary::of(&report)
}

#[test]
fn a_ratio_is_of_the_medians_and_has_the_samples_beside_it() {
    // Medians: 10, 20 and 30 µs. Samples of the engine in another order than those of the floors.
    let seconds = [30.0, 36.0, 27.0].map(|micros| micros * 0.2);
    let summary = with(Subject::Engine, |run| {
        if let Some(seconds) = seconds.get(run.sample as usize) {
            run.seconds = *seconds;
        }
    });
    let figure = parts_to_engine(&summary, Queue::Classic).unwrap();
    assert!(near(figure.value, 1.0), "{figure:?}");
    assert!(
        near(figure.min, 27.0 / 36.0) && near(figure.max, 36.0 / 27.0),
        "{figure:?}"
    );
    assert_eq!(figure.count, 3);
}

#[test]
fn floors_of_another_count_of_events_are_compared_by_event() {
    let summary = with(Subject::Source, |run| {
        run.key.events /= 2;
        run.seconds /= 2.0;
    });
    assert!(near(
        parts_to_engine(&summary, Queue::Quorum).unwrap().value,
        1.0
    ));
}

#[test]
fn processor_time_is_compared_with_that_of_the_sink() {
    let summary = with(Subject::Engine, |run| {
        (run.user_us, run.system_us) = (run.key.events * 5, run.key.events);
    });
    let sink = summary.main(Subject::Sink, Some(Queue::Quorum)).unwrap();
    let expected = 6.0 / sink.cpu_us.value;
    let figure = processor_time(&summary, Queue::Quorum).unwrap();
    assert!(near(figure.value, expected), "{figure:?}");
    let summary = with(Subject::Sink, |run| (run.user_us, run.system_us) = (0, 0));
    assert_eq!(processor_time(&summary, Queue::Quorum), None);
}

#[test]
fn the_fastest_python_program_is_the_one_to_beat() {
    let summary = Summary::of(&fixture::report());
    let to = |subject| engine_to(&summary, subject, None).unwrap().value;
    assert!(near(to(Subject::PythonConnection), 200.0));
    assert!(near(to(Subject::PythonBatch), 5.0));
    assert!(near(engine_to_fastest_python(&summary).unwrap().value, 5.0));
    assert_eq!(
        engine_to(&summary, Subject::PythonBatch, Some(Queue::Quorum)),
        None
    );
}

#[test]
fn latency_is_divided_by_its_floor() {
    let summary = Summary::of(&fixture::report());
    let (p50, p99) = latency(&summary, 1_000).unwrap();
    assert!(near(p50.value, 1.05) && near(p99.value, 1.05));
    assert_eq!(p99.count, 3);
    assert_eq!(latency(&summary, 2_000), None);
}

#[test]
fn growth_takes_the_worst_of_all_queues() {
    let mut report = fixture::report();
    let slow = |run: &Run| {
        let mut run = run.clone();
        run.key.queue = Some(Queue::Quorum);
        if run.key.events == 1_000_000 {
            run.seconds *= 2.0;
            run.peak_memory_kib *= 3;
        }
        run
    };
    let runs = report
        .runs
        .iter()
        .filter(|run| run.key.group == Group::Events);
    let slow: Vec<_> = runs.map(slow).collect();
    let even = growth(&Summary::of(&report), Subject::Engine, 100_000, 1_000_000).unwrap();
    assert!(near(even.0.value, 1.0) && near(even.1.value, 1.0));
    // Without the other end there is nothing to compare.
    let ends = slow.iter().filter(|run| run.key.events == 1_000_000);
    let mut alone = report.clone();
    alone.runs.extend(ends.cloned());
    let same = growth(&Summary::of(&alone), Subject::Engine, 100_000, 1_000_000);
    assert_eq!(same, Some(even));
    report.runs.extend(slow);
    let worse = growth(&Summary::of(&report), Subject::Engine, 100_000, 1_000_000).unwrap();
    assert!(
        near(worse.0.value, 0.5) && near(worse.1.value, 3.0),
        "{worse:?}"
    );
}

#[test]
fn the_writer_counts_where_it_is_least() {
    let mut report = fixture::report();
    report.writer[1].serde_json_ns = 6_600.0;
    assert!(near(writer(&Summary::of(&report)).unwrap().value, 2.2));
    report.writer.clear();
    assert_eq!(writer(&Summary::of(&report)), None);
}
