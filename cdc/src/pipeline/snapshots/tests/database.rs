//! A database for tests: what is in it at every cluster time, and a server that reads it as slowly and as badly as the
//! case says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bson::{Bson, DateTime, Timestamp, oid::ObjectId, rawdoc};
use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::Instant;

use crate::{
    event::ChangeEvent,
    position::Position,
    sink::scripted::World,
    snapshot::{Chunk, Collection, Error, Key, Name, Piece, Run, Script, Wish},
    source::Item,
};

/// Longest time that a read takes.
const READ_MS: u64 = 150;

/// A document: number of the collection, and place of its key in the order of the index.
pub(super) type Place = (usize, usize);

/// What there is of documents: the version of each.
pub(super) type State = BTreeMap<Place, i32>;

/// One thing that happens, alone or with others at one cluster time.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) time: Timestamp,
    pub(super) place: Place,
    /// None where it is deleted.
    pub(super) version: Option<i32>,
    operation: &'static str,
}

/// What the stream tells: a change, or that all before a time was told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// When the server has it, and when the stream tells it.
    committed_at: Duration,
    pub(super) at: Duration,
    pub(super) behind_seconds: u32,
    time: Timestamp,
    number: usize,
    pub(super) change: Option<Change>,
}

/// How the server reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Odds {
    /// How often in a hundred a read fails, and how often it ends early.
    pub(super) fail: u32,
    pub(super) cut: u32,
    /// Whether a collection is refused after a while.
    pub(super) refuse: bool,
    pub(super) rate: Option<u32>,
    pub(super) is_filtered: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Database {
    keys: Vec<Bson>,
    collections: usize,
    pub(super) initial: State,
    pub(super) told: Vec<Told>,
    began: Instant,
    /// How much earlier sessions have sent.
    pub(super) sent_before: Mutex<usize>,
    odds: Odds,
    world: Arc<Mutex<World>>,
    random: Mutex<StdRng>,
    reads: Mutex<usize>,
    /// What was wrong with a read.
    pub(super) fault: Mutex<Option<String>>,
}

const fn time(increment: u32) -> Timestamp {
    Timestamp {
        time: 1_000,
        increment,
    }
}

/// Ids of several types, in the order in which MongoDB sorts them.
fn key(index: usize, count: usize) -> Bson {
    let number = i32::try_from(index).unwrap();
    match index * 7 / count {
        0 if index == 0 => Bson::Null,
        0 => Bson::Int32(number),
        1 => Bson::Int64(number.into()),
        2 => Bson::Double(f64::from(number) + 0.5),
        3 => Bson::String(format!("{index:04}")),
        4 => Bson::Document(bson::doc! { "a": number }),
        5 => Bson::ObjectId(ObjectId::parse_str(format!("{index:024x}")).unwrap()),
        _ => Bson::DateTime(DateTime::from_millis(number.into())),
    }
}

