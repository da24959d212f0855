//! Each test plays one run: what was sent and acknowledged, then what arrived.

use serde_json::json;

use super::*;

/// A run of `count` documents, all sent and acknowledged.
fn run_of(count: usize) -> Checker {
    let mut checker = Checker::default();
    for index in 0..count {
        assert_eq!(checker.sending(key(index), body(index)), index);
    }
    checker.acknowledged(0..count);
    checker
}

fn key(index: usize) -> DocumentKey {
    DocumentKey::new("games", &index.to_string())
}

fn body(index: usize) -> Fingerprint {
    Fingerprint::of(&json!({ "number": index }))
}

/// The copy that a faithful engine delivers of document `index`.
fn copy(index: usize) -> Copy {
    Copy {
        document: key(index),
        message: Some(MessageId(1000 + index as u64)),
        body: body(index),
        redelivered: false,
    }
}

/// Receives faithful copies in this order and returns the verdict.
fn verdict(checker: &mut Checker, arrivals: impl IntoIterator<Item = usize>) -> Report {
    for index in arrivals {
        checker.received(copy(index));
    }
    checker.report()
}

#[test]
fn a_faithful_run_is_settled_and_flawless() {
    let mut checker = run_of(5);
    assert!(!checker.is_settled());
    let report = verdict(&mut checker, 0..5);
    assert_eq!(
        report,
        Report {
            inserted: 5,
            delivered: 5,
            ..Report::default()
        }
    );
    assert!(checker.is_settled());
}

#[test]
fn what_never_arrives_is_missing() {
    let mut checker = run_of(5);
    let report = verdict(&mut checker, [0, 1, 3, 4]);
    assert_eq!(
        (report.delivered, report.missing, report.out_of_order),
        (4, 1, 0)
    );
    assert!(!checker.is_settled());
}

#[test]
fn what_was_never_acknowledged_need_not_arrive() {
    let mut checker = Checker::default();
    checker.sending(key(0), body(0));
    checker.sending(key(1), body(1));
    checker.acknowledged(0..1);
    let report = verdict(&mut checker, [0]);
    assert_eq!((report.inserted, report.missing), (2, 0));
    assert!(checker.is_settled());
}

#[test]
fn a_message_may_be_faster_than_the_acknowledgement() {
    let mut checker = Checker::default();
    checker.sending(key(0), body(0));
    assert_eq!(checker.received(copy(0)), Arrival::First(0));
    checker.acknowledged(0..1);
    assert_eq!(checker.report().missing, 0);
    assert!(checker.is_settled());
}

#[test]
fn an_acknowledgement_counts_once() {
    let mut checker = run_of(2);
    checker.acknowledged(0..2);
    assert_eq!(checker.report().missing, 2);
}

#[test]
fn swapped_neighbours_are_one_out_of_order() {
    let mut checker = run_of(4);
    assert_eq!(verdict(&mut checker, [0, 2, 1, 3]).out_of_order, 1);
}

#[test]
fn a_straggler_is_one_out_of_order_and_a_forerunner_many() {
    assert_eq!(verdict(&mut run_of(5), [1, 2, 3, 4, 0]).out_of_order, 1);
    assert_eq!(verdict(&mut run_of(5), [4, 0, 1, 2, 3]).out_of_order, 4);
}

#[test]
fn a_replay_after_a_restart_is_counted_and_in_order() {
    let mut checker = run_of(6);
    let report = verdict(&mut checker, [0, 1, 2, 3, 1, 2, 3, 4, 5]);
    assert_eq!(
        (report.replayed, report.out_of_order, report.missing),
        (3, 0, 0)
    );
    assert_eq!(report.delivered, 6);
}

#[test]
fn what_the_broker_redelivers_is_no_replay() {
    let mut checker = run_of(2);
    checker.received(copy(0));
    let again = |index| Copy {
        redelivered: true,
        ..copy(index)
    };
    assert_eq!(checker.received(again(0)), Arrival::Again(0));
    // Handed over before, and lost on the way: for the consumer it is the first copy.
    assert_eq!(checker.received(again(1)), Arrival::First(1));
    let report = checker.report();
    assert_eq!(
        (report.delivered, report.replayed, report.misnamed),
        (2, 0, 0)
    );
}

#[test]
fn a_replay_does_not_excuse_a_gap() {
    let mut checker = run_of(4);
    // 2 was lost before the restart and comes after 3: its first copy is late.
    let report = verdict(&mut checker, [0, 1, 3, 1, 2, 3]);
    assert_eq!((report.replayed, report.out_of_order), (2, 1));
}

#[test]
fn an_altered_body_is_missing_though_it_arrived() {
    let mut checker = run_of(2);
    let forged = Copy {
        body: body(7),
        ..copy(0)
    };
    assert_eq!(checker.received(forged), Arrival::Altered(0));
    let report = verdict(&mut checker, [1]);
    assert_eq!(
        (report.delivered, report.missing, report.altered),
        (1, 1, 1)
    );
    assert!(checker.is_settled(), "nothing more is to be waited for");
}

#[test]
fn an_altered_replay_is_told_and_the_document_stays_delivered() {
    let mut checker = run_of(1);
    checker.received(copy(0));
    assert_eq!(
        checker.received(Copy {
            body: body(7),
            ..copy(0)
        }),
        Arrival::Altered(0)
    );
    let report = checker.report();
    assert_eq!(
        (report.delivered, report.missing, report.altered),
        (1, 0, 1)
    );
}

#[test]
fn messages_of_others_are_foreign_and_change_nothing() {
    let mut checker = run_of(1);
    let before = checker.report();
    assert_eq!(checker.received(copy(99)), Arrival::Foreign);
    assert_eq!(checker.report(), before);
}

#[test]
fn two_documents_under_one_message_id_are_misnamed() {
    let mut checker = run_of(2);
    checker.received(copy(0));
    checker.received(Copy {
        message: copy(0).message,
        ..copy(1)
    });
    assert_eq!(checker.report().misnamed, 1);
}

#[test]
fn a_replay_under_a_new_message_id_is_misnamed() {
    let mut checker = run_of(1);
    checker.received(copy(0));
    checker.received(Copy {
        message: Some(MessageId(5)),
        ..copy(0)
    });
    assert_eq!(checker.report().misnamed, 1);
}

#[test]
fn a_message_without_a_message_id_is_misnamed() {
    let mut checker = run_of(1);
    checker.received(Copy {
        message: None,
        ..copy(0)
    });
    assert_eq!(checker.report().misnamed, 1);
}
