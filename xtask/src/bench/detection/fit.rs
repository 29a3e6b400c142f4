//! Fits the weights: logistic regression with a penalty on size (ridge), each weight held to the
//! sign that the field's knowledge gives it, then a temperature from episodes that were not fitted on.

use std::fmt::Write as _;

use floodwall_detection::Weights;
use floodwall_model::{GroundKind, TrafficVerdict};

use super::episodes::What;
use super::world::Outcome;

/// Grounds, and the signs that their weights may have for an attack, a crowd, routine trouble:
/// `+`, `-`, `0` (none), `*` (any).
#[rustfmt::skip]
const SIGNS: &[(GroundKind, &str)] = &[
    (GroundKind::RequestRise, "++-"),
    (GroundKind::RiseTime, "+--"),
    (GroundKind::AssetsPerPage, "-+*"),
    (GroundKind::BrowserLike, "-+*"),
    (GroundKind::BareVisits, "+-*"),
    (GroundKind::CameFromWithin, "+-0"),
    (GroundKind::GreedySources, "+-*"),
    (GroundKind::Returning, "-+0"),
    (GroundKind::ThinkTime, "-+0"),
    (GroundKind::PageBreadth, "*0+"),
    (GroundKind::RequestsPerSource, "+-*"),
    (GroundKind::TopSource, "+-+"),
    (GroundKind::TopAgent, "+-*"),
    (GroundKind::AgentShift, "+--"),
    (GroundKind::NewAgents, "+-*"),
    (GroundKind::TopPath, "+0-"),
    (GroundKind::PathShift, "+--"),
    (GroundKind::QueryShare, "+--"),
    (GroundKind::QueryNovelty, "+--"),
    (GroundKind::NoReferrer, "+--"),
    (GroundKind::NotFound, "+--"),
    (GroundKind::OriginBound, "+--"),
    (GroundKind::OtherMethods, "+--"),
    (GroundKind::DeclaredBots, "--+"),
    (GroundKind::TopFingerprint, "+-*"),
    (GroundKind::FingerprintShift, "+--"),
    (GroundKind::NewFingerprints, "+-*"),
    (GroundKind::Unsolved, "+--"),
    (GroundKind::Announced, "-+-"),
    (GroundKind::HalfOpen, "+--"),
    (GroundKind::OtherPackets, "+--"),
    (GroundKind::SilentConnections, "+--"),
    (GroundKind::HandshakeFailures, "+-*"),
    (GroundKind::SlowConnections, "+-*"),
    (GroundKind::StreamResets, "+--"),
    (GroundKind::UnknownHosts, "+--"),
    (GroundKind::Malformed, "+--"),
    (GroundKind::OriginDown, "--+"),
    (GroundKind::OriginFailures, "--+"),
    (GroundKind::OriginLatency, "--+"),
    (GroundKind::RequestDrop, "--+"),
    (GroundKind::Certificate, "--+"),
    (GroundKind::Names, "--+"),
    (GroundKind::Unreachable, "--+"),
    (GroundKind::EdgeStrain, "--+"),
    (GroundKind::KnownRefused, "--+"),
    (GroundKind::RecentChange, "--+"),
    (GroundKind::OnePart, "--+"),
];

/// Penalty on the square of each weight, for each sample.
const PENALTY: f64 = 0.0002;
const STEPS: usize = 4_000;
/// Log-odds that a strength of 1 may add: no ground decides everything by itself.
const WEIGHT_MAX: f64 = 9.0;

/// One moment of an episode.
struct Sample {
    strengths: Vec<f64>,
    /// Whether each explanation is part of it; `None` where that is open.
    truth: [Option<bool>; 3],
    weight: f64,
    held_out: bool,
}

/// What was fitted.
pub(super) struct Fitted {
    base: [f64; 3],
    weights: Vec<[f64; 3]>,
    temperature: f64,
    samples: usize,
}

