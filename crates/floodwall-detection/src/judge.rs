//! From evidence to a verdict: three sums of log-odds (that an attack, a crowd, routine trouble is
//! part of it), each ground adding its weight times its strength, turned into likelihoods.
//!
//! Nothing is hidden in it: the grounds that are shown are the terms of the sum. The weights are
//! fitted on generated episodes ([`weights`](crate::weights)), and the sums are divided by a temperature so that
//! "0.9" is right nine times in ten (Guo et al. 2017). The same for Bayes' rule with independent
//! evidence, but with weights that allow for grounds which say the same.

use floodwall_model::{
    Ground, GroundKind, Judgement, Likelihoods, RoutineCause, Timestamp, TrafficVerdict, Vector,
};

use crate::evidence::Evidence;
use crate::weights::{BASE, TEMPERATURE, WEIGHTS};

/// An attack is said from this likelihood on. Higher than the others: a crowd that is called an
/// attack is the worst mistake.
const ATTACK_SAID: f64 = 0.75;
/// The same while a crowd is as likely: whoever sees both must be surer.
const ATTACK_SAID_IN_CROWD: f64 = 0.94;
/// A crowd is not said while an attack is likelier than this: then it is unknown, or an attack.
const ATTACK_RULED_OUT: f64 = 0.3;
/// The same where the crowd is certain: a crowd of a hundred times the usual strains what an attack
/// strains, so that whether there is one as well stays open for long.
const ATTACK_RULED_OUT_OF_CERTAIN_CROWD: f64 = 0.48;
/// From this likelihood on a crowd is certain.
const CERTAIN: f64 = 0.99;
/// A crowd or routine trouble is said from this likelihood on.
const SAID: f64 = 0.6;
/// What was said is said until its likelihood falls below this part of what it took.
const KEPT: f64 = 0.6;
/// The log-odds of a crowd at the most, where one or two sources make all of it, or nobody asks.
const NO_CROWD: f64 = -2.0;
/// Sides of who asks that must be known for the sums to count in full where more come than usual.
const SIDES_NEEDED: f64 = 2.0;
/// The log-odds of an attack, and of a crowd, while nothing is known of who asks: two in five.
const NOTHING_KNOWN: f64 = -0.4;
/// Grounds shown at the most.
const GROUNDS_MAX: usize = 6;
/// Log-odds below which a ground is not shown.
const WEIGHT_LEAST: f64 = 0.15;

/// Log-odds of the three explanations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LogOdds(pub(crate) [f64; 3]);

/// What grounds weigh.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Log-odds of an attack, a crowd and routine trouble when every ground says nothing.
    pub base: [f64; 3],
    /// What the sums are divided by.
    pub temperature: f64,
    /// Log-odds that a strength of 1 adds, in the order of [`GroundKind::ALL`].
    pub grounds: Vec<[f64; 3]>,
}

/// Those that were fitted.
impl Default for Weights {
    fn default() -> Self {
        let grounds = WEIGHTS.iter().map(|(_, weights)| *weights).collect();
        Self { base: BASE, temperature: TEMPERATURE, grounds }
    }
}

const EXPLANATIONS: [TrafficVerdict; 3] =
    [TrafficVerdict::Attack, TrafficVerdict::Crowd, TrafficVerdict::Routine];

impl LogOdds {
    pub(crate) fn of(evidence: &Evidence, weights: &Weights) -> Self {
        let mut sums = weights.base;
        for (strength, weights) in evidence.strengths().zip(&weights.grounds) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight * strength;
            }
        }
        let [attack, crowd, routine] = sums.map(|sum| sum / weights.temperature);
        // The fit has seen what is known of a site that runs; of one that has just begun it would say that
        // more requests are a crowd, for want of anything that speaks against it. By as much as is not
        // known both are drawn to the middle; what speaks for an attack by itself stands.
        let rises = (evidence.get(GroundKind::RequestRise).strength * 3.0).clamp(0.0, 1.0);
        let unknown = (1.0 - evidence.sides_known / SIDES_NEEDED).max(0.0) * rises;
        let attack = attack.max(attack + (NOTHING_KNOWN - attack) * unknown);
        let crowd = crowd.min(crowd + (NOTHING_KNOWN - crowd) * unknown);
        // The fit knows many-sided evidence; of one source's requests alone it would make a crowd.
        let none = evidence.of_a_handful || evidence.nobody_asks;
        let crowd = if none { crowd.min(NO_CROWD) } else { crowd };
        Self([attack, crowd, routine])
    }

    pub(crate) fn approach(&mut self, other: &Self, part: f64) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += (other - *own) * part;
        }
    }

    pub(crate) fn likelihoods(&self) -> Likelihoods {
        let [attack, crowd, routine] = self.0.map(|odds| 1.0 / (1.0 + (-odds).exp()));
        Likelihoods { attack, crowd, routine }
    }
}

