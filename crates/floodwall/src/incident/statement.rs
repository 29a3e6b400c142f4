//! `floodwall incident statement`: what can be said in public, each sentence backed by a record; and the
//! check of what a person would say instead.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use floodwall_assessment::{
    ClaimNote, Language, LintFault, RecordRef, Span, Statement, StatementFacts, lint, statement,
};
use floodwall_model::Clock as _;
use jiff::tz::TimeZone;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::claim::{Observed, claims_that_name, incident_fact, recorded_up_to};
use crate::clock::SystemClock;
use crate::commands::{EXIT_NO, EXIT_USAGE, show_faults};
use crate::settings::{HostPattern, Settings, Site};

/// Bytes of a text that is checked at most.
const TEXT_BYTES_MAX: u64 = 256 * 1024;
/// Evidence is read from so long before an incident: its sensor's health, and claims.
const BEFORE_S: i64 = 3_600;

#[derive(Args, Debug)]
pub(super) struct StatementArguments {
    /// The incident, as `list` names it; may be left out with --check
    #[arg(value_name = "INCIDENT", required_unless_present = "check")]
    id: Option<String>,
    /// Settings file (TOML): names the state directory, the site and what it keeps apart from
    #[arg(long, value_name = "FILE", required_unless_present = "check")]
    config: Option<PathBuf>,
    /// The language: en, es
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    language: LanguageArgument,
    /// Show behind each sentence the records that back it
    #[arg(long)]
    sources: bool,
    /// Mention that posts name the site, if claims that are kept do
    #[arg(long)]
    with_claims: bool,
    /// Check a text instead: no sentence without a record, nobody blamed; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LanguageArgument {
    En,
    Es,
}

impl From<LanguageArgument> for Language {
    fn from(language: LanguageArgument) -> Self {
        match language {
            LanguageArgument::En => Self::English,
            LanguageArgument::Es => Self::Spanish,
        }
    }
}

/// Why there is no statement, and the exit status.
pub(super) struct Refusal(pub(super) String, pub(super) u8);

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self(message, EXIT_NO)
    }
}

#[derive(Serialize)]
struct Document<'a> {
    incident: &'a str,
    statement: &'a Statement,
    text: String,
}

#[derive(Serialize)]
struct Checked<'a> {
    passes: bool,
    faults: &'a [LintFault],
}

/// The text to print and the exit status.
pub(super) fn run(arguments: &StatementArguments) -> Result<(String, u8), Refusal> {
    let language = arguments.language.into();
    let facts = match (&arguments.id, &arguments.config) {
        (Some(id), Some(config)) => {
            Some(gather(config, id, arguments.with_claims || arguments.check.is_some())?)
        }
        (Some(_), None) => {
            return Err(Refusal(
                "name the settings file with --config: it says which site it is".to_owned(),
                EXIT_USAGE,
            ));
        }
        (None, _) => None,
    };
    if let Some(file) = &arguments.check {
        return check(file, facts.as_ref(), arguments.json);
    }
    let Some((facts, zone)) = facts else {
        return Err(Refusal("name an incident; see `floodwall incident list`".to_owned(), EXIT_USAGE));
    };
    let made = statement(&facts, &zone, language);
    if arguments.json {
        let document = Document { incident: &facts.incident.id, statement: &made, text: made.text() };
        return Ok((json(&document)?, 0));
    }
    let text = if arguments.sources { made.text_with_sources() } else { made.text() + "\n" };
    Ok((text, 0))
}

fn json(value: &impl Serialize) -> Result<String, Refusal> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Refusal(error.to_string(), EXIT_NO))?;
    Ok(text + "\n")
}

/// A person's text: what is wrong with it, a fault a line.
fn check(
    file: &PathBuf,
    facts: Option<&(StatementFacts, TimeZone)>,
    as_json: bool,
) -> Result<(String, u8), Refusal> {
    let text = read(file)?;
    let generated: Vec<Statement> = facts
        .iter()
        .flat_map(|(facts, zone)| {
            [Language::English, Language::Spanish].map(|language| statement(facts, zone, language))
        })
        .collect();
    let sources: Option<Vec<RecordRef>> =
        facts.map(|_| generated.iter().flat_map(Statement::sources).collect());
    let faults = lint(&text, sources.as_deref(), &generated);
    let status = if faults.is_empty() { 0 } else { EXIT_NO };
    if as_json {
        return Ok((json(&Checked { passes: faults.is_empty(), faults: &faults })?, status));
    }
    Ok((checked_text(&faults, facts.is_some()), status))
}

