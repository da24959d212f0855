use super::*;
use crate::chaos::change::DocumentId;

const NOW: Duration = Duration::ZERO;

fn id(writer: WriterId, number: u32) -> ChangeId {
    ChangeId { writer, number }
}

/// An insert as the writer's next change.
fn insert(writer: WriterId, number: u32) -> Change {
    Change {
        operation: Operation::Insert,
        collection: 1,
        document: DocumentId(id(writer, number)),
        content: u64::from(number) + 100,
    }
}

/// The message of `change`, `number` among its writer's.
fn message(change: Change, number: u32, clock: u32) -> Message {
    Message {
        operation: change.operation,
        collection: change.collection,
        document: change.document,
        number: (change.operation != Operation::Delete).then_some(number),
        content: change.content,
        cluster_time: (clock, 1),
        id: format!("{}/{number}", change.document.0.writer),
        partition: 0,
        redelivered: false,
    }
}

/// Two writers with `count` acknowledged inserts each, one after the other.
fn written(count: u32, judged: Copies) -> Ledger {
    let mut ledger = Ledger::new(2, judged);
    for number in 0..count {
        for writer in 0..2 {
            let sent = ledger.sending(writer, &[insert(writer, number)], Together::Batch, NOW);
            assert_eq!(sent, number..number + 1);
            ledger.answered(writer, sent, Answer::Acknowledged);
        }
    }
    ledger
}

/// Number `number` of writer 0, whose clock is its number.
fn receive(ledger: &mut Ledger, number: u32) {
    ledger.received(&message(insert(0, number), number, number), NOW);
}

fn only(flaw: Flaw, count: usize) -> Tally {
    let mut tally = Tally::default();
    (0..count).for_each(|_| tally.count(flaw));
    tally
}

/// The verdict, without what is no flaw.
fn flaws(ledger: Ledger) -> Tally {
    let (tally, _) = ledger.conclude();
    Tally {
        flaws: tally.flaws,
        ..Tally::default()
    }
}

#[test]
fn a_faithful_engine_has_no_flaw() {
    let mut ledger = written(3, Copies::First);
    assert_eq!(ledger.outstanding(), 6);
    for number in 0..3 {
        for writer in 0..2 {
            let message = message(insert(writer, number), number, number);
            assert_eq!(ledger.received(&message, NOW), Some(NOW));
        }
    }
    assert!(ledger.is_settled());
    let (tally, violations) = ledger.conclude();
    assert_eq!((tally.written, tally.delivered), (6, 6));
    assert_eq!(violations, []);
}

#[test]
fn an_acknowledged_change_that_does_not_arrive_is_missing() {
    let mut ledger = written(3, Copies::First);
    for number in [0, 2] {
        receive(&mut ledger, number);
    }
    assert!(!ledger.is_settled() && !ledger.has_newest());
    ledger.received(&message(insert(1, 2), 2, 2), NOW);
    assert!(!ledger.is_settled() && ledger.has_newest());
    assert_eq!(flaws(ledger), only(Flaw::Missing, 1 + 2));
}

#[test]
fn a_change_whose_answer_was_lost_may_arrive_or_not() {
    let mut ledger = Ledger::new(1, Copies::First);
    for number in 0..2 {
        let sent = ledger.sending(0, &[insert(0, number)], Together::Batch, NOW);
        ledger.answered(0, sent, Answer::Unknown);
    }
    receive(&mut ledger, 1);
    assert!(ledger.is_settled());
    assert_eq!(flaws(ledger), Tally::default());
}

#[test]
fn swapped_changes_are_out_of_order() {
    let mut ledger = written(2, Copies::First);
    for (number, clock) in [(1, 5), (0, 5)] {
        ledger.received(&message(insert(0, number), number, clock), NOW);
        ledger.received(&message(insert(1, 1 - number), 1 - number, clock), NOW);
    }
    assert_eq!(flaws(ledger), only(Flaw::OutOfOrder, 1));
}

#[test]
fn the_clock_never_goes_back_from_one_writer_to_another() {
    let mut ledger = written(1, Copies::First);
    ledger.received(&message(insert(0, 0), 0, 7), NOW);
    ledger.received(&message(insert(1, 0), 0, 6), NOW);
    assert_eq!(flaws(ledger), only(Flaw::OutOfOrder, 1));
}

#[test]
fn a_change_whose_answer_was_lost_may_come_late() {
    let mut ledger = Ledger::new(1, Copies::First);
    for (number, answer) in [(0, Answer::Unknown), (1, Answer::Acknowledged)] {
        let sent = ledger.sending(0, &[insert(0, number)], Together::Batch, NOW);
        ledger.answered(0, sent, answer);
    }
    for (number, clock) in [(1, 1), (0, 2)] {
        ledger.received(&message(insert(0, number), number, clock), NOW);
    }
    assert_eq!(flaws(ledger), Tally::default());
}