/// Judges: the likelihoods as given (they may be smoothed over seconds), the grounds from `evidence`.
pub(crate) fn judge(
    odds: &LogOdds,
    evidence: &Evidence,
    weights: &Weights,
    before: Option<&Judgement>,
    at: Timestamp,
) -> Judgement {
    let likelihoods = odds.likelihoods();
    let said = |verdict: TrafficVerdict| {
        let needed = match verdict {
            TrafficVerdict::Attack if likelihoods.crowd >= SAID => ATTACK_SAID_IN_CROWD,
            TrafficVerdict::Attack => ATTACK_SAID,
            _ => SAID,
        };
        let kept =
            before.is_some_and(|before| before.verdict == verdict || before.mixed_with == Some(verdict));
        likelihoods.of(verdict) >= if kept { needed * KEPT } else { needed }
    };
    let mut found: Vec<_> = EXPLANATIONS.into_iter().filter(|verdict| said(*verdict)).collect();
    let ruled_out =
        if likelihoods.crowd >= CERTAIN { ATTACK_RULED_OUT_OF_CERTAIN_CROWD } else { ATTACK_RULED_OUT };
    if !found.contains(&TrafficVerdict::Attack) && likelihoods.attack >= ruled_out {
        found.retain(|verdict| *verdict != TrafficVerdict::Crowd);
    }
    found.sort_by(|one, two| likelihoods.of(*two).total_cmp(&likelihoods.of(*one)));
    // Where an attack is part of it, that is what must be known first.
    if let Some(place) = found.iter().position(|verdict| *verdict == TrafficVerdict::Attack) {
        found.swap(0, place);
    }
    let verdict = found.first().copied().unwrap_or(TrafficVerdict::Unknown);
    let attacked = found.contains(&TrafficVerdict::Attack);
    let is_routine = found.contains(&TrafficVerdict::Routine);
    Judgement {
        at,
        verdict,
        mixed_with: found.get(1).copied(),
        likelihoods,
        vectors: if attacked { vectors(evidence) } else { Vec::new() },
        routine: if is_routine { Some(routine_cause(evidence)) } else { None },
        grounds: grounds(evidence, weights, verdict),
    }
}

/// The terms that weighed most for and against the verdict; for "unknown", for whatever they spoke.
fn grounds(evidence: &Evidence, weights: &Weights, verdict: TrafficVerdict) -> Vec<Ground> {
    let temperature = weights.temperature;
    let mut grounds: Vec<Ground> = GroundKind::ALL
        .iter()
        .zip(&weights.grounds)
        .flat_map(|(kind, weights)| {
            let measure = evidence.get(*kind);
            EXPLANATIONS.into_iter().zip(weights).map(move |(speaks_for, weight)| Ground {
                kind: *kind,
                value: measure.value,
                calm: measure.calm,
                speaks_for,
                weight: weight * measure.strength / temperature,
            })
        })
        .filter(|ground| verdict == TrafficVerdict::Unknown || ground.speaks_for == verdict)
        .filter(|ground| ground.weight.abs() >= WEIGHT_LEAST)
        .collect();
    grounds.sort_by(|one, two| two.weight.abs().total_cmp(&one.weight.abs()));
    let mut seen = Vec::new();
    grounds.retain(|ground| {
        let new = !seen.contains(&ground.kind);
        seen.push(ground.kind);
        new
    });
    grounds.truncate(GROUNDS_MAX);
    grounds
}

/// By which ways it comes: rules that people can read, strongest first.
fn vectors(evidence: &Evidence) -> Vec<Vector> {
    let strength = |kind| evidence.get(kind).strength;
    let novel = strength(GroundKind::QueryNovelty);
    let one_path = evidence.get(GroundKind::TopPath).value >= 0.5;
    let mut found = vec![
        (Vector::Syn, strength(GroundKind::HalfOpen)),
        (Vector::Packets, strength(GroundKind::OtherPackets)),
        (
            Vector::HeldConnections,
            strength(GroundKind::SlowConnections).max(strength(GroundKind::SilentConnections) * 0.8),
        ),
        (Vector::TlsHandshakes, strength(GroundKind::HandshakeFailures)),
        (Vector::StreamResets, strength(GroundKind::StreamResets)),
        (Vector::BareAddress, strength(GroundKind::UnknownHosts)),
        (Vector::LookUps, if one_path { novel } else { 0.0 }),
        (Vector::CacheBust, if one_path { 0.0 } else { novel }),
        (Vector::Bodies, strength(GroundKind::OtherMethods)),
        (Vector::Scan, strength(GroundKind::NotFound)),
    ];
    found.retain(|(_, strength)| *strength >= 0.3);
    found.sort_by(|one, two| two.1.total_cmp(&one.1));
    let mut vectors: Vec<_> = found.into_iter().map(|(vector, _)| vector).collect();
    if vectors.is_empty() {
        vectors.push(Vector::Pages);
    }
    vectors.truncate(3);
    vectors
}

/// What routinely went wrong: the most specific cause that the evidence shows.
fn routine_cause(evidence: &Evidence) -> RoutineCause {
    let strength = |kind| evidence.get(kind).strength;
    let failing = strength(GroundKind::OriginFailures);
    let rules = [
        (RoutineCause::Certificate, strength(GroundKind::Certificate) >= 0.3),
        (RoutineCause::Dns, strength(GroundKind::Names) >= 0.3),
        (RoutineCause::OwnDefence, strength(GroundKind::KnownRefused) >= 0.2),
        (RoutineCause::OwnFault, strength(GroundKind::EdgeStrain) >= 0.5),
        (RoutineCause::Deploy, strength(GroundKind::RecentChange) >= 0.3),
        (RoutineCause::OriginDown, strength(GroundKind::OriginDown) >= 0.3),
        (RoutineCause::Vendor, strength(GroundKind::OnePart) >= 0.4 && failing < 0.8),
        (RoutineCause::OriginErrors, failing >= 0.2),
        (RoutineCause::OriginSlow, strength(GroundKind::OriginLatency) >= 0.2),
        (RoutineCause::Dns, strength(GroundKind::RequestDrop) >= 0.5),
    ];
    rules.into_iter().find(|(_, holds)| *holds).map_or(RoutineCause::Crawler, |(cause, _)| cause)
}
