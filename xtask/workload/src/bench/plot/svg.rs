//! An SVG document, shape by shape.

use std::fmt::Write;

use super::super::{caption, grid::escaped, report::Report};

/// Width of every plot.
pub(super) const WIDTH: f64 = 860.0;
/// Space at the left and right edges.
pub(super) const EDGE: f64 = 16.0;
/// About the width of a character of the usual size; a little wide, so that nothing is cut off.
pub(super) const CHARACTER: f64 = 6.9;
/// Characters of a line of the small print.
const SMALL_PRINT: usize = 130;

/// Colours by what they stand for, for light and for dark pages; the page's own background stays.
///
/// Figures have a rim in the page's colour, so that a line under them does not make them hard to read.
const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\
.title{font-size:16px;font-weight:600}.head{font-weight:600}.small{font-size:11px;fill:#59636e}\
.value{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}.colour{fill:currentColor}\
.grid{stroke:#d1d9e0}.axis{stroke:#818b98}.whisker{stroke:#1f2328;stroke-width:1.5}\
.bar,.dot{fill:currentColor}.curve{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}\
.dashed{stroke-dasharray:6 4}.faint{fill-opacity:.45}\
.engine{color:#0969da}.source{color:#1a7f37}.sink{color:#8250df}.both{color:#59636e}.python{color:#bc4c00}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.value{stroke:#0d1117}.colour{fill:currentColor}.small{fill:#9198a1}\
.grid{stroke:#3d444d}.axis{stroke:#656c76}.whisker{stroke:#f0f6fc}\
.engine{color:#4493f8}.source{color:#3fb950}.sink{color:#ab7df8}.both{color:#9198a1}.python{color:#db6d28}}";

/// A document that grows downwards.
#[derive(Debug)]
pub(super) struct Svg {
    title: &'static str,
    body: String,
}

/// The width of `text` at `character` for each of its characters.
pub(super) fn width(text: &str, character: f64) -> f64 {
    character * text.chars().map(|_| 1.0).sum::<f64>()
}

impl Svg {
    /// With the title of `file` and under it what the shapes of `legend` mean: their kind, their class, their name.
    pub(super) fn new(file: &str, legend: &[(&str, &str, &str)]) -> Self {
        let (title, body) = (super::title(file), String::new());
        let mut svg = Self { title, body };
        svg.text("title", "start", (EDGE, 26.0), title);
        let mut x = EDGE;
        for (kind, class, name) in legend {
            let class = format!("{kind} {class}");
            if *kind == "bar" {
                svg.bar(&class, (x, 38.0), (24.0, 11.0));
            } else {
                svg.line(&class, (x, 44.0), (x + 24.0, 44.0));
            }
            svg.text("small", "start", (x + 30.0, 48.0), name);
            x += 50.0 + width(name, 6.2);
        }
        svg
    }

    /// A filled rectangle.
    pub(super) fn bar(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let numbers = [("x", x), ("y", y), ("width", width), ("height", height)];
        self.shape("rect", class, &numbers);
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let numbers = [("x1", from.0), ("y1", from.1), ("x2", to.0), ("y2", to.1)];
        self.shape("line", class, &numbers);
    }

    /// A point.
    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64)) {
        self.shape("circle", class, &[("cx", x), ("cy", y), ("r", 3.5)]);
    }

    fn shape(&mut self, tag: &str, class: &str, numbers: &[(&str, f64)]) {
        let _ = write!(self.body, r#"<{tag} class="{class}""#);
        for (name, number) in numbers {
            let _ = write!(self.body, r#" {name}="{}""#, at(*number));
        }
        self.body.push_str("/>\n");
    }

    /// A line through `points`.
    pub(super) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let places = points.iter().map(|(x, y)| format!("{} {}", at(*x), at(*y)));
        let path = places.collect::<Vec<_>>().join("L");
        let _ = writeln!(self.body, r#"<path class="{class}" d="M{path}"/>"#);
    }

    /// `text`, whose baseline is at `y`, and whose `anchor` (start, middle or end) at `x`.
    pub(super) fn text(&mut self, class: &str, anchor: &str, (x, y): (f64, f64), text: &str) {
        let (x, y, text) = (at(x), at(y), escaped(text));
        let _ = writeln!(
            self.body,
            r#"<text class="{class}" text-anchor="{anchor}" x="{x}" y="{y}">{text}</text>"#
        );
    }

    /// The whole document where there is nothing to show.
    pub(super) fn nothing(mut self, report: &Report) -> String {
        self.text("head", "start", (EDGE, 72.0), "not measured");
        self.finish(72.0, report)
    }

    /// The whole document, with the small print under what ends at `bottom`.
    pub(super) fn finish(mut self, bottom: f64, report: &Report) -> String {
        let mut y = bottom + 24.0;
        for words in caption::small_print(report) {
            let mut line = String::new();
            for word in words.split_whitespace() {
                if SMALL_PRINT <= line.chars().count() + word.chars().count() {
                    self.text("small", "start", (EDGE, y), line.trim_end());
                    line.clear();
                    y += 15.0;
                }
                line += word;
                line.push(' ');
            }
            self.text("small", "start", (EDGE, y), line.trim_end());
            y += 15.0;
        }
        let (width, height, title, body) = (at(WIDTH), at(y), escaped(self.title), self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n{body}</svg>\n"
        )
    }
}

/// A place: a tenth of a pixel is enough, and what is no number must not end up in a document.
fn at(value: f64) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}
