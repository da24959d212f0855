//! Tests of what steps do, and of the stored form.

use bson::{Document, doc, oid::ObjectId};

use super::*;

fn name(collection: &str) -> Name {
    Name {
        database: "shop".to_owned(),
        collection: collection.to_owned(),
    }
}

fn key(id: impl Into<bson::Bson>) -> Key {
    Key::read(&doc! { "_id": id.into() }).unwrap()
}

fn wish(name: &str) -> Wish {
    Wish {
        name: name.to_owned(),
        origin: Origin::Request,
        collections: Some(vec!["ga*".to_owned()]),
        filter: Some(doc! { "level": { "$gt": 3_i64 }, "at": ObjectId::new() }),
        rate: Some(500),
    }
}

/// Under way in the first of two collections, with another run to come.
fn progress() -> Progress {
    let todo = [name("games"), name("moves")].into();
    let skipped = vec![("shop.v".to_owned(), "a view".to_owned())];
    let run = Run::new(wish("again"), todo, 30, skipped);
    let mut progress = Progress::default();
    progress.take(Step::Wished(Wish {
        filter: None,
        ..wish("later")
    }));
    progress.take(Step::Began(Box::new(run)));
    let games = Collection::new(name("games"), 20, &[key(10), key("x")], Some(&key("z")));
    progress.take(Step::Opened(Box::new(games)));
    progress
}

fn read(range: usize, id: i32) -> Step {
    Step::Read {
        range,
        key: key(id),
        bytes: Some(100),
    }
}

fn current(progress: &Progress) -> &Collection {
    progress.run.as_ref().unwrap().current.as_ref().unwrap()
}

#[test]
fn what_was_stored_is_read_again() {
    let mut progress = progress();
    progress.take(read(0, 3));
    progress.take(Step::RangeDone(2));
    let before = progress.run.clone();
    progress.take(Step::Ended { is_cancelled: true });
    progress.run = before;
    let stored = progress.document().unwrap().to_vec().unwrap();
    let stored = Document::from_reader(&stored[..]).unwrap();
    assert_eq!(Progress::read(&stored), Ok(progress));
    assert_eq!(Progress::default().document(), None);
    assert_eq!(Progress::read(&doc! {}), Ok(Progress::default()));
    let current = doc! { "db": "a", "coll": "b", "ranges": [{ "to": 5 }] };
    for wrong in [
        doc! {},
        doc! { "name": "a", "origin": "b" },
        doc! { "name": "a", "origin": "request", "todo": [{}] },
        doc! { "name": "a", "origin": "request", "filter": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1] } },
        doc! { "name": "a", "origin": "request", "current": current },
    ] {
        let wrong = doc! { "run": wrong };
        assert!(Progress::read(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn ranges_partition_the_collection() {
    let progress = progress();
    let ranges = current(&progress).ranges.iter();
    let ends: Vec<_> = ranges.map(|range| (&range.from, &range.to)).collect();
    let (ten, x, z) = (Some(key(10)), Some(key("x")), Some(key("z")));
    assert_eq!(ends, [(&None, &ten), (&ten, &x), (&x, &z), (&z, &None)]);
    let singles = current(&progress).ranges.iter();
    let singles: Vec<bool> = singles.map(|range| range.is_single).collect();
    assert_eq!(singles, [false, false, false, true]);
    let empty = Collection::new(name("games"), 0, &[], None);
    assert_eq!(empty.ranges, []);
}

#[test]
fn documents_are_counted_and_keys_that_are_passed_are_not() {
    let mut progress = progress();
    progress.take(read(1, 12));
    progress.take(Step::Read {
        range: 1,
        key: key(14),
        bytes: None,
    });
    let run = progress.run.as_ref().unwrap();
    assert_eq!((run.documents, run.bytes), (1, 100));
    assert_eq!(run.last, Some(name("games")));
    let range = &current(&progress).ranges[1];
    assert_eq!((range.documents, range.after.clone()), (1, Some(key(14))));
    progress.take(Step::CollectionDone);
    progress.take(read(1, 15));
    let run = progress.run.as_ref().unwrap();
    assert_eq!((run.done, run.documents), (1, 1), "there is no collection");
    progress.take(Step::Ended {
        is_cancelled: false,
    });
    assert!(progress.is_under_way(), "one is pending");
    progress.take(read(1, 16));
}

#[test]
fn a_collection_that_is_renamed_is_read_on_under_its_new_name() {
    let renamed = |from: &str, to: Option<&str>| {
        let mut progress = progress();
        progress.take(read(0, 3));
        progress.take(Step::Renamed {
            from: name(from),
            to: to.map(name),
        });
        progress.run.unwrap()
    };
    let run = renamed("games", Some("plays"));
    assert_eq!(run.current.unwrap().name, name("plays"));
    assert_eq!(run.last, Some(name("plays")));
    let run = renamed("moves", Some("plays"));
    assert_eq!(run.todo, [name("plays")]);
    let run = renamed("games", None);
    assert_eq!((run.current, run.done), (None, 1));
    let run = renamed("moves", Some("games"));
    assert_eq!((run.current, run.todo), (None, [name("games")].into()));
    let run = renamed("other", Some("moves"));
    assert_eq!(run.todo, [] as [Name; 0]);
}
