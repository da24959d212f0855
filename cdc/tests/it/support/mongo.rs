//! A MongoDB server of a test's own, for what the shared replica set must not suffer.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

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
                .run_command(bson::doc! { "ping": 1 })
                .await
                .is_ok()
        })
        .await;
        server
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
