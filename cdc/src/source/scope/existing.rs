//! Which collections there are.

use bson::{Document, doc};
use futures_util::TryStreamExt as _;

use super::Databases;
use crate::{
    event::Namespace,
    mongo::{Error, Mongo},
};

/// A collection, or a view or the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    pub(super) database: String,
    pub(super) name: String,
    /// The server's word for what it is.
    pub(super) kind: String,
    /// Whether it keeps the documents before and after a change, where that was asked for.
    pub(super) keeps_images: bool,
}

impl Existing {
    /// The database that it is in.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Its name, without the database's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's word for what it is, such as `view`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether it holds documents of its own that a user may read and write.
    pub fn is_collection(&self) -> bool {
        self.kind == "collection" && !self.name.starts_with("system.")
    }

    /// Database and name.
    pub fn namespace(&self) -> Namespace<'_> {
        Namespace {
            database: &self.database,
            collection: Some(&self.name),
        }
    }

    /// Its name, with the database's where that is asked for.
    pub(super) fn shown(&self, with_database: bool) -> String {
        if with_database {
            self.namespace().to_string()
        } else {
            self.name.clone()
        }
    }

    fn read(database: &str, one: &Document) -> Self {
        let text = |field| one.get_str(field).unwrap_or_default().to_owned();
        let images = one.get_document("options");
        let images =
            images.and_then(|options| options.get_document("changeStreamPreAndPostImages"));
        Self {
            database: database.to_owned(),
            name: text("name"),
            kind: text("type"),
            keeps_images: images
                .and_then(|images| images.get_bool("enabled"))
                .unwrap_or(false),
        }
    }
}

/// The collections of `databases`. To ask for their options takes more permission.
pub(super) async fn existing(
    mongo: &Mongo,
    databases: &Databases,
    with_options: bool,
) -> Result<Vec<Existing>, Error> {
    let mut all = Vec::new();
    for database in names(mongo, databases).await? {
        let list = doc! {
            "listCollections": 1, "nameOnly": !with_options, "authorizedCollections": !with_options,
        };
        let list = async {
            let watched = mongo.client().database(&database);
            let cursor = watched.run_cursor_command(list).await?;
            cursor.try_collect::<Vec<Document>>().await
        };
        let found = mongo.deadline("a list of the collections", list).await?;
        all.extend(found.iter().map(|one| Existing::read(&database, one)));
    }
    Ok(all)
}

/// The names of `databases`, of those that exist where all are meant.
async fn names(mongo: &Mongo, databases: &Databases) -> Result<Vec<String>, Error> {
    match databases {
        Databases::One(name) => Ok(vec![name.clone()]),
        Databases::Several(names) => Ok(names.iter().cloned().collect()),
        Databases::AllBut(_) => {
            let list = doc! { "listDatabases": 1, "nameOnly": true, "authorizedDatabases": true };
            let listed = mongo.run("a list of the databases", "admin", list).await?;
            let listed = listed.get_array("databases").map(Vec::as_slice);
            let listed = listed.unwrap_or_default().iter();
            let names = listed.filter_map(|one| one.as_document()?.get_str("name").ok());
            let watched = names.filter(|name| databases.matches(name));
            Ok(watched.map(str::to_owned).collect())
        }
    }
}
