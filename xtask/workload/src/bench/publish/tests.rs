use super::*;
use crate::bench::{report::Report, tests::fixture};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What of the plots in `folder` and of `page`, whose links to them begin with `plots`, is not what `report` gives.
fn differences(report: &Report, folder: &Path, (page, plots): (&str, &str)) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, text) in plot::plots(&Summary::of(report)) {
        if fs::read_to_string(folder.join(name)).ok() != Some(text) {
            differences.push(name.to_owned());
        }
    }
    if replaced(page, REPORT, &page::page(&Summary::of(report), plots)).unwrap() != page {
        differences.push("the page".to_owned());
    }
    differences
}

/// The folder of the main report, and those in it that have a page of their own.
fn folders() -> Vec<PathBuf> {
    let main = root().join(FOLDER);
    let inside = fs::read_dir(&main).unwrap();
    let inside = inside.map(|entry| entry.unwrap().path());
    let others = inside.filter(|folder| folder.join(OWN_PAGE).is_file());
    [main].into_iter().chain(others).collect()
}

#[test]
fn pages_and_plots_are_what_the_reports_give() {
    for folder in folders() {
        let (page, plots) = page_of(&folder, &root()).unwrap();
        let page = fs::read_to_string(root().join(page)).unwrap();
        let json = fs::read_to_string(folder.join("report.json")).unwrap();
        let report: Report = serde_json::from_str(&json).unwrap();
        let differences = differences(&report, &folder, (&page, &plots));
        assert!(
            differences.is_empty(),
            "publish again in {}: {differences:?}",
            folder.display()
        );
    }
}

#[test]
fn a_page_that_differs_from_its_report_is_found() {
    let report = fixture::report();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, text) in plot::plots(&Summary::of(&report)) {
        fs::write(folder.join(name), text).unwrap();
    }
    let empty = format!("a\n{}b\n", REPORT.concat());
    let page = replaced(&empty, REPORT, &page::page(&Summary::of(&report), "b/")).unwrap();
    let of_page = |page: &str| differences(&report, folder, (page, "b/"));
    assert_eq!(of_page(&page), <[&str; 0]>::default());

    assert_eq!(of_page(&page.replace("33,333", "33,334")), ["the page"]);
    let plot = folder.join("latency.svg");
    let touched = fs::read_to_string(&plot).unwrap().replace("10.5", "1.5");
    fs::write(plot, touched).unwrap();
    assert_eq!(of_page(&page), ["latency.svg"]);
}

#[test]
fn a_folder_with_a_page_of_its_own_is_published_there() {
    let report = fixture::report();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("latest.json");
    fs::write(&file, serde_json::to_string(&report).unwrap()).unwrap();
    let page = folder.join(OWN_PAGE);
    fs::write(&page, format!("# Title\n{}", REPORT.concat())).unwrap();

    assert_eq!(publish(&file, &Summary::of(&report), folder).unwrap(), page);
    let text = fs::read_to_string(&page).unwrap();
    assert!(
        text.starts_with("# Title\n") && text.contains("](rates.svg)"),
        "{text}"
    );
    let none = differences(&report, folder, (&text, ""));
    assert_eq!(none, <[&str; 0]>::default());
    assert!(folder.join("report.json").is_file());

    fs::write(&page, "# Title\n").unwrap();
    let error = publish(&file, &Summary::of(&report), folder)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&page.display().to_string()) && error.contains("no place"),
        "{error}"
    );
}

#[test]
fn only_what_is_between_the_marks_is_replaced() {
    let [begin, end] = REPORT;
    let old = format!("before\n{begin}old\nlines\n{end}after\n");
    let page = replaced(&old, REPORT, "new\n").unwrap();
    assert_eq!(page, format!("before\n{begin}new\n{end}after\n"));
    assert_eq!(replaced(&page, REPORT, "new\n").unwrap(), page);
}

#[test]
fn a_page_without_marks_is_left_alone() {
    let [begin, end] = REPORT;
    for old in [
        "",
        begin,
        end,
        "<!-- bench: end -->\n<!-- bench: begin -->\n",
    ] {
        assert_eq!(replaced(old, REPORT, "new\n"), None, "{old:?}");
    }
}

#[test]
fn odd_text_of_a_report_cannot_end_the_block() {
    let mut report = fixture::report();
    report.machine.processor = format!("{}| a |\n# Title", REPORT[1]);
    let page = page::page(&Summary::of(&report), "");
    assert!(
        !page.contains("<!--") && !page.contains("\n# Title"),
        "{page}"
    );
}

#[test]
fn plots_are_linked_from_the_page() {
    let link = |folder: &str| link(Path::new(folder), Path::new("/home/me")).ok();
    for folder in ["xtask/bench", "./xtask/bench/", "/home/me/xtask/bench"] {
        let link = link(folder).unwrap();
        let from = Path::new(PAGE).parent().unwrap().join(&link);
        assert!(
            link.ends_with("xtask/bench/") && root().join(from).is_dir(),
            "{folder}: {link}"
        );
    }
    for folder in ["/elsewhere", "../up", "a b"] {
        assert_eq!(link(folder), None, "{folder}");
    }
}
