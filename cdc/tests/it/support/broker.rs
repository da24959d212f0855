//! A RabbitMQ node of the tests' own, for what the shared broker must not suffer.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{
    Server, Signal,
    http::{self, GUEST, Reply},
    port, server,
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::{DEADLINE, comes_true, required, stream_address};

/// How often a node is started before it counts as broken.
const STARTS: u32 = 2;
/// How much of its log is shown then.
const LINES_SHOWN: usize = 30;

/// A node, which may be down. Its place is kept over restarts.
#[derive(Debug)]
pub(crate) struct Broker {
    folder: PathBuf,
    port: u16,
    management: u16,
    stream: u16,
    distribution: u16,
    port_mapper: u16,
    node: Option<Server>,
    is_limited: bool,
    _port_mapper: Server,
}

/// The node that the tests share: a start takes seconds.
static SHARED: Mutex<Option<Broker>> = Mutex::const_new(None);

impl Broker {
    /// The node, up and without an alarm, for one test alone.
    pub(crate) async fn exclusive() -> MappedMutexGuard<'static, Self> {
        let mut shared = SHARED.lock().await;
        if shared.is_none() {
            *shared = Some(Self::new("", ""));
        }
        let mut broker = MutexGuard::map(shared, |shared| shared.as_mut().unwrap());
        broker.mend().await;
        broker
    }

    /// A node of a test's own, not started, with lines of configuration and names of plugins, each after a comma.
    pub(crate) fn new(lines: &str, plugins: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let folder = folder.keep();
        let [port, management, stream, distribution, port_mapper] = [(); 5].map(|()| port::free());
        let (streams, stream_plugin) = if has_streams() {
            (streams(stream), ",rabbitmq_stream")
        } else {
            (String::new(), "")
        };
        let configuration = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {management}\n\
             collect_statistics_interval = 1000\n\
             {streams}\
             {lines}"
        );
        fs::write(folder.join("rabbitmq.conf"), configuration).unwrap();
        let plugins = format!("[rabbitmq_management{stream_plugin}{plugins}].\n");
        fs::write(folder.join("enabled_plugins"), plugins).unwrap();
        // One of our own, because the one that Erlang starts by itself stays for good.
        let mut command = Command::new("epmd");
        command.env("PATH", path()).args(["-address", "127.0.0.1"]);
        command.args(["-port", &port_mapper.to_string()]);
        let server = Server::start(&mut command, &folder).unwrap();
        Self {
            folder,
            port,
            management,
            stream,
            distribution,
            port_mapper,
            node: None,
            is_limited: false,
            _port_mapper: server,
        }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Host and port of streams in their own protocol, where this broker has them.
    pub(crate) fn stream_address(&self) -> Option<String> {
        has_streams().then(|| format!("127.0.0.1:{}", self.stream))
    }

    /// URI with a query such as `?heartbeat=1`, or none.
    pub(crate) fn uri(&self, query: &str) -> String {
        format!("amqp://guest:guest@{}/%2f{query}", self.address())
    }

    /// Starts the node and waits until it answers; once more where it does not, and then says what it logged.
    pub(crate) async fn start(&mut self) {
        for _ in 0..STARTS {
            let mut command = self.command(Path::new(&required("CDC_TEST_RABBITMQ_SERVER")));
            // The script then becomes the node, so that signals reach it.
            command.env("RUNNING_UNDER_SYSTEMD", "true");
            let node = Server::start(&mut command, &self.folder).unwrap();
            if comes_true(async || server::is_broker_up(self.port).await).await {
                self.node = Some(node);
                return;
            }
        }
        panic!("the broker does not answer:\n{}", self.last_lines());
    }

    /// What the node logged last.
    fn last_lines(&self) -> String {
        let files = fs::read_dir(self.folder.join("log"));
        let files = files.into_iter().flatten().flatten();
        let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        let text = texts.collect::<Vec<_>>().join("\n");
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.node.as_ref().unwrap().signal(signal);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        drop(self.node.take());
    }

    /// SIGTERM, after which the node closes its connections and files.
    pub(crate) async fn stop(&mut self) {
        let node = self.node.take().unwrap();
        node.stop(DEADLINE).await.unwrap();
    }

    /// Runs `rabbitmqctl`; gives what it wrote.
    pub(crate) async fn control<T: AsRef<str>>(&self, arguments: &[T]) -> String {
        self.run("rabbitmqctl", arguments).await
    }

    /// Runs a program of the broker's; gives what it wrote.
    pub(crate) async fn run<T: AsRef<str>>(&self, program: &str, arguments: &[T]) -> String {
        let server = required("CDC_TEST_RABBITMQ_SERVER");
        let program = Path::new(&server).with_file_name(program);
        let mut command = self.command(&program);
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        command.args(&arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.unwrap().unwrap();
        assert!(
            output.status.success(),
            "{} {arguments:?}: {output:?}",
            program.display()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks the management page.
    pub(crate) async fn manage(&self, method: &str, path: &str) -> Reply {
        let address = format!("127.0.0.1:{}", self.management);
        let reply = http::request(&address, (method, path), GUEST, DEADLINE).await;
        reply.unwrap()
    }

    /// Sends JSON to the management page, which has to take it.
    pub(crate) async fn put(&self, path: &str, body: &serde_json::Value) {
        let address = format!("127.0.0.1:{}", self.management);
        let (what, body) = (("PUT", path), body.to_string());
        let reply = http::send(&address, what, GUEST, &body, DEADLINE).await;
        let reply = reply.unwrap();
        assert!(reply.status < 300, "PUT {path} {body}: {reply:?}");
    }

    /// Sets a limit of memory or disk, so that an alarm goes off.
    pub(crate) async fn limit(&mut self, arguments: &[&str]) {
        self.is_limited = true;
        self.control(arguments).await;
    }

    /// Takes no message of more than this many bytes from now on, on new channels.
    pub(crate) async fn limit_messages(&mut self, bytes: usize) {
        let set = format!("{}.", message_limit(bytes));
        self.limit(&["eval", &set]).await;
    }

    /// Takes the limits back.
    pub(crate) async fn end_alarms(&mut self) {
        // In one call: a start of `rabbitmqctl` takes seconds on a busy machine.
        let limits = format!(
            "vm_memory_monitor:set_vm_memory_high_watermark(0.4), \
            rabbit_disk_monitor:set_disk_free_limit(\"50MB\"), \
            {}.",
            message_limit(16 * 1024 * 1024)
        );
        self.control(&["eval", &limits]).await;
        self.is_limited = false;
    }

    /// What an earlier test left behind.
    async fn mend(&mut self) {
        if self.node.is_none() {
            self.start().await;
        }
        if self.is_limited {
            self.end_alarms().await;
        }
    }

    /// A program with the environment of this node and nothing else.
    fn command(&self, program: &Path) -> Command {
        let file = |name: &str| self.folder.join(name);
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path())
            .current_dir(&self.folder);
        command.env("HOME", &self.folder).env("LANG", "C.UTF-8");
        for (variable, name) in [
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
            // Names of files that do not exist: the system's are not ours to read.
            ("RABBITMQ_CONFIG_FILES", "conf.d"),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", "advanced.config"),
            ("RABBITMQ_CONF_ENV_FILE", "rabbitmq-env.conf"),
        ] {
            command.env(variable, file(name));
        }
        let erlang =
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none";
        command
            .env(
                "RABBITMQ_NODENAME",
                format!("cdc-it-{}@localhost", self.port),
            )
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang)
            .env("ERL_EPMD_PORT", self.port_mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command
    }
}

/// Whether the tests' broker has streams in their own protocol, since then the shared one has.
fn has_streams() -> bool {
    stream_address().is_some()
}

/// In Erlang. The second place is that of RabbitMQ 4.0.
fn message_limit(bytes: usize) -> String {
    format!(
        "application:set_env(rabbit, max_message_size, {bytes}), \
         persistent_term:put(max_message_size, {bytes})"
    )
}

fn streams(port: u16) -> String {
    format!(
        "stream.listeners.tcp.1 = 127.0.0.1:{port}\n\
         stream.advertised_host = 127.0.0.1\n\
         stream.advertised_port = {port}\n"
    )
}

/// Where programs are, the broker's own first, and Erlang's where packages put them.
fn path() -> String {
    let server = required("CDC_TEST_RABBITMQ_SERVER");
    let own = Path::new(&server).parent().unwrap_or(Path::new("/"));
    format!("{}:{}:/usr/lib/erlang/bin", own.display(), required("PATH"))
}
