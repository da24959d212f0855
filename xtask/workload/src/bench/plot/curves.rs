//! Curves in panels side by side. The figures stand in rows under the axis, where none can cover another.

use super::{
    super::{number, report::Report, spread::Spread},
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
    /// Height, with its samples where it has some.
    pub(super) figure: Spread,
    /// Whether the figure is written, which also gives it a dot.
    pub(super) is_written: bool,
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

/// Where all samples of `curves` begin and end, for their axis.
pub(super) fn ends<'a>(curves: impl IntoIterator<Item = &'a Series>) -> Vec<f64> {
    let points = curves.into_iter().flat_map(|(_, points)| points);
    points
        .flat_map(|point| [point.figure.min, point.figure.max])
        .collect()
}

/// Draws `panels` into `svg`.
pub(super) fn plot(mut svg: Svg, panels: &[Panel], report: &Report) -> String {
    if panels.is_empty() {
        return svg.nothing(report);
    }
    let count = panels.iter().map(|_| 1.0).sum::<f64>();
    let whole = (WIDTH - 2.0 * EDGE - GAP * (count - 1.0)) / count;
    let (mut left, mut bottom) = (EDGE + LEFT, 0.0_f64);
    for panel in panels {
        bottom = bottom.max(draw(&mut svg, panel, left, whole - LEFT - 4.0));
        left += whole + GAP;
    }
    svg.finish(bottom, report)
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
    let places = points
        .iter()
        .map(|point| place(point.x, point.figure.value));
    let places: Vec<_> = places.collect();
    svg.curve(&format!("curve {class}"), &places);
    for (
        Point {
            x,
            figure,
            is_written,
        },
        &(left, top),
    ) in points.iter().zip(&places)
    {
        if figure.count > 1 {
            svg.line("whisker", place(*x, figure.min), place(*x, figure.max));
        }
        if *is_written {
            svg.dot(&format!("dot {class}"), (left, top));
            let class = format!("value colour {class}");
            svg.text(&class, "middle", (left, row), &number::short(figure.value));
        }
    }
}
