//! The stages of the change stream's aggregation.
//! <https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStream/>

use bson::{Document, RawDocumentBuf, doc};

use super::Scope;
use crate::position::Position;

/// Cuts an event over 16 MB into parts. From MongoDB 6.0.9 on, and from 7.0 on, but not in 6.1 to 6.3.
const SPLIT: &str = "$changeStreamSplitLargeEvent";

/// At `position`. With a sample some of what is not wanted comes too; where the server splits, large events come in parts.
pub(super) fn at(
    position: &Position,
    scope: &Scope,
    with_sample: bool,
    splits: bool,
) -> Vec<Document> {
    let mut stream = match position {
        Position::At(time) => doc! { "startAtOperationTime": *time },
        // `startAfter` does what `resumeAfter` does and also works after an invalidate.
        Position::After { token, .. } => doc! { "startAfter": resume_token(token) },
    };
    stream.extend(options(scope));
    let mut stages = vec![
        doc! { "$changeStream": stream },
        doc! { "$match": scope.filter(with_sample) },
    ];
    stages.extend_from_slice(scope.aggregation.stages());
    if with_sample && let Some(share) = scope.share {
        stages.push(share.mark());
    }
    if splits {
        stages.push(doc! { SPLIT: {} });
    }
    stages
}

/// From now on, unfiltered: what a scope asks of a server beside a place to begin.
pub(super) fn anywhere(scope: &Scope) -> Vec<Document> {
    let mut stages = vec![doc! { "$changeStream": options(scope) }];
    stages.extend(
        scope
            .share
            .map(|share| doc! { "$match": share.of_events() }),
    );
    stages.extend_from_slice(scope.aggregation.stages());
    stages
}

fn options(scope: &Scope) -> Document {
    let mut options = Document::new();
    if scope.databases.one().is_none() {
        options.insert("allChangesForCluster", true);
    }
    if scope.operations.are_expanded() {
        options.insert("showExpandedEvents", true);
    }
    scope.images().ask(&mut options);
    options
}

fn resume_token(token: &RawDocumentBuf) -> Document {
    Document::try_from(&**token).expect("a token comes from an event or from a checked checkpoint")
}
