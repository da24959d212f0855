//! Curves in panels side by side.

use super::{
    super::caption::Caption,
    scale::Scale,
    svg::{Anchor, EDGE, Svg, WIDTH},
};

/// Height of a panel's inside.
const HEIGHT: f64 = 210.0;
/// Room for the numbers of the upright axis.
const LEFT: f64 = 52.0;
/// Room between panels.
const GAP: f64 = 14.0;
/// Height of a figure.
const LABEL: f64 = 12.0;

/// One point.
#[derive(Debug)]
pub(super) struct Point {
    /// Place on the level axis, from 0 to 1.
    pub(super) x: f64,
    pub(super) y: f64,
    /// Smallest and largest sample.
    pub(super) ends: Option<(f64, f64)>,
    /// Its figure, which also gives it a dot.
    pub(super) text: Option<String>,
}

/// One curve.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) class: &'static str,
    pub(super) points: Vec<Point>,
}

/// Curves that share axes.
#[derive(Debug)]
pub(super) struct Panel {
    /// What the height is, with its unit.
    pub(super) title: String,
    /// What the level axis is, with its unit.
    pub(super) axis: &'static str,
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) scale: Scale,
    pub(super) series: Vec<Series>,
}

/// Where a panel's inside is.
#[derive(Debug, Clone, Copy)]
struct Room {
    left: f64,
    width: f64,
    bottom: f64,
}

impl Room {
    fn place(self, panel: &Panel, x: f64, y: f64) -> (f64, f64) {
        (
            self.left + self.width * x,
            self.bottom - HEIGHT * panel.scale.at(y),
        )
    }
}

/// The plot; `legend` has a class and a name for each curve.
pub(super) fn plot(
    title: &str,
    legend: &[(&str, &str)],
    panels: &[Panel],
    caption: &Caption,
) -> String {
    let mut svg = Svg::new(title);
    if panels.is_empty() {
        svg.text("head", Anchor::Start, (EDGE, 60.0), "not measured");
        return svg.finish(60.0, caption);
    }
    draw_legend(&mut svg, legend);
    let count = f64::from(u32::try_from(panels.len()).unwrap_or(1));
    let whole = (WIDTH - 2.0 * EDGE - GAP * (count - 1.0)) / count;
    let mut room = Room {
        left: EDGE + LEFT,
        width: whole - LEFT - 12.0,
        bottom: 104.0 + HEIGHT,
    };
    let mut bottom = room.bottom;
    for panel in panels {
        bottom = bottom.max(draw(&mut svg, panel, room));
        room.left += whole + GAP;
    }
    svg.finish(bottom, caption)
}

fn draw_legend(svg: &mut Svg, legend: &[(&str, &str)]) {
    let mut x = EDGE;
    for (class, name) in legend {
        if *class == "whisker" {
            svg.line("whisker", (x + 20.0, 38.0), (x + 20.0, 50.0));
        } else {
            svg.curve(class, &[(x, 44.0), (x + 26.0, 44.0)]);
        }
        svg.text("small", Anchor::Start, (x + 32.0, 48.0), name);
        x += 56.0 + width(name);
    }
}

/// Draws a panel, and returns where it ends.
fn draw(svg: &mut Svg, panel: &Panel, room: Room) -> f64 {
    let (left, right, bottom) = (room.left, room.left + room.width, room.bottom);
    let head = (left - LEFT, bottom - HEIGHT - 26.0);
    svg.text("head", Anchor::Start, head, &panel.title);
    for tick in panel.scale.ticks() {
        let (_, y) = room.place(panel, 0.0, tick);
        svg.line("grid", (left, y), (right, y));
        let text = Scale::text(tick);
        svg.text("small", Anchor::End, (left - 6.0, y + 4.0), &text);
    }
    svg.line("axis", (left, bottom - HEIGHT), (left, bottom));
    svg.line("axis", (left, bottom), (right, bottom));
    let end = draw_ticks(svg, panel, room) + 16.0;
    let below = (left + room.width / 2.0, end);
    svg.text("small", Anchor::Middle, below, panel.axis);
    let mut labels = Labels::default();
    for series in &panel.series {
        draw_series(svg, panel, series, room, &mut labels);
    }
    end
}

