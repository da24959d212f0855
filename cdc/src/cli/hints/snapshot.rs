//! What to do about a snapshot that is not taken.

use std::borrow::Cow;

use cdc::{operate::snapshot::Refusal, snapshot::requests, source::Unmet};

use super::Hint;

impl Hint for requests::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Mongo { source, .. } => return source.hint(),
            Self::Newer { .. } => Some(
                "run the release that wrote it; or delete that document, which forgets the run",
            ),
            Self::Unreadable { .. } => {
                Some("correct that document, or delete it, which forgets the run")
            }
            Self::Exists { .. } => Some("give this one another --name, or none"),
            Self::NotThere { .. } => Some("`cdc snapshot status` shows all of them"),
            Self::Ended { .. } => {
                Some("`cdc snapshot start` asks for another one, which begins afresh")
            }
            Self::Cancelled { .. } => Some("wait for its end, then ask for another one"),
        };
        text.map(Cow::Borrowed)
    }
}

impl Hint for Refusal {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Unmet(unmet) => return Some(of_unmet(unmet)),
            Self::Nothing(_) => Some("is MONGO_DATABASE_NAME right, and CDC_COLLECTIONS?"),
            Self::Unreadable { .. } => Some("leave it out of --collections"),
            Self::Filter { .. } => Some(
                "correct --filter, by the server's words; with the collections that it does not suit in a run of their own",
            ),
            Self::Sharded => Some("the changes of a sharded cluster are published all the same"),
            Self::NoRun(_) => Some("`cdc snapshot status` shows those that are over"),
            Self::Several(_) => Some("name one of them"),
        };
        text.map(Cow::Borrowed)
    }
}

fn of_unmet(unmet: &Unmet) -> Cow<'static, str> {
    match (&unmet.kind, &unmet.nearest) {
        (Some(_), _) => "name the collections that its documents are in".into(),
        (None, Some(nearest)) => format!("is `{nearest}` meant? Correct --collections").into(),
        (None, None) => {
            "a snapshot is of watched collections (CDC_COLLECTIONS), and those have to be there"
                .into()
        }
    }
}
