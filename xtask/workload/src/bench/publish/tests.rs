use super::*;
use crate::bench::fixture;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What of `folder` and `readme` is not what `report` gives.
fn differences(report: &Report, folder: &Path, readme: &str) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, text) in plot::plots(report, &Summary::of(report)) {
        if fs::read_to_string(folder.join(name)).ok() != Some(text) {
            differences.push(name.to_owned());
        }
    }
    if replaced(readme, &page::page(report, FOLDER)).unwrap() != readme {
        differences.push(README.to_owned());
    }
    differences
}

#[test]
fn readme_and_plots_are_what_the_report_gives() {
    let readme = fs::read_to_string(root().join(README)).unwrap();
    let folder = root().join(FOLDER);
    let Ok(json) = fs::read_to_string(folder.join("report.json")) else {
        assert_eq!(
            replaced(&readme, "").unwrap(),
            readme,
            "figures without a report"
        );
        return;
    };
    let report: Report = serde_json::from_str(&json).unwrap();
    let differences = differences(&report, &folder, &readme);
    assert!(differences.is_empty(), "publish again: {differences:?}");
}

#[test]
fn a_page_that_differs_from_its_report_is_found() {
    let report = fixture::report();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in plot::plots(&report, &Summary::of(&report)) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let empty = format!("a\n{BEGIN}{END}b\n");
    let page = replaced(&empty, &page::page(&report, FOLDER)).unwrap();
    assert_eq!(
        differences(&report, folder.path(), &page),
        <[&str; 0]>::default()
    );

    assert_eq!(
        differences(&report, folder.path(), &page.replace("33,333", "33,334")),
        [README]
    );
    let plot = folder.path().join("latency.svg");
    let touched = fs::read_to_string(&plot).unwrap().replace("10.5", "1.5");
    fs::write(plot, touched).unwrap();
    assert_eq!(differences(&report, folder.path(), &page), ["latency.svg"]);
}

#[test]
fn only_what_is_between_the_marks_is_replaced() {
    let readme = format!("before\n{BEGIN}old\nlines\n{END}after\n");
    let page = replaced(&readme, "new\n").unwrap();
    assert_eq!(page, format!("before\n{BEGIN}new\n{END}after\n"));
    assert_eq!(replaced(&page, "new\n").unwrap(), page);
}

#[test]
fn a_page_without_marks_is_left_alone() {
    for readme in [
        "",
        BEGIN,
        END,
        "<!-- bench: end -->\n<!-- bench: begin -->\n",
    ] {
        assert!(replaced(readme, "new\n").is_err(), "{readme:?}");
    }
}

#[test]
fn odd_text_of_a_report_cannot_end_the_block() {
    let mut report = fixture::report();
    report.machine.processor = format!("{END}| a |\n# Title");
    let page = page::page(&report, FOLDER);
    assert!(
        !page.contains("<!--") && !page.contains("\n# Title"),
        "{page}"
    );
}

#[test]
fn plots_are_linked_from_the_page() {
    let link = |folder: &str| link(Path::new(folder), Path::new("/home/me")).ok();
    for folder in ["xtask/bench", "./xtask/bench/", "/home/me/xtask/bench"] {
        assert_eq!(link(folder).as_deref(), Some("xtask/bench"), "{folder}");
    }
    for folder in ["/elsewhere", "../up", "a b"] {
        assert_eq!(link(folder), None, "{folder}");
    }
}
