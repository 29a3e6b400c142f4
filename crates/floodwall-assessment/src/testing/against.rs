//! Which site, when, known before, how, how much: what records say of it.

use super::Outcome::{Contradicts, Supports, Untestable, Untested};
use super::effect::FINE_FROM_PERMILLE;
use super::{Assertion, Compared, Row, VERDICT_COUNTS_FROM_PERMILLE, row};
use crate::claim::{ClaimedMethod, NamedHow, SizeUnit};
use crate::declared::MatchKind;
use crate::facts::{Explanation, IncidentFact, Span};
use crate::moment::utc;

/// What the records of this server cannot show, said wherever nothing was found.
const BEYOND: &str = "What never reached this server is not in its records.";

impl Compared<'_> {
    /// A site that the claim does not name.
    pub(super) fn not_named(&self) -> Row {
        let targets = self.claim.targets.len();
        let says = match self.named {
            Some(alike) => format!(
                "names {}, which looks like a name of {} and is another one",
                alike.target.name, self.facts.site
            ),
            None if targets == 1 => format!("names one target; {} is not it", self.facts.site),
            None => format!("names {targets} targets; {} is not among them", self.facts.site),
        };
        let line = row(Assertion::Target, says, Untestable, "");
        let why = match self.incident.filter(|incident| incident.verdict == Explanation::Attack) {
            Some(incident) => {
                format!(
                    "The claim says nothing of this site. All the same an attack on it is on record in the time searched: {}.",
                    likely(incident)
                )
            }
            None => "The claim says nothing of this site.".to_owned(),
        };
        let records = self.incident.map(IncidentFact::records).unwrap_or_default();
        Row { why, ..line }.with(records)
    }

    /// That this site was attacked.
    pub(super) fn target(&self) -> Row {
        let says = self.target_says();
        let line = |outcome, why: String| row(Assertion::Target, says.clone(), outcome, why);
        let Some(incident) = self.incident else { return self.nothing_seen(&line) };
        let records = incident.records();
        let sure = incident.likelihood_permille() >= VERDICT_COUNTS_FROM_PERMILLE;
        match incident.verdict {
            Explanation::Attack if sure => {
                line(Supports, format!("An attack on this site is on record: {}.", likely(incident)))
            }
            Explanation::Crowd | Explanation::Routine if sure && !mixed_with_attack(incident) => {
                let what = format!("What is on record is {}: {}.", incident.verdict.in_words(), likely(incident));
                // An attack may have come in a minute of which nothing is known.
                if !self.coverage.is_whole() {
                    line(Untested, format!("{what} But {}.", self.coverage.missing_in_words()))
                } else if self.is_over {
                    line(Contradicts, format!("{what}{}", self.assumed()))
                } else {
                    line(Untested, format!("{what} The time it speaks of is not over."))
                }
            }
            _ => line(
                Untested,
                format!(
                    "Unusual traffic is on record, and what it was is not known well enough: attack {} %, crowd {} %, routine trouble {} %.",
                    percent(incident.attack_permille),
                    percent(incident.crowd_permille),
                    percent(incident.routine_permille)
                ),
            ),
        }
        .with(records)
    }

    fn target_says(&self) -> String {
        let Some(named) = self.named else { return String::new() };
        let name = &named.target.name;
        let how = match named.kind {
            MatchKind::DomainAbove => ", a domain above this site's",
            MatchKind::IsButForWww => ", this site but for `www.`",
            MatchKind::Is | MatchKind::LooksLike => "",
        };
        let by = match named.target.how {
            NamedHow::Link => "links to",
            NamedHow::Entry => "lists",
            NamedHow::Text | NamedHow::Person => "names",
        };
        format!("{by} {name}{how}")
    }

    fn nothing_seen(&self, line: &dyn Fn(super::Outcome, String) -> Row) -> Row {
        let coverage = &self.coverage;
        let records = coverage.records.clone();
        let span = self.searched.in_words();
        let made = if coverage.minutes == 0 {
            line(Untested, "The time it speaks of has not begun.".to_owned())
        } else if !coverage.is_whole() {
            let missing = coverage.missing_in_words();
            line(Untested, format!("No incident is on record, but {missing}, so nothing follows ({span})."))
        } else if !self.is_over {
            line(
                Untested,
                format!(
                    "No incident up to now; the time it speaks of goes on until {}.",
                    utc(self.meant.to_unix_s)
                ),
            )
        } else {
            line(
                Contradicts,
                format!(
                    "Every minute is on record, and none is part of an incident ({span}). {BEYOND}{}",
                    self.assumed()
                ),
            )
        };
        made.with(records)
    }

    /// What a contradiction rests on, where the claim names no time.
    fn assumed(&self) -> &'static str {
        match self.claim.window {
            Some(_) => "",
            None => " The claim names no time; it is taken to mean the day before its post or the day after.",
        }
    }

    /// When.
    pub(super) fn time(&self) -> Row {
        let Some(window) = self.claim.window else {
            return row(
                Assertion::Time,
                "names no time",
                Untestable,
                "There is nothing to compare. A day before the post and a day after it were searched.",
            );
        };
        let until = window.until.map(|until| format!(" until {}", until.in_words())).unwrap_or_default();
        let says = format!("from {}{until}", window.from.in_words());
        let line = |outcome, why: String| row(Assertion::Time, says.clone(), outcome, why);
        let Some(incident) = self.incident else {
            let nothing = self.nothing_seen(&line);
            return nothing;
        };
        let (earliest, latest) = (incident.onset_earliest_unix_s, incident.onset_latest_unix_s);
        let began = format!("between {} and {}", utc(earliest), utc(latest));
        let (first, last) = (window.from.earliest_unix_s(), window.from.latest_unix_s());
        let then = self.facts.coverage(Span::of_seconds(first, last));
        let made = if earliest <= last && first <= latest {
            line(Supports, format!("What is on record began {began}, as it says."))
        } else if !then.is_whole() {
            let missing = then.missing_in_words();
            line(Untested, format!("What is on record began {began}, but of the time it names {missing}."))
        } else if earliest > last {
            line(
                Contradicts,
                format!(
                    "What is on record began {began}: {} later than it says.",
                    span_words(earliest - last)
                ),
            )
        } else {
            line(
                Contradicts,
                format!(
                    "What is on record began {began}: {} earlier than it says.",
                    span_words(first - latest)
                ),
            )
        };
        made.with(incident.records())
    }

    /// Whether the claimant knew before everybody could.
    pub(super) fn foreknowledge(&self) -> Row {
        // Where a post was edited, nobody knows when it came to name the site.
        let since = self.named.map_or(self.claim.posted, |named| named.target.since);
        let says = format!("names the site since {}", since.in_words());
        let line = |outcome, why: String| row(Assertion::Foreknowledge, says.clone(), outcome, why);
        let Some(incident) = self.incident else {
            return line(Untested, "Nothing is on record that could have been known beforehand.".to_owned());
        };
        let records = incident.records();
        let public = self.facts.public_since_unix_s;
        let made = if since.latest_unix_s() < incident.onset_earliest_unix_s {
            let before = span_words(incident.onset_earliest_unix_s - since.latest_unix_s());
            line(
                Supports,
                format!(
                    "It was named {before} before the first unusual second. That shows that somebody knew or guessed, not who did it."
                ),
            )
        } else if public.is_some_and(|public| since.earliest_unix_s() >= public) {
            line(
                Untestable,
                format!(
                    "By then it was public (since {}). Anybody could have written it; it says nothing of who knew what.",
                    utc(public.unwrap_or_default())
                ),
            )
        } else if public.is_some_and(|public| since.latest_unix_s() < public) {
            line(
                Supports,
                format!(
                    "It was named after the onset and before it was public ({}). Whoever saw the site fail could have written it.",
                    utc(public.unwrap_or_default())
                ),
            )
        } else if public.is_some() {
            line(Untested, "Whether it was named before it was public cannot be told: the post was edited, or its time is not exact enough.".to_owned())
        } else {
            line(
                Untested,
                "It was not named before the onset. Since when it was public is not known here; name the first report with --public-since.".to_owned(),
            )
        };
        made.with(records)
    }

    /// How.
    pub(super) fn method(&self) -> Option<Row> {
        let methods = &self.claim.methods;
        if methods.is_empty() {
            return None;
        }
        let says = methods.iter().map(|method| method.in_words()).collect::<Vec<_>>().join("; ");
        let line = |outcome, why: &str| row(Assertion::Method, says.clone(), outcome, why);
        if methods == &[ClaimedMethod::Intrusion] {
            return Some(line(
                Untestable,
                "This server counts requests. Whether anybody got into a system is for other examinations.",
            ));
        }
        let Some(incident) = self.incident else {
            return Some(line(Untested, "Nothing is on record to compare it with."));
        };
        if incident.verdict != Explanation::Attack && !mixed_with_attack(incident) {
            return Some(
                line(Untested, "What is on record was not judged an attack, so it has no method.")
                    .with(incident.records()),
            );
        }
        let seen: Vec<_> = methods.iter().filter(|method| shows(**method, &incident.vectors)).collect();
        let only_packets = methods.iter().all(|method| {
            matches!(method, ClaimedMethod::SynFlood | ClaimedMethod::PacketFlood | ClaimedMethod::Intrusion)
        });
        let by = incident.vectors.iter().map(|vector| vector_words(vector)).collect::<Vec<_>>().join("; ");
        let made = if !seen.is_empty() {
            line(Supports, &format!("That is what is on record: {by}."))
        } else if incident.vectors.is_empty() {
            line(Untested, "By which way it came was not seen.")
        } else if only_packets {
            line(
                Untested,
                &format!("On record is {by}. Packets that are no requests are not counted by this server."),
            )
        } else {
            line(Contradicts, &format!("On record is something else: {by}."))
        };
        Some(made.with(incident.records()))
    }

    /// How much.
    pub(super) fn size(&self) -> Option<Row> {
        let size = self.claim.size?;
        let amount = size.amount;
        let unit = match size.unit {
            SizeUnit::RequestsPerSecond => "requests a second",
            SizeUnit::BitsPerSecond => "bits a second",
            SizeUnit::PacketsPerSecond => "packets a second",
        };
        let line = |outcome, why: String| {
            row(Assertion::Size, format!("{} {unit}", thousands(amount)), outcome, why)
        };
        if size.unit != SizeUnit::RequestsPerSecond {
            let why = "This server does not count them. Ask who carries your traffic.";
            return Some(line(Untestable, why.to_owned()));
        }
        let Some(incident) = self.incident else {
            return Some(line(Untested, "Nothing is on record to compare it with.".to_owned()));
        };
        let peak = incident.peak_requests_per_s;
        let seen = format!("At most {} requests a second reached this server", thousands(peak));
        // A claimant's figure is round, and counts what was sent.
        let made = if peak.saturating_mul(2) >= amount && peak <= amount.saturating_mul(2) {
            line(Supports, format!("{seen}."))
        } else if peak < amount && incident.goodput_permille.is_some_and(|good| good >= FINE_FROM_PERMILLE) {
            line(
                Contradicts,
                format!("{seen}, and usual visitors were served, so the way here was not full."),
            )
        } else if peak < amount {
            line(Untested, format!("{seen}. What was sent and never arrived is not in that."))
        } else {
            line(Contradicts, format!("{seen}, which is more than it says."))
        };
        Some(made.with(incident.records()))
    }

    /// Which requests.
    pub(super) fn requests(&self) -> Option<Row> {
        let templates = &self.named?.target.requests;
        let first = templates.first()?;
        let what = match templates.len() {
            1 => format!("{} {}", first.method, first.path),
            more => format!("{} {} and {} more", first.method, first.path, more - 1),
        };
        Some(row(
            Assertion::Requests,
            what,
            Untested,
            "Records here hold no paths. Look for these in the access log of that time.",
        ))
    }

    /// A page of somebody else.
    pub(super) fn proof(&self) -> Option<Row> {
        let first = self.claim.proofs.first()?;
        Some(row(
            Assertion::Proof,
            first.clone(),
            Untested,
            "The page was not opened. At best it shows that the site could not be reached from there at that moment.",
        ))
    }
}