#[test]
fn a_batch_keeps_its_order_even_if_its_answer_was_lost() {
    let mut ledger = Ledger::new(1, Copies::First);
    let changes = [insert(0, 0), insert(0, 1)];
    let sent = ledger.sending(0, &changes, Together::Batch, NOW);
    ledger.answered(0, sent, Answer::Unknown);
    for number in [1, 0] {
        ledger.received(&message(insert(0, number), number, 1), NOW);
    }
    assert_eq!(flaws(ledger), only(Flaw::OutOfOrder, 1));
}

#[test]
fn a_transaction_arrives_whole_or_not_at_all() {
    let torn = |together| {
        let mut ledger = Ledger::new(1, Copies::First);
        let sent = ledger.sending(0, &[insert(0, 0), insert(0, 1)], together, NOW);
        ledger.answered(0, sent, Answer::Unknown);
        receive(&mut ledger, 0);
        flaws(ledger)
    };
    assert_eq!(torn(Together::Transaction), only(Flaw::Missing, 1));
    assert_eq!(torn(Together::Batch), Tally::default());
}

#[test]
fn an_altered_content_is_no_replay_and_no_loss() {
    let mut ledger = written(1, Copies::First);
    let mut altered = message(insert(0, 0), 0, 0);
    altered.content += 1;
    ledger.received(&altered, NOW);
    ledger.received(&message(insert(1, 0), 0, 0), NOW);
    assert_eq!(flaws(ledger), only(Flaw::Altered, 1));
}

#[test]
fn a_message_that_nobody_wrote_is_unexpected() {
    let mut ledger = written(1, Copies::First);
    for writer in 0..2 {
        ledger.received(&message(insert(writer, 0), 0, 0), NOW);
    }
    // Never sent, another collection, another operation, another document, no number, an unknown writer.
    ledger.received(&message(insert(0, 1), 1, 0), NOW);
    let real = message(insert(0, 0), 0, 0);
    let wrong = [
        Message {
            collection: 2,
            ..real.clone()
        },
        Message {
            operation: Operation::Update,
            ..real.clone()
        },
        Message {
            operation: Operation::Delete,
            ..real.clone()
        },
        Message {
            document: DocumentId(id(0, 5)),
            ..real.clone()
        },
        Message {
            number: None,
            ..real.clone()
        },
        Message {
            document: DocumentId(id(9, 0)),
            ..real
        },
    ];
    for message in &wrong {
        assert_eq!(ledger.received(message, NOW), None);
    }
    ledger.received_foreign("noise".to_owned(), NOW);
    assert_eq!(flaws(ledger), only(Flaw::Unexpected, 8));
}

#[test]
fn two_changes_never_share_a_message_id_and_one_never_has_two() {
    let mut ledger = written(1, Copies::First);
    let first = message(insert(0, 0), 0, 0);
    let stolen = Message {
        id: first.id.clone(),
        ..message(insert(1, 0), 0, 0)
    };
    let renamed = Message {
        id: "new".to_owned(),
        ..first.clone()
    };
    let nameless = Message {
        id: String::new(),
        ..first.clone()
    };
    for message in [first, stolen, renamed, nameless] {
        ledger.received(&message, NOW);
    }
    assert_eq!(flaws(ledger), only(Flaw::Misnamed, 3));
}

#[test]
fn copies_beyond_the_first_are_replays_unless_the_broker_redelivers() {
    let mut ledger = written(2, Copies::First);
    for number in [0, 1, 0, 1] {
        receive(&mut ledger, number);
    }
    let again = Message {
        redelivered: true,
        ..message(insert(0, 0), 0, 0)
    };
    ledger.received(&again, NOW);
    let (tally, _) = ledger.conclude();
    assert_eq!(
        (tally.delivered, tally.replayed, tally.of(Flaw::OutOfOrder)),
        (2, 2, 0)
    );
}

#[test]
fn copies_beyond_the_first_are_duplicates_where_each_change_arrives_once() {
    let mut ledger = written(1, Copies::First).exactly_once(true);
    ledger.received(&message(insert(1, 0), 0, 0), NOW);
    for redelivered in [false, true, false] {
        let copy = Message {
            redelivered,
            ..message(insert(0, 0), 0, 0)
        };
        ledger.received(&copy, NOW);
    }
    assert_eq!(flaws(ledger), only(Flaw::Duplicates, 1));
}

