//! Horizontal bars, in groups that each have an axis from 0.

use super::{
    super::{report::Report, spread::Spread},
    scale::Scale,
    svg::{CHARACTER, EDGE, Svg, WIDTH, width},
};

/// Height of a bar's row and of the bar.
const ROW: f64 = 23.0;
const THICK: f64 = 14.0;

/// One bar.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) label: String,
    pub(super) class: &'static str,
    /// Its length.
    pub(super) figure: Spread,
    /// How much of the length, at its end, is drawn faintly.
    pub(super) faint: f64,
}

/// Bars that share an axis.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) strips: Vec<Strip>,
    pub(super) scale: Scale,
}

/// A plot.
#[derive(Debug)]
pub(super) struct Chart<'a> {
    pub(super) file: &'a str,
    pub(super) legend: &'a [(&'a str, &'a str, &'a str)],
    /// What the lengths are, with their unit, and how they are written.
    pub(super) axis: &'a str,
    pub(super) number: fn(f64) -> String,
    pub(super) groups: Vec<Group>,
}

/// An axis from 0 for `strips`.
pub(super) fn scale<'a>(strips: impl IntoIterator<Item = &'a Strip>) -> Scale {
    Scale::linear(strips.into_iter().map(|strip| strip.figure.max))
}

impl Chart<'_> {
    pub(super) fn plot(&self, report: &Report) -> String {
        let mut svg = Svg::new(self.file, self.legend);
        let groups = self.groups.iter().filter(|group| !group.strips.is_empty());
        let strips = || self.groups.iter().flat_map(|group| &group.strips);
        if strips().next().is_none() {
            return svg.nothing(report);
        }
        // From the end of the longest label to before the longest figure.
        let longest = |text: &dyn Fn(&Strip) -> String| {
            let widths = strips().map(|strip| width(&text(strip), CHARACTER));
            widths.fold(0.0, f64::max)
        };
        let left = EDGE + longest(&|strip| strip.label.clone()) + 8.0;
        let figures = longest(&|strip| (self.number)(strip.figure.value));
        let right = (WIDTH - EDGE - figures - 12.0).max(left + 100.0);
        let y = groups.fold(56.0, |y, group| {
            self.draw(&mut svg, group, (left, right), y)
        });
        svg.finish(y, report)
    }

    /// Draws a group below `top`, its bars from `left` to `right`, and returns where it ends.
    fn draw(&self, svg: &mut Svg, group: &Group, (left, right): (f64, f64), top: f64) -> f64 {
        svg.text("head", "start", (EDGE, top + 20.0), &group.title);
        let first = top + 30.0;
        let bottom = first + group.strips.iter().map(|_| ROW).sum::<f64>();
        let place = |value: f64| left + (right - left) * group.scale.at(value);
        for &tick in &group.scale.ticks {
            let (class, x) = (if tick == 0.0 { "axis" } else { "grid" }, place(tick));
            svg.line(class, (x, first), (x, bottom));
            svg.text("small", "middle", (x, bottom + 15.0), &Scale::text(tick));
        }
        let mut middle = first + ROW / 2.0;
        for strip in &group.strips {
            draw_strip(svg, strip, middle, place);
            let figure = (place(strip.figure.max) + 6.0, middle + 4.0);
            svg.text("value", "start", figure, &(self.number)(strip.figure.value));
            svg.text("label", "end", (left - 8.0, middle + 4.0), &strip.label);
            middle += ROW;
        }
        let below = (f64::midpoint(left, right), bottom + 31.0);
        svg.text("small", "middle", below, self.axis);
        bottom + 40.0
    }
}

fn draw_strip(svg: &mut Svg, strip: &Strip, middle: f64, place: impl Fn(f64) -> f64) {
    let figure = strip.figure;
    let full = figure.value - strip.faint;
    let mut bar = |class: &str, from: f64, to: f64| {
        let corner = (place(from), middle - THICK / 2.0);
        svg.bar(class, corner, (place(to) - place(from), THICK));
    };
    bar(&format!("bar {}", strip.class), 0.0, full);
    if 0.0 < strip.faint {
        bar(&format!("bar {} faint", strip.class), full, figure.value);
    }
    if figure.count > 1 {
        let (low, high) = (place(figure.min), place(figure.max));
        svg.line("whisker", (low, middle), (high, middle));
        for end in [low, high] {
            svg.line("whisker", (end, middle - 4.0), (end, middle + 4.0));
        }
    }
}
