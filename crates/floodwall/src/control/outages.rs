//! The watch in the control loop: what its probes changed, into commands; how every target stands.
//!
//! Pure as the loop. Bounded by the number of targets, of which the settings have a thousand at most, and
//! three families each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use floodwall_detection::{WatchFault, WatchSeen};
use floodwall_model::Timestamp;
use floodwall_outage::{
    Cause, Change, Family, FamilyJudged, FamilyStatus, OutageRecord, Phase, ProbeFigures, Seen, State,
    TargetStatus, UnknownCause, UnknownRecord, WatchRecord, WatchedRecord, outage_key, state_for_visitors,
};

use super::Command;

/// How often it is written that a target was seen, when nothing else changes.
const KEPT_EVERY: Duration = Duration::from_secs(30);

/// What the loop is told of a target before its first probe.
#[derive(Clone, Debug)]
pub(crate) struct TargetToWatch {
    pub(crate) name: Arc<str>,
    pub(crate) site: Option<Arc<str>>,
    pub(crate) vantage: Arc<str>,
    /// Without a probe for this long, nothing is known.
    pub(crate) silent_after: Duration,
    /// What is on record of it, by family, and the outage that was open.
    pub(crate) before: Vec<(WatchedRecord, Option<OutageRecord>)>,
}

/// What came of one probe.
#[derive(Clone, Debug)]
pub(crate) struct ProbeResult {
    pub(crate) now: Timestamp,
    pub(crate) target: Arc<str>,
    pub(crate) families: Vec<FamilyResult>,
}

/// What came of it over one family.
#[derive(Clone, Debug)]
pub(crate) struct FamilyResult {
    pub(crate) judged: FamilyJudged,
    /// What it measured; `None` where the name has no such address any more.
    pub(crate) figures: Option<ProbeFigures>,
}

/// What the operator is told of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutageNews {
    Opened,
    Ended,
}

/// Every target of the watch.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    targets: Vec<Watched>,
    by_name: HashMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Watched {
    name: Arc<str>,
    site: Option<Arc<str>>,
    vantage: Arc<str>,
    silent_after: Duration,
    /// At most three.
    families: Vec<WatchedFamily>,
}

#[derive(Debug)]
struct WatchedFamily {
    family: Option<Family>,
    since_unix_micros: i64,
    known_until_unix_micros: i64,
    /// Of this run: when the last probe ended, and when that was last written.
    seen: Option<Timestamp>,
    kept: Option<Timestamp>,
    state: State,
    outage: Option<OutageRecord>,
    figures: Option<ProbeFigures>,
}

impl Outages {
    pub(crate) fn new(targets: Vec<TargetToWatch>) -> Self {
        let by_name = targets.iter().map(|target| target.name.clone()).zip(0..).collect();
        let watched = |target: TargetToWatch| Watched {
            families: target
                .before
                .into_iter()
                .map(|(record, outage)| WatchedFamily {
                    family: record.family,
                    since_unix_micros: record.since_unix_micros,
                    known_until_unix_micros: record.known_until_unix_micros,
                    seen: None,
                    kept: None,
                    state: State::Unknown(UnknownCause::Silent),
                    outage,
                    figures: None,
                })
                .collect(),
            name: target.name,
            site: target.site,
            vantage: target.vantage,
            silent_after: target.silent_after,
        };
        Self { targets: targets.into_iter().map(watched).collect(), by_name }
    }

    /// Takes in what came of a probe; what is to be done about it.
    pub(super) fn probed(&mut self, result: ProbeResult) -> Vec<Command> {
        let Some(target) = self.by_name.get(&result.target).and_then(|place| self.targets.get_mut(*place))
        else {
            return Vec::new();
        };
        let mut commands = Vec::new();
        let mut keep = WatchRecord::default();
        let is_there = |family| result.families.iter().any(|one| one.judged.family == family);
        target.families.retain(|known| is_there(known.family));
        for one in result.families {
            target.take(one, result.now, &mut keep, &mut commands);
        }
        target.families.sort_by_key(|one| one.family);
        if !keep.is_empty() {
            commands.push(Command::KeepWatch(Box::new(keep)));
        }
        commands
    }

    /// What is to be on record when the server stops.
    pub(super) fn last_words(&self) -> Option<Command> {
        let all = self.targets.iter().flat_map(|target| {
            let seen = target.families.iter().filter(|one| one.seen.is_some());
            seen.map(|one| one.record(target))
        });
        let keep = WatchRecord { watched: all.collect(), ..WatchRecord::default() };
        (!keep.is_empty()).then(|| Command::KeepWatch(Box::new(keep)))
    }

    /// How every target stands.
    pub(super) fn status(&self, now: Timestamp) -> Vec<TargetStatus> {
        let target = |target: &Watched| TargetStatus {
            name: target.name.clone(),
            site: target.site.clone(),
            vantage: target.vantage.clone(),
            families: target.families.iter().map(|one| one.status(now, target.silent_after)).collect(),
        };
        self.targets.iter().map(target).collect()
    }