impl Database {
    pub(super) fn new(
        (collections, keys, changes, gap_ms): (usize, usize, usize, u64),
        odds: Odds,
        world: Arc<Mutex<World>>,
        seed: u64,
    ) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let keys: Vec<Bson> = (0..keys).map(|index| key(index, keys)).collect();
        let mut state = State::new();
        let mut version = 0;
        for collection in 0..collections {
            let density = [0.0, 0.6, 0.9][random.random_range(0..3)];
            for index in 0..keys.len() {
                if random.random_bool(density) {
                    version += 1;
                    state.insert((collection, index), version);
                }
            }
        }
        let initial = state.clone();
        let mut history = History {
            told: Vec::new(),
            at: Duration::ZERO,
            stream_at: Duration::ZERO,
            increment: 10,
            behind_seconds: 0,
        };
        history.tick(&mut random, 0);
        let mut left = changes;
        while left > 0 {
            let is_burst = random.random_bool(0.5);
            let gap = if is_burst { gap_ms } else { gap_ms * 40 };
            if random.random_bool(0.05) {
                history.behind_seconds = 20 - history.behind_seconds;
            }
            if random.random_bool(0.3) {
                let ahead = random.random_range(0..2);
                history.tick(&mut random, ahead);
            }
            history.at += Duration::from_millis(random.random_range(0..=gap));
            let count = if random.random_bool(0.2) { 3 } else { 1 };
            history.increment += random.random_range(history.least_step()..4);
            for _ in 0..count.min(left) {
                left -= 1;
                version += 1;
                let place = (
                    random.random_range(0..collections),
                    random.random_range(0..keys.len()),
                );
                let change = change(&mut state, place, version, random.random_range(0..3));
                history.tell(&mut random, Some(change));
            }
        }
        history.behind_seconds = 0;
        history.increment += 1;
        for _ in 0..3 {
            history.at += Duration::from_millis(400);
            history.tick(&mut random, 1);
        }
        Self {
            keys,
            collections,
            initial,
            told: history.told,
            began: Instant::now(),
            sent_before: Mutex::default(),
            odds,
            world,
            random: Mutex::new(random),
            reads: Mutex::default(),
            fault: Mutex::default(),
        }
    }

    /// What there is at `time`.
    pub(super) fn state(&self, time: Timestamp) -> State {
        let mut state = self.initial.clone();
        let changes = self.told.iter().filter_map(|told| told.change.as_ref());
        for change in changes.filter(|change| change.time <= time) {
            match change.version {
                Some(version) => state.insert(change.place, version),
                None => state.remove(&change.place),
            };
        }
        state
    }

    /// Which document has, or had, this version.
    pub(super) fn place(&self, version: i32) -> Option<Place> {
        let initial = self
            .initial
            .iter()
            .map(|(place, version)| (*place, *version));
        let changes = self.told.iter().filter_map(|told| told.change.as_ref());
        let later = changes.filter_map(|change| Some((change.place, change.version?)));
        let mut all = initial.chain(later);
        all.find(|(_, other)| *other == version)
            .map(|(place, _)| place)
    }

    /// Whether the filter of the run takes it.
    pub(super) fn wants(&self, version: i32) -> bool {
        !self.odds.is_filtered || version % 3 == 0
    }

    /// Whether the server refuses it at some time.
    pub(super) fn refuses(&self, collection: usize) -> bool {
        self.odds.refuse && collection == 0
    }

    /// Where in the order of the index a key is.
    pub(super) fn index(&self, key: &Key) -> usize {
        let key = bson::Document::try_from(&*key.document()).unwrap();
        let place = |other| Some(other) == key.get("_id");
        self.keys.iter().position(place).unwrap()
    }

    pub(super) fn name(collection: usize) -> Name {
        Name {
            database: "shop".to_owned(),
            collection: format!("c{collection}"),
        }
    }

    pub(super) fn collection(name: &Name) -> usize {
        name.collection[1..].parse().unwrap()
    }

    pub(super) fn item(&self, index: usize) -> Item {
        match self.event(index) {
            Some(event) => Item::Event(event),
            None => Item::Idle(self.position(index)),
        }
    }

    pub(super) fn position(&self, index: usize) -> Position {
        self.event(index)
            .map_or_else(|| self.told[index].idle(), |event| event.position())
    }

    pub(super) fn event(&self, index: usize) -> Option<ChangeEvent> {
        let told = &self.told[index];
        let change = told.change.as_ref()?;
        let (collection, index) = change.place;
        let id = self.keys[index].clone();
        let mut raw = rawdoc! {
            "_id": { "_data": told.token() },
            "operationType": change.operation,
            "clusterTime": change.time,
            "ns": { "db": "shop", "coll": format!("c{collection}") },
        };
        let key = bson::RawDocumentBuf::try_from(&bson::doc! { "_id": &id }).unwrap();
        raw.append(bson::cstr!("documentKey"), key);
        match (change.operation, change.version) {
            ("insert" | "replace", Some(version)) => {
                let document = bson::doc! { "_id": id, "v": version };
                let document = bson::RawDocumentBuf::try_from(&document).unwrap();
                raw.append(bson::cstr!("fullDocument"), document);
            }
            ("update", Some(version)) => {
                let fields = rawdoc! { "updatedFields": { "v": version }, "removedFields": [] };
                raw.append(bson::cstr!("updateDescription"), fields);
            }
            _ => {}
        }
        Some(ChangeEvent::parse(raw.into_bytes().into()).unwrap())
    }

    /// When the stream tells it.
    pub(super) fn told_at(&self, index: usize) -> Instant {
        self.began + self.told[index].at
    }

    /// A read begins: the server has what is to be read, and nothing later was handed over where it gets a place.
    fn check(&self, time: Timestamp, is_placed: bool) {
        let now = self.began.elapsed();
        let committed = self.told.iter().filter(|told| told.committed_at <= now);
        let committed = committed.map(|told| told.time).max();
        let world = self.world.lock().unwrap();
        // Another session may have handed over more.
        let sent = world.wire.iter().skip(*self.sent_before.lock().unwrap());
        let sent = sent.filter(|(_, message)| message.snapshot().is_none());
        let sent = sent.map(|(_, message)| message.cluster_time).max();
        if Some(time) > committed || is_placed && Some(time) < sent {
            let fault = format!("read at {time}, with {committed:?} there and {sent:?} sent");
            self.fault.lock().unwrap().get_or_insert(fault);
        }
    }

    fn random(&self, below: u64) -> u64 {
        self.random.lock().unwrap().random_range(0..below)
    }

    fn happens(&self, odds: u32) -> bool {
        self.random(100) < odds.into()
    }

    async fn wait(&self, name: &Name) -> Result<(), Error> {
        let (delay, fails) = (self.random(READ_MS), self.happens(self.odds.fail));
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let collection = name.clone();
        let reason = "a test says so".to_owned();
        let count = {
            let mut reads = self.reads.lock().unwrap();
            *reads += 1;
            *reads
        };
        if fails {
            return Err(Error::Unavailable { collection, reason });
        }
        if self.refuses(Self::collection(name)) && 4 < count {
            return Err(Error::Refused { collection, reason });
        }
        Ok(())
    }

    fn key(&self, index: usize) -> Key {
        Key::read(&bson::doc! { "_id": &self.keys[index] }).unwrap()
    }

    fn document(&self, index: usize, version: i32) -> (Key, Bytes) {
        let document = bson::doc! { "_id": &self.keys[index], "v": version };
        (self.key(index), document.to_vec().unwrap().into())
    }

    /// What there is of a piece, by key.
    fn piece(&self, piece: &Piece) -> Vec<(usize, i32)> {
        let collection = Self::collection(&piece.name);
        let from = piece.from.as_ref().map_or(0, |key| self.index(key));
        let after = piece.after.as_ref().map(|key| self.index(key) + 1);
        let to = piece.to.as_ref().map(|key| self.index(key));
        let range = after.unwrap_or(from)..to.unwrap_or(self.keys.len());
        let state = self.state(piece.time);
        let found = state.iter().filter(|((other, _), _)| *other == collection);
        let found = found.map(|((_, index), version)| (*index, *version));
        found.filter(|(index, _)| range.contains(index)).collect()
    }

    fn read(&self, piece: &Piece) -> Chunk {
        let found = self.piece(piece);
        let looked_at = found.len().min(piece.documents);
        let mut wanted = found[..looked_at].to_vec();
        wanted.retain(|(_, version)| piece.filter.is_none() || self.wants(*version));
        let is_cut = !wanted.is_empty() && self.happens(self.odds.cut);
        if is_cut {
            let rest = 1 + usize::try_from(self.random(wanted.len() as u64)).unwrap();
            wanted.truncate(rest);
        }
        let passed = found.get(piece.documents.wrapping_sub(1));
        let passed = passed.filter(|_| piece.filter.is_some() && !is_cut);
        Chunk {
            documents: wanted
                .into_iter()
                .map(|(index, version)| self.document(index, version))
                .collect(),
            passed: passed.map(|(index, _)| self.key(*index)),
            is_end: piece.is_single || !is_cut && found.len() <= piece.documents,
        }
    }
}

