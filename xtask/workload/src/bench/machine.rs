//! Where a bench runs, and with which versions of everything that takes part.

use std::{collections::BTreeMap, fs, process::Command, thread, time::Duration};

use bson::doc;
use harness::{
    Output, Process,
    http::{self, GUEST},
};
use mongodb::Client;
use serde_json::Value;

use super::report::Machine;
use crate::store;

/// Longest wait for one answer.
const LIMIT: Duration = Duration::from_secs(5);
/// The dependencies of this workspace with their versions.
const LOCK: &str = include_str!("../../../../Cargo.lock");
/// Prints the versions of Python and its packages.
const PYTHON: &str = "import platform, pymongo, pika; \
    print(platform.python_version(), pymongo.version, pika.__version__)";

/// This machine.
pub(super) fn machine() -> Machine {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kib = memory.and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok());
    let name = field(&read("/etc/os-release").replace('=', ":"), "PRETTY_NAME");
    let kernel = read("/proc/sys/kernel/osrelease");
    Machine {
        processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
        cores: thread::available_parallelism().map_or(1, usize::from),
        memory_mib: kib.unwrap_or_default() / 1024,
        system: format!(
            "{}, {} {}",
            name.unwrap_or_else(unknown).trim_matches('"'),
            std::env::consts::OS,
            // The number alone: what a distributor or a provider appends says nothing about speed.
            kernel.trim().split('-').next().unwrap_or_default()
        ),
    }
}

/// Versions by name; what cannot be found out is left out.
pub(super) async fn versions(
    client: &Client,
    management: Option<(&str, u16)>,
    python: Option<&str>,
) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    let mut add = |name: &str, version: Option<String>| {
        versions.extend(version.map(|version| (name.to_owned(), version)));
    };
    add("cdc", Some(env!("CARGO_PKG_VERSION").to_owned()));
    for library in ["lapin", "mongodb"] {
        add(library, locked(LOCK, library));
    }
    let rustc = answer(Command::new("rustc").arg("--version")).await;
    add("rustc", rustc.and_then(|text| word(&text, 1)));
    add("mongod", mongod(client).await);
    if let Some((host, port)) = management {
        let overview = overview(host, port).await;
        let text = |name: &str| Some(overview.as_ref()?[name].as_str()?.to_owned());
        add("rabbitmq", text("rabbitmq_version"));
        add("erlang", text("erlang_version"));
    }
    if let Some(path) = python {
        let mut command = Command::new("python3");
        let text = answer(command.args(["-c", PYTHON]).env("PYTHONPATH", path)).await;
        for (index, name) in ["python", "pymongo", "pika"].iter().enumerate() {
            add(name, text.as_ref().and_then(|text| word(text, index)));
        }
    }
    versions
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The version of a package in the text of `Cargo.lock`.
fn locked(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.strip_suffix('"')?.to_owned())
}

async fn answer(command: &mut Command) -> Option<String> {
    let mut process = Process::start(command, Output::Stdout).ok()?;
    process.ended(LIMIT).await.ok()?;
    process.output().lines().next_back().map(str::to_owned)
}

fn word(text: &str, index: usize) -> Option<String> {
    Some(text.split_whitespace().nth(index)?.to_owned())
}

async fn mongod(client: &Client) -> Option<String> {
    let admin = client.database("admin");
    let asking = admin.run_command(doc! { "buildInfo": 1 });
    let answer = store::answer("ask for its version", LIMIT, asking).await;
    Some(answer.ok()?.get_str("version").ok()?.to_owned())
}

/// What the broker's management page says of the broker.
async fn overview(host: &str, port: u16) -> Option<Value> {
    manage(host, port, "/api/overview").await
}

/// The process of the broker's first node.
pub(super) async fn broker_process(host: &str, port: u16) -> Option<u32> {
    let nodes = manage(host, port, "/api/nodes?columns=os_pid").await?;
    nodes[0]["os_pid"].as_str()?.parse().ok()
}

async fn manage(host: &str, port: u16, path: &str) -> Option<Value> {
    let address = format!("{host}:{port}");
    let asking = http::request(&address, ("GET", path), GUEST, LIMIT);
    Some(asking.await.ok()?.json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock() {
        let lock = "[[package]]\nname = \"lapin-x\"\nversion = \"1\"\n\n\
            [[package]]\nname = \"lapin\"\nversion = \"4.12.3\"\n";
        assert_eq!(locked(lock, "lapin"), Some("4.12.3".to_owned()));
        assert_eq!(locked(lock, "pika"), None);
        assert!(locked(LOCK, "mongodb").is_some());
    }

    #[test]
    fn this_machine_is_known() {
        let machine = machine();
        assert!(0 < machine.cores);
        assert!(machine.system.contains("linux"), "{}", machine.system);
    }
}
