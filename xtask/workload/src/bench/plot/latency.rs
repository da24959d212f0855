//! Distributions of latency at each rate, the engine's beside the floor's.

use super::{
    super::{
        caption::Caption,
        number,
        report::{Latency, Path, Report},
        spread::Spread,
        summary::Summary,
    },
    curves::{self, Panel, Point, Series},
    scale::Scale,
};

/// Nines that the axis has room for; what is slower still is drawn at its end, as the slowest.
const NINES: f64 = 4.0;
/// The last place before the slowest one.
const LAST: f64 = 3.6;
/// Percentiles that have a figure.
const NAMED: [f64; 2] = [50.0, 99.0];

/// The plot.
pub(super) fn plot(report: &Report, summary: &Summary, caption: &Caption) -> String {
    let mut rates: Vec<u32> = summary.latencies.keys().map(|(rate, _)| *rate).collect();
    rates.dedup();
    let curve = |rate, path| (path, distribution(report, rate, path));
    let panels: Vec<_> = rates
        .into_iter()
        .map(|rate| {
            (
                rate,
                [Path::Engine, Path::Floor].map(|path| curve(rate, path)),
            )
        })
        .collect();
    let all = panels.iter().flat_map(|(_, curves)| curves);
    // One axis for all rates, so that they can be compared.
    let scale = Scale::log(all.flat_map(|(_, points)| points.iter().map(|point| point.1)));
    let panels: Vec<_> = panels
        .into_iter()
        .map(|(rate, curves)| panel(rate, scale, curves))
        .collect();
    let legend = [("engine", "through the engine"), ("both dashed", "floor")];
    curves::plot(super::title(super::LATENCY), &legend, &panels, caption)
}

fn panel(rate: u32, scale: Scale, curves: [(Path, Vec<(f64, f64)>); 2]) -> Panel {
    let ticks = [50.0, 90.0, 99.0, 99.9].map(|tick| (place(tick), format!("{tick}")));
    let mut ticks = ticks.to_vec();
    ticks.push((1.0, "max".to_owned()));
    let series = curves.into_iter().map(|(path, points)| Series {
        class: match path {
            Path::Engine => "engine",
            Path::Floor => "both dashed",
        },
        points: points.into_iter().filter_map(point).collect(),
    });
    Panel {
        title: format!("ms at {} inserts/s", number::whole(f64::from(rate))),
        axis: "percentile",
        ticks,
        scale,
        series: series.collect(),
    }
}

fn point((percentile, millis): (f64, f64)) -> Option<Point> {
    let x = place(percentile);
    let room = x <= LAST / NINES || percentile >= 100.0;
    let named = NAMED.contains(&percentile) || percentile >= 100.0;
    room.then(|| Point {
        x,
        y: millis,
        ends: None,
        text: named.then(|| number::short(millis)),
    })
}

/// Each nine has the same room.
fn place(percentile: f64) -> f64 {
    let nines = -(1.0 - percentile / 100.0).log10();
    nines.clamp(0.0, NINES) / NINES
}

/// The median of all samples at each percentile, with the named ones and the slowest among them.
fn distribution(report: &Report, rate: u32, path: Path) -> Vec<(f64, f64)> {
    let samples: Vec<&Latency> = report
        .latencies
        .iter()
        .filter(|latency| latency.per_second == rate && latency.path == path)
        .collect();
    let every = samples.iter().flat_map(|latency| &latency.distribution);
    let mut percentiles: Vec<f64> = every.map(|(percentile, _)| *percentile).collect();
    percentiles.extend(NAMED);
    percentiles.push(100.0);
    percentiles.sort_by(f64::total_cmp);
    percentiles.dedup();
    percentiles
        .into_iter()
        .filter_map(|percentile| {
            let millis = samples.iter().map(|latency| millis(latency, percentile));
            Some((percentile, Spread::of(millis)?.median))
        })
        .collect()
}

/// A distribution is a stair: what 90 in 100 do not pass, 89 do not pass either.
fn millis(latency: &Latency, percentile: f64) -> f64 {
    let named = [(50.0, latency.p50_ms), (99.0, latency.p99_ms)];
    let mut named = named.into_iter();
    if let Some((_, millis)) = named.find(|(named, _)| percentile.total_cmp(named).is_eq()) {
        return millis;
    }
    let mut points = latency.distribution.iter();
    let found = points.find(|(point, _)| *point >= percentile && *point < 100.0);
    found.map_or(latency.max_ms, |(_, millis)| *millis)
}