impl Script for Database {
    fn plan(&self, mut wish: Wish) -> BoxFuture<'_, Result<Run, Error>> {
        async move {
            self.wait(&Self::name(1_000)).await?;
            wish.rate = self.odds.rate;
            wish.filter = self.odds.is_filtered.then(bson::Document::new);
            let names = (0..self.collections).map(Self::name).collect();
            Ok(Run::new(wish, names, 0, Vec::new()))
        }
        .boxed()
    }

    fn open<'a>(
        &'a self,
        name: &'a Name,
        time: Timestamp,
    ) -> BoxFuture<'a, Result<Collection, Error>> {
        async move {
            self.check(time, false);
            self.wait(name).await?;
            let all = self.piece(&Piece::whole(name.clone(), time));
            let Some(((last, _), all)) = all.split_last() else {
                return Ok(Collection::new(name.clone(), 0, &[], None));
            };
            let step = 1 + usize::try_from(self.random(16)).unwrap();
            let cuts = all.iter().skip(step).step_by(step);
            let cuts: Vec<Key> = cuts.map(|(index, _)| self.key(*index)).collect();
            let last = self.key(*last);
            Ok(Collection::new(name.clone(), 0, &cuts, Some(&last)))
        }
        .boxed()
    }

    fn chunk<'a>(&'a self, piece: &'a Piece) -> BoxFuture<'a, Result<Chunk, Error>> {
        async move {
            self.check(piece.time, true);
            self.wait(&piece.name).await?;
            Ok(self.read(piece))
        }
        .boxed()
    }

    fn last<'a>(&'a self, piece: &'a Piece) -> BoxFuture<'a, Result<Chunk, Error>> {
        async move {
            self.check(piece.time, true);
            self.wait(&piece.name).await?;
            let mut found = self.piece(piece);
            found.retain(|(_, version)| piece.filter.is_none() || self.wants(*version));
            let last = found.last();
            Ok(Chunk {
                documents: last
                    .map(|(index, version)| self.document(*index, *version))
                    .into_iter()
                    .collect(),
                passed: None,
                is_end: true,
            })
        }
        .boxed()
    }
}

