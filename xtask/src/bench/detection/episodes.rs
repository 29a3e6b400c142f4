//! What episodes there are: drawn from a seed, so that everybody gets the same.

use floodwall_drill::random::{Chance, Seed};
use floodwall_drill::scenario::FloodKind;
use floodwall_model::{RoutineCause, TrafficVerdict};

/// Seconds of calm before the onset.
pub(super) const CALM_S: u32 = 240;
/// Seconds from the onset to the end of an episode, at the least and at the most.
const LENGTH_S: (u64, u64) = (40, 110);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Nothing,
    Attack(Attack),
    Crowd(Crowd),
    Routine(RoutineCause),
    /// A crowd, and an attack that begins later in it.
    Both(Crowd, Attack),
}

/// An attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Attack {
    pub(super) way: Way,
    pub(super) sources: u32,
    /// Different agents: 1, a short list, or the list that visitors have.
    pub(super) agents: Agents,
    /// Share of the flood's sources that fetch what pages need, as a disguise.
    pub(super) disguised: f64,
    pub(super) referrers: bool,
    pub(super) ramp_s: u32,
    pub(super) pulse_s: u32,
}

/// By which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Drill(FloodKind),
    Bodies,
    Scan,
}

/// What attackers say they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agents {
    One,
    ShortList,
    AsVisitors,
}

/// A crowd.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crowd {
    pub(super) kind: CrowdKind,
    pub(super) ramp_s: u32,
}

/// Kinds of crowds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrowdKind {
    /// The usual visitors, many more of them.
    Usual,
    /// A message to telephones: one page, mostly strangers, few agents, no referrer.
    Push,
    /// A newsletter: regulars, no referrer.
    Letter,
    /// Schools or offices: many behind few addresses.
    Schools,
    /// People who reload because it is slow.
    Reload,
}

/// One episode's specification.
#[derive(Clone, Debug)]
pub(super) struct Episode {
    pub(super) seed: u64,
    pub(super) what: What,
    /// Total rate at the height of it against calm; 1 for routine trouble.
    pub(super) size: f64,
    pub(super) length_s: u32,
    /// Sessions are the drill's, or the log's.
    pub(super) of_log: bool,
    /// Which minute of the series is the onset, as a part of all that qualify; and whether by night.
    pub(super) moment: f64,
    pub(super) night: bool,
    /// Requests per second of the site at the series' median.
    pub(super) site_rate: f64,
    /// Days of baseline.
    pub(super) days: u32,
    /// What the calendar announces; 1 is nothing.
    pub(super) announced: f64,
    /// Only what an access log has: no surroundings, cache, fingerprints or tokens.
    pub(super) log_only: bool,
    /// Whether there is a watch from outside.
    pub(super) watched: bool,
    /// Share of visitors from known networks.
    pub(super) returning: f64,
    /// Requests a second that the origin can answer, against what it usually gets.
    pub(super) headroom: f64,
    /// Whether visitors are challenged when the origin has too much.
    pub(super) challenges: bool,
}

impl What {
    /// What is to be said.
    pub(super) fn truth(&self) -> Option<TrafficVerdict> {
        match self {
            Self::Nothing => None,
            Self::Attack(_) | Self::Both(..) => Some(TrafficVerdict::Attack),
            Self::Crowd(_) => Some(TrafficVerdict::Crowd),
            Self::Routine(_) => Some(TrafficVerdict::Routine),
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Attack(attack) => format!("attack: {}", attack.name()),
            Self::Crowd(crowd) => format!("crowd: {:?}", crowd.kind).to_lowercase(),
            Self::Routine(cause) => format!("routine: {}", cause.as_str()),
            Self::Both(crowd, attack) => {
                format!("both: {:?} and {}", crowd.kind, attack.name()).to_lowercase()
            }
        }
    }
}

impl Attack {
    pub(super) fn name(&self) -> String {
        match self.way {
            Way::Drill(kind) => kind.as_str().to_owned(),
            Way::Bodies => "bodies".to_owned(),
            Way::Scan => "scan".to_owned(),
        }
    }

    /// Whether it is packets.
    pub(super) fn is_packets(&self) -> bool {
        matches!(self.way, Way::Drill(FloodKind::SynSpoofed | FloodKind::Udp))
    }

    /// Whether it comes as requests that visitors could send.
    pub(super) fn is_requests(&self) -> bool {
        !matches!(
            self.way,
            Way::Drill(
                FloodKind::SynSpoofed
                    | FloodKind::Udp
                    | FloodKind::TlsHandshakes
                    | FloodKind::Connections
                    | FloodKind::SlowHeaders
                    | FloodKind::H2RapidReset
                    | FloodKind::BareAddress
            )
        )
    }
}

fn between(chance: &mut Chance, low: f64, high: f64) -> f64 {
    (low.ln() + chance.unit() * (high.ln() - low.ln())).exp()
}

