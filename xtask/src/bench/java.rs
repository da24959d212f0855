//! Finds a Java that is new enough, without running any.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{failure::Failure, project::Project, servers::native::programs};

/// Where systems and people have their Javas, one a folder.
const FOLDERS: [&str; 3] = ["/usr/lib/jvm", "/opt", "/Library/Java/JavaVirtualMachines"];
const SDKMAN: &str = ".sdkman/candidates/java";

/// The folder of a Java with at least this first number of its version: that of `JAVA_HOME`, else the newest.
///
/// # Errors
/// When there is none.
pub(super) fn home(project: &Project, least: u32) -> Result<PathBuf> {
    let named = project.setting("JAVA_HOME").map(PathBuf::from);
    let named = named.and_then(|home| Some((version(&home)?, home)));
    let found = homes().into_iter();
    let found = found.filter_map(|home| Some((version(&home)?, home)));
    choose(named, found, least)
}

fn choose(
    named: Option<(u32, PathBuf)>,
    found: impl Iterator<Item = (u32, PathBuf)>,
    least: u32,
) -> Result<PathBuf> {
    let is_enough = |(version, _): &(u32, PathBuf)| least <= *version;
    let newest = found.chain(named.clone()).max();
    let chosen = named.filter(is_enough).or(newest.clone().filter(is_enough));
    chosen.map(|(_, home)| home).ok_or_else(|| {
        let here = newest.map_or("there is none".to_owned(), |(version, _)| {
            format!("the newest here is {version}")
        });
        Failure::new(format!("Debezium Server needs Java {least}, and {here}"))
            .hint(format!(
                "install Java {least} or newer, or name its folder in JAVA_HOME"
            ))
            .into()
    })
}

/// Folders that may be those of a Java.
fn homes() -> Vec<PathBuf> {
    let sdkman = env::var_os("HOME").map(|home| Path::new(&home).join(SDKMAN));
    let folders = FOLDERS.iter().map(PathBuf::from).chain(sdkman);
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok());
    let paths = entries.flatten().flatten().map(|entry| entry.path());
    let homes = paths.flat_map(|path| [path.join("Contents/Home"), path]);
    homes.chain(on_path()).collect()
}

/// The folder of the `java` on PATH, which may be a link.
fn on_path() -> Option<PathBuf> {
    let program = programs::on_path("java")?.canonicalize().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

/// The first number of the version of the Java in `home`, if there is one.
fn version(home: &Path) -> Option<u32> {
    let release = fs::read_to_string(home.join("release")).ok()?;
    let is_there = home.join("bin/java").is_file();
    first_number(&release).filter(|_| is_there)
}

/// From the file in which a Java tells what it is.
fn first_number(release: &str) -> Option<u32> {
    let mut lines = release.lines();
    let version = lines.find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    let mut numbers = version.trim_matches('"').split(['.', '-', '+']);
    numbers.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(named: Option<u32>, found: &[u32]) -> Result<String> {
        let home = |version: u32| (version, PathBuf::from(format!("java-{version}")));
        let named = named.map(|version| (version, PathBuf::from("named")));
        let home = choose(named, found.iter().copied().map(home), 21)?;
        Ok(home.display().to_string())
    }

    #[test]
    fn java_home_is_taken_where_it_is_new_enough_and_else_the_newest() {
        assert_eq!(chosen(Some(21), &[17, 25]).unwrap(), "named");
        assert_eq!(chosen(Some(17), &[21, 25]).unwrap(), "java-25");
        assert_eq!(chosen(None, &[17, 21]).unwrap(), "java-21");
    }

    #[test]
    fn what_is_there_is_said_where_nothing_is_new_enough() {
        let error = |named, found: &[u32]| chosen(named, found).unwrap_err().to_string();
        assert!(error(None, &[8, 17]).ends_with("needs Java 21, and the newest here is 17"));
        assert!(error(Some(11), &[]).ends_with("the newest here is 11"));
        assert!(error(None, &[]).ends_with("there is none"));
    }

    #[test]
    fn the_version_is_read_without_running_it() {
        let release = "IMPLEMENTOR=\"x\"\nJAVA_RUNTIME_VERSION=\"7\"\nJAVA_VERSION=\"25.0.3\"\n";
        assert_eq!(first_number(release), Some(25));
        assert_eq!(first_number("JAVA_VERSION=\"26-ea\"\n"), Some(26));
        assert_eq!(first_number("JAVA_VERSION_DATE=\"2026\"\n"), None);
    }
}