/// What happens to a document that may be there.
fn change(state: &mut State, place: Place, version: i32, kind: u32) -> Change {
    let (operation, version) = match (state.contains_key(&place), kind) {
        (false, _) => ("insert", Some(version)),
        (true, 0) => ("delete", None),
        (true, 1) => ("replace", Some(version)),
        (true, _) => ("update", Some(version)),
    };
    match version {
        Some(version) => state.insert(place, version),
        None => state.remove(&place),
    };
    Change {
        time: time(0),
        place,
        version,
        operation,
    }
}

/// What is told, as it is made up.
struct History {
    told: Vec<Told>,
    at: Duration,
    stream_at: Duration,
    increment: u32,
    behind_seconds: u32,
}

impl History {
    /// All before the next cluster time, or before the one of the last change, was told.
    fn tick(&mut self, random: &mut StdRng, ahead: u32) {
        self.increment += ahead;
        self.tell(random, None);
    }

    /// Changes that stand apart have two times, but the time up to which all was told may be the next one's.
    fn least_step(&self) -> u32 {
        let is_change = |told: &&Told| told.change.is_some();
        let last = self.told.iter().rev().find(is_change);
        u32::from(last.is_none_or(|last| last.time == time(self.increment)))
    }

    fn tell(&mut self, random: &mut StdRng, change: Option<Change>) {
        let late = [0, 0, 5, 60][random.random_range(0..4)];
        self.stream_at = self.stream_at.max(self.at) + Duration::from_millis(late);
        let time = time(self.increment);
        self.told.push(Told {
            committed_at: self.at,
            at: self.stream_at,
            behind_seconds: self.behind_seconds,
            time,
            number: self.told.len(),
            change: change.map(|change| Change { time, ..change }),
        });
    }
}

impl Told {
    fn token(&self) -> String {
        let Timestamp { time, increment } = self.time;
        format!("82{time:08X}{increment:08X}{:06X}", self.number)
    }

    fn idle(&self) -> Position {
        Position::After {
            token: rawdoc! { "_data": self.token() },
            cluster_time: None,
        }
    }
}