    /// What detection is told of a site: which part of its targets visitors cannot reach, and what fails
    /// first at most of these. `None` where nothing is known. What our own defence asked to wait is not
    /// out of reach.
    pub(super) fn seen_of(&self, site: &str, now: Timestamp) -> Option<WatchSeen> {
        let (mut known, mut down) = (0.0, 0.0);
        let mut faults: Vec<(WatchFault, u32)> = Vec::new();
        for target in self.targets.iter().filter(|target| target.site.as_deref() == Some(site)) {
            let states: Vec<_> = target
                .families
                .iter()
                .map(|one| (one.family, one.by_now(now, target.silent_after)))
                .collect();
            match state_for_visitors(&states, State::Unknown(UnknownCause::Silent)) {
                State::Up => known += 1.0,
                State::Unknown(_) => {}
                State::Down => {
                    known += 1.0;
                    let Some(fault) = target.families.iter().find_map(WatchedFamily::fault) else { continue };
                    down += 1.0;
                    match faults.iter_mut().find(|(of, _)| *of == fault) {
                        Some((_, count)) => *count += 1,
                        None => faults.push((fault, 1)),
                    }
                }
            }
        }
        let fails_at = faults.into_iter().max_by_key(|(_, count)| *count).map(|(fault, _)| fault);
        (known > 0.0).then(|| WatchSeen { unreachable: down / known, fails_at })
    }
}

impl Watched {
    fn take(
        &mut self,
        result: FamilyResult,
        now: Timestamp,
        keep: &mut WatchRecord,
        commands: &mut Vec<Command>,
    ) {
        let FamilyResult { judged, figures } = result;
        let (target, vantage, site) = (self.name.clone(), self.vantage.clone(), self.site.clone());
        let family = judged.family;
        let record = |outage: floodwall_outage::Outage| OutageRecord {
            key: outage_key(&target, family, &outage),
            target: target.clone(),
            site: site.clone(),
            vantage: vantage.clone(),
            family,
            outage,
        };
        let changed = !judged.changes.is_empty();
        for change in judged.changes {
            let (news, outage) = match change {
                Change::Opened(outage) => (OutageNews::Opened, outage),
                Change::Closed(outage) => (OutageNews::Ended, outage),
                Change::Unknown(span, cause) => {
                    let (target, vantage) = (target.clone(), vantage.clone());
                    keep.unknown.push(UnknownRecord { target, vantage, family, span, cause });
                    continue;
                }
            };
            let outage = record(outage);
            keep.outages.push(outage.clone());
            commands.push(Command::TellOutage { news, record: Box::new(outage) });
        }
        let ended_unix_micros = judged.sample.finished.wall_unix_micros();
        let place = self.families.iter().position(|known| known.family == family);
        let place = place.unwrap_or_else(|| {
            self.families.push(WatchedFamily {
                family,
                since_unix_micros: judged.sample.started.wall_unix_micros(),
                known_until_unix_micros: ended_unix_micros,
                seen: None,
                kept: None,
                state: judged.state,
                outage: None,
                figures: None,
            });
            self.families.len() - 1
        });
        let Some(known) = self.families.get_mut(place) else { return };
        if !matches!(judged.sample.seen, Seen::Unknown(_)) {
            known.known_until_unix_micros = ended_unix_micros;
        }
        known.seen = Some(judged.sample.finished);
        known.state = judged.state;
        known.outage = judged.outage.map(record);
        known.figures = figures;
        if changed || known.kept.is_none_or(|kept| now.since(kept) >= KEPT_EVERY) {
            known.kept = Some(now);
            // With it goes what the outage that is open has come to.
            if let Some(outage) = known.outage.clone().filter(|_| keep.outages.is_empty()) {
                keep.outages.push(outage);
            }
            keep.watched.push(WatchedRecord {
                target,
                site,
                vantage,
                family,
                since_unix_micros: known.since_unix_micros,
                known_until_unix_micros: known.known_until_unix_micros,
            });
        }
    }
}

impl WatchedFamily {
    fn record(&self, of: &Watched) -> WatchedRecord {
        WatchedRecord {
            target: of.name.clone(),
            site: of.site.clone(),
            vantage: of.vantage.clone(),
            family: self.family,
            since_unix_micros: self.since_unix_micros,
            known_until_unix_micros: self.known_until_unix_micros,
        }
    }

    fn by_now(&self, now: Timestamp, silent_after: Duration) -> State {
        match self.seen {
            Some(seen) if now.since(seen) <= silent_after => self.state,
            _ => State::Unknown(UnknownCause::Silent),
        }
    }

    fn status(&self, now: Timestamp, silent_after: Duration) -> FamilyStatus {
        FamilyStatus {
            family: self.family,
            state: self.by_now(now, silent_after),
            outage: self.outage.clone(),
            known_until_unix_micros: self.known_until_unix_micros,
            probe: self.figures.clone(),
        }
    }

    /// What fails first; `None` where it is our own defence, or the site is only slow.
    fn fault(&self) -> Option<WatchFault> {
        let cause = self.outage.as_ref()?.outage.cause()?;
        if matches!(cause, Cause::RefusedByDefence | Cause::Slow) {
            return None;
        }
        Some(match cause.phase() {
            Phase::Resolve => WatchFault::Dns,
            Phase::Connect => WatchFault::Tcp,
            Phase::Tls => WatchFault::Tls,
            Phase::Request | Phase::FirstByte | Phase::Transfer | Phase::Check => WatchFault::Http,
        })
    }
}

#[cfg(test)]
#[path = "outage_tests.rs"]
mod tests;
