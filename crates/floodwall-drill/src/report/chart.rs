//! One drill as two small charts over time: how much arrived, and how late; the flood's rate behind.

use crate::measure::to_f64;
use crate::run::Outcome;

/// Size of the drawing area in the SVG's own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;

/// Latencies are drawn on a logarithmic scale between these, in milliseconds.
const LATENCY_MS: (f64, f64) = (1.0, 10_000.0);

/// What the template draws. Points are `x,y x,y ...` as SVG takes them.
pub(super) struct Chart {
    /// Share of what was wanted that arrived.
    pub(super) arrived: String,
    /// Median and 99th percentile of the latency.
    pub(super) p50: String,
    pub(super) p99: String,
    /// The floods' rate, as a closed shape.
    pub(super) flood: String,
    /// The highest rate of the floods, for the legend; 0 without one.
    pub(super) flood_peak: u64,
    /// Where trouble begins.
    pub(super) onset_x: Option<String>,
    /// Marks on the time axis: place and seconds.
    pub(super) ticks: Vec<(String, u32)>,
    /// The same in words.
    pub(super) words: String,
}

impl Chart {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let duration = f64::from(outcome.scenario.duration_s.max(1));
        let x = |second: f64| second / duration * WIDTH;
        let seconds = &outcome.goodput.seconds;
        let line = |y: &dyn Fn(&crate::measure::Second) -> Option<f64>| {
            let points = seconds.iter().zip(0_u32..).filter_map(|(second, at)| {
                let y = y(second)?;
                Some(format!("{:.1},{y:.1}", x(f64::from(at) + 0.5)))
            });
            points.collect::<Vec<_>>().join(" ")
        };
        let rates = flood_rates(outcome);
        let peak = rates.iter().copied().max().unwrap_or(0);
        let mut flood = format!("0,{HEIGHT:.0}");
        for (rate, at) in rates.iter().zip(0_u32..) {
            let y = HEIGHT - to_f64(*rate) / to_f64(peak.max(1)) * HEIGHT;
            flood.push_str(&format!(" {:.1},{y:.1} {:.1},{y:.1}", x(f64::from(at)), x(f64::from(at) + 1.0)));
        }
        flood.push_str(&format!(" {WIDTH:.0},{HEIGHT:.0}"));
        let every = if outcome.scenario.duration_s > 120 { 30 } else { 10 };
        let onset = outcome.scenario.onset_s();
        Self {
            arrived: line(&|second| {
                (second.wants > 0).then(|| HEIGHT - to_f64(second.arrived) / to_f64(second.wants) * HEIGHT)
            }),
            p50: line(&|second| (second.arrived > 0).then(|| latency_y(second.p50_ms))),
            p99: line(&|second| (second.arrived > 0).then(|| latency_y(second.p99_ms))),
            flood,
            flood_peak: peak,
            onset_x: onset.map(|onset| format!("{:.1}", x(f64::from(onset)))),
            ticks: (0..=outcome.scenario.duration_s)
                .step_by(every)
                .map(|second| (format!("{:.1}", x(f64::from(second))), second))
                .collect(),
            words: words(outcome),
        }
    }
}

fn latency_y(ms: f64) -> f64 {
    let (low, high) = (LATENCY_MS.0.ln(), LATENCY_MS.1.ln());
    let place = (ms.max(LATENCY_MS.0).ln() - low) / (high - low);
    HEIGHT - place.clamp(0.0, 1.0) * HEIGHT
}

/// What all floods began in each second.
fn flood_rates(outcome: &Outcome) -> Vec<u64> {
    let mut rates = vec![0_u64; usize::try_from(outcome.scenario.duration_s).unwrap_or(0)];
    for flood in &outcome.floods {
        for (rate, second) in rates.iter_mut().zip(&flood.seconds) {
            *rate = rate.saturating_add(second.begun);
        }
    }
    rates
}

fn words(outcome: &Outcome) -> String {
    let worst = outcome
        .goodput
        .seconds
        .iter()
        .zip(0_u32..)
        .filter(|(second, _)| second.wants > 0)
        .min_by(|(a, _), (b, _)| share(a).total_cmp(&share(b)));
    match worst {
        Some((second, _)) if second.arrived == second.wants => {
            "Everything that was wanted arrived in every second.".to_owned()
        }
        Some((second, at)) => format!(
            "The worst second was second {at}: {} of {} things that were wanted arrived.",
            second.arrived, second.wants
        ),
        None => "Nothing was wanted.".to_owned(),
    }
}

fn share(second: &crate::measure::Second) -> f64 {
    to_f64(second.arrived) / to_f64(second.wants.max(1))
}
