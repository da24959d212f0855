//! A MongoDB server of a test's own, for what the shared replica set must not suffer.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use bson::doc;

use super::{eventually, required};

/// A running mongod; it is killed when dropped.
pub(crate) struct MongoServer {
    child: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl MongoServer {
    /// Starts the mongod of `CDC_TEST_MONGOD` on a free port and waits until it answers.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut command = Command::new(required("CDC_TEST_MONGOD"));
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
        let child = command
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            port,
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
        let uri = format!(
            "mongodb://{credentials}127.0.0.1:{}/?directConnection=true",
            self.port
        );
        let role = doc! { "role": role, "db": "admin" };
        let command = doc! { "createUser": user, "pwd": password, "roles": [role] };
        self.admin(&uri).await.run_command(command).await.unwrap();
    }

    async fn admin(&self, uri: &str) -> mongodb::Database {
        mongodb::Client::with_uri_str(uri)
            .await
            .unwrap()
            .database("admin")
    }

    /// Connection string with the given options.
    pub(crate) fn uri(&self, options: &str) -> String {
        format!("mongodb://127.0.0.1:{}/?{options}", self.port)
    }
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