fn samples(outcomes: &[&Outcome]) -> Vec<Sample> {
    let mut samples = Vec::new();
    for outcome in outcomes {
        let truth = match outcome.episode.what {
            // An incident where nothing was is not "nothing": it is unknown.
            What::Nothing => [Some(false), None, Some(false)],
            What::Both(..) => [Some(true), None, Some(false)],
            What::Attack(_) => [Some(true), Some(false), Some(false)],
            What::Crowd(_) => [Some(false), Some(true), Some(false)],
            What::Routine(_) => [Some(false), Some(false), Some(true)],
        };
        let late = matches!(outcome.episode.what, What::Both(..));
        for (age, strengths) in outcome.evidence.iter().enumerate() {
            // In the first seconds of a crowd with a flood in it there is no flood yet.
            if late && age < 5 {
                continue;
            }
            let held_out = outcome.episode.seed % 8 < 2;
            let weight = 1.0 / outcome.evidence.len() as f64;
            samples.push(Sample { strengths: strengths.clone(), truth, weight, held_out });
        }
    }
    samples
}

/// The same of one class's weights.
fn sum_of(base: f64, weights: &[f64], strengths: &[f64]) -> f64 {
    base + weights.iter().zip(strengths).map(|(weight, strength)| weight * strength).sum::<f64>()
}

fn sum(base: f64, weights: &[[f64; 3]], class: usize, strengths: &[f64]) -> f64 {
    let terms = weights
        .iter()
        .zip(strengths)
        .map(|(weights, strength)| weights.get(class).copied().unwrap_or(0.0) * strength);
    base + terms.sum::<f64>()
}

fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

/// Fits on the outcomes of the training half.
pub(super) fn fit(outcomes: &[&Outcome]) -> Fitted {
    let samples = samples(outcomes);
    let mut weights = vec![[0.0; 3]; SIGNS.len()];
    let mut base = [0.0; 3];
    for class in 0..3 {
        fit_class(&samples, class, &mut weights, &mut base);
    }
    let temperature = temperature(&samples, &weights, base);
    Fitted { base, weights, temperature, samples: samples.len() }
}

/// Gradient descent with momentum and a step for each weight (Adam, Kingma and Ba 2015).
fn fit_class(samples: &[Sample], class: usize, weights: &mut [[f64; 3]], base: &mut [f64; 3]) {
    let known: Vec<(&Sample, bool)> = samples
        .iter()
        .filter(|sample| !sample.held_out)
        .filter_map(|sample| Some((sample, (*sample.truth.get(class)?)?)))
        .collect();
    let total: f64 = known.iter().map(|(sample, _)| sample.weight).sum();
    let size = weights.len() + 1;
    let (mut mean, mut square) = (vec![0.0; size], vec![0.0; size]);
    for step in 1..=STEPS {
        let mut gradient = vec![0.0; size];
        let own = base.get(class).copied().unwrap_or(0.0);
        let of_class: Vec<f64> = weights.iter().map(|row| row.get(class).copied().unwrap_or(0.0)).collect();
        for (sample, truth) in &known {
            let odds = sum_of(own, &of_class, &sample.strengths);
            let error = (logistic(odds) - f64::from(u8::from(*truth))) * sample.weight / total;
            for (slope, strength) in gradient.iter_mut().zip(sample.strengths.iter().chain([&1.0])) {
                *slope += error * strength;
            }
        }
        let rate = 0.05 * (1.0 - step as f64 / (STEPS as f64 + 1.0));
        for place in 0..size {
            let current = weights.get(place).and_then(|row| row.get(class)).copied();
            let penalty = current.map_or(0.0, |weight| 2.0 * PENALTY * weight);
            let slope = gradient.get(place).copied().unwrap_or(0.0) + penalty;
            let (Some(mean), Some(square)) = (mean.get_mut(place), square.get_mut(place)) else { continue };
            *mean = 0.9 * *mean + 0.1 * slope;
            *square = 0.999 * *square + 0.001 * slope * slope;
            let correct = |value: f64, kept: f64| value / (1.0 - kept.powf(step as f64));
            let change = rate * correct(*mean, 0.9) / (correct(*square, 0.999).sqrt() + 1e-8);
            match weights.get_mut(place).and_then(|row| row.get_mut(class)) {
                Some(weight) => *weight = allowed(*weight - change, place, class),
                None => {
                    if let Some(base) = base.get_mut(class) {
                        *base -= change;
                    }
                }
            }
        }
    }
}

