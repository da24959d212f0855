//! The images of `docker-compose.yaml`.

use std::time::Duration;

use anyhow::Result;
use xshell::cmd;

use super::ANSWER_LIMIT;
use crate::{child, failure::Failure, progress::Progress, project::Project};

/// Variables and defaults as in `docker-compose.yaml`.
const IMAGES: [(&str, &str); 2] = [
    ("MONGO_IMAGE", "mongo:8.0"),
    ("RABBITMQ_IMAGE", "rabbitmq:4-management"),
];

const REGISTRY_LIMIT: Duration = Duration::from_secs(20);
const PULL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Why the images cannot be had; nothing if all are here in the end.
pub(super) fn why_not(
    project: &Project,
    progress: &Progress,
    offline: bool,
) -> Result<Option<String>> {
    for image in missing(project) {
        if offline {
            return Ok(Some(refusal(&image)));
        }
        if !is_offered(project, &image) {
            project.interrupt.check()?;
            return Ok(Some(format!(
                "the image {image} is not here and no registry offers it"
            )));
        }
        if let Err(error) = pull(project, progress, &image) {
            project.interrupt.check()?;
            return Ok(Some(format!("{error:#}")));
        }
    }
    Ok(None)
}

/// Pulls those that are not here.
pub(super) fn ensure(project: &Project, progress: &Progress, offline: bool) -> Result<()> {
    for image in missing(project) {
        if offline {
            return Err(Failure::new(refusal(&image)).into());
        }
        pull(project, progress, &image)?;
    }
    Ok(())
}

fn missing(project: &Project) -> Vec<String> {
    let named = |(variable, default): &(&str, &str)| {
        project
            .setting(variable)
            .unwrap_or_else(|| (*default).to_owned())
    };
    let is_missing = |image: &String| {
        let inspect = cmd!(project.shell, "docker image inspect {image}");
        child::answer(project.command(inspect), &project.interrupt, ANSWER_LIMIT).is_none()
    };
    IMAGES.iter().map(named).filter(is_missing).collect()
}

/// Asks the registry, which takes seconds where a pull without a network would take minutes to fail.
fn is_offered(project: &Project, image: &str) -> bool {
    let manifest = cmd!(project.shell, "docker manifest inspect {image}");
    child::answer(
        project.command(manifest),
        &project.interrupt,
        REGISTRY_LIMIT,
    )
    .is_some()
}

/// Pulls `image`, with docker's own progress.
fn pull(project: &Project, progress: &Progress, image: &str) -> Result<()> {
    progress.say(&format!("pulling the image {image}"));
    let pull = cmd!(project.shell, "docker pull {image}");
    let status = child::status(project.command(pull), &project.interrupt, PULL_LIMIT)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("the image {image} cannot be pulled"))
        .hint("name another with MONGO_IMAGE or RABBITMQ_IMAGE, or use `--backend native`")
        .into())
}

fn refusal(image: &str) -> String {
    format!("the image {image} is not here and --offline forbids to pull it")
}
