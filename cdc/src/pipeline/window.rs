//! The sliding window: what is in flight, what the target said of it, and how far everything is confirmed.
//!
//! A pure state machine without I/O. Entries are numbered from 0 in the order of [`Window::push`].
//! They are sent in that order; verdicts come in any order; they leave in order, confirmed, by [`Window::pop`].
//!
//! A message that came back as unroutable is not passed by itself. It can be sent again by itself, changed so that it goes
//! elsewhere ([`Window::resend`]), or with all that follows ([`Window::rewind`]), as after a nack or a lost connection;
//! or it is given up ([`Window::give_up`]).

use std::collections::VecDeque;

use crate::sink::Verdict;

/// How much may be in the window. Both are greater than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Entries.
    pub events: usize,
    /// Bytes; an entry that is larger by itself is admitted when nothing else is there.
    pub bytes: usize,
}

/// See the module's text.
#[derive(Debug)]
pub struct Window<T> {
    bounds: Bounds,
    entries: VecDeque<Entry<T>>,
    /// Number of the first entry.
    first: u64,
    /// Number of the next entry to send: all before it, from `first` on, were sent on this connection.
    next: u64,
    /// Entries that were sent and have no verdict yet.
    awaiting: usize,
    /// Returned entries to send again by themselves, before anything else.
    resends: Vec<u64>,
    bytes: usize,
    /// Whether what is confirmed is never sent again.
    keeps_confirmed: bool,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    bytes: usize,
    state: State,
    copies: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Sent,
    Confirmed,
    Nacked,
    /// Came back as unroutable; its own verdict may still be on its way.
    Returned {
        is_awaited: bool,
    },
}

/// A message to send now.
#[derive(Debug, PartialEq, Eq)]
pub struct Next<'a, T> {
    /// Its number.
    pub sequence: u64,
    /// The message.
    pub item: &'a mut T,
    /// Whether it was sent before.
    pub again: bool,
}

impl<T> Window<T> {
    /// An empty window.
    ///
    /// # Panics
    /// When a bound is zero: nothing could ever pass.
    pub fn new(bounds: Bounds) -> Self {
        assert!(
            bounds.events > 0 && bounds.bytes > 0,
            "a window needs room for one entry"
        );
        Self {
            bounds,
            entries: VecDeque::new(),
            first: 0,
            next: 0,
            awaiting: 0,
            resends: Vec::new(),
            bytes: 0,
            keeps_confirmed: false,
        }
    }

    /// Never sends again what is confirmed, whatever is before it.
    #[must_use]
    pub fn keep_confirmed(self, keeps_confirmed: bool) -> Self {
        Self {
            keeps_confirmed,
            ..self
        }
    }

    /// How many more entries may be pushed now. The last one may exceed the bound of bytes by its own size.
    pub fn room(&self) -> usize {
        if self.bytes >= self.bounds.bytes {
            0
        } else {
            self.bounds.events - self.entries.len()
        }
    }

    /// Whether to look for more entries: not until a quarter of the window is free.
    ///
    /// Refilling on every confirm would send messages in ones and twos, each with a system call of its own.
    pub fn is_low(&self) -> bool {
        let is_low = |used: usize, bound: usize| used <= bound - bound / 4;
        is_low(self.entries.len(), self.bounds.events)
            && is_low(self.bytes, self.bounds.bytes)
            && self.room() > 0
    }

    /// Adds an entry of `bytes` bytes at the end.
    ///
    /// # Panics
    /// When the window has no room.
    pub fn push(&mut self, item: T, bytes: usize) {
        assert!(self.room() > 0, "pushed into a full window");
        self.bytes += bytes;
        self.entries.push_back(Entry {
            item,
            bytes,
            state: State::Waiting,
            copies: 0,
        });
    }

