use bson::rawdoc;
use proptest::{prelude::*, test_runner::TestCaseResult};

use super::*;
use crate::property;

const fn at(time: u32) -> Timestamp {
    Timestamp { time, increment: 1 }
}

fn after(time: u32) -> Position {
    Position::After {
        token: rawdoc! { "_data": format!("82{time:08X}000000012B") },
        cluster_time: None,
    }
}

fn nowhere() -> Position {
    Position::After {
        token: rawdoc! { "_data": "no token" },
        cluster_time: None,
    }
}

#[test]
fn a_refused_token_is_followed_by_its_cluster_time() {
    let position = after(5);
    let mut ladder = Ladder::new(HistoryLost::Stop, &position);
    assert_eq!(ladder.place(&position), position);
    assert_eq!(ladder.refused(&position, false), Step::Again);
    assert_eq!(ladder.place(&position), Position::At(at(5)));
    assert_eq!(
        ladder.place(&position),
        Position::At(at(5)),
        "a lost connection changes nothing"
    );
}

#[test]
fn a_lost_time_is_followed_by_what_the_user_chose() {
    for (policy, step) in [
        (HistoryLost::Stop, Step::Stop),
        (HistoryLost::Skip, Step::Skip),
        (HistoryLost::Snapshot, Step::Skip),
    ] {
        let position = after(5);
        let mut ladder = Ladder::new(policy, &position);
        assert_eq!(ladder.refused(&position, true), Step::Again);
        assert_eq!(ladder.refused(&position, true), step);
    }
}

#[test]
fn a_start_time_that_is_lost_leaves_nothing_else_to_try() {
    let start = Position::At(at(5));
    assert_eq!(
        Ladder::new(HistoryLost::Stop, &start).refused(&start, true),
        Step::Stop
    );
    let mut ladder = Ladder::new(HistoryLost::Skip, &start);
    assert_eq!(ladder.refused(&start, true), Step::Skip);
    ladder.skipped(at(9));
    let now = Position::At(at(9));
    assert_eq!(ladder.place(&now), now);
}

#[test]
fn a_token_without_a_cluster_time_leaves_nothing_else_to_try() {
    let mut ladder = Ladder::new(HistoryLost::Skip, &nowhere());
    assert_eq!(ladder.refused(&nowhere(), false), Step::Skip);
}

#[test]
fn nothing_is_skipped_that_the_oplog_still_holds() {
    let position = after(5);
    let mut ladder = Ladder::new(HistoryLost::Skip, &position);
    assert_eq!(ladder.refused(&position, false), Step::Again);
    assert_eq!(ladder.refused(&position, false), Step::Stop);
}

#[test]
fn a_second_skip_needs_something_in_between() {
    let (position, now) = (after(5), Position::At(at(9)));
    let mut ladder = Ladder::new(HistoryLost::Skip, &position);
    ladder.refused(&position, true);
    assert_eq!(ladder.refused(&position, true), Step::Skip);
    ladder.skipped(at(9));
    ladder.arrived(&now);
    ladder.arrived(&after(9));
    ladder.arrived(&after(10));
    assert_eq!(ladder.refused(&after(10), true), Step::Again);
    assert_eq!(ladder.place(&after(10)), after(10));
    ladder.refused(&after(10), true);
    assert_eq!(ladder.refused(&after(10), true), Step::Skip);
    ladder.skipped(at(11));
    assert_eq!(ladder.refused(&now, true), Step::Exhausted);
}

#[test]
fn a_skip_that_could_not_be_done_is_asked_for_again() {
    let position = after(5);
    let mut ladder = Ladder::new(HistoryLost::Skip, &position);
    ladder.refused(&position, true);
    assert_eq!(ladder.refused(&position, true), Step::Skip);
    assert_eq!(ladder.place(&position), Position::At(at(5)));
    assert_eq!(ladder.refused(&position, true), Step::Skip);
}

/// An invalidate among the replayed events, for one: reopening at its time would give it for ever.
#[test]
fn after_a_replayed_event_the_stream_opens_after_it() {
    let position = after(5);
    let mut ladder = Ladder::new(HistoryLost::Stop, &position);
    ladder.refused(&position, false);
    ladder.arrived(&after(5));
    assert_eq!(ladder.place(&after(5)), after(5));
}

#[test]
fn replayed_events_do_not_count_as_something_in_between() {
    let position = after(5);
    let mut ladder = Ladder::new(HistoryLost::Stop, &position);
    ladder.arrived(&position);
    assert_eq!(ladder.refused(&position, false), Step::Again);
    assert_eq!(ladder.place(&position), Position::At(at(5)));
    ladder.arrived(&after(5));
    assert_eq!(ladder.refused(&position, false), Step::Stop);
}

#[derive(Debug, Clone)]
enum Happening {
    Opened,
    Arrived(u32),
    Refused(bool),
}

/// Whatever happens, refusals without anything new in between come to an end.
#[test]
fn refusals_without_progress_end() {
    let happening = prop_oneof![
        Just(Happening::Opened),
        (0_u32..3).prop_map(Happening::Arrived),
        any::<bool>().prop_map(Happening::Refused),
    ];
    let policy = prop_oneof![
        Just(HistoryLost::Stop),
        Just(HistoryLost::Skip),
        Just(HistoryLost::Snapshot)
    ];
    let start = prop_oneof![Just(after(1)), Just(nowhere()), Just(Position::At(at(1)))];
    let run = (policy, start, proptest::collection::vec(happening, 0..60));
    property::run(&run, |(policy, start, happenings)| -> TestCaseResult {
        let mut ladder = Ladder::new(policy, &start);
        let (mut furthest, mut position) = (start.cluster_time(), start);
        let (mut time, mut refusals) = (1, 0);
        for happening in happenings {
            match happening {
                Happening::Opened => {
                    let place = ladder.place(&position);
                    prop_assert!(
                        place.cluster_time() <= position.cluster_time(),
                        "it never leaps"
                    );
                }
                Happening::Arrived(later) => {
                    time += later;
                    position = after(time);
                    if Some(at(time)) > furthest {
                        (furthest, refusals) = (Some(at(time)), 0);
                    }
                    ladder.arrived(&position);
                }
                Happening::Refused(is_lost) => {
                    refusals += 1;
                    prop_assert!(refusals <= 6, "a loop");
                    match ladder.refused(&position, is_lost) {
                        Step::Again => {}
                        Step::Skip => {
                            prop_assert_ne!(policy, HistoryLost::Stop);
                            time += 1;
                            ladder.skipped(at(time));
                            position = Position::At(at(time));
                            furthest = Some(at(time));
                        }
                        Step::Stop | Step::Exhausted => return Ok(()),
                    }
                }
            }
        }
        Ok(())
    });
}
