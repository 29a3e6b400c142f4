//! What is recorded: one fact, when, by which run of the server.

use std::collections::BTreeMap;

use floodwall_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::{CanonicalFault, INTEGER_MAX, check_canonical, to_canonical};
use crate::redaction::Commitment;

/// The format's name and version, in every record.
pub const RECORD_FORMAT: &str = "floodwall-evidence/1";

/// Bytes of a record at most: what an entry bundle has room for.
pub const RECORD_BYTES_MAX: usize = 65_535;

/// One record: a leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_FORMAT`].
    pub format: String,
    /// When, by the wall clock: RFC 3339 in UTC with milliseconds.
    pub at: String,
    /// Milliseconds since this run's start by the clock that is never set: differences between
    /// records of one run are taken here.
    pub uptime_ms: u64,
    /// The run of the server: 16 hexadecimal digits, made by chance at its start.
    pub run: String,
    /// What.
    pub fact: Fact,
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The server started.
    Start(Start),
    /// The server stopped in good order. Where it is missing, the server was ended by force.
    Stop(Stop),
    /// A minute, idle or not: a minute without one is a gap.
    Minute(MinuteSummary),
    /// More or less is asked of visitors.
    Rung(RungChange),
    /// An incident was opened, judged anew or closed.
    Incident(IncidentRevision),
    /// The watch confirmed that a target was down, or up again.
    Outage(OutageSeen),
    /// A capture file was closed.
    Capture(CaptureHash),
    /// An operator did something.
    Operator(OperatorAction),
    /// Somebody claims an attack.
    Claim(ClaimRecord),
    /// Records could not be written.
    Loss(Loss),
    /// This log continues another one, or was given another key.
    KeyChange(KeyChange),
}

impl Fact {
    /// The word for its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Stop(_) => "stop",
            Self::Minute(_) => "minute",
            Self::Rung(_) => "rung",
            Self::Incident(_) => "incident",
            Self::Outage(_) => "outage",
            Self::Capture(_) => "capture",
            Self::Operator(_) => "operator",
            Self::Claim(_) => "claim",
            Self::Loss(_) => "loss",
            Self::KeyChange(_) => "key_change",
        }
    }
}

/// See [`Fact::Start`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Version of the program.
    pub version: String,
    /// The sites it protects.
    pub sites: Vec<String>,
}

/// See [`Fact::Stop`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Why.
    pub reason: String,
}

/// See [`Fact::Minute`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteSummary {
    /// The minute's start, in seconds since 1970; a multiple of 60.
    pub minute_unix_s: i64,
    /// Of each site what was counted. A site without traffic is there, with no counts.
    pub sites: BTreeMap<String, SiteMinute>,
    /// How the sensor itself was.
    pub sensor: SensorHealth,
}

/// One site in one minute. Figures that are 0 are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteMinute {
    /// Traffic, by the names of the store.
    pub traffic: BTreeMap<String, u64>,
    /// What the gates did.
    pub gates: BTreeMap<String, u64>,
    /// Origins by their state at the minute's end: `up`, `down`, `unknown`.
    pub origins: BTreeMap<String, u64>,
}

/// How far a minute's figures can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorHealth {
    /// Seconds of the minute in which figures were read.
    pub seconds_read: u64,
    /// How far the wall clock was set against the clock that is never set, in this minute.
    pub clock_step_ms: i64,
    /// What is known of the wall clock's own fault; `None` where nothing keeps it.
    pub clock_offset_ms: Option<i64>,
    /// What keeps the wall clock right, in words; `None` where nothing does.
    pub clock_source: Option<String>,
    /// Connections open at the minute's end.
    pub connections_open: u64,
    /// What was dropped in this minute, by name. Figures that are 0 are left out.
    pub dropped: BTreeMap<String, u64>,
}

/// See [`Fact::Rung`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungChange {
    /// The site.
    pub site: String,
    /// The path class whose gate it is.
    pub path_class: String,
    /// The rung before; `None` where the gate is new.
    pub before: Option<u8>,
    /// The rung now, 0 to 4.
    pub rung: u8,
    /// What that asks of visitors, in a word.
    pub asks: String,
}

