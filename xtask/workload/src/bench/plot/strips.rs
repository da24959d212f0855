//! Horizontal bars, in groups that each have an axis from 0.

use super::{
    super::{caption::Caption, spread::Spread},
    scale::Scale,
    svg::{Anchor, CHARACTER, EDGE, Svg, WIDTH},
};

/// Height of a bar's row and of the bar.
const ROW: f64 = 23.0;
const THICK: f64 = 14.0;

/// One bar.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) label: String,
    /// Classes and lengths of its parts, from the left.
    pub(super) parts: Vec<(String, f64)>,
    /// Smallest and largest sample of the whole.
    pub(super) samples: Option<Spread>,
    pub(super) text: String,
}

impl Strip {
    fn length(&self) -> f64 {
        self.parts.iter().map(|(_, length)| length).sum()
    }

    fn end(&self) -> f64 {
        self.samples
            .map_or(0.0, |samples| samples.max)
            .max(self.length())
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

/// What the colours and lines mean.
pub(super) type Legend<'a> = &'a [(&'a str, &'a str)];

/// Where the bars are: from the end of the longest label to before the longest figure.
#[derive(Debug, Clone, Copy)]
struct Room {
    left: f64,
    width: f64,
}

/// The plot; `axis` is what the lengths are, with their unit.
pub(super) fn plot(
    title: &str,
    axis: &str,
    legend: Legend<'_>,
    groups: &[Group],
    caption: &Caption,
) -> String {
    let mut svg = Svg::new(title);
    let mut y = draw_legend(&mut svg, legend);
    let room = room(groups);
    for group in groups.iter().filter(|group| !group.strips.is_empty()) {
        y = draw(&mut svg, group, room, axis, y);
    }
    if groups.iter().all(|group| group.strips.is_empty()) {
        svg.text("head", Anchor::Start, (EDGE, y + 16.0), "not measured");
        y += 16.0;
    }
    svg.finish(y, caption)
}

fn room(groups: &[Group]) -> Room {
    let longest = |text: fn(&Strip) -> usize| {
        let strips = groups.iter().flat_map(|group| &group.strips);
        let characters = strips.map(text).max().unwrap_or(0);
        CHARACTER * f64::from(u32::try_from(characters).unwrap_or(u32::MAX))
    };
    let left = EDGE + longest(|strip| strip.label.chars().count()) + 8.0;
    let right = longest(|strip| strip.text.chars().count()) + 12.0;
    Room {
        left,
        width: (WIDTH - EDGE - right - left).max(100.0),
    }
}

fn draw_legend(svg: &mut Svg, legend: Legend<'_>) -> f64 {
    let (mut x, y) = (EDGE, 48.0);
    for (class, name) in legend {
        if *class == "whisker" {
            svg.line("whisker", (x, y - 4.0), (x + 14.0, y - 4.0));
            svg.line("whisker", (x, y - 8.0), (x, y));
            svg.line("whisker", (x + 14.0, y - 8.0), (x + 14.0, y));
        } else {
            svg.bar(class, (x, y - 10.0), (14.0, 11.0));
        }
        svg.text("small", Anchor::Start, (x + 20.0, y), name);
        x += 44.0 + 6.2 * f64::from(u32::try_from(name.chars().count()).unwrap_or(0));
    }
    y + 8.0
}

/// Draws a group below `top`, and returns where it ends.
fn draw(svg: &mut Svg, group: &Group, room: Room, axis: &str, top: f64) -> f64 {
    svg.text("head", Anchor::Start, (EDGE, top + 20.0), &group.title);
    let first = top + 30.0;
    let rows = f64::from(u32::try_from(group.strips.len()).unwrap_or(u32::MAX));
    let bottom = first + ROW * rows;
    let place = |value: f64| room.left + room.width * group.scale.at(value);
    for tick in group.scale.ticks() {
        let class = if tick == 0.0 { "axis" } else { "grid" };
        svg.line(class, (place(tick), first), (place(tick), bottom));
        let text = Scale::text(tick);
        svg.text("small", Anchor::Middle, (place(tick), bottom + 15.0), &text);
    }
    let mut y = first;
    for strip in &group.strips {
        draw_strip(svg, strip, room.left, y, place);
        y += ROW;
    }
    let middle = room.left + room.width / 2.0;
    svg.text("small", Anchor::Middle, (middle, bottom + 31.0), axis);
    bottom + 40.0
}

fn draw_strip(svg: &mut Svg, strip: &Strip, left: f64, y: f64, place: impl Fn(f64) -> f64) {
    let middle = y + ROW / 2.0;
    svg.text(
        "label",
        Anchor::End,
        (left - 8.0, middle + 4.0),
        &strip.label,
    );
    let mut from = 0.0;
    for (class, length) in &strip.parts {
        let (start, end) = (place(from), place(from + length));
        svg.bar(class, (start, middle - THICK / 2.0), (end - start, THICK));
        from += length;
    }
    if let Some(samples) = strip.samples.filter(|samples| samples.count > 1) {
        let (low, high) = (place(samples.min), place(samples.max));
        svg.line("whisker", (low, middle), (high, middle));
        for end in [low, high] {
            svg.line("whisker", (end, middle - 4.0), (end, middle + 4.0));
        }
    }
    let after = place(strip.end()) + 6.0;
    svg.text("value", Anchor::Start, (after, middle + 4.0), &strip.text);
}