    /// The next message to send; it then counts as in flight.
    pub fn send_next(&mut self) -> Option<Next<'_, T>> {
        let sequence = match self.next_resend() {
            Some(sequence) => sequence,
            None => self.next_waiting()?,
        };
        let index = self.index(sequence)?;
        self.awaiting += 1;
        let entry = &mut self.entries[index];
        entry.state = State::Sent;
        entry.copies = entry.copies.saturating_add(1);
        Some(Next {
            sequence,
            item: &mut entry.item,
            again: entry.copies > 1,
        })
    }

    /// Takes the verdict on message `sequence`, and gives the message.
    ///
    /// # Panics
    /// When that message was not awaiting one.
    pub fn on_verdict(&mut self, sequence: u64, verdict: Verdict) -> &T {
        let index = self
            .index(sequence)
            .expect("a verdict is on a message in the window");
        let entry = &mut self.entries[index];
        if let State::Returned { is_awaited: true } = entry.state {
            // Its return came first, on another message's confirm.
            entry.state = State::Returned { is_awaited: false };
            self.awaiting -= 1;
            return &entry.item;
        }
        assert_eq!(
            entry.state,
            State::Sent,
            "one verdict for each message sent"
        );
        self.awaiting -= 1;
        entry.state = match verdict {
            Verdict::Confirmed => State::Confirmed,
            Verdict::Nacked => State::Nacked,
        };
        &entry.item
    }

    /// Marks an entry as returned, wherever its own confirm is, and gives its number and the item. The window does
    /// not pass it. `None` if it has left.
    pub fn mark_returned(&mut self, mut is_it: impl FnMut(&T) -> bool) -> Option<(u64, &mut T)> {
        let index = self.entries.iter().position(|entry| is_it(&entry.item))?;
        let entry = &mut self.entries[index];
        entry.state = State::Returned {
            is_awaited: entry.state == State::Sent,
        };
        Some((self.first + index as u64, &mut entry.item))
    }

    /// Sends a returned entry again as soon as its own verdict is there, by itself; those behind it keep theirs.
    pub fn resend(&mut self, sequence: u64) {
        self.resends.push(sequence);
    }

    /// Lets the window pass a returned entry, as if it were confirmed.
    pub fn give_up(&mut self, sequence: u64) {
        let entry = self.index(sequence).map(|index| &mut self.entries[index]);
        if let Some(entry) = entry
            && let State::Returned { is_awaited } = entry.state
        {
            entry.state = if is_awaited {
                State::Sent
            } else {
                State::Confirmed
            };
        }
    }

    /// Takes the first entry out, if it is confirmed.
    pub fn pop(&mut self) -> Option<T> {
        if self.entries.front()?.state != State::Confirmed {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.first += 1;
        // After a rewind what is confirmed leaves without being sent again.
        self.next = self.next.max(self.first);
        self.bytes -= entry.bytes;
        Some(entry.item)
    }

    /// Everything still here will be sent again, in order, but for what is confirmed where that is kept: nothing more comes
    /// of what was sent. Returns how many entries will be that had been sent.
    pub fn rewind(&mut self) -> usize {
        let before = self.index(self.next).unwrap_or(self.entries.len());
        self.resends.clear();
        let mut sent = 0;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if !self.keeps_confirmed || entry.state != State::Confirmed {
                entry.state = State::Waiting;
                sent += usize::from(index < before);
            }
        }
        self.next = self.first;
        self.awaiting = 0;
        sent
    }

    /// The last entry, whose position an idle stretch after it extends.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.entries.back_mut().map(|entry| &mut entry.item)
    }

    /// The first entry that `is_it` picks.
    pub fn find(&self, mut is_it: impl FnMut(&T) -> bool) -> Option<&T> {
        let mut items = self.entries.iter().map(|entry| &entry.item);
        items.find(|item| is_it(item))
    }

    /// Entries that were sent and have no verdict yet.
    pub fn in_flight(&self) -> usize {
        self.awaiting
    }

    /// Entries in the window.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is in the window.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes in the window.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next entry in line, past those that are confirmed already.
    fn next_waiting(&mut self) -> Option<u64> {
        while let Some(index) = self.index(self.next) {
            self.next += 1;
            if self.entries[index].state != State::Confirmed {
                return Some(self.next - 1);
            }
        }
        None
    }

    /// The first returned entry that may be sent again.
    fn next_resend(&mut self) -> Option<u64> {
        let is_ready = |sequence: &u64| {
            let entry = self.index(*sequence).map(|index| &self.entries[index]);
            entry.is_some_and(|entry| entry.state == State::Returned { is_awaited: false })
        };
        let place = self.resends.iter().position(is_ready)?;
        Some(self.resends.remove(place))
    }

    fn index(&self, sequence: u64) -> Option<usize> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        (index < self.entries.len()).then_some(index)
    }
}

#[cfg(test)]
mod tests;
