//! What the containers of `docker-compose.yaml` are doing.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use xshell::{Cmd, cmd};

use super::ANSWER_LIMIT;
use crate::{child, failure::tail_under, project::Project};

const HEALTH_INTERVAL: Duration = Duration::from_millis(500);

/// Tells the status of a service's container, such as `Up 3 seconds (health: starting)`; asks not more often than needed.
pub(super) fn health(project: &Project) -> impl Fn(&str) -> Result<String> {
    let last: RefCell<Option<(Instant, BTreeMap<String, String>)>> = RefCell::default();
    move |service| {
        let mut last = last.borrow_mut();
        let (_, statuses) = match last.take() {
            Some(fresh) if fresh.0.elapsed() < HEALTH_INTERVAL => last.insert(fresh),
            _ => last.insert((Instant::now(), statuses(project)?)),
        };
        let status = statuses.get(service);
        Ok(status.map_or("no container", String::as_str).to_owned())
    }
}

/// Whether a status is that of a container that runs and whose healthcheck is content.
pub(super) fn is_healthy(status: &str) -> bool {
    is_up(status) && status.contains("(healthy)")
}

/// The services whose container runs.
pub(super) fn running(project: &Project) -> Result<BTreeSet<String>> {
    let statuses = statuses(project)?.into_iter();
    Ok(statuses
        .filter(|(_, status)| is_up(status))
        .map(|(service, _)| service)
        .collect())
}

/// What the container of `service` wrote last, and what its healthcheck says.
pub(super) fn evidence(project: &Project, service: &str) -> Option<String> {
    let id = id(project, service)?;
    // A container writes to both of its outputs.
    let script = "exec docker logs --tail 12 \"$1\" 2>&1";
    let log = answer(project, cmd!(project.shell, "sh -c {script} logs {id}"))?;
    let format = "{{range .State.Health.Log}}{{.Output}}{{println}}{{end}}";
    let health = inspect(project, service, format)?;
    let log = tail_under(&format!("the container of {service}"), &log);
    let health = tail_under("its healthcheck's output", &health);
    Some(
        log.into_iter()
            .chain(health)
            .collect::<Vec<_>>()
            .join("\n\n"),
    )
}

/// What `docker inspect` says of the container of `service`, in this format.
pub(crate) fn inspect(project: &Project, service: &str, format: &str) -> Option<String> {
    let id = id(project, service)?;
    let inspect = cmd!(project.shell, "docker inspect --format {format} {id}");
    answer(project, inspect)
}

fn id(project: &Project, service: &str) -> Option<String> {
    let filter = filter(project);
    let service = format!("label=com.docker.compose.service={service}");
    let list = cmd!(
        project.shell,
        "docker ps --all --quiet --filter {filter} --filter {service}"
    );
    answer(project, list).filter(|id| !id.is_empty())
}

fn answer(project: &Project, command: Cmd<'_>) -> Option<String> {
    child::answer(project.command(command), &project.interrupt, ANSWER_LIMIT)
}

fn is_up(status: &str) -> bool {
    status.starts_with("Up")
}

fn statuses(project: &Project) -> Result<BTreeMap<String, String>> {
    let filter = filter(project);
    let format = "{{.Label \"com.docker.compose.service\"}}\t{{.Status}}";
    let list = cmd!(
        project.shell,
        "docker ps --all --filter {filter} --format {format}"
    );
    let list = answer(project, list).context("ask the container engine what runs")?;
    let pairs = list.lines().filter_map(|line| line.split_once('\t'));
    Ok(pairs
        .map(|(service, status)| (service.to_owned(), status.to_owned()))
        .collect())
}

/// Both versions of compose label a container with the folder that it was started from.
fn filter(project: &Project) -> String {
    format!(
        "label=com.docker.compose.project.working_dir={}",
        project.root.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn healthy_is_not_the_same_as_running() {
        assert!(is_healthy("Up 6 seconds (healthy)"));
        for status in [
            "Up 6 seconds (health: starting)",
            "Up 9 minutes (unhealthy)",
            "Exited (1) 3 seconds ago",
        ] {
            assert!(!is_healthy(status), "{status}");
        }
    }
}
