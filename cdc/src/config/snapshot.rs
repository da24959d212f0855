//! What is read beside changes, of the settings.

use std::num::NonZeroU32;

use super::{
    Faults,
    kind::{Kind, number},
    settings::{Mongo, Snapshots},
};
use crate::{
    snapshot::{OnRenameIn, Options, When},
    source::HistoryLost,
};

/// Documents per second.
pub(super) fn rate() -> Kind<NonZeroU32> {
    let Kind { form, parse, .. } = number::<u32>(1..=u32::MAX.into());
    Kind::new(form, move |text| {
        let rate = NonZeroU32::new(parse(text)?);
        rate.ok_or_else(|| "is nothing".to_owned())
    })
}

/// The stages of the user's own are asked of a change stream, which has no documents that nobody changes.
pub(super) fn options(snapshots: &Snapshots, mongo: &Mongo, faults: &mut Faults) -> Options {
    let wanted = [
        ("CDC_SNAPSHOT", snapshots.when == When::Initial),
        (
            "CDC_ON_RENAME_IN",
            snapshots.on_rename_in == OnRenameIn::Snapshot,
        ),
        (
            "CDC_ON_HISTORY_LOST",
            mongo.on_history_lost == HistoryLost::Snapshot,
        ),
    ];
    for (variable, _) in wanted.into_iter().filter(|(_, is_wanted)| *is_wanted) {
        if !mongo.aggregation.is_empty() {
            faults.add(
                variable,
                "documents that are read do not pass through the stages of CDC_AGGREGATION, so both together would publish \
                 what those leave out; take one of them away",
            );
        }
    }
    Options {
        when: snapshots.when,
        rate: snapshots.rate,
        on_rename_in: snapshots.on_rename_in,
    }
}