/// Draws the numbers of the level axis, and returns the lowest baseline; one that would run into the one before it goes
/// below it.
fn draw_ticks(svg: &mut Svg, panel: &Panel, room: Room) -> f64 {
    let (mut end, mut lowest) = (f64::NEG_INFINITY, room.bottom);
    for (x, text) in &panel.ticks {
        let x = room.left + room.width * x;
        let half = width(text) / 2.0;
        let low = x - half < end;
        end = if low {
            f64::NEG_INFINITY
        } else {
            x + half + 5.0
        };
        let line = room.bottom + if low { 17.0 } else { 4.0 };
        svg.line("axis", (x, room.bottom), (x, line));
        svg.text("small", Anchor::Middle, (x, line + 12.0), text);
        lowest = lowest.max(line + 12.0);
    }
    lowest
}

/// About the width of `text` in small letters.
fn width(text: &str) -> f64 {
    6.2 * f64::from(u32::try_from(text.chars().count()).unwrap_or(0))
}

/// Where figures stand already.
#[derive(Debug, Default)]
struct Labels {
    /// Middle, half the width, and baseline.
    taken: Vec<(f64, f64, f64)>,
}

impl Labels {
    /// The baseline nearest to `baseline`, upwards or downwards from it, at which `text` touches no other figure.
    fn place(&mut self, text: &str, x: f64, mut baseline: f64, upwards: bool) -> f64 {
        let half = width(text) / 2.0;
        let step = if upwards { -LABEL } else { LABEL };
        // A little less than a step, so that no rounding makes one too short.
        while let Some((_, _, other)) = self.taken.iter().find(|(middle, other_half, other)| {
            (middle - x).abs() < half + other_half && (other - baseline).abs() < LABEL - 0.5
        }) {
            baseline = other + step;
        }
        self.taken.push((x, half, baseline));
        baseline
    }
}

fn draw_series(svg: &mut Svg, panel: &Panel, series: &Series, room: Room, labels: &mut Labels) {
    let place = |point: &Point| room.place(panel, point.x, point.y);
    let places: Vec<_> = series.points.iter().map(place).collect();
    svg.curve(series.class, &places);
    for (point, &(x, y)) in series.points.iter().zip(&places) {
        let (mut high, mut low) = (y, y);
        if let Some((smallest, largest)) = point.ends {
            low = room.place(panel, point.x, smallest).1;
            high = room.place(panel, point.x, largest).1;
            svg.line("whisker", (x, low), (x, high));
        }
        if let Some(text) = &point.text {
            svg.dot(series.class, (x, y));
            let above = is_highest(panel, series, point);
            // Never below the axis, where its numbers are.
            let below = (low + 16.0).min(room.bottom - 4.0);
            let baseline = if above { high - 8.0 } else { below };
            // Away from the axis and its numbers.
            let left = room.left + width(text) / 2.0 + 3.0;
            let x = x.max(left);
            let baseline = labels.place(text, x, baseline, above);
            svg.text("value", Anchor::Middle, (x, baseline), text);
        }
    }
}

/// Whether no other curve passes above `point`; of curves that meet, the first one does.
fn is_highest(panel: &Panel, series: &Series, point: &Point) -> bool {
    let others = panel.series.iter().map(|other| {
        let mut points = other.points.iter();
        (
            other,
            points.find(|other| other.x.total_cmp(&point.x).is_eq()),
        )
    });
    let found = others.filter_map(|(other, found)| Some((other, found?.y)));
    let (highest, _) = found.fold((series, f64::NEG_INFINITY), |best, next| {
        if next.1 > best.1 { next } else { best }
    });
    std::ptr::eq(highest, series)
}