fn allowed(weight: f64, place: usize, class: usize) -> f64 {
    let sign = SIGNS.get(place).and_then(|(_, signs)| signs.as_bytes().get(class));
    let weight = weight.clamp(-WEIGHT_MAX, WEIGHT_MAX);
    match sign {
        Some(b'+') => weight.max(0.0),
        Some(b'-') => weight.min(0.0),
        Some(b'*') => weight,
        _ => 0.0,
    }
}

/// The temperature at which what was held out is least surprising.
fn temperature(samples: &[Sample], weights: &[[f64; 3]], base: [f64; 3]) -> f64 {
    let surprise = |temperature: f64| -> f64 {
        let held_out = samples.iter().filter(|sample| sample.held_out);
        held_out
            .flat_map(|sample| {
                (0..3).filter_map(move |class| Some((sample, class, (*sample.truth.get(class)?)?)))
            })
            .map(|(sample, class, truth)| {
                let own = base.get(class).copied().unwrap_or(0.0);
                let likelihood = logistic(sum(own, weights, class, &sample.strengths) / temperature);
                let right = if truth { likelihood } else { 1.0 - likelihood };
                -right.max(1e-6).ln() * sample.weight
            })
            .sum()
    };
    let candidates = (0..40).map(|step| 0.4 * 1.05_f64.powi(step));
    candidates.min_by(|one, two| surprise(*one).total_cmp(&surprise(*two))).unwrap_or(1.0)
}

impl Fitted {
    /// As a detector takes them.
    pub(super) fn weights(&self) -> Weights {
        Weights { base: self.base, temperature: self.temperature, grounds: self.weights.clone() }
    }

    /// The source text of `crates/floodwall-detection/src/weights.rs`.
    pub(super) fn source(&self, episodes: usize) -> String {
        let mut text = format!(
            "//! What each ground weighs: numbers, not opinions.\n//!\n\
             //! Written by `cargo xtask bench detection --fit` from {} moments of {episodes} episodes, seeds below 1600\n\
             //! (docs/detection.md); signs are set by hand, sizes are fitted.\n\n\
             use floodwall_model::GroundKind;\n\n\
             /// Log-odds of an attack, a crowd and routine trouble when every ground says nothing.\n\
             pub(crate) const BASE: [f64; 3] = [{:.3}, {:.3}, {:.3}];\n\n\
             /// What the sums are divided by.\n\
             pub(crate) const TEMPERATURE: f64 = {:.3};\n\n\
             /// Log-odds that a strength of 1 adds: for an attack, a crowd, routine trouble.\n\
             #[rustfmt::skip]\n\
             pub(crate) const WEIGHTS: [(GroundKind, [f64; 3]); {}] = [\n",
            self.samples,
            self.base[0],
            self.base[1],
            self.base[2],
            self.temperature,
            SIGNS.len(),
        );
        for ((kind, _), [attack, crowd, routine]) in SIGNS.iter().zip(&self.weights) {
            let (attack, crowd, routine) = (attack + 0.0, crowd + 0.0, routine + 0.0);
            let _ = writeln!(text, "    (GroundKind::{kind:?}, [{attack:.2}, {crowd:.2}, {routine:.2}]),");
        }
        text.push_str(
            "];\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    \
             fn weights_are_in_the_order_of_the_grounds() {\n        \
             let kinds: Vec<_> = WEIGHTS.iter().map(|(kind, _)| *kind).collect();\n        \
             assert_eq!(kinds, GroundKind::ALL);\n    }\n}\n",
        );
        text
    }
}

/// The verdicts that a likelihood is given for, in the order of weights.
pub(super) const CLASSES: [TrafficVerdict; 3] =
    [TrafficVerdict::Attack, TrafficVerdict::Crowd, TrafficVerdict::Routine];
