//! What is watched, of the settings, and what of it the checkpoint stands for.

use std::collections::BTreeSet;

use super::{
    Faults,
    settings::{Engine, Mongo},
};
use crate::{
    checkpoint::{self, Division, Target},
    encode,
    event::Operation,
    lease::PIPELINE_BYTES_MAX,
    share::Share,
    source::{Collections, Databases, Images, Scope},
};

pub(super) fn scope(mongo: &Mongo, share: Option<Share>, faults: &mut Faults) -> Scope {
    let databases = match mongo.databases.first() {
        Some(all) if all == Databases::ALL => Databases::AllBut(mongo.checkpoint_database.clone()),
        Some(one) if mongo.databases.len() == 1 => Databases::One(one.clone()),
        _ => Databases::Several(mongo.databases.clone()),
    };
    if databases.matches(&mongo.checkpoint_database) {
        faults.add(
            "CDC_CHECKPOINT_DATABASE",
            "the checkpoint cannot lie in a watched database (MONGO_DATABASE_NAME), each save would be a change; choose another \
             name",
        );
    }
    let mut collections = |variable, texts: &BTreeSet<String>| {
        let texts = texts.iter().map(String::as_str);
        Collections::parse(&databases, texts).unwrap_or_else(|wrong| {
            for fault in wrong {
                faults.add(variable, fault);
            }
            Collections::default()
        })
    };
    Scope {
        collections: collections("CDC_COLLECTIONS", &mongo.collections),
        excluded: collections("CDC_COLLECTIONS_EXCLUDE", &mongo.excluded),
        operations: mongo.operations.clone(),
        images: Images {
            after: mongo.full_document,
            before: mongo.full_document_before,
        },
        aggregation: mongo.aggregation.clone(),
        share,
        databases,
    }
}

impl Engine {
    /// The name of the checkpoint and the lock.
    pub(super) fn name(&self, faults: &mut Faults) -> String {
        if Share::is_name(&self.pipeline) {
            faults.add(
                "CDC_PIPELINE",
                "it is the name of a share of another pipeline; set the pipeline's name, and CDC_SHARE",
            );
        }
        let Some(share) = self.share else {
            return self.pipeline.clone();
        };
        let name = share.name(&self.pipeline);
        if PIPELINE_BYTES_MAX < name.len() {
            let fault = format!(
                "with its share it is {} bytes long, at most {PIPELINE_BYTES_MAX} may be",
                name.len()
            );
            faults.add("CDC_PIPELINE", fault);
        }
        name
    }

    /// The share that the checkpoint is of.
    pub(super) fn division(&self) -> Option<Division> {
        let pipeline = self.pipeline.clone();
        self.share.map(|share| Division { pipeline, share })
    }
}

/// What is no fault and yet may not be meant.
pub(super) fn doubt(scope: &Scope) -> Option<String> {
    let has = |operation| scope.operations.contains(operation);
    (has(&Operation::Update) && !has(&Operation::Replace)).then(|| {
        "CDC_OPERATIONS has update and not replace: a change by replaceOne, or by save in many libraries, is a replace"
            .to_owned()
    })
}

/// What the checkpoint stands for.
pub(super) fn of_checkpoint(
    scope: &Scope,
    queue: &str,
    encode: &encode::Config,
) -> checkpoint::Scope {
    let operations = scope.operations.names().into_iter();
    checkpoint::Scope {
        database: scope.databases.to_string(),
        collections: scope.collections.texts().collect(),
        excluded: scope.excluded.texts().collect(),
        operations: operations.map(str::to_owned).collect(),
        target: if encode.exchange.is_empty() {
            Target::Queue(queue.to_owned())
        } else {
            Target::Exchange {
                name: encode.exchange.clone(),
                routing_key: encode.routing_key.to_string(),
            }
        },
        partitions: encode.partitions.count(),
    }
}
