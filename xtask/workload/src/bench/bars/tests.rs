use super::*;
use crate::bench::{
    bar::Verdict,
    report::{Path, Report, Run},
    tests::fixture,
};

fn verdicts(report: &Report) -> Vec<(&'static str, Verdict)> {
    let outcomes = outcomes(&Summary::of(report));
    let verdict = |outcome: &Outcome| (outcome.bar.name, outcome.verdict);
    outcomes.iter().map(verdict).collect()
}

fn names(report: &Report, wanted: Verdict) -> Vec<&'static str> {
    let verdicts = verdicts(report).into_iter();
    let named = verdicts.filter(|(_, verdict)| *verdict == wanted);
    named.map(|(name, _)| name).collect()
}

fn engine(report: &mut Report, group: Group) -> impl Iterator<Item = &mut Run> {
    let runs = report.runs.iter_mut();
    runs.filter(move |run| run.key.subject == Subject::Engine && run.key.group == group)
}

fn of(report: &mut Report, subject: Subject) -> impl Iterator<Item = &mut Run> {
    let runs = report.runs.iter_mut();
    runs.filter(move |run| run.key.subject == subject)
}

fn of_queue(report: &mut Report, queue: Queue) -> impl Iterator<Item = &mut Run> {
    engine(report, Group::Main).filter(move |run| run.key.queue == Some(queue))
}

fn each<'a>(runs: impl Iterator<Item = &'a mut Run>, change: fn(&mut Run)) {
    runs.for_each(change);
}

