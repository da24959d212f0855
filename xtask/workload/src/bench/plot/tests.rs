use super::*;
use crate::bench::{
    report::{Group, Path, Queue, Report, Run, Subject},
    tests::fixture,
};

fn drawn(report: &Report) -> [(&'static str, String); 5] {
    plots(&Summary::of(report))
}

/// All texts of a plot; panics if it is no XML.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    let nodes = document
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
    nodes
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}

fn count(svg: &str, class: &str) -> usize {
    svg.matches(&format!("class=\"{class}\"")).count()
}

#[test]
fn every_plot_is_well_formed_and_says_what_it_shows() {
    for (file, svg) in drawn(&fixture::report()) {
        let texts = texts(&svg);
        assert!(texts.contains(&title(file).to_owned()), "{file}: {texts:?}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{file}");
    }
}

#[test]
fn odd_text_arrives_as_it_is() {
    let mut report = fixture::report();
    report.machine.processor = "a<b>&c;\"d' ]]> \u{1} \u{ffff} é".to_owned();
    for (file, svg) in drawn(&report) {
        let texts = texts(&svg).join(" ");
        let odd = "a<b>&c;\"d' ]]>     é, 2 cores";
        assert!(texts.contains(odd), "{file}: {texts}");
        assert!(
            texts.contains("2026-02-03") && texts.contains("mongod 6.0.5"),
            "{file}: {texts}"
        );
    }
}

#[test]
fn nothing_measured_is_said_and_not_drawn() {
    let mut report = fixture::report();
    report.runs.clear();
    report.latencies.clear();
    for (file, svg) in drawn(&report) {
        assert!(
            texts(&svg).contains(&"not measured".to_owned()),
            "{file}: {svg}"
        );
    }
}

#[test]
fn figures_stand_at_their_bars() {
    let [(_, rates), (_, cpu), ..] = drawn(&fixture::report());
    let texts = texts(&rates);
    // The engine's and that of both floors, for two queues.
    assert_eq!(
        texts.iter().filter(|text| *text == "33,333").count(),
        4,
        "{texts:?}"
    );
    assert_eq!(count(&rates, "bar engine"), 4, "one in the legend");
    assert_eq!(count(&cpu, "bar engine faint"), 3);
}

#[test]
fn a_bar_is_as_long_as_its_figure() {
    let [(_, rates), ..] = drawn(&fixture::report());
    let document = roxmltree::Document::parse(&rates).unwrap();
    let widths = |class: &str| -> Vec<f64> {
        let bars = document
            .descendants()
            .filter(|node| node.attribute("class") == Some(class));
        bars.map(|bar| bar.attribute("width").unwrap().parse().unwrap())
            .collect()
    };
    let (engine, source) = (widths("bar engine"), widths("bar source"));
    assert!(
        (source[1] / engine[1] - 3.0).abs() < 0.01,
        "{source:?} {engine:?}"
    );
}

#[test]
fn a_subject_that_loses_messages_is_marked() {
    let mut report = fixture::report();
    let python = |run: &&mut crate::bench::report::Run| run.key.subject == Subject::PythonBatch;
    let run = report.runs.iter_mut().find(python).unwrap();
    run.delivery.as_mut().unwrap().missing = 1;
    let [(_, rates), ..] = drawn(&report);
    let marked = texts(&rates)
        .into_iter()
        .filter(|text| text.contains("loses"));
    assert_eq!(
        marked.collect::<Vec<_>>(),
        ["Python, confirms in batches, loses messages"]
    );
}

#[test]
fn no_figure_covers_another_wherever_curves_meet() {
    let mut report = fixture::report();
    let growing = |run: &&Run| run.key.group == Group::Events && run.key.subject == Subject::Engine;
    let engine: Vec<Run> = report.runs.iter().filter(growing).cloned().collect();
    report.runs.retain(|run| run.key.group != Group::Events);
    for (subject, queue) in [
        (Subject::Engine, Queue::Classic),
        (Subject::Engine, Queue::Quorum),
        (Subject::Sink, Queue::Classic),
    ] {
        report.runs.extend(engine.iter().cloned().map(|mut run| {
            (run.key.subject, run.key.queue) = (subject, Some(queue));
            run
        }));
    }
    let [_, _, curves @ ..] = drawn(&report);
    for (file, svg) in curves {
        let document = roxmltree::Document::parse(&svg).unwrap();
        let figures = document.descendants().filter(|node| {
            node.attribute("class")
                .is_some_and(|class| class.starts_with("value"))
        });
        let place = |name: &str, node: &roxmltree::Node<'_, '_>| -> f64 {
            node.attribute(name).unwrap().parse().unwrap()
        };
        let boxes = figures.map(|node| {
            let half = svg::width(node.text().unwrap(), 6.2) / 2.0;
            (place("x", &node), place("y", &node), half)
        });
        let boxes: Vec<_> = boxes.collect();
        assert!(4 <= boxes.len(), "{file}: {boxes:?}");
        for (number, (x, y, half)) in boxes.iter().enumerate() {
            let covers = |other: &&(f64, f64, f64)| {
                (other.1 - y).abs() < 11.0 && (other.0 - x).abs() < half + other.2
            };
            let covered = boxes[..number].iter().find(covers);
            assert_eq!(covered, None, "{file}: at {x} and {y}");
        }
    }
}

#[test]
fn each_rate_has_a_panel_with_both_paths() {
    let mut report = fixture::report();
    let [_, _, (_, latency), ..] = drawn(&report);
    // One in the legend, and in each panel the curve and the sign of its row of figures.
    assert_eq!(count(&latency, "curve engine"), 1 + 2 * 3);
    assert_eq!(count(&latency, "curve both dashed"), 1 + 2 * 3);
    let texts = texts(&latency);
    for text in [
        "ms at 5,000 inserts/s",
        "99.9",
        "max",
        "10.5",
        "21.0",
        "42.0",
    ] {
        assert!(
            texts.contains(&text.to_owned()),
            "{text} is not in {texts:?}"
        );
    }
    report
        .latencies
        .retain(|latency| latency.path == Path::Engine && latency.per_second == 100);
    let [_, _, (_, latency), ..] = drawn(&report);
    assert_eq!(count(&latency, "curve engine"), 1 + 2);
    assert_eq!(count(&latency, "curve both dashed"), 1);
}