/// See [`Fact::Incident`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRevision {
    /// Which incident.
    pub incident: String,
    /// Which judgement of it, from 1.
    pub revision: u64,
    /// The site.
    pub site: String,
    /// Where it stands.
    pub state: String,
    /// `attack`, `crowd`, `routine` or `unknown`.
    pub verdict: String,
    /// The verdict's likelihood in thousandths.
    pub likelihood_permille: u64,
    /// When it began, most likely, in seconds since 1970.
    pub onset_unix_s: i64,
    /// When it ended; `None` while it goes on.
    pub ended_unix_s: Option<i64>,
    /// The grounds, in words.
    pub grounds: Vec<String>,
    /// Sources that stood out; withheld.
    pub sources: Option<Commitment>,
}

/// See [`Fact::Capture`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureHash {
    /// The file's name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// See [`Fact::Outage`]. Times are in seconds since 1970; what is not known, or goes on, is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutageSeen {
    /// The outage's name.
    pub outage: String,
    /// What was probed.
    pub target: String,
    /// The site it belongs to.
    pub site: Option<String>,
    /// From where.
    pub vantage: String,
    /// Over which addresses: `any`, `ipv4` or `ipv6`.
    pub family: String,
    /// The last probe before it that was up.
    pub start_earliest_unix_s: Option<i64>,
    /// Its first probe.
    pub start_latest_unix_s: i64,
    /// Its last probe, once it has ended.
    pub end_earliest_unix_s: Option<i64>,
    /// The first probe after it that was up, once it has ended.
    pub end_latest_unix_s: Option<i64>,
    /// Why probes failed, and how many did so, the most frequent first: `connect_refused=12`.
    pub causes: Vec<String>,
}

/// See [`Fact::Operator`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorAction {
    /// What was done.
    pub action: String,
    /// Who did it; withheld.
    pub operator: Option<Commitment>,
    /// More about it; withheld.
    pub detail: Option<Commitment>,
}

/// See [`Fact::Claim`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// Which claim.
    pub claim: String,
    /// When it was posted, RFC 3339.
    pub posted_at: String,
    /// The SHA-256 of what was captured of it, hexadecimal.
    pub capture_sha256: String,
    /// Who claims; withheld.
    pub claimant: Option<Commitment>,
    /// The text; withheld.
    pub text: Option<Commitment>,
}

/// See [`Fact::Loss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// How many records are missing.
    pub records: u64,
    /// The first of them, RFC 3339.
    pub first_at: String,
    /// The last of them.
    pub last_at: String,
    /// Why, in words.
    pub why: String,
}

/// See [`Fact::KeyChange`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// This log's verifier key.
    pub key: String,
    /// The log that is continued; `None` for the first one.
    pub continues: Option<Continued>,
}

/// A log that another one continues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continued {
    /// Its origin.
    pub origin: String,
    /// Its size, as last signed; `None` where that cannot be read any more.
    pub size: Option<u64>,
    /// Its root at that size, base64.
    pub root: Option<String>,
    /// Its verifier key, where known.
    pub key: Option<String>,
    /// Why it was not continued itself.
    pub why: String,
}

/// Who records: what every record of one run has in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The run: 16 hexadecimal digits.
    pub run: String,
    /// When it began.
    pub started: Timestamp,
}

impl Origin {
    /// Of a run that began at `started`, with eight random bytes for its name.
    #[must_use]
    pub fn new(started: Timestamp, random: [u8; 8]) -> Self {
        Self { run: format!("{:016x}", u64::from_be_bytes(random)), started }
    }

    /// A record of this run.
    #[must_use]
    pub fn record(&self, now: Timestamp, fact: Fact) -> Record {
        let uptime_ms = u64::try_from(now.since(self.started).as_millis()).unwrap_or(INTEGER_MAX);
        Record {
            format: RECORD_FORMAT.to_owned(),
            at: now.to_string(),
            uptime_ms: uptime_ms.min(INTEGER_MAX),
            run: self.run.clone(),
            fact,
        }
    }
}

