//! A MongoDB server of a test's own, for what the shared replica set must not suffer.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use bson::doc;
use harness::{Server, Signal, port};

use super::{eventually, required};

/// A running mongod; it is killed when dropped.
pub(crate) struct MongoServer {
    process: Server,
    pub(crate) port: u16,
    /// Options that every connection needs, each after an ampersand.
    access: String,
    _folder: tempfile::TempDir,
}

impl MongoServer {
    /// Starts the mongod of `CDC_TEST_MONGOD` on a free port and waits until it answers.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_program("CDC_TEST_MONGOD", arguments).await
    }

    /// The same, where whoever connects needs `access`: options of a connection string, each after an ampersand.
    pub(crate) async fn start_with_access(arguments: &[&str], access: &str) -> Self {
        Self::launch("CDC_TEST_MONGOD", arguments, access).await
    }

    /// The same, with the mongod that `variable` names.
    pub(crate) async fn start_program(variable: &str, arguments: &[&str]) -> Self {
        Self::launch(variable, arguments, "").await
    }

    async fn launch(variable: &str, arguments: &[&str], access: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = port::free();
        let mut command = Command::new(required(variable));
        command.args([
            "--bind_ip",
            "127.0.0.1",
            "--wiredTigerCacheSizeGB",
            "0.25",
            "--port",
            &port.to_string(),
        ]);
        command
            .arg("--dbpath")
            .arg(folder.path())
            .arg("--logpath")
            .arg(folder.path().join("log"));
        let process = Server::start(command.args(arguments), folder.path()).unwrap();
        let server = Self {
            process,
            port,
            access: access.to_owned(),
            _folder: folder,
        };
        let uri = server.uri("directConnection=true");
        eventually("mongod answers", async || {
            let client = mongodb::Client::with_uri_str(&uri).await.unwrap();
            client
                .database("admin")
                .run_command(doc! { "ping": 1 })
                .await
                .is_ok()
        })
        .await;
        server
    }

    /// Starts a replica set of one that lets nobody in without a password; the first user is to be `root`.
    pub(crate) async fn guarded(name: &str) -> Self {
        Self::guarded_with(name, &[], "").await
    }

    /// The same, with more arguments, where whoever connects needs `access`.
    pub(crate) async fn guarded_with(name: &str, arguments: &[&str], access: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        fs::write(&key, "a2V5Zm9ydGVzdHM=").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
        let guard = ["--replSet", name, "--keyFile", key.to_str().unwrap()];
        let server = Self::start_with_access(&[&guard, arguments].concat(), access).await;
        server.initiate(name).await;
        server
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Lets no write through from now on, or lets them through again.
    pub(crate) async fn lock(&self, is_locked: bool) {
        let command = if is_locked {
            doc! { "fsync": 1, "lock": true }
        } else {
            doc! { "fsyncUnlock": 1 }
        };
        let admin = self.admin(&self.uri("directConnection=true")).await;
        admin.run_command(command).await.unwrap();
    }

    /// Makes it a replica set of one and waits until it is primary.
    pub(crate) async fn initiate(&self, name: &str) {
        let admin = self.admin(&self.uri("directConnection=true")).await;
        let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", self.port) };
        admin
            .run_command(doc! { "replSetInitiate": { "_id": name, "members": [member] } })
            .await
            .unwrap();
        eventually("the server is primary", async || {
            let hello = admin.run_command(doc! { "hello": 1 }).await;
            hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
        })
        .await;
    }

    /// Creates a user of `admin`; the first one, `root`, makes the others.
    pub(crate) async fn create_user(&self, user: &str, password: &str, role: &str) {
        let credentials = if user == "root" {
            String::new()
        } else {
            format!("root:{password}@")
        };
        let uri = self.uri("directConnection=true");
        let uri = uri.replacen("://", &format!("://{credentials}"), 1);
        let role = doc! { "role": role, "db": "admin" };
        let command = doc! { "createUser": user, "pwd": password, "roles": [role] };
        self.admin(&uri).await.run_command(command).await.unwrap();
    }

    pub(crate) async fn admin(&self, uri: &str) -> mongodb::Database {
        mongodb::Client::with_uri_str(uri)
            .await
            .unwrap()
            .database("admin")
    }

    /// Connection string of a user.
    pub(crate) fn uri_of(&self, user: &str, password: &str) -> String {
        let uri = self.uri("authSource=admin&directConnection=true");
        uri.replacen("://", &format!("://{user}:{password}@"), 1)
    }

    /// Connection string with the given options.
    pub(crate) fn uri(&self, options: &str) -> String {
        format!(
            "mongodb://127.0.0.1:{}/?{options}{}",
            self.port, self.access
        )
    }
}
