//! What the watch saw of sites, as claims are tested against it: times in which a site could certainly be
//! reached, and times in which it certainly could not.
//!
//! Of a site with several targets it could be reached while each of them was; it could not while one was
//! down. Between the last probe of one kind and the first of the other neither is said. Where a target is
//! seen over IPv4 and IPv6, it is IPv4 that counts, to which browsers fall back.

use std::collections::BTreeMap;
use std::path::Path;

use floodwall_assessment::{ReachabilityFact, RecordRef, Span};
use floodwall_model::Clock;
use floodwall_outage::{Edge, Family, OutageRecord, WatchRecord, WatchedRecord};
use floodwall_store::{Store, WatchRows};
use serde::{Deserialize, Serialize};

use crate::admin_socket::client::{self, AskError};
use crate::clock::SystemClock;
use crate::outage::from_rows;
use crate::serve::STORE_FILE;

const SECOND: i64 = 1_000_000;

/// A time of one site, as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    pub(crate) site: String,
    /// The outage; of a time without one, the targets that were watched.
    pub(crate) record: String,
    pub(crate) vantage: String,
    pub(crate) from_unix_s: i64,
    pub(crate) to_unix_s: i64,
    pub(crate) error_s: u32,
    pub(crate) reachable: bool,
    pub(crate) cause: Option<String>,
}

impl Reached {
    /// As claims are tested against it.
    pub(super) fn fact(&self) -> ReachabilityFact {
        let record = self.record.clone();
        ReachabilityFact {
            record: if self.reachable { RecordRef::Watch(record) } else { RecordRef::Outage(record) },
            vantage: self.vantage.clone(),
            span: self.span(),
            error_s: self.error_s,
            reachable: self.reachable,
            cause: self.cause.clone(),
        }
    }

    /// When.
    pub(super) fn span(&self) -> Span {
        Span { from_unix_s: self.from_unix_s, to_unix_s: self.to_unix_s }
    }
}

/// What there is since a moment: of the running server, or of its store when none runs. A server without
/// a store has seen nothing.
pub(super) fn gather(state: &Path, from_unix_s: i64) -> Result<Vec<Reached>, String> {
    match client::get(state, &format!("/reachability?from={from_unix_s}")) {
        Ok(answer) => serde_json::from_str(&answer)
            .map_err(|error| format!("the running server is of another version: {error}")),
        Err(AskError::NotRunning(_)) => {
            let file = state.join(STORE_FILE);
            if !file.is_file() {
                return Ok(Vec::new());
            }
            let store = Store::open(&file).map_err(|error| error.to_string())?;
            let rows = store.watch_since(from_unix_s.saturating_mul(SECOND));
            Ok(of_rows(
                &rows.map_err(|error| error.to_string())?,
                SystemClock::start().now().wall_unix_micros(),
            ))
        }
        Err(asked) => Err(asked.to_string()),
    }
}

/// What rows of the store say.
pub(crate) fn of_rows(rows: &WatchRows, now_unix_micros: i64) -> Vec<Reached> {
    of_record(&from_rows(rows), now_unix_micros)
}

fn of_record(record: &WatchRecord, now_unix_micros: i64) -> Vec<Reached> {
    // By site and vantage: the targets, each over the family that counts.
    let mut places: BTreeMap<(&str, &str), BTreeMap<&str, &WatchedRecord>> = BTreeMap::new();
    for watched in &record.watched {
        let Some(site) = watched.site.as_deref() else { continue };
        let targets = places.entry((site, &watched.vantage)).or_default();
        let held = targets.entry(&watched.target).or_insert(watched);
        if rank(watched.family) < rank(held.family) {
            *held = watched;
        }
    }
    let mut reached = Vec::new();
    for ((site, vantage), targets) in places {
        let mut up: Option<Vec<Interval>> = None;
        for watched in targets.values() {
            let outages: Vec<&OutageRecord> = record
                .outages
                .iter()
                .filter(|outage| {
                    outage.target == watched.target
                        && outage.vantage == watched.vantage
                        && outage.family == watched.family
                })
                .collect();
            let until = watched.known_until_unix_micros.min(now_unix_micros);
            let unknown = record.unknown.iter().filter(|unknown| {
                unknown.target == watched.target
                    && unknown.vantage == watched.vantage
                    && unknown.family == watched.family
            });
            let unknown =
                unknown.map(|unknown| (unknown.span.start_unix_micros, unknown.span.end_unix_micros));
            let possibly_down = outages.iter().map(|outage| possible(outage));
            let known_up =
                without((watched.since_unix_micros, until), unknown.chain(possibly_down).collect());
            up = Some(match up {
                None => known_up,
                Some(others) => both(&others, &known_up),
            });
            reached.extend(outages.iter().filter_map(|outage| down(site, outage, until)));
        }
        let names = targets.keys().copied().collect::<Vec<_>>().join(", ");
        reached.extend(up.unwrap_or_default().into_iter().filter_map(|interval| {
            let (from_unix_s, to_unix_s) = whole_seconds(interval)?;
            let (site, vantage) = (site.to_owned(), vantage.to_owned());
            Some(Reached {
                site,
                record: names.clone(),
                vantage,
                from_unix_s,
                to_unix_s,
                error_s: 0,
                reachable: true,
                cause: None,
            })
        }));
    }
    reached
}

/// From a microsecond up to but without another.
type Interval = (i64, i64);

fn rank(family: Option<Family>) -> u8 {
    match family {
        Some(Family::V4) => 0,
        None => 1,
        Some(Family::V6) => 2,
    }
}

