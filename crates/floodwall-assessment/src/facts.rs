//! What was observed of one site: records, and where there are none.

use std::fmt;

use serde::Serialize;

use crate::moment::utc;

/// Of its 60 seconds a minute must have so many read to count as recorded.
const SECONDS_READ_MIN: u64 = 54;

/// Which record says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordRef {
    /// An incident of the store.
    Incident(String),
    /// Records of an evidence log, by their index, first and last.
    Evidence {
        /// The log's folder, where there are several; `None` where there is but one.
        log: Option<String>,
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// An outage seen from outside.
    Outage(String),
    /// What probes saw of these targets, without an outage.
    Watch(String),
    /// A claim that is kept.
    Claim(String),
    /// The settings, by the first 16 hexadecimal digits of the file's SHA-256.
    Settings(String),
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(name) => write!(f, "incident {name}"),
            Self::Evidence { log, first, last } => {
                let log = log.as_ref().map(|log| format!("{log}:")).unwrap_or_default();
                if first == last {
                    write!(f, "evidence {log}{first}")
                } else {
                    write!(f, "evidence {log}{first}-{last}")
                }
            }
            Self::Outage(name) => write!(f, "outage {name}"),
            Self::Watch(targets) => write!(f, "watch of {targets}"),
            Self::Claim(name) => write!(f, "claim {name}"),
            Self::Settings(hash) => write!(f, "settings {hash}"),
        }
    }
}

/// A stretch of time: from a second up to but without another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Its first second.
    pub from_unix_s: i64,
    /// The second after its last.
    pub to_unix_s: i64,
}

impl Span {
    /// One second after another, both included.
    #[must_use]
    pub fn of_seconds(first_unix_s: i64, last_unix_s: i64) -> Self {
        Self { from_unix_s: first_unix_s, to_unix_s: last_unix_s.saturating_add(1) }
    }

    /// Whether it has a second in common with another.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.from_unix_s < other.to_unix_s && other.from_unix_s < self.to_unix_s
    }

    /// How long it is.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.to_unix_s.saturating_sub(self.from_unix_s).max(0)
    }

    /// `2026-11-03 12:00:00 UTC to 2026-11-03 13:00:00 UTC`.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!("{} to {}", utc(self.from_unix_s), utc(self.to_unix_s))
    }
}

/// One minute of one site, as the evidence log has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinuteFact {
    /// The minute's start.
    pub minute_unix_s: i64,
    /// Which of [`SiteFacts::logs`] the record is in.
    pub log: usize,
    /// Index of the record.
    pub record: u64,
    /// Seconds of it in which figures were read.
    pub seconds_read: u64,
    /// What the sensor dropped.
    pub dropped: u64,
    /// How far the wall clock was set, in milliseconds.
    pub clock_step_ms: i64,
    /// Whether something keeps the clock right.
    pub clock_is_kept: bool,
    /// Requests.
    pub requests: u64,
    /// Answers with status 200 to 399.
    pub answered_well: u64,
    /// Answers with status 500 to 599.
    pub failed: u64,
}

/// What could explain an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Explanation {
    /// Somebody meant to overload the site.
    Attack,
    /// Many people came at once.
    Crowd,
    /// Something routinely goes wrong: an origin, a certificate, a supplier.
    Routine,
    /// The evidence does not say.
    Unknown,
}

impl Explanation {
    /// By the word that incidents carry.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "attack" => Self::Attack,
            "crowd" => Self::Crowd,
            "routine" => Self::Routine,
            _ => Self::Unknown,
        }
    }

    /// In words, with its article.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Attack => "an attack",
            Self::Crowd => "a crowd",
            Self::Routine => "routine trouble",
            Self::Unknown => "unusual traffic",
        }
    }
}

/// An incident, as far as claims and statements need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentFact {
    /// Its name.
    pub id: String,
    /// Its revisions in the evidence log.
    pub evidence: Vec<RecordRef>,
    /// What it was judged to be last.
    pub verdict: Explanation,
    /// What else is in it.
    pub mixed_with: Option<Explanation>,
    /// How likely an attack, a crowd and routine trouble are, each by itself, in thousandths.
    pub attack_permille: u16,
    /// See above.
    pub crowd_permille: u16,
    /// See above.
    pub routine_permille: u16,
    /// By which ways an attack comes: the words of the incident.
    pub vectors: Vec<String>,
    /// What routinely goes wrong, in the incident's word.
    pub routine_cause: Option<String>,
    /// Not before.
    pub onset_earliest_unix_s: i64,
    /// Most likely.
    pub onset_unix_s: i64,
    /// Not after.
    pub onset_latest_unix_s: i64,
    /// Its last unusual second; `None` while it goes on or where nobody saw its end.
    pub ended_unix_s: Option<i64>,
    /// Up to when it was seen, where nobody saw its end.
    pub seen_until_unix_s: i64,
    /// Whether it goes on.
    pub is_open: bool,
    /// Most requests in one second.
    pub peak_requests_per_s: u64,
    /// Expected when it began.
    pub calm_requests_per_s: u64,
    /// Of what networks known from calm times asked for, what was answered well, in thousandths.
    pub goodput_permille: Option<u16>,
    /// Requests that waited, were challenged, were refused.
    pub waited: u64,
    /// See above.
    pub challenged: u64,
    /// See above.
    pub refused: u64,
}

