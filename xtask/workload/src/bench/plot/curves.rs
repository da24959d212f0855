//! Curves in panels side by side. The figures stand in rows under the axis, where none can cover another.

use super::{
    super::{caption::Caption, spread::Spread},
    scale::Scale,
    svg::{EDGE, Svg, WIDTH},
};

/// Height of a panel's inside.
const HEIGHT: f64 = 210.0;
/// Where the inside begins, below the legend and the panel's title.
const TOP: f64 = 104.0;
/// Room for the numbers of the upright axis.
const LEFT: f64 = 46.0;
/// Room between panels.
const GAP: f64 = 18.0;
/// Height of a row of figures.
const ROW: f64 = 15.0;

/// One point.
#[derive(Debug)]
pub(super) struct Point {
    /// Place on the level axis, from 0 to 1.
    pub(super) x: f64,
    pub(super) y: f64,
    /// The samples that it is the median of.
    pub(super) samples: Option<Spread>,
    /// Its figure, which also gives it a dot.
    pub(super) text: Option<String>,
}

/// The points of one curve, and its class.
pub(super) type Series = (&'static str, Vec<Point>);

/// Curves that share axes.
#[derive(Debug)]
pub(super) struct Panel {
    /// What the height is, with its unit.
    pub(super) title: String,
    /// What the level axis is, with its unit.
    pub(super) axis: &'static str,
    /// Places on the level axis and what is there.
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) scale: Scale,
    pub(super) series: Vec<Series>,
}

/// Draws `panels` into `svg`.
pub(super) fn plot(mut svg: Svg, panels: &[Panel], caption: &Caption) -> String {
    if panels.is_empty() {
        svg.text("head", "start", (EDGE, 72.0), "not measured");
        return svg.finish(72.0, caption);
    }
    let count = panels.iter().map(|_| 1.0).sum::<f64>();
    let whole = (WIDTH - 2.0 * EDGE - GAP * (count - 1.0)) / count;
    let (mut left, mut bottom) = (EDGE + LEFT, 0.0_f64);
    for panel in panels {
        bottom = bottom.max(draw(&mut svg, panel, left, whole - LEFT - 4.0));
        left += whole + GAP;
    }
    svg.finish(bottom, caption)
}

/// Draws a panel whose inside begins at `left`, and returns where it ends.
fn draw(svg: &mut Svg, panel: &Panel, left: f64, width: f64) -> f64 {
    let (right, bottom) = (left + width, TOP + HEIGHT);
    svg.text("head", "start", (left - LEFT, TOP - 20.0), &panel.title);
    for &tick in &panel.scale.ticks {
        let y = bottom - HEIGHT * panel.scale.at(tick);
        svg.line("grid", (left, y), (right, y));
        svg.text("small", "end", (left - 6.0, y + 4.0), &Scale::text(tick));
    }
    svg.line("axis", (left, TOP), (left, bottom));
    svg.line("axis", (left, bottom), (right, bottom));
    for (x, text) in &panel.ticks {
        let x = left + width * x;
        svg.line("axis", (x, bottom), (x, bottom + 4.0));
        svg.text("small", "middle", (x, bottom + 16.0), text);
    }
    let middle = (left + width / 2.0, bottom + 31.0);
    svg.text("small", "middle", middle, panel.axis);
    let mut row = bottom + 31.0;
    for (class, points) in &panel.series {
        row += ROW;
        let place = |x, y| (left + width * x, bottom - HEIGHT * panel.scale.at(y));
        draw_series(svg, class, points, row, place);
        let curve = format!("curve {class}");
        svg.line(&curve, (left - LEFT, row - 4.0), (left - 22.0, row - 4.0));
    }
    row
}

fn draw_series(
    svg: &mut Svg,
    class: &str,
    points: &[Point],
    row: f64,
    place: impl Fn(f64, f64) -> (f64, f64),
) {
    let places: Vec<_> = points.iter().map(|point| place(point.x, point.y)).collect();
    svg.curve(&format!("curve {class}"), &places);
    for (point, &(x, y)) in points.iter().zip(&places) {
        if let Some(samples) = point.samples.filter(|samples| samples.count > 1) {
            let [low, high] = [samples.min, samples.max].map(|end| place(point.x, end));
            svg.line("whisker", low, high);
        }
        if let Some(text) = &point.text {
            svg.dot(&format!("dot {class}"), (x, y));
            svg.text(&format!("value colour {class}"), "middle", (x, row), text);
        }
    }
}
