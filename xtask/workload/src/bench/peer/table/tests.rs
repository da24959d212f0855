use super::*;
use crate::bench::tests::fixture;

fn found(rate: f64, memory_kib: u64) -> Found {
    Found {
        rate,
        processor_us: 1e6 / rate,
        memory_kib,
        body_bytes: 452.0,
        delivery: Delivery::default(),
    }
}

/// Samples of both programs that publish to streams.
fn samples(ours: &[f64], theirs: &[f64]) -> Samples {
    let mut samples = Samples::of(&fixture::report());
    for rate in ours {
        samples.add(JUDGED, found(*rate, 30 << 10));
    }
    for rate in theirs {
        samples.add(JUDGED.other().unwrap(), found(*rate, 1_200 << 10));
    }
    samples
}

#[test]
fn the_ratio_is_of_medians_and_its_range_of_rounds() {
    let samples = samples(&[60.0, 50.0, 70.0], &[10.0, 5.0, 7.0]);
    let ratio = samples.ratio(JUDGED, |found| found.rate).unwrap();
    assert!((ratio.value - 60.0 / 7.0).abs() < 1e-9, "{ratio:?}");
    assert!((ratio.min - 6.0).abs() < 1e-9 && (ratio.max - 10.0).abs() < 1e-9);
    assert_eq!(samples.missed(), None);
}

#[test]
fn a_bar_is_missed_where_streams_were_measured_and_are_too_slow() {
    let missed = samples(&[49.0], &[10.0]).missed().unwrap();
    assert!(
        missed.starts_with("cdc, stream, document: 4.900 times"),
        "{missed}"
    );
    assert!(missed.ends_with("must be at least 5"), "{missed}");
    assert_eq!(samples(&[], &[]).missed(), None);
    assert_eq!(samples(&[50.0], &[10.0]).missed(), None);
}

#[test]
fn the_table_has_a_row_for_each_program_with_ratios_beside_the_engine() {
    let mut samples = samples(&[60_000.0], &[8_000.0]);
    let late = Delivery {
        out_of_order: 3,
        ..Delivery::default()
    };
    samples.found.values_mut().next_back().unwrap()[0].delivery = late;
    let text = samples.text();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("  program"))
        .skip(1)
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).collect())
        .collect();
    let cells = |row: &[&str]| {
        row.iter()
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let ours = [
        "cdc",
        "stream",
        "document",
        "60,000",
        "16.7",
        "30.0",
        "452",
        "all, in order",
        "7.500",
        "0.133",
        "0.025",
        "at least 5",
        "held",
    ];
    assert_eq!(cells(&rows[0]), ours, "{text}");
    let theirs = [
        "Debezium Server",
        "stream",
        "debezium",
        "8,000",
        "125",
        "1200.0",
        "452",
        "3 OUT OF ORDER",
        "–",
        "–",
        "–",
        "–",
        "–",
    ];
    assert_eq!(cells(&rows[1]), theirs, "{text}");
    let page = samples.markdown();
    assert!(
        page.contains("| cdc | stream | document | 60,000 |"),
        "{page}"
    );
}

#[test]
fn each_round_has_both_programs_on_each_queue_and_begins_at_the_other_end() {
    let turns = Turn::all(0, true);
    assert_eq!(turns.len(), 7);
    for queue in QUEUES {
        let programs = turns.iter().filter(|turn| turn.queue == queue);
        assert!(
            programs
                .clone()
                .any(|turn| turn.program == Program::Debezium)
        );
        assert!(programs.clone().any(|turn| turn.other().is_some()));
    }
    let reversed: Vec<_> = turns.into_iter().rev().collect();
    assert_eq!(Turn::all(1, true), reversed);
    let without = Turn::all(0, false);
    assert!(without.iter().all(|turn| turn.queue != Queue::Stream) && without.len() == 4);
}
