//! The command that grants what a user of MongoDB lacks, ready to be pasted into mongosh.

use cdc::mongo::{Grantee, Privilege};
use serde_json::{Value, json};

/// Roles that the server defines itself, and that take no further privilege.
/// <https://www.mongodb.com/docs/manual/reference/built-in-roles/>
const BUILT_IN: [&str; 20] = [
    "read",
    "readWrite",
    "readAnyDatabase",
    "readWriteAnyDatabase",
    "dbAdmin",
    "dbAdminAnyDatabase",
    "dbOwner",
    "userAdmin",
    "userAdminAnyDatabase",
    "clusterAdmin",
    "clusterManager",
    "clusterMonitor",
    "hostManager",
    "directShardOperations",
    "enableSharding",
    "backup",
    "restore",
    "searchCoordinator",
    "root",
    "__system",
];

/// Grants exactly what is missing to a role of the user's own, where there is one that can take it. Otherwise a built-in
/// role, which has more, goes to the user.
pub(in crate::cli) fn command(grantee: &Grantee, missing: &[Privilege]) -> String {
    let own = grantee.roles.iter().find(|(role, database)| {
        let takes = |privilege: &Privilege| database == "admin" || *database == privilege.database;
        !BUILT_IN.contains(&role.as_str()) && missing.iter().all(takes)
    });
    if let Some((role, database)) = own {
        let privileges: Vec<Value> = missing.iter().map(privilege).collect();
        return run(
            database,
            &json!({ "grantPrivilegesToRole": role, "privileges": privileges }),
        );
    }
    let roles: Vec<Value> = missing.iter().map(role).collect();
    run(
        &grantee.database,
        &json!({ "grantRolesToUser": grantee.user, "roles": roles }),
    )
}

fn run(database: &str, command: &Value) -> String {
    let database = Value::from(database);
    format!("db.getSiblingDB({database}).runCommand({command})")
}

fn privilege(privilege: &Privilege) -> Value {
    let collection = privilege.collection.unwrap_or_default();
    json!({
        "resource": { "db": privilege.database, "collection": collection },
        "actions": privilege.actions,
    })
}

fn role(privilege: &Privilege) -> Value {
    let writes = privilege
        .actions
        .iter()
        .any(|action| matches!(*action, "insert" | "update" | "remove"));
    match (writes, privilege.database.as_str()) {
        // The role that reads every database is one of `admin`.
        (false, "") => json!({ "role": "readAnyDatabase", "db": "admin" }),
        (false, database) => json!({ "role": "read", "db": database }),
        (true, database) => json!({ "role": "readWrite", "db": database }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grantee(role: &str, database: &str) -> Grantee {
        Grantee {
            user: "ada".to_owned(),
            database: "admin".to_owned(),
            roles: vec![
                ("read".to_owned(), "games".to_owned()),
                (role.to_owned(), database.to_owned()),
            ],
        }
    }

    #[test]
    fn a_role_of_the_users_own_gets_what_is_missing() {
        let missing = [Privilege::to_watch(Some("games"))];
        let expected = r#"db.getSiblingDB("admin").runCommand({"grantPrivilegesToRole":"cdc","privileges":[{"actions":["find","changeStream"],"resource":{"collection":"","db":"games"}}]})"#;
        assert_eq!(command(&grantee("cdc", "admin"), &missing), expected);
        let expected = expected.replacen("admin", "games", 1);
        assert_eq!(command(&grantee("cdc", "games"), &missing), expected);
    }

    #[test]
    fn a_user_without_such_a_role_gets_a_built_in_one() {
        let missing = [
            Privilege::to_watch(Some("games")),
            Privilege::to_save("cdc", "checkpoints"),
        ];
        let expected = r#"db.getSiblingDB("admin").runCommand({"grantRolesToUser":"ada","roles":[{"db":"games","role":"read"},{"db":"cdc","role":"readWrite"}]})"#;
        assert_eq!(command(&grantee("readWrite", "other"), &missing), expected);
        assert_eq!(command(&grantee("cdc", "other"), &missing), expected);
        let mut missing = Privilege::to_change("cdc", "checkpoints");
        missing.actions = vec!["remove"];
        let expected = r#"db.getSiblingDB("admin").runCommand({"grantRolesToUser":"ada","roles":[{"db":"cdc","role":"readWrite"}]})"#;
        assert_eq!(
            command(&grantee("readWrite", "other"), &[missing]),
            expected
        );
    }
}
