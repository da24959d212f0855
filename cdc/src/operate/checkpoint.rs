//! Shows and changes a pipeline's checkpoint.

use bson::Timestamp;

use super::{Error, connect};
use crate::{
    checkpoint::{Config as Place, Editor, Former, Record},
    config::Config,
    lease::{Contender, Lock},
    mongo::Mongo,
    share::Share,
    start::Start,
};

/// A checkpoint and what belongs to it.
#[derive(Debug)]
pub struct Shown {
    /// What is stored.
    pub record: Record,
    /// What is stored of its shares, where it is divided.
    pub shares: Vec<(Share, Record)>,
    /// What a change by hand replaced last; an error where the user may not read that, which no engine needs.
    pub former: Result<Option<Former>, Error>,
    /// The cluster's time.
    pub now: Timestamp,
}

/// What to do.
#[derive(Debug)]
pub enum Edit {
    /// Go on from elsewhere.
    Set(Start),
    /// Forget it: the next start is a first one.
    Clear,
    /// Go on where the pipeline of this name is.
    CopyOf(String),
    /// Go back to what the last change replaced.
    Undo,
}

/// What will be replaced, and by what.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// What stands there.
    pub before: Record,
    /// What shall stand there.
    pub after: Record,
}

/// A change under way. No engine of the pipeline can start before it has ended.
#[derive(Debug)]
pub struct Editing {
    mongo: Mongo,
    config: Config,
    pipeline: String,
    editor: Editor,
    contender: Contender,
}

/// Reads the pipeline's checkpoint.
///
/// # Errors
/// MongoDB cannot be used.
pub async fn show(config: &Config) -> Result<Shown, Error> {
    let mongo = connect(config).await?;
    let editor = Editor::new(&mongo, config.checkpoint.clone());
    let record = editor.read().await?;
    Ok(Shown {
        shares: editor.shares(&record).await?,
        record,
        former: editor.former().await.map_err(Error::from),
        now: mongo.preflight().await?,
    })
}

impl Editing {
    /// Takes the lock of `pipeline`, whose checkpoint is to be changed.
    ///
    /// # Errors
    /// [`Error::Running`] while an engine of the pipeline runs.
    pub async fn begin(config: Config, pipeline: &str) -> Result<Self, Error> {
        let mongo = connect(&config).await?;
        let broker = &config.publish.broker;
        let contender = Contender::connect(broker, &Lock::new(pipeline)).await?;
        if !contender.take_lock().await? {
            return Err(Error::Running(pipeline.to_owned()));
        }
        let place = Place {
            pipeline: pipeline.to_owned(),
            ..config.checkpoint.clone()
        };
        Ok(Self {
            editor: Editor::new(&mongo, place),
            pipeline: pipeline.to_owned(),
            mongo,
            config,
            contender,
        })
    }

    /// What `edit` would do.
    ///
    /// # Errors
    /// There is nothing to change, or the server does not read on from there.
    pub async fn plan(&self, edit: &Edit) -> Result<Plan, Error> {
        let before = self.editor.read().await?;
        if 1 < before.shares() {
            return Err(Error::IsDivided(self.pipeline.clone(), before.shares()));
        }
        let after = match edit {
            Edit::Set(start) => {
                let scope = &self.config.source.scope;
                before.moved(&start.find(&self.mongo, scope).await?)
            }
            Edit::Clear if self.config.checkpoint.division.is_some() => {
                return Err(Error::ClearOfShare(self.pipeline.clone()));
            }
            Edit::Clear if before.0.is_none() => {
                return Err(Error::NoCheckpoint(self.pipeline.clone()));
            }
            Edit::Clear => Record::default(),
            Edit::CopyOf(pipeline) => self.of(pipeline).await?.copied(),
            Edit::Undo => {
                let former = self.editor.former().await?;
                let nothing = || Error::NothingToUndo(self.pipeline.clone());
                former.ok_or_else(nothing)?.record
            }
        };
        Ok(Plan { before, after })
    }

    /// Does what was planned.
    ///
    /// # Errors
    /// Somebody else wrote the checkpoint meanwhile, or MongoDB failed.
    pub async fn apply(&self, plan: &Plan) -> Result<(), Error> {
        Ok(self.editor.replace(&plan.before, &plan.after).await?)
    }

    /// Gives the lock back.
    pub async fn end(self) {
        self.contender.close().await;
    }

    /// The checkpoint of another pipeline.
    async fn of(&self, pipeline: &str) -> Result<Record, Error> {
        if let Some(division) = &self.config.checkpoint.division {
            return Err(Error::CopyOfShares(division.pipeline.clone()));
        }
        let place = Place {
            pipeline: pipeline.to_owned(),
            ..self.config.checkpoint.clone()
        };
        let editor = Editor::new(&self.mongo, place);
        let record = editor.read().await?;
        editor.check(&record)?;
        if 1 < record.shares() {
            return Err(Error::CopyOfShares(pipeline.to_owned()));
        }
        match record.position() {
            Ok(Some(_)) => Ok(record),
            Ok(None) => Err(Error::NoCheckpoint(pipeline.to_owned())),
            Err(reason) => Err(Error::Unreadable {
                pipeline: pipeline.to_owned(),
                reason,
            }),
        }
    }
}