/// Why a record cannot be written, or bytes are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// Not canonical JSON.
    #[error("it is not canonical JSON: {0}")]
    Canonical(#[from] CanonicalFault),
    /// Longer than [`RECORD_BYTES_MAX`].
    #[error("it is longer than 65,535 bytes")]
    TooLong,
    /// Of another format or version.
    #[error("it is of another format than floodwall-evidence/1")]
    Format,
    /// Fields that a record of its kind does not have, or misses.
    #[error("its fields are not those of a record: {0}")]
    Fields(String),
}

impl Record {
    /// The bytes that are logged.
    ///
    /// # Errors
    /// [`RecordFault::Canonical`], [`RecordFault::TooLong`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordFault> {
        let bytes = to_canonical(self)?;
        if bytes.len() > RECORD_BYTES_MAX { Err(RecordFault::TooLong) } else { Ok(bytes) }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordFault> {
        check_canonical(bytes)?;
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordFault::TooLong);
        }
        let record: Self =
            serde_json::from_slice(bytes).map_err(|error| RecordFault::Fields(error.to_string()))?;
        if record.format == RECORD_FORMAT { Ok(record) } else { Err(RecordFault::Format) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::redaction::Disclosure;

    fn origin() -> Origin {
        Origin::new(Timestamp::new(Duration::from_secs(5), 1_667_916_127_125_000), [0, 1, 2, 3, 4, 5, 6, 7])
    }

    fn facts() -> Vec<Fact> {
        let commitment = || Some(Disclosure::new([1; 16], "operator", &"J. Clerk").unwrap().commitment());
        vec![
            Fact::Start(Start { version: "0.1.0".into(), sites: vec!["sos".into()] }),
            Fact::Stop(Stop { reason: "SIGTERM".into() }),
            Fact::Minute(MinuteSummary {
                minute_unix_s: 1_667_916_120,
                sites: [("sos".to_owned(), SiteMinute::default())].into(),
                sensor: SensorHealth { seconds_read: 60, clock_step_ms: -3, ..SensorHealth::default() },
            }),
            Fact::Rung(RungChange { site: "sos".into(), before: Some(0), rung: 2, ..RungChange::default() }),
            Fact::Incident(IncidentRevision { incident: "sos-1".into(), ..IncidentRevision::default() }),
            Fact::Outage(OutageSeen { outage: "home-1".into(), ..OutageSeen::default() }),
            Fact::Capture(CaptureHash::default()),
            Fact::Operator(OperatorAction { action: "allow".into(), operator: commitment(), detail: None }),
            Fact::Claim(ClaimRecord {
                claim: "c1".into(),
                posted_at: String::new(),
                capture_sha256: String::new(),
                claimant: None,
                text: None,
            }),
            Fact::Loss(Loss { records: 3, ..Loss::default() }),
            Fact::KeyChange(KeyChange { key: "k".into(), continues: Some(Continued::default()) }),
        ]
    }

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for fact in facts() {
            let kind = fact.kind();
            let record =
                origin().record(Timestamp::new(Duration::from_millis(7_250), 1_667_916_129_000_000), fact);
            let bytes = record.to_bytes().unwrap();
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.starts_with("{\"at\":\"2022-11-08T14:02:09.000Z\",\"fact\":{"), "{text}");
            assert!(text.contains(&format!("\"kind\":\"{kind}\"")), "{text}");
            assert!(
                text.ends_with(
                    "\"format\":\"floodwall-evidence/1\",\"run\":\"0001020304050607\",\"uptime_ms\":2250}"
                ),
                "{text}"
            );
            assert_eq!(Record::parse(&bytes).as_ref(), Ok(&record));
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_reason() {
        let stop =
            origin().record(origin().started, Fact::Stop(Stop { reason: "x".into() })).to_bytes().unwrap();
        let text = String::from_utf8(stop).unwrap();
        let says = |text: &str| Record::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            says(&text.replace("evidence/1", "evidence/2")),
            "it is of another format than floodwall-evidence/1"
        );
        assert!(says(&text.replace("\"stop\"", "\"halt\"")).contains("unknown variant `halt`"));
        assert!(says(&text.replace(':', ": ")).starts_with("it is not canonical JSON"));
        let long = Fact::Stop(Stop { reason: "x".repeat(RECORD_BYTES_MAX) });
        assert_eq!(origin().record(origin().started, long).to_bytes(), Err(RecordFault::TooLong));
    }
}
