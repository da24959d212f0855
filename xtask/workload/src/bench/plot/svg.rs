//! An SVG document, shape by shape.

use std::fmt::Write;

use super::super::caption::Caption;

/// Width of every plot.
pub(super) const WIDTH: f64 = 860.0;
/// Space at the left and right edges.
pub(super) const EDGE: f64 = 16.0;
/// About the width of a character of the usual size; a little wide, so that nothing is cut off.
pub(super) const CHARACTER: f64 = 6.9;

/// Colours by what they stand for, for light and for dark pages; the page's own background stays.
///
/// Figures have a rim in the page's colour, so that a line under them does not make them hard to read.
const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\
.title{font-size:16px;font-weight:600}.head{font-weight:600}.small{font-size:11px;fill:#59636e}\
.value{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}.grid{stroke:#d1d9e0}.axis{stroke:#818b98}.whisker{stroke:#1f2328;stroke-width:1.5}\
.bar,.dot{fill:currentColor}.curve{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}\
.dashed{stroke-dasharray:6 4}.faint{fill-opacity:.45}\
.engine{color:#0969da}.source{color:#1a7f37}.sink{color:#8250df}.both{color:#59636e}.python{color:#bc4c00}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.value{stroke:#0d1117}.small{fill:#9198a1}.grid{stroke:#3d444d}\
.axis{stroke:#656c76}.whisker{stroke:#f0f6fc}.engine{color:#4493f8}.source{color:#3fb950}.sink{color:#ab7df8}\
.both{color:#9198a1}.python{color:#db6d28}}";

/// The end of a text that stays where it is put.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A document that grows downwards.
#[derive(Debug)]
pub(super) struct Svg {
    title: String,
    body: String,
}

impl Svg {
    /// With `title` at the top.
    pub(super) fn new(title: &str) -> Self {
        let mut svg = Self {
            title: title.to_owned(),
            body: String::new(),
        };
        svg.text("title", Anchor::Start, (EDGE, 26.0), title);
        svg
    }

    /// A filled rectangle.
    pub(super) fn bar(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let (x, y, width, height) = (at(x), at(y), at(width.max(0.0)), at(height));
        self.push(format_args!(
            r#"<rect class="bar {class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#
        ));
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(at);
        self.push(format_args!(
            r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#
        ));
    }

    /// A line through `points`.
    pub(super) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let step = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{step}{} {}", at(*x), at(*y));
        }
        self.push(format_args!(r#"<path class="curve {class}" d="{path}"/>"#));
    }

    /// A point.
    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64)) {
        let (x, y) = (at(x), at(y));
        self.push(format_args!(
            r#"<circle class="dot {class}" cx="{x}" cy="{y}" r="3.5"/>"#
        ));
    }

    /// `text`, whose baseline is at `y`.
    pub(super) fn text(&mut self, class: &str, anchor: Anchor, (x, y): (f64, f64), text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y, text) = (at(x), at(y), escaped(text));
        self.push(format_args!(
            r#"<text class="{class}" text-anchor="{anchor}" x="{x}" y="{y}">{text}</text>"#
        ));
    }

    /// The whole document, with the caption under what ends at `bottom`.
    pub(super) fn finish(mut self, bottom: f64, caption: &Caption) -> String {
        let mut y = bottom + 24.0;
        let machine = format!("{}; {}", caption.date, caption.machine);
        for words in [machine.as_str(), &caption.versions] {
            for line in wrapped(words) {
                self.text("small", Anchor::Start, (EDGE, y), &line);
                y += 15.0;
            }
        }
        let (width, height, title, body) = (at(WIDTH), at(y), escaped(&self.title), self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n{body}</svg>\n"
        )
    }

    fn push(&mut self, shape: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.body, "{shape}");
    }
}

/// A place: a tenth of a pixel is enough, and what is no number must not end up in a document.
fn at(value: f64) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// `text` as XML takes it; what XML has no room for at all becomes a replacement character.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\t' | '\n' | '\r' => xml.push(' '),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            character => xml.push(character),
        }
    }
    xml
}

/// `words` in lines that fit the small print.
fn wrapped(words: &str) -> Vec<String> {
    const CHARACTERS: usize = 130;
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < CHARACTERS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