#[test]
fn after_nacks_the_last_copies_count() {
    let order = |judged, numbers: &[u32]| {
        let mut ledger = written(3, judged);
        for number in numbers {
            receive(&mut ledger, *number);
        }
        ledger.conclude().0.of(Flaw::OutOfOrder)
    };
    // Number 1 was refused, 2 taken; then both were sent once more.
    assert_eq!(order(Copies::First, &[0, 2, 1, 2]), 1);
    assert_eq!(order(Copies::Last, &[0, 2, 1, 2]), 0);
    assert_eq!(order(Copies::Last, &[0, 1, 2, 1]), 1);
}

#[test]
fn a_delete_is_known_by_its_document() {
    let mut ledger = Ledger::new(1, Copies::First);
    let delete = Change {
        operation: Operation::Delete,
        content: 0,
        ..insert(0, 0)
    };
    for change in [insert(0, 0), delete] {
        let sent = ledger.sending(0, &[change], Together::Batch, NOW);
        ledger.answered(0, sent, Answer::Acknowledged);
    }
    receive(&mut ledger, 0);
    assert_eq!(ledger.outstanding(), 1);
    ledger.received(&message(delete, 1, 1), NOW);
    assert!(ledger.is_settled());
    assert_eq!(flaws(ledger), Tally::default());
}

#[test]
fn a_message_may_be_faster_than_the_answer() {
    let mut ledger = Ledger::new(1, Copies::First);
    let sent = ledger.sending(0, &[insert(0, 0)], Together::Batch, NOW);
    receive(&mut ledger, 0);
    ledger.answered(0, sent, Answer::Acknowledged);
    assert!(ledger.is_settled());
}

/// A ledger over two partitions, with one acknowledged drop after an acknowledged insert.
fn with_a_drop() -> (Ledger, Message, Message) {
    let mut ledger = Ledger::new(1, Copies::First).over(2);
    let drop = Change {
        operation: Operation::Drop,
        collection: 0,
        content: 0,
        ..insert(0, 1)
    };
    for (number, change) in (0..).zip([insert(0, 0), drop]) {
        let sent = ledger.sending(0, &[change], Together::Batch, NOW);
        assert_eq!(sent, number..number + 1);
        ledger.answered(0, sent, Answer::Acknowledged);
    }
    (ledger, message(insert(0, 0), 0, 1), message(drop, 1, 2))
}

fn in_partition(message: &Message, partition: u16) -> Message {
    Message {
        partition,
        ..message.clone()
    }
}

#[test]
fn what_is_about_no_document_arrives_in_every_partition() {
    let (mut ledger, inserted, dropped) = with_a_drop();
    ledger.received(&in_partition(&inserted, 1), NOW);
    assert_eq!(ledger.received(&in_partition(&dropped, 0), NOW), None);
    assert!(!ledger.is_settled() && !ledger.has_newest());
    let whole = ledger.received(&in_partition(&dropped, 1), NOW);
    assert_eq!(whole, Some(NOW));
    assert!(ledger.is_settled() && ledger.has_newest());
    let (tally, violations) = ledger.conclude();
    assert_eq!((tally.delivered, tally.replayed), (2, 0));
    assert_eq!(violations, []);
}

#[test]
fn a_copy_that_does_not_arrive_is_missing() {
    let (mut ledger, inserted, dropped) = with_a_drop();
    ledger.received(&inserted, NOW);
    ledger.received(&dropped, NOW);
    ledger.received(&dropped, NOW);
    assert_eq!(flaws(ledger), only(Flaw::Missing, 1));
}

#[test]
fn each_partition_has_an_order_and_a_document_one_partition() {
    let (mut ledger, inserted, dropped) = with_a_drop();
    for message in [
        in_partition(&dropped, 0),
        in_partition(&inserted, 1),
        in_partition(&dropped, 1),
    ] {
        ledger.received(&message, NOW);
    }
    assert_eq!(flaws(ledger), Tally::default());
    let (mut ledger, inserted, dropped) = with_a_drop();
    for message in [
        in_partition(&dropped, 0),
        in_partition(&dropped, 1),
        in_partition(&inserted, 1),
    ] {
        ledger.received(&message, NOW);
    }
    assert_eq!(flaws(ledger), only(Flaw::OutOfOrder, 1));
    let (mut ledger, inserted, dropped) = with_a_drop();
    for message in [
        in_partition(&inserted, 0),
        in_partition(&inserted, 1),
        in_partition(&dropped, 0),
        in_partition(&dropped, 1),
    ] {
        ledger.received(&message, NOW);
    }
    assert_eq!(flaws(ledger), only(Flaw::OutOfOrder, 1));
}