pub(super) fn mixed_with_attack(incident: &IncidentFact) -> bool {
    incident.mixed_with == Some(Explanation::Attack)
}

/// Whether an incident's vectors are what a claimed method would show as.
fn shows(method: ClaimedMethod, vectors: &[String]) -> bool {
    let as_vectors: &[&str] = match method {
        ClaimedMethod::HttpFlood => &["look_ups", "cache_bust", "pages", "bodies", "scan", "bare_address"],
        ClaimedMethod::SlowConnections => &["held_connections"],
        ClaimedMethod::TlsHandshakes => &["tls_handshakes"],
        ClaimedMethod::StreamResets => &["stream_resets"],
        ClaimedMethod::SynFlood => &["syn"],
        ClaimedMethod::PacketFlood => &["packets"],
        ClaimedMethod::Intrusion => &[],
    };
    vectors.iter().any(|vector| as_vectors.contains(&vector.as_str()))
}

/// The words of an incident's vector, as `floodwall incident show` has them.
fn vector_words(vector: &str) -> &str {
    match vector {
        "look_ups" => "look-ups and searches, which cost the origin work",
        "cache_bust" => "queries that never repeat, so that no copy answers",
        "pages" => "ordinary pages, many times",
        "bodies" => "requests that carry bodies",
        "scan" => "a search for addresses that do not exist",
        "bare_address" => "requests for hosts that are not served here",
        "held_connections" => "connections that are held and say little",
        "stream_resets" => "HTTP/2 requests cancelled as soon as sent",
        "tls_handshakes" => "TLS handshakes without requests",
        "syn" => "connection attempts (SYN) that complete no handshake",
        "packets" => "packets of UDP, ICMP and others",
        other => other,
    }
}

/// `incident sos-1 since 2026-11-03 12:00:06 UTC, 97 % likely`.
fn likely(incident: &IncidentFact) -> String {
    let cause = incident.routine_cause.as_ref().filter(|_| incident.verdict == Explanation::Routine);
    let cause = cause.map(|cause| format!(" ({})", cause.replace('_', " "))).unwrap_or_default();
    format!(
        "incident {}{cause} since {}, {} % likely",
        incident.id,
        utc(incident.onset_unix_s),
        percent(incident.likelihood_permille())
    )
}

pub(super) fn percent(permille: u16) -> u16 {
    permille.saturating_add(5) / 10
}

/// `2 h 5 min`, to the two largest units.
pub(super) fn span_words(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `1,200,000`.
pub(crate) fn thousands(figure: u64) -> String {
    let digits = figure.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
