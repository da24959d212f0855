//! Whether a target's last message tells where to go on.

use tracing::info;

use crate::{
    checkpoint::Store,
    sabotage::{self, Defect},
    sink::{Place, Places, UpTo},
};

/// The places among `found` that count. Where a person set the checkpoint, or nothing was saved before, or the partitions
/// are others now, none does until something is published: the checkpoint remembers which ones those are.
pub(super) fn settle(store: &mut Store, found: &Places) -> Places {
    let id = |place: &Option<Place>| {
        let id = place.and_then(|place| i64::try_from(place.id).ok());
        id.unwrap_or_default()
    };
    if !store.goes_on() {
        store.ignore(found.iter().map(id).collect());
    }
    let ignored = store.ignored();
    let mut has_ignored = false;
    let counts = |(number, place): (usize, &Option<Place>)| {
        let is_ignored = place.is_some() && ignored.get(number) == Some(&id(place));
        has_ignored |= is_ignored;
        place.filter(|_| !is_ignored)
    };
    let places = found.iter().enumerate().map(counts).collect();
    if sabotage::has(Defect::ForgetPlace) {
        return Places::new();
    }
    if has_ignored {
        info!(
            "publishing from the checkpoint on whatever the stream has already, since the checkpoint or the partitions \
             are new"
        );
    }
    places
}

/// The same where nobody knows how much of each place's cluster time is there.
pub(super) fn before(places: Places) -> Places {
    let before = |place| Place {
        up_to: UpTo::Before,
        ..place
    };
    let places = places.into_iter();
    places.map(|place| place.map(before)).collect()
}