/// What makes a bar missed, by the bar's name.
type Spoiler = (&'static str, fn(&mut Report));

const SPOILERS: [Spoiler; 25] = [
    ("(source + sink) / engine, classic queue", |r| {
        each(of_queue(r, Queue::Classic), |run| run.seconds *= 1.06);
    }),
    ("(source + sink) / engine, quorum queue", |r| {
        each(of_queue(r, Queue::Quorum), |run| run.seconds *= 1.06);
    }),
    ("(source + sink) / engine, stream", |r| {
        each(of_queue(r, Queue::Stream), |run| run.seconds *= 1.15);
    }),
    ("engine, stream / source alone", |r| {
        each(of(r, Subject::Source), |run| run.seconds *= 0.6);
        // So that the floors together are no faster than the engine.
        each(of(r, Subject::Sink), |run| run.seconds *= 3.0);
    }),
    ("engine, stream / engine, classic queue", |r| {
        each(of_queue(r, Queue::Classic), |run| run.seconds *= 0.7);
    }),
    ("engine, stream / fastest Python program", |r| {
        each(of_queue(r, Queue::Quorum), |run| run.seconds *= 0.36);
        let python: Vec<_> = of(r, Subject::PythonBatch).map(|run| run.clone()).collect();
        r.runs.extend(python.into_iter().map(|mut run| {
            run.key.queue = Some(Queue::Quorum);
            run.seconds *= 0.31;
            run
        }));
    }),
    ("CPU per event, stream / classic queue", |r| {
        each(of_queue(r, Queue::Stream), |run| run.user_us += 400_000);
    }),
    ("peak memory, stream", |r| {
        of_queue(r, Queue::Stream).next().unwrap().peak_memory_kib = 64 * 1_024 + 1;
    }),
    ("CPU per event, classic queue", |r| {
        each(of_queue(r, Queue::Classic), |run| run.system_us += 300_000);
    }),
    ("CPU per event, quorum queue", |r| {
        each(of_queue(r, Queue::Quorum), |run| run.user_us += 300_000);
    }),
    ("system calls per event", |r| {
        each(engine(r, Group::Main), |run| {
            run.system_calls = run.system_calls.map(|_| 40_001);
        });
    }),
    ("writer against serde_json, least of all sizes", |r| {
        r.writer[2].serde_json_ns = r.writer[2].ours_ns * 2.4;
    }),
    ("peak memory, main comparison by AMQP", |r| {
        engine(r, Group::Main).next().unwrap().peak_memory_kib = 40 * 1_024 + 1;
    }),
    ("peak memory, documents of 10 MB", |r| {
        engine(r, Group::Bytes).last().unwrap().peak_memory_kib = 128 * 1_024 + 1;
    }),
    ("memory when idle", |r| {
        r.idle_memory_kib[1] = 16 * 1_024 + 1;
    }),
    ("latency / floor, p50 at 1,000/s", |r| {
        for latency in &mut r.latencies {
            let factor = if latency.path == Path::Engine {
                1.05
            } else {
                1.0
            };
            latency.p50_ms *= factor;
        }
    }),
    ("latency / floor, p99 at 1,000/s", |r| {
        for latency in &mut r.latencies {
            let factor = if latency.path == Path::Engine {
                1.05
            } else {
                1.0
            };
            latency.p99_ms *= factor;
        }
    }),
    ("rate at 1 M events / at 100 k", |r| {
        for run in engine(r, Group::Events).filter(|run| run.key.events == 1_000_000) {
            run.seconds *= 1.06;
        }
    }),
    ("peak memory at 1 M events / at 100 k", |r| {
        for run in engine(r, Group::Events).filter(|run| run.key.events == 1_000_000) {
            run.peak_memory_kib = 22 * 1_024;
        }
    }),
    ("engine / one connection per message", |r| {
        each(of(r, Subject::PythonConnection), |run| run.seconds *= 0.49);
    }),
    ("engine / fastest Python program", |r| {
        each(of(r, Subject::PythonConfirm), |run| run.seconds *= 0.19);
    }),
    ("stripped binary", |r| r.binary_bytes = 12_000_001),
    ("start to first watch", |r| {
        r.starts_ms = vec![100.0, 100.0, 1.0];
    }),
    ("missing, all runs of the engine", |r| {
        let run = engine(r, Group::Bytes).next().unwrap();
        run.delivery.as_mut().unwrap().missing = 1;
    }),
    ("out of order, all runs of the engine", |r| {
        let run = engine(r, Group::Events).last().unwrap();
        run.delivery.as_mut().unwrap().out_of_order = 1;
    }),
];

#[test]
fn every_bar_is_held_by_the_fixture() {
    let held = names(&fixture::report(), Verdict::Held);
    assert_eq!(held.len(), BARS.len(), "{:?}", verdicts(&fixture::report()));
}

#[test]
fn each_bar_is_missed_alone_for_its_own_reason() {
    for (name, spoil) in SPOILERS {
        let mut report = fixture::report();
        spoil(&mut report);
        assert_eq!(names(&report, Verdict::Missed), [name]);
    }
    let spoiled = SPOILERS.map(|(name, _)| name);
    assert_eq!(spoiled, BARS.each_ref().map(|bar| bar.name));
}

#[test]
fn what_was_not_measured_is_missed() {
    let mut report = fixture::report();
    report.runs.clear();
    report.latencies.clear();
    report.writer.clear();
    report.starts_ms.clear();
    report.idle_memory_kib.clear();
    report.binary_bytes = 0;
    let streams = names(&report, Verdict::NotMeasured);
    assert!(streams.iter().all(|name| name.contains("stream")));
    assert_eq!(
        names(&report, Verdict::Missed).len() + streams.len(),
        BARS.len()
    );
}

#[test]
fn a_broker_without_streams_is_excused_from_their_bars_alone() {
    let mut report = fixture::report();
    report
        .runs
        .retain(|run| run.key.queue != Some(Queue::Stream));
    assert_eq!(names(&report, Verdict::NotMeasured).len(), 6);
    assert!(names(&report, Verdict::Missed).is_empty());
}

#[test]
fn a_quick_report_is_excused_from_the_big_runs_alone() {
    let mut report = fixture::report();
    report.settings.quick = true;
    report.latencies.clear();
    report.runs.retain(|run| run.key.group == Group::Main);
    let excused = [
        "peak memory, documents of 10 MB",
        "rate at 1 M events / at 100 k",
        "peak memory at 1 M events / at 100 k",
    ];
    assert_eq!(names(&report, Verdict::NotMeasured), excused);
    assert_eq!(names(&report, Verdict::Missed).len(), 2, "the latencies");
    report.settings.quick = false;
    assert_eq!(names(&report, Verdict::Missed).len(), 5);
}

#[test]
fn a_run_that_was_not_checked_proves_nothing() {
    let mut report = fixture::report();
    engine(&mut report, Group::Main).next().unwrap().delivery = None;
    let missed = [
        "missing, all runs of the engine",
        "out of order, all runs of the engine",
    ];
    assert_eq!(names(&report, Verdict::Missed), missed);
}

#[test]
fn what_is_no_number_holds_no_bar() {
    let mut report = fixture::report();
    report.writer[0].ours_ns = 0.0;
    report.starts_ms = vec![f64::NAN];
    report.writer.truncate(1);
    let missed = [
        "writer against serde_json, least of all sizes",
        "start to first watch",
    ];
    assert_eq!(names(&report, Verdict::Missed), missed);
}

#[test]
fn a_missed_bar_is_said_with_figure_and_bound() {
    let mut report = fixture::report();
    report.binary_bytes = 12_345_678;
    report.starts_ms.clear();
    let outcomes = outcomes(&Summary::of(&report));
    let missed = outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Missed);
    assert_eq!(
        missed.map(Outcome::line).collect::<Vec<_>>(),
        [
            "stripped binary: 12.35 MB, must be at most 12 MB",
            "start to first watch: none, must be below 100 ms",
        ]
    );
    let of_machine = BARS.iter().filter(|bar| bar.scope() == "this machine");
    assert_eq!(
        of_machine.count(),
        3,
        "times; everything else holds anywhere"
    );
}