impl IncidentFact {
    /// From the earliest onset to its end; to `as_of_unix_s` where it goes on, and to where it was last
    /// seen where nobody saw its end.
    #[must_use]
    pub fn span(&self, as_of_unix_s: i64) -> Span {
        let to_unix_s = match self.ended_unix_s {
            Some(end) => end.saturating_add(1),
            // What is not over yet has no record yet.
            None if self.is_open => as_of_unix_s.max(self.onset_earliest_unix_s),
            None => self.seen_until_unix_s.saturating_add(1),
        };
        Span { from_unix_s: self.onset_earliest_unix_s, to_unix_s }
    }

    /// How likely its verdict is, in thousandths; of `unknown`, that none of the others is right.
    #[must_use]
    pub fn likelihood_permille(&self) -> u16 {
        match self.verdict {
            Explanation::Attack => self.attack_permille,
            Explanation::Crowd => self.crowd_permille,
            Explanation::Routine => self.routine_permille,
            Explanation::Unknown => {
                let not = |permille: u16| f64::from(1000 - permille.min(1000)) / 1000.0;
                let none = not(self.attack_permille) * not(self.crowd_permille) * not(self.routine_permille);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
                let permille = (none * 1000.0).round() as u16;
                permille
            }
        }
    }

    /// The records it stands in.
    #[must_use]
    pub fn records(&self) -> Vec<RecordRef> {
        let mut records = vec![RecordRef::Incident(self.id.clone())];
        records.extend(self.evidence.iter().cloned());
        records
    }
}

/// Whether a site could be reached from somewhere else, for a stretch of time.
///
/// Joined later: whoever keeps outages gives them in this form. Times in which nothing was probed are not
/// in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachabilityFact {
    /// Which record says so.
    pub record: RecordRef,
    /// From where it was probed.
    pub vantage: String,
    /// When.
    pub span: Span,
    /// How far each end can be wrong, in seconds.
    pub error_s: u32,
    /// Whether it could be reached.
    pub reachable: bool,
    /// Why not, in words.
    pub cause: Option<String>,
}

/// What was observed of one site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteFacts {
    /// Its name.
    pub site: String,
    /// The evidence logs that records are in, by their folders; one without a name where there is but one.
    pub logs: Vec<Option<String>>,
    /// Its minutes, ascending, without gaps filled.
    pub minutes: Vec<MinuteFact>,
    /// Its incidents.
    pub incidents: Vec<IncidentFact>,
    /// What was seen from outside.
    pub reachability: Vec<ReachabilityFact>,
    /// Since when the public could know of it, where somebody says so: a news report, a statement.
    pub public_since_unix_s: Option<i64>,
    /// Up to when there can be records.
    pub as_of_unix_s: i64,
}

/// How much of a stretch of time is on record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Minutes that it touches.
    pub minutes: u64,
    /// Of these, minutes on record.
    pub recorded: u64,
    /// Records that the sensor says it dropped.
    pub dropped: u64,
    /// Whether the clock was kept right and not set by a second or more, in every minute on record.
    pub clock_is_good: bool,
    /// The records.
    pub records: Vec<RecordRef>,
}

impl Coverage {
    /// How many minutes are missing, in words; empty where none is.
    #[must_use]
    pub fn missing_in_words(&self) -> String {
        match self.minutes.saturating_sub(self.recorded) {
            0 => String::new(),
            missing if missing == self.minutes => "no minute of it was recorded".to_owned(),
            1 => format!("one of {} minutes was not recorded", self.minutes),
            missing => format!("{missing} of {} minutes were not recorded", self.minutes),
        }
    }

    /// Whether every minute is on record.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.minutes > 0 && self.recorded == self.minutes
    }

    /// In thousandths, rounded down.
    #[must_use]
    pub fn permille(&self) -> u64 {
        self.recorded.saturating_mul(1000).checked_div(self.minutes).unwrap_or(0)
    }
}

