//! Three MongoDB members of the tests' own, for what the shared replica set must not suffer.

use std::{path::PathBuf, process::Command, time::Duration};

use bson::{Document, doc};
use harness::{Server, Signal, port};
use mongodb::options::{ClientOptions, ServerAddress};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::{eventually, required};

const NAME: &str = "cdc-it";

/// Three members, each of which may be down or paused. Their places are kept over restarts.
#[derive(Debug)]
pub(crate) struct ReplicaSet {
    folder: PathBuf,
    ports: [u16; 3],
    members: [Option<Server>; 3],
}

/// The set that the tests share: the first election takes seconds.
static SHARED: Mutex<Option<ReplicaSet>> = Mutex::const_new(None);

impl ReplicaSet {
    /// The set, every member up and one of them primary, for one test alone.
    pub(crate) async fn exclusive() -> MappedMutexGuard<'static, Self> {
        let mut shared = SHARED.lock().await;
        let is_new = shared.is_none();
        let set = shared.get_or_insert_with(Self::new);
        set.mend();
        if is_new {
            set.initiate().await;
        }
        set.wait_for_primary().await;
        MutexGuard::map(shared, |shared| shared.as_mut().unwrap())
    }

    fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self {
            folder: folder.keep(),
            ports: [(); 3].map(|()| port::free()),
            members: [None, None, None],
        }
    }

    /// Connection string of the whole set.
    pub(crate) fn uri(&self) -> String {
        let members = self.ports.map(|port| format!("127.0.0.1:{port}"));
        format!("mongodb://{}/?replicaSet={NAME}", members.join(","))
    }

    /// The member that is primary, as soon as there is one that all can reach.
    pub(crate) async fn wait_for_primary(&self) -> usize {
        let mut primary = None;
        eventually("there is a primary", async || {
            primary = self.primary().await;
            primary.is_some()
        })
        .await;
        primary.unwrap()
    }

    /// Until no member that answers is primary.
    pub(crate) async fn wait_for_no_primary(&self) {
        eventually("there is no primary", async || {
            self.primary().await.is_none()
        })
        .await;
    }

    /// SIGKILL for one member.
    pub(crate) fn kill(&mut self, member: usize) {
        drop(self.members[member].take());
    }

    /// Starts a member that is down.
    pub(crate) fn start(&mut self, member: usize) {
        let folder = self.folder.join(member.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(required("CDC_TEST_MONGOD"));
        command.arg("--dbpath").arg(&folder);
        command.arg("--logpath").arg(folder.join("log"));
        command.args(["--bind_ip", "127.0.0.1", "--nounixsocket"]);
        command.args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "256"]);
        // Who steps down does not name the next primary, so that each time there is none for a while.
        command.args(["--setParameter", "enableElectionHandoff=false"]);
        command.args(["--replSet", NAME, "--port", &self.ports[member].to_string()]);
        self.members[member] = Some(Server::start(&mut command, &self.folder).unwrap());
    }

    /// Sends a signal to a member.
    pub(crate) fn signal(&self, member: usize, signal: Signal) {
        self.members[member].as_ref().unwrap().signal(signal);
    }

    /// Makes the primary step down.
    pub(crate) async fn step_down(&self) {
        let primary = self.wait_for_primary().await;
        let command = doc! { "replSetStepDown": 3, "secondaryCatchUpPeriodSecs": 2, "force": true };
        // Refused while another election is under way; the next round has its turn.
        let _ = self.run(primary, command).await;
    }

    /// Runs a command on one member.
    pub(crate) async fn run(
        &self,
        member: usize,
        command: Document,
    ) -> mongodb::error::Result<Document> {
        let address = ServerAddress::Tcp {
            host: "127.0.0.1".to_owned(),
            port: Some(self.ports[member]),
        };
        let mut options = ClientOptions::builder().hosts(vec![address]).build();
        options.direct_connection = Some(true);
        options.server_selection_timeout = Some(Duration::from_millis(500));
        let client = mongodb::Client::with_options(options).unwrap();
        client.database("admin").run_command(command).await
    }

    async fn primary(&self) -> Option<usize> {
        for member in 0..3 {
            let hello = tokio::time::timeout(
                Duration::from_secs(1),
                self.run(member, doc! { "hello": 1 }),
            );
            let is_primary = |hello: Document| hello.get_bool("isWritablePrimary").unwrap_or(false);
            if hello.await.is_ok_and(|hello| hello.is_ok_and(is_primary)) {
                return Some(member);
            }
        }
        None
    }

    /// Elections within a second or two, so that the tests need not wait for them.
    async fn initiate(&self) {
        let members = [0, 1, 2].map(|member: i32| {
            let port = self.ports[usize::try_from(member).unwrap()];
            doc! { "_id": member, "host": format!("127.0.0.1:{port}") }
        });
        let settings = doc! { "electionTimeoutMillis": 2_000, "heartbeatIntervalMillis": 500 };
        let configuration = doc! { "_id": NAME, "members": members.to_vec(), "settings": settings };
        eventually("the set is initiated", async || {
            let command = doc! { "replSetInitiate": &configuration };
            self.run(0, command).await.is_ok()
        })
        .await;
    }

    /// What an earlier test left down or paused.
    fn mend(&mut self) {
        for member in 0..3 {
            if self.members[member].is_none() {
                self.start(member);
            }
            self.signal(member, Signal::CONT);
        }
    }
}
