//! Distributions of latency at each rate, the engine's beside the floor's.

use super::{
    super::{
        number,
        report::{Latency, Path, Report},
        spread::Spread,
        summary::Summary,
    },
    curves::{self, Panel, Point, Series},
    scale::Scale,
    svg::Svg,
};

/// Nines that the axis has room for; what is slower still is drawn at its end, as the slowest.
const NINES: f64 = 4.0;
/// The last percentile before the slowest one.
const LAST: f64 = 99.975;
/// Percentiles that have a figure, besides the slowest.
const NAMED: [f64; 3] = [50.0, 90.0, 99.0];
/// Class, kind of shape and name of each path.
const PATHS: [(Path, &str, &str); 2] = [
    (Path::Engine, "engine", "through the engine"),
    (Path::Floor, "both dashed", "floor"),
];

/// The plot.
pub(super) fn plot(summary: &Summary) -> String {
    let report = &summary.report;
    let mut rates: Vec<u32> = summary.latencies.keys().map(|(rate, _)| *rate).collect();
    rates.dedup();
    let curves = |rate| PATHS.map(|(path, class, _)| (class, points(report, rate, path)));
    let curves: Vec<_> = rates.iter().map(|rate| curves(*rate)).collect();
    // One axis for all rates, so that they can be compared.
    let scale = Scale::log(curves::ends(curves.iter().flatten()));
    let panels = rates.into_iter().zip(curves);
    let panels = panels.map(|(rate, curves)| panel(rate, scale.clone(), curves));
    let legend = PATHS.map(|(_, class, name)| ("curve", class, name));
    let svg = Svg::new(super::LATENCY, &legend);
    curves::plot(svg, &panels.collect::<Vec<_>>(), report)
}

fn panel(rate: u32, scale: Scale, series: [Series; 2]) -> Panel {
    let ticks = [50.0, 90.0, 99.0, 99.9].map(|tick| (place(tick), format!("{tick}")));
    let most = (1.0, "max".to_owned());
    let series = series.into_iter().filter(|(_, points)| !points.is_empty());
    Panel {
        title: format!("ms at {} inserts/s", number::whole(f64::from(rate))),
        axis: "percentile",
        ticks: ticks.into_iter().chain([most]).collect(),
        scale,
        series: series.collect(),
    }
}

/// Each nine has the same room.
fn place(percentile: f64) -> f64 {
    let nines = -(1.0 - percentile / 100.0).log10();
    nines.clamp(0.0, NINES) / NINES
}

/// The median of all samples at each percentile, with the named ones and the slowest among them.
fn points(report: &Report, rate: u32, path: Path) -> Vec<Point> {
    let samples = report.latencies.iter();
    let samples = samples.filter(|latency| latency.per_second == rate && latency.path == path);
    let samples: Vec<&Latency> = samples.collect();
    let every = samples.iter().flat_map(|latency| &latency.distribution);
    let every = every.map(|(percentile, _)| *percentile);
    let every = every.filter(|percentile| *percentile <= LAST);
    let mut percentiles: Vec<f64> = every.chain(NAMED).chain([100.0]).collect();
    percentiles.sort_by(f64::total_cmp);
    percentiles.dedup();
    let point = |percentile| {
        let millis = samples.iter().map(|latency| millis(latency, percentile));
        Some(Point {
            x: place(percentile),
            figure: Spread::alone(Spread::of(millis)?.value),
            is_written: NAMED.contains(&percentile) || 100.0 <= percentile,
        })
    };
    percentiles.into_iter().filter_map(point).collect()
}

/// A distribution is a stair: what 90 in 100 do not pass, 89 do not pass either.
fn millis(latency: &Latency, percentile: f64) -> f64 {
    let named = NAMED
        .iter()
        .zip([latency.p50_ms, latency.p90_ms, latency.p99_ms]);
    let mut named = named.filter(|(named, _)| percentile.total_cmp(named).is_eq());
    if let Some((_, millis)) = named.next() {
        return millis;
    }
    let mut points = latency.distribution.iter();
    let found = points.find(|(point, _)| percentile <= *point && *point < 100.0);
    found.map_or(latency.max_ms, |(_, millis)| *millis)
}
