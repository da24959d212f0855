//! Horizontal bars, in groups that each have an axis from 0.

use super::{
    super::{caption::Caption, spread::Spread},
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
    pub(super) length: f64,
    /// How much of the length, at its end, is drawn faintly.
    pub(super) faint: f64,
    /// The samples that the length is the median of.
    pub(super) samples: Option<Spread>,
    pub(super) text: String,
}

impl Strip {
    fn end(&self) -> f64 {
        let most = self.samples.map_or(0.0, |samples| samples.max);
        most.max(self.length)
    }
}

/// Bars that share an axis.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) strips: Vec<Strip>,
    pub(super) scale: Scale,
}

/// An axis from 0 for `strips`.
pub(super) fn scale<'a>(strips: impl IntoIterator<Item = &'a Strip>) -> Scale {
    Scale::linear(strips.into_iter().map(Strip::end))
}

/// Draws `groups` into `svg`; `axis` is what the lengths are, with their unit.
pub(super) fn plot(mut svg: Svg, axis: &str, groups: &[Group], caption: &Caption) -> String {
    let mut y = 56.0;
    let strips = || groups.iter().flat_map(|group| &group.strips);
    if strips().next().is_none() {
        svg.text("head", "start", (EDGE, y + 16.0), "not measured");
        return svg.finish(y + 16.0, caption);
    }
    // From the end of the longest label to before the longest figure.
    let longest = |text: fn(&Strip) -> &str| {
        let widths = strips().map(|strip| width(text(strip), CHARACTER));
        widths.fold(0.0, f64::max)
    };
    let left = EDGE + longest(|strip| &strip.label) + 8.0;
    let right = WIDTH - EDGE - longest(|strip| &strip.text) - 12.0;
    for group in groups.iter().filter(|group| !group.strips.is_empty()) {
        y = draw(&mut svg, group, (left, right.max(left + 100.0)), axis, y);
    }
    svg.finish(y, caption)
}

/// Draws a group below `top`, its bars from `left` to `right`, and returns where it ends.
fn draw(svg: &mut Svg, group: &Group, (left, right): (f64, f64), axis: &str, top: f64) -> f64 {
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
        svg.text("label", "end", (left - 8.0, middle + 4.0), &strip.label);
        middle += ROW;
    }
    let below = (f64::midpoint(left, right), bottom + 31.0);
    svg.text("small", "middle", below, axis);
    bottom + 40.0
}

fn draw_strip(svg: &mut Svg, strip: &Strip, middle: f64, place: impl Fn(f64) -> f64) {
    let full = strip.length - strip.faint;
    let mut bar = |class: &str, from: f64, to: f64| {
        let corner = (place(from), middle - THICK / 2.0);
        svg.bar(class, corner, (place(to) - place(from), THICK));
    };
    bar(&format!("bar {}", strip.class), 0.0, full);
    if 0.0 < strip.faint {
        bar(&format!("bar {} faint", strip.class), full, strip.length);
    }
    if let Some(samples) = strip.samples.filter(|samples| samples.count > 1) {
        let (low, high) = (place(samples.min), place(samples.max));
        svg.line("whisker", (low, middle), (high, middle));
        for end in [low, high] {
            svg.line("whisker", (end, middle - 4.0), (end, middle + 4.0));
        }
    }
    let after = (place(strip.end()) + 6.0, middle + 4.0);
    svg.text("value", "start", after, &strip.text);
}
