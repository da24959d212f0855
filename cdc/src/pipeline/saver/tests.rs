use bson::Timestamp;
use proptest::{prelude::*, test_runner::TestCaseResult};

use super::*;
use crate::property;

const INTERVAL: Duration = Duration::from_secs(1);

fn at(seconds: u32) -> Position {
    Position::At(Timestamp {
        time: seconds,
        increment: 1,
    })
}

#[test]
fn the_first_position_is_due_at_once_and_the_next_one_after_the_interval() {
    let (mut saver, now) = (Saver::new(INTERVAL, at(0)), Instant::now());
    saver.confirmed(at(1), 1, now);
    assert_eq!(saver.due(), Some(now));
    assert_eq!(saver.start(now), Some(at(1)));
    saver.confirmed(at(2), 1, now);
    assert_eq!(saver.due(), None, "one save at a time");
    saver.saved();
    assert_eq!(saver.due(), Some(now + INTERVAL));
    assert_eq!(saver.start(now), None, "not yet");
    saver.confirmed(at(3), 1, now + INTERVAL / 2);
    assert_eq!(saver.start(now + INTERVAL), Some(at(3)), "the newest");
}

#[test]
fn an_idle_position_waits_longer_unless_it_is_far_ahead() {
    let (mut saver, now) = (Saver::new(INTERVAL, at(0)), Instant::now());
    saver.idle(at(1), now);
    assert_eq!(saver.start(now), Some(at(1)));
    saver.saved();
    saver.idle(at(2), now);
    assert_eq!(saver.due(), Some(now + IDLE_INTERVAL));
    saver.idle(at(11), now);
    assert_eq!(saver.due(), Some(now + INTERVAL));
}

#[test]
fn in_a_hurry_everything_is_due_at_once() {
    let (mut saver, now) = (Saver::new(INTERVAL, at(0)), Instant::now());
    saver.confirmed(at(1), 1, now);
    saver.start(now);
    saver.saved();
    saver.confirmed(at(2), 1, now);
    saver.hurry(now);
    assert_eq!(saver.due(), Some(now));
}

#[test]
fn a_save_that_failed_is_tried_again_later_with_what_is_newest() {
    let (mut saver, now) = (Saver::new(INTERVAL, at(0)), Instant::now());
    saver.confirmed(at(1), 1, now);
    saver.start(now);
    saver.confirmed(at(2), 1, now);
    saver.failed(now);
    assert!(saver.due().is_some_and(|due| now < due));
    assert_eq!(saver.start(now + INTERVAL), Some(at(2)));
}

#[test]
fn nothing_more_is_published_while_much_is_unsaved_for_long() {
    let (mut saver, now) = (Saver::new(INTERVAL, at(0)), Instant::now());
    saver.confirmed(at(1), 10, now);
    let late = now + INTERVAL + LATE + INTERVAL;
    assert!(!saver.is_behind(10, now) && saver.is_behind(10, late) && !saver.is_behind(11, late));
    saver.start(now);
    saver.saved();
    assert!(!saver.is_behind(1, late));
}

#[derive(Debug, Clone)]
enum Happening {
    Confirmed,
    Idle,
    Start,
    Saved,
    Failed,
    Freeze,
    Later(u64),
}

/// Whatever happens: a save is of a position that was noted, none goes back, none is begun after a freeze or beside
/// another one, and in the end the newest position is saved.
#[test]
fn saves_never_go_back_and_the_newest_position_is_saved_in_the_end() {
    let happening = prop_oneof![
        4 => Just(Happening::Confirmed),
        2 => Just(Happening::Idle),
        4 => Just(Happening::Start),
        3 => Just(Happening::Saved),
        2 => Just(Happening::Failed),
        1 => Just(Happening::Freeze),
        3 => (0_u64..3_000).prop_map(Happening::Later),
    ];
    let happenings = prop::collection::vec(happening, 0..80);
    property::run(&happenings, |happenings| -> TestCaseResult {
        let (mut saver, mut now) = (Saver::new(INTERVAL, at(0)), Instant::now());
        let (mut noted, mut tried, mut under_way, mut is_frozen) = (0, 0, None, false);
        for happening in happenings {
            match happening {
                Happening::Confirmed => {
                    noted += 1;
                    saver.confirmed(at(noted), 1, now);
                }
                Happening::Idle => {
                    noted += 1;
                    saver.idle(at(noted), now);
                }
                Happening::Start => {
                    let Some(position) = saver.start(now) else {
                        continue;
                    };
                    prop_assert!(!is_frozen && under_way.is_none());
                    let number = position.seconds_since(Timestamp {
                        time: 0,
                        increment: 0,
                    });
                    prop_assert!(tried <= number && number <= noted);
                    (tried, under_way) = (number, Some(number));
                }
                Happening::Saved if under_way.take().is_some() => saver.saved(),
                Happening::Failed if under_way.take().is_some() => saver.failed(now),
                Happening::Saved | Happening::Failed => {}
                Happening::Freeze => {
                    is_frozen = true;
                    saver.freeze();
                }
                Happening::Later(millis) => now += Duration::from_millis(millis),
            }
        }
        if is_frozen {
            return Ok(());
        }
        if under_way.take().is_some() {
            saver.saved();
        }
        while let Some(due) = saver.due() {
            let position = saver.start(due.max(now)).expect("it is due");
            tried = position.seconds_since(Timestamp {
                time: 0,
                increment: 0,
            });
            saver.saved();
        }
        prop_assert!(saver.is_clean());
        prop_assert_eq!(tried, noted);
        Ok(())
    });
}
