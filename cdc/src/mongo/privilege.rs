//! What a user has to be allowed, and which of it the server grants.

use std::fmt;

use bson::{Bson, Document};

/// Actions on a database's or a collection's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privilege {
    /// The database; empty where it is every one.
    pub database: String,
    /// The collection; none where it is every collection of the database, those to come included.
    pub collection: Option<&'static str>,
    /// The server's names of actions.
    pub actions: Vec<&'static str>,
}

/// Who is not allowed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grantee {
    /// The user's name.
    pub user: String,
    /// The database that the user is of.
    pub database: String,
    /// The user's roles, with the database that each is of.
    pub roles: Vec<(String, String)>,
}

impl Privilege {
    /// What it takes to watch a database, or the whole deployment.
    pub fn to_watch(database: Option<&str>) -> Self {
        Self {
            database: database.unwrap_or_default().to_owned(),
            collection: None,
            actions: vec!["find", "changeStream"],
        }
    }

    /// What it takes to see how far the oplog reaches.
    pub fn to_read_oplog() -> Self {
        Self {
            database: "local".to_owned(),
            collection: Some("oplog.rs"),
            actions: vec!["find"],
        }
    }

    /// What it takes to load and save a document of a collection.
    pub fn to_save(database: &str, collection: &'static str) -> Self {
        Self {
            database: database.to_owned(),
            collection: Some(collection),
            actions: vec!["find", "insert", "update"],
        }
    }

    /// What it takes to load, save and delete a document of a collection.
    pub fn to_change(database: &str, collection: &'static str) -> Self {
        let mut all = Self::to_save(database, collection);
        all.actions.push("remove");
        all
    }

    /// What of it is not among the privileges in the server's answer to `connectionStatus`; none where all is.
    pub(super) fn missing(&self, status: &Document) -> Option<Self> {
        let held = list(status, "authenticatedUserPrivileges");
        let is_held = |action: &&str| {
            held.iter()
                .any(|held| self.is_covered_by(held) && allows(held, action))
        };
        let mut missing = self.clone();
        missing.actions.retain(|action| !is_held(action));
        (!missing.actions.is_empty()).then_some(missing)
    }

    /// <https://www.mongodb.com/docs/manual/reference/resource-document/>
    fn is_covered_by(&self, held: &Document) -> bool {
        let Ok(resource) = held.get_document("resource") else {
            return false;
        };
        if resource.get_bool("anyResource").unwrap_or(false) {
            return true;
        }
        let (Ok(database), Ok(collection)) =
            (resource.get_str("db"), resource.get_str("collection"))
        else {
            return false;
        };
        let covers_database = database.is_empty() || database == self.database;
        let covers_collection = collection.is_empty() || Some(collection) == self.collection;
        covers_database && covers_collection
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on ", self.actions.join(", "))?;
        match self.collection {
            Some(collection) => write!(f, "`{}.{collection}`", self.database),
            None if self.database.is_empty() => f.write_str("every collection of every database"),
            None => write!(f, "every collection of `{}`", self.database),
        }
    }
}

impl Grantee {
    /// The user in the server's answer to `connectionStatus`; none where nobody has logged in.
    pub(super) fn read(status: &Document) -> Option<Self> {
        let text = |document: &Document, key| document.get_str(key).unwrap_or_default().to_owned();
        let users = list(status, "authenticatedUsers");
        let user = users.first()?;
        let roles = list(status, "authenticatedUserRoles");
        Some(Self {
            user: text(user, "user"),
            database: text(user, "db"),
            roles: roles
                .iter()
                .map(|role| (text(role, "role"), text(role, "db")))
                .collect(),
        })
    }
}

/// The privileges with commas between them.
pub(super) fn listed(privileges: &[Privilege]) -> String {
    let all: Vec<_> = privileges.iter().map(ToString::to_string).collect();
    all.join(", and ")
}

fn allows(held: &Document, action: &str) -> bool {
    let actions = held.get_array("actions");
    actions.is_ok_and(|actions| actions.iter().any(|held| held.as_str() == Some(action)))
}

/// A list of documents in the part of `connectionStatus` that is about users.
fn list<'a>(status: &'a Document, key: &str) -> Vec<&'a Document> {
    let information = status.get_document("authInfo");
    let list = information.and_then(|information| information.get_array(key));
    list.map_or_else(
        |_| Vec::new(),
        |list| list.iter().filter_map(Bson::as_document).collect(),
    )
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn status(resource: Document, actions: &[&str]) -> Document {
        doc! { "authInfo": {
            "authenticatedUsers": [{ "user": "cdc", "db": "admin" }],
            "authenticatedUserRoles": [{ "role": "cdc", "db": "admin" }],
            "authenticatedUserPrivileges": [{ "resource": resource, "actions": actions }],
        } }
    }

    fn missing(resource: Document, actions: &[&str]) -> Vec<&'static str> {
        let missing = Privilege::to_watch(Some("games")).missing(&status(resource, actions));
        missing.map(|missing| missing.actions).unwrap_or_default()
    }

    #[test]
    fn what_is_missing_is_what_no_resource_covers() {
        let all = ["find", "changeStream"];
        let covering = [
            doc! { "db": "games", "collection": "" },
            doc! { "db": "", "collection": "" },
            doc! { "anyResource": true },
        ];
        for resource in covering {
            assert_eq!(missing(resource.clone(), &all), [""; 0]);
            assert_eq!(missing(resource, &["find", "insert"]), ["changeStream"]);
        }
        for resource in [
            doc! { "db": "games", "collection": "moves" },
            doc! { "db": "", "collection": "moves" },
            doc! { "db": "other", "collection": "" },
            doc! { "cluster": true },
        ] {
            assert_eq!(missing(resource, &all), all);
        }
        assert_eq!(
            Privilege::to_watch(Some("games"))
                .missing(&doc! {})
                .unwrap()
                .actions,
            all
        );
    }

    #[test]
    fn one_collection_is_covered_by_its_name_or_its_database() {
        let needed = Privilege::to_save("cdc", "checkpoints");
        for (resource, is_enough) in [
            (doc! { "db": "cdc", "collection": "checkpoints" }, true),
            (doc! { "db": "cdc", "collection": "" }, true),
            (doc! { "db": "", "collection": "checkpoints" }, true),
            (doc! { "db": "cdc", "collection": "others" }, false),
        ] {
            let status = status(resource, &["find", "insert", "update", "remove"]);
            assert_eq!(needed.missing(&status).is_none(), is_enough, "{status}");
        }
    }

    #[test]
    fn a_user_is_known_by_name_database_and_roles() {
        let grantee = Grantee::read(&status(doc! {}, &[])).unwrap();
        assert_eq!(
            (grantee.user.as_str(), grantee.database.as_str()),
            ("cdc", "admin")
        );
        assert_eq!(grantee.roles, [("cdc".to_owned(), "admin".to_owned())]);
        assert_eq!(
            Grantee::read(&doc! { "authInfo": { "authenticatedUsers": [] } }),
            None
        );
    }
}