fn checked_text(faults: &[LintFault], is_of_incident: bool) -> String {
    let mut text = String::new();
    let mut shown = 0;
    for fault in faults {
        if fault.number != shown {
            text.push_str(&format!("Sentence {}: {}\n", fault.number, fault.sentence));
            shown = fault.number;
        }
        text.push_str(&format!("  - {}.\n", fault.what));
    }
    text.push_str(&match faults.len() {
        0 => "Every sentence names a record, and none says what records cannot show. Whether it is true is for you to read.\n".to_owned(),
        1 => "1 fault.\n".to_owned(),
        faults => format!("{faults} faults.\n"),
    });
    if !is_of_incident {
        text.push_str("Whether the records it names are there was not looked up: no incident was given.\n");
    }
    text
}

fn read(file: &PathBuf) -> Result<String, Refusal> {
    let mut text = String::new();
    let failed = |error: std::io::Error| format!("{} {error}", file.display());
    let opened: Box<dyn std::io::Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).map_err(failed)?)
    };
    opened.take(TEXT_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(Refusal("it is longer than 256 KiB, which nobody reads out".to_owned(), EXIT_USAGE));
    }
    Ok(text)
}

/// Everything that a statement on an incident is made of.
fn gather(config: &PathBuf, id: &str, with_claims: bool) -> Result<(StatementFacts, TimeZone), Refusal> {
    let (settings, _) = Settings::load(config).map_err(|faults| {
        show_faults(&faults);
        Refusal(String::new(), EXIT_USAGE)
    })?;
    let state = &settings.server.state;
    let document = super::command::find(state, id)?;
    let site = settings.sites.iter().find(|site| site.name == document.site);
    let site = site.ok_or_else(|| {
        format!("{} declares no site {}, of which the incident is", config.display(), document.site)
    })?;
    let as_of_unix_s = recorded_up_to(SystemClock::start().now().wall_unix_seconds());
    let unreadable = || format!("the record of {id} says no time at which it began");
    let span = incident_fact(&document, Vec::new()).ok_or_else(unreadable)?.span(as_of_unix_s);
    let wide = Span { from_unix_s: span.from_unix_s - BEFORE_S, to_unix_s: span.to_unix_s + BEFORE_S };
    let observed = Observed::gather(state, wide, as_of_unix_s)?;
    let incident = incident_fact(&document, observed.revisions_of(id)).ok_or_else(unreadable)?;
    let claims = if with_claims { claims(&settings, site, &observed, span)? } else { Vec::new() };
    let kept_apart = !settings.server.internal.is_empty() && !site.may_reach_internal();
    let facts = StatementFacts {
        host: host(site),
        role: site.role.clone(),
        coverage: observed.facts(&site.name).coverage(span),
        incident,
        kept_from_internal: kept_apart.then(|| settings_hash(config)).transpose()?,
        reachability: observed.reachability(&site.name, Some(span)),
        claims,
        as_of_unix_s,
    };
    Ok((facts, site.zone.0.clone()))
}

/// The name by which people know the site.
fn host(site: &Site) -> String {
    let exact = site.hosts.iter().find_map(|host| match host {
        HostPattern::Exact(name) => Some(name.clone()),
        HostPattern::Below(_) | HostPattern::Any => None,
    });
    exact.unwrap_or_else(|| site.name.clone())
}

fn claims(
    settings: &Settings,
    site: &Site,
    observed: &Observed,
    span: Span,
) -> Result<Vec<ClaimNote>, Refusal> {
    let found = claims_that_name(&settings.server.state, site, span)?;
    let note = |(id, posted): (String, floodwall_assessment::Moment)| {
        let recorded = observed.claim_record(&id).cloned();
        ClaimNote { posted, records: std::iter::once(RecordRef::Claim(id)).chain(recorded).collect() }
    };
    Ok(found.into_iter().map(note).collect())
}

fn settings_hash(config: &PathBuf) -> Result<RecordRef, Refusal> {
    let bytes = std::fs::read(config).map_err(|error| format!("{} {error}", config.display()))?;
    let hash = Sha256::digest(&bytes);
    Ok(RecordRef::Settings(hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()))
}
