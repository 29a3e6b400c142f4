//! The edge and the origin of an episode, as simply as they can be and still answer as they do: which
//! requests a copy answers, what the origin carries, who is refused, challenged or waits.

use std::collections::{HashMap, HashSet};

use floodwall_detection::{
    AdmissionSeen, CachePart, ContentKind, EdgeSeen, OriginSeen, RequestSeen, TokenSeen,
};
use floodwall_drill::random::Chance;
use floodwall_model::{OriginHealth, RoutineCause};

use super::visitors::{Schedule, Wanted};

/// Requests a second to the origin for each source, as Floodwall's own default.
const SOURCE_LIMIT: u32 = 20;

/// The edge and its origin.
pub(super) struct Edge {
    /// Requests a second that the origin carries.
    pub(super) capacity: f64,
    pub(super) challenges: bool,
    pub(super) reloads: bool,
    /// What it suffers from, and how badly (0 to 1).
    pub(super) trouble: Option<(RoutineCause, f64)>,
    pub(super) chance: Chance,
    proven: HashSet<u64>,
    hard_s: u32,
    pressed: f64,
    down_s: u32,
}

/// A second at the edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) origin: OriginSeen,
    pub(super) edge: EdgeSeen,
}

impl Edge {
    pub(super) fn new(capacity: f64, challenges: bool, reloads: bool, chance: Chance) -> Self {
        Self {
            capacity,
            challenges,
            reloads,
            trouble: None,
            chance,
            proven: HashSet::new(),
            hard_s: 0,
            pressed: 0.0,
            down_s: 0,
        }
    }

    /// Answers a second's requests; `observe` sees each.
    pub(super) fn answer(
        &mut self,
        second: u32,
        wanted: &[Wanted],
        schedule: &mut Schedule,
        mut observe: impl FnMut(&RequestSeen),
    ) -> Answered {
        let mut of_source: HashMap<u64, u32> = HashMap::new();
        let (mut asked, mut failed, mut wanted_origin) = (0_u64, 0_u64, 0.0);
        let challenging = self.challenges && self.hard_s >= 3;
        for want in wanted {
            let mut seen = want.seen;
            if self.proven.contains(&seen.source) {
                seen.token = TokenSeen::Valid;
            }
            seen.cache = if self.needs_origin(&seen) { CachePart::OriginBound } else { CachePart::Answered };
            if seen.cache == CachePart::OriginBound {
                let count = of_source.entry(seen.source).or_default();
                *count += 1;
                wanted_origin += 1.0;
                if *count > SOURCE_LIMIT {
                    refuse(&mut seen, 429);
                } else if challenging && seen.token == TokenSeen::Absent {
                    (seen.admission, seen.status) = (AdmissionSeen::Challenged, 200);
                    if self.chance.unit() < if want.person { 0.9 } else { 0.02 } {
                        self.proven.insert(seen.source);
                        schedule.put(second + 2, Wanted { again: want.again + 1, ..*want });
                    }
                } else {
                    let tokens_first = if seen.token == TokenSeen::Valid { 2.0 } else { 1.0 };
                    if wanted_origin > self.capacity * tokens_first {
                        refuse(&mut seen, 503);
                    } else {
                        asked += 1;
                        failed += u64::from(self.fails(&mut seen));
                    }
                }
            }
            self.mistake(&mut seen);
            if want.person
                && want.again < 3
                && (seen.status >= 500 || self.pressed > 1.0)
                && self.comes_again()
            {
                let later = 2 + u32::try_from(self.chance.below(8)).unwrap_or(2);
                schedule.put(second + later, Wanted { again: want.again + 1, ..*want });
            }
            observe(&seen);
        }
        // A queue evens out what a second brings.
        self.pressed += (wanted_origin / self.capacity.max(0.1) - self.pressed) * 0.4;
        self.hard_s = if self.pressed > 1.2 { self.hard_s + 1 } else { self.hard_s.saturating_sub(1) };
        self.surroundings(asked, failed)
    }

    fn comes_again(&mut self) -> bool {
        self.chance.unit() < if self.reloads { 0.5 } else { 0.1 }
    }

    fn needs_origin(&mut self, seen: &RequestSeen) -> bool {
        match seen.kind {
            ContentKind::Data => true,
            _ if seen.query.is_some() => true,
            ContentKind::Page => self.chance.unit() < 0.08 || seen.status == 404,
            ContentKind::Asset => self.chance.unit() < 0.01,
            ContentKind::Other => self.chance.unit() < 0.3,
        }
    }

    /// Whether the origin fails at it.
    fn fails(&mut self, seen: &mut RequestSeen) -> bool {
        let share = match self.trouble {
            Some((RoutineCause::OriginDown, _)) => 1.0,
            Some((RoutineCause::OriginErrors, how)) => 0.3 + 0.7 * how,
            Some((RoutineCause::OriginSlow, how)) => 0.4 * how,
            Some((RoutineCause::Deploy, how)) => 0.2 + 0.5 * how,
            Some((RoutineCause::Vendor, _)) if seen.kind == ContentKind::Data => 0.95,
            Some((RoutineCause::OwnFault, how)) => 0.2 * how,
            _ if self.pressed > 1.0 => 0.05,
            _ => 0.002,
        };
        let fails = self.chance.unit() < share;
        if fails {
            seen.status = if matches!(self.trouble, Some((RoutineCause::OriginDown, _))) { 502 } else { 500 };
        }
        fails
    }

    /// What our own faults, or a deploy, do to an answer.
    fn mistake(&mut self, seen: &mut RequestSeen) {
        match self.trouble {
            Some((RoutineCause::OwnDefence, how)) if self.chance.unit() < 0.25 + 0.6 * how => {
                refuse(seen, 429);
            }
            Some((RoutineCause::Deploy, how))
                if seen.kind == ContentKind::Asset && self.chance.unit() < 0.4 * how =>
            {
                seen.status = 404;
            }
            _ => {}
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "requests of one second")]
    fn surroundings(&mut self, asked: u64, failed: u64) -> Answered {
        let usual_ms = 60.0 + 30.0 * self.chance.unit();
        let each_ms = match self.trouble {
            Some((RoutineCause::OriginSlow, how)) => 1_500.0 + 9_000.0 * how,
            Some((RoutineCause::OriginDown, _)) => 3.0,
            Some((RoutineCause::OwnFault, how)) => usual_ms * (2.0 + 4.0 * how),
            _ => usual_ms / (1.0 - self.pressed.min(0.93)),
        };
        let down = matches!(self.trouble, Some((RoutineCause::OriginDown, _)));
        self.down_s = if down { self.down_s + 1 } else { 0 };
        let health = if self.down_s > 2 { OriginHealth::Down } else { OriginHealth::Up };
        let processor = match self.trouble {
            Some((RoutineCause::OwnFault, how)) => 0.9 + 0.1 * how.max(0.6),
            _ => (0.1 + 0.00008 * asked as f64 + 0.3 * (self.pressed / 20.0).min(1.0)).min(0.9),
        };
        Answered {
            origin: OriginSeen { requests: asked, failures: failed, wait_ms: each_ms * asked as f64, health },
            edge: EdgeSeen { processor, dropped: 0 },
        }
    }
}

fn refuse(seen: &mut RequestSeen, status: u16) {
    (seen.admission, seen.status) = (AdmissionSeen::Refused, status);
}