/// In which an outage lies, at its longest.
fn possible(record: &OutageRecord) -> Interval {
    let (start, end) = (&record.outage.start, record.outage.end.as_ref());
    let from = start.earliest_unix_micros.unwrap_or(start.latest_unix_micros);
    (from, end.map_or(i64::MAX, |end| end.latest_unix_micros))
}

/// In which it was certainly down.
fn down(site: &str, record: &OutageRecord, known_until: i64) -> Option<Reached> {
    let (start, end) = (&record.outage.start, record.outage.end.as_ref());
    let until = end.map_or(known_until, |end| end.earliest_unix_micros.unwrap_or(end.latest_unix_micros));
    let from_unix_s = start.latest_unix_micros.div_euclid(SECOND);
    let error = start.half_width_micros().max(end.map_or(0, Edge::half_width_micros));
    Some(Reached {
        site: site.to_owned(),
        record: record.key.to_string(),
        vantage: record.vantage.to_string(),
        from_unix_s,
        // One probe that failed is a second at least.
        to_unix_s: until.div_euclid(SECOND).max(from_unix_s.saturating_add(1)),
        error_s: u32::try_from(error.div_euclid(SECOND)).unwrap_or(u32::MAX),
        reachable: false,
        cause: record.outage.cause().map(|cause| cause.in_english().to_owned()),
    })
}

/// The seconds that lie in it wholly.
fn whole_seconds((from, to): Interval) -> Option<(i64, i64)> {
    let from = from.saturating_add(SECOND - 1).div_euclid(SECOND);
    let to = to.div_euclid(SECOND);
    (from < to).then_some((from, to))
}

/// What is left of an interval without others.
fn without((from, to): Interval, mut others: Vec<Interval>) -> Vec<Interval> {
    others.sort_unstable();
    let (mut left, mut from) = (Vec::new(), from);
    for (start, end) in others {
        if start > from {
            left.push((from, start.min(to)));
        }
        from = from.max(end);
    }
    left.push((from, to));
    left.retain(|(from, to)| from < to);
    left
}

/// What lies in both; either is in order and without overlaps.
fn both(one: &[Interval], other: &[Interval]) -> Vec<Interval> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut both = Vec::new();
    while let (Some(a), Some(b)) = (one.peek(), other.peek()) {
        let (from, to) = (a.0.max(b.0), a.1.min(b.1));
        if from < to {
            both.push((from, to));
        }
        // What ends first meets nothing more.
        if a.1 <= b.1 {
            one.next();
        } else {
            other.next();
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use floodwall_outage::{Cause, CauseCount, Outage, Span as Micros, UnknownCause, UnknownRecord};

    use super::*;

    fn watched(target: &str, family: Option<Family>, from_s: i64, to_s: i64) -> WatchedRecord {
        WatchedRecord {
            target: target.into(),
            site: Some("sos".into()),
            vantage: "office".into(),
            family,
            since_unix_micros: from_s * SECOND,
            known_until_unix_micros: to_s * SECOND,
        }
    }

    fn outage(
        target: &str,
        family: Option<Family>,
        start: (i64, i64),
        end: Option<(i64, i64)>,
    ) -> OutageRecord {
        let edge = |(earliest, latest): (i64, i64)| Edge {
            earliest_unix_micros: Some(earliest * SECOND),
            latest_unix_micros: latest * SECOND,
        };
        OutageRecord {
            key: format!("{target}-{}", start.1).as_str().into(),
            target: target.into(),
            site: Some("sos".into()),
            vantage: "office".into(),
            family,
            outage: Outage {
                start: edge(start),
                end: end.map(edge),
                causes: vec![CauseCount { cause: Cause::NameUnknown, samples: 3 }],
                unknown_micros: 0,
            },
        }
    }

    fn said(record: &WatchRecord) -> Vec<(bool, i64, i64)> {
        let mut said: Vec<_> = of_record(record, 10_000 * SECOND)
            .iter()
            .map(|reached| (reached.reachable, reached.from_unix_s, reached.to_unix_s))
            .collect();
        said.sort_unstable();
        said
    }

    #[test]
    fn between_the_last_probe_of_one_kind_and_the_first_of_the_other_nothing_is_said() {
        let record = WatchRecord {
            watched: vec![watched("home", Some(Family::V4), 100, 1_000)],
            outages: vec![outage("home", Some(Family::V4), (190, 200), Some((300, 310)))],
            unknown: vec![UnknownRecord {
                target: "home".into(),
                vantage: "office".into(),
                family: Some(Family::V4),
                span: Micros { start_unix_micros: 500 * SECOND, end_unix_micros: 600 * SECOND },
                cause: UnknownCause::Silent,
            }],
        };
        assert_eq!(
            said(&record),
            [(false, 200, 300), (true, 100, 190), (true, 310, 500), (true, 600, 1_000)]
        );
    }

    #[test]
    fn what_lies_in_both_is_found_in_one_walk() {
        let one = [(0, 10), (20, 30), (40, 50)];
        assert_eq!(both(&one, &[(5, 25), (28, 45)]), [(5, 10), (20, 25), (28, 30), (40, 45)]);
        assert_eq!(both(&one, &[]), []);
        assert_eq!(both(&one, &one), one);
    }

    #[test]
    fn a_site_is_up_while_all_of_it_is_and_ipv4_counts() {
        let record = WatchRecord {
            watched: vec![
                watched("home", Some(Family::V6), 100, 1_000),
                watched("home", Some(Family::V4), 100, 1_000),
                watched("look-up", None, 200, 900),
            ],
            outages: vec![
                outage("home", Some(Family::V6), (300, 310), None),
                outage("look-up", None, (400, 410), None),
            ],
            unknown: Vec::new(),
        };
        assert_eq!(said(&record), [(false, 410, 900), (true, 200, 400)]);
    }
}