/// One of a list, evenly; the first where there is none.
fn one_of<T: Copy>(chance: &mut Chance, first: T, others: &[T]) -> T {
    let place = chance.below(others.len() as u64 + 1);
    let place = usize::try_from(place).unwrap_or(0);
    place.checked_sub(1).and_then(|place| others.get(place)).copied().unwrap_or(first)
}

fn whole(value: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the callers")]
    let number = value.round().clamp(0.0, 1e9) as u32;
    number
}

fn attack(chance: &mut Chance) -> Attack {
    use FloodKind as F;
    let ways = [
        Way::Drill(F::LookUps),
        Way::Drill(F::LookUps),
        Way::Drill(F::CacheBust),
        Way::Drill(F::CacheBust),
        Way::Drill(F::Pages),
        Way::Drill(F::Pages),
        Way::Bodies,
        Way::Scan,
        Way::Drill(F::BareAddress),
        Way::Drill(F::SynSpoofed),
        Way::Drill(F::Udp),
        Way::Drill(F::TlsHandshakes),
        Way::Drill(F::Connections),
        Way::Drill(F::SlowHeaders),
        Way::Drill(F::H2RapidReset),
    ];
    let ramp_s = if chance.unit() < 0.75 { 0 } else { whole(between(chance, 5.0, 60.0)) };
    let pulse_s = if chance.unit() < 0.15 { whole(between(chance, 5.0, 15.0)) } else { 0 };
    Attack {
        way: one_of(chance, Way::Drill(F::LookUps), &ways),
        sources: whole(between(chance, 3.0, 20_000.0)).min(32_000),
        agents: one_of(chance, Agents::One, &[Agents::ShortList, Agents::AsVisitors]),
        disguised: if chance.unit() < 0.8 { 0.0 } else { 0.4 * chance.unit() },
        referrers: chance.unit() < 0.3,
        ramp_s,
        pulse_s: if ramp_s == 0 { pulse_s } else { 0 },
    }
}

fn crowd(chance: &mut Chance) -> Crowd {
    use CrowdKind as C;
    let kind = one_of(chance, C::Usual, &[C::Usual, C::Usual, C::Push, C::Letter, C::Schools, C::Reload]);
    let sudden = chance.unit() < 0.35;
    let ramp_s = if sudden { between(chance, 3.0, 15.0) } else { between(chance, 15.0, 180.0) };
    Crowd { kind, ramp_s: whole(ramp_s) }
}

impl Episode {
    /// The episode of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut chance = Seed(seed).stream("episode", 0);
        let chance = &mut chance;
        let what = match chance.below(100) {
            0..36 => What::Attack(attack(chance)),
            36..66 => What::Crowd(crowd(chance)),
            66..88 => {
                let cause = usize::try_from(chance.below(RoutineCause::ALL.len() as u64)).unwrap_or(0);
                What::Routine(*RoutineCause::ALL.get(cause).unwrap_or(&RoutineCause::OriginDown))
            }
            88..96 => What::Both(crowd(chance), Attack { ramp_s: 0, pulse_s: 0, ..attack(chance) }),
            _ => What::Nothing,
        };
        let announced = if chance.unit() < 0.25 { between(chance, 3.0, 60.0).round() } else { 1.0 };
        let mut size = match what {
            What::Nothing | What::Routine(_) => 1.0,
            _ => between(chance, 1.5, 300.0),
        };
        if matches!(what, What::Crowd(_) | What::Both(..)) && announced > 1.0 {
            size = size.min(announced * 1.3).max(1.5);
        }
        let ramp_s = match what {
            What::Attack(attack) => attack.ramp_s,
            What::Crowd(crowd) | What::Both(crowd, _) => crowd.ramp_s,
            _ => 0,
        };
        let length = LENGTH_S.0 + chance.below(LENGTH_S.1 - LENGTH_S.0);
        let young = chance.unit() < 0.35;
        let needs_more = match what {
            What::Attack(attack) | What::Both(_, attack) => !attack.is_requests(),
            What::Routine(cause) => !matches!(cause, RoutineCause::Crawler | RoutineCause::OriginErrors),
            _ => false,
        };
        Self {
            seed,
            what,
            size,
            length_s: u32::try_from(length).unwrap_or(60) + ramp_s,
            of_log: chance.unit() < 0.5,
            moment: chance.unit(),
            night: chance.unit() < 0.4,
            site_rate: between(chance, 6.0, 60.0),
            days: if young { one_of(chance, 0, &[1, 2]) } else { one_of(chance, 14, &[21, 28]) },
            announced,
            log_only: !needs_more && chance.unit() < 0.3,
            watched: chance.unit() < 0.6,
            returning: 0.15 + 0.5 * chance.unit(),
            headroom: between(chance, 2.5, 20.0),
            challenges: chance.unit() < 0.4,
        }
    }
}
