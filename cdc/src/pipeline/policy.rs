//! What the user wants done with what cannot be delivered. Every default stops: no default loses data.

/// What to do with a message that matches no queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnroutable {
    /// Stop, with an error that names it.
    Stop,
    /// Look whether what we own is there, and publish it again until it is taken.
    Retry,
    /// Publish it to the parking queue.
    Park,
    /// Give it up, and count it.
    Drop,
}

/// What to do with an event that cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPoison {
    /// Stop, with an error that names it.
    Stop,
    /// Publish it to the parking queue, as the server sent it.
    Park,
    /// Publish it with U+FFFD in the place of text that is not UTF-8; stop where something else is wrong.
    Replace,
}

/// What to do with a message that is larger than the broker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOversize {
    /// Stop, with an error that names it.
    Stop,
    /// Publish it to the parking queue, without the full document.
    Park,
    /// Publish it to its own place, without the full document.
    Trim,
}

/// All of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// See [`OnUnroutable`].
    pub on_unroutable: OnUnroutable,
    /// See [`OnPoison`].
    pub on_poison: OnPoison,
    /// See [`OnOversize`].
    pub on_oversize: OnOversize,
}

impl OnUnroutable {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("stop", Self::Stop),
        ("retry", Self::Retry),
        ("park", Self::Park),
        ("drop", Self::Drop),
    ];
}

impl OnPoison {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("stop", Self::Stop),
        ("park", Self::Park),
        ("replace", Self::Replace),
    ];
}

impl OnOversize {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("stop", Self::Stop),
        ("park", Self::Park),
        ("trim", Self::Trim),
    ];
}

impl Policies {
    /// Whether anything may be parked.
    pub fn park(&self) -> bool {
        self.on_unroutable == OnUnroutable::Park
            || self.on_poison == OnPoison::Park
            || self.on_oversize == OnOversize::Park
    }
}