impl SiteFacts {
    /// The minutes on record that a stretch of time touches.
    pub(crate) fn minutes_in(&self, span: Span) -> &[MinuteFact] {
        let first = self
            .minutes
            .partition_point(|minute| minute.minute_unix_s.saturating_add(60) <= span.from_unix_s);
        let end = self.minutes.partition_point(|minute| minute.minute_unix_s < span.to_unix_s);
        self.minutes.get(first..end).unwrap_or_default()
    }

    /// How much of a stretch of time is on record, up to when there can be records.
    #[must_use]
    pub fn coverage(&self, span: Span) -> Coverage {
        let to_unix_s = span.to_unix_s.min(self.as_of_unix_s).max(span.from_unix_s);
        let span = Span { to_unix_s, ..span };
        let first = span.from_unix_s.div_euclid(60);
        let end = span.to_unix_s.saturating_add(59).div_euclid(60);
        // Of no time at all no minute is touched.
        let end = if span.seconds() == 0 { first } else { end };
        let minutes = u64::try_from(end.saturating_sub(first)).unwrap_or(0);
        let found = self.minutes_in(span);
        // A server that was started anew in the middle of a minute has two records of it.
        let mut recorded = 0_u64;
        for same in found.chunk_by(|one, next| one.minute_unix_s == next.minute_unix_s) {
            let read: u64 = same.iter().map(|minute| minute.seconds_read).sum();
            recorded += u64::from(read >= SECONDS_READ_MIN);
        }
        let clock_is_good = !found.is_empty()
            && found.iter().all(|minute| minute.clock_is_kept && minute.clock_step_ms.abs() < 1_000);
        Coverage {
            minutes,
            recorded: recorded.min(minutes),
            dropped: found.iter().map(|minute| minute.dropped).sum(),
            clock_is_good,
            records: self.records(found),
        }
    }

    /// The records of minutes: in each log from the first to the last.
    fn records(&self, minutes: &[MinuteFact]) -> Vec<RecordRef> {
        let of = |(number, log): (usize, &Option<String>)| {
            let indexes = || minutes.iter().filter(|minute| minute.log == number).map(|minute| minute.record);
            let (first, last) = indexes().min().zip(indexes().max())?;
            Some(RecordRef::Evidence { log: log.clone(), first, last })
        };
        self.logs.iter().enumerate().filter_map(of).collect()
    }

    /// Whether probes from outside cover a stretch of time from end to end without a break.
    #[must_use]
    pub(crate) fn is_probed(&self, span: Span) -> bool {
        let mut spans: Vec<Span> = self.reachability.iter().map(|fact| fact.span).collect();
        spans.sort_unstable_by_key(|span| span.from_unix_s);
        let mut up_to = span.from_unix_s;
        for probed in spans {
            if probed.from_unix_s > up_to {
                break;
            }
            up_to = up_to.max(probed.to_unix_s);
        }
        up_to >= span.to_unix_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_without_a_record_is_a_gap() {
        let minute = |number: i64, seconds_read: u64| MinuteFact {
            minute_unix_s: number * 60,
            record: 100 + u64::try_from(number).unwrap(),
            seconds_read,
            clock_is_kept: true,
            ..MinuteFact::default()
        };
        let facts = SiteFacts {
            logs: vec![None],
            as_of_unix_s: 3_600,
            minutes: vec![minute(0, 60), minute(1, 21), minute(1, 34), minute(3, 60), minute(4, 20)],
            ..SiteFacts::default()
        };
        let check = |from_unix_s: i64, to_unix_s: i64, minutes: u64, recorded: u64| {
            let coverage = facts.coverage(Span { from_unix_s, to_unix_s });
            assert_eq!(
                (coverage.minutes, coverage.recorded),
                (minutes, recorded),
                "{from_unix_s} {to_unix_s}"
            );
        };
        check(0, 120, 2, 2);
        check(30, 61, 2, 2);
        check(0, 240, 4, 3);
        check(180, 300, 2, 1);
        check(600, 660, 1, 0);
        check(60, 60, 0, 0);
        check(90, 90, 0, 0);
        check(3_540, 9_000, 1, 0);
        check(3_630, 9_000, 0, 0);
        assert!(!facts.coverage(Span { from_unix_s: 60, to_unix_s: 60 }).is_whole());
        let records = facts.coverage(Span { from_unix_s: 30, to_unix_s: 200 }).records;
        assert_eq!(records.iter().map(ToString::to_string).collect::<Vec<_>>(), ["evidence 100-103"]);
    }
}
