//! `floodwall claim test`: claims against what was recorded.

use std::collections::BTreeMap;

use clap::Args;
use floodwall_assessment::{
    Assessment, Claim, ClaimTest, Moment, Span, TrackRecord, assess, named, test_claim,
};
use floodwall_model::Clock as _;
use serde::Serialize;

use super::add::moment;
use super::command::{Found, Place, Refusal};
use super::kept::Claims;
use super::observed::{Observed, recorded_up_to};
use super::table;
use crate::clock::SystemClock;

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").args(["claim", "all"]).required(true))]
pub(crate) struct TestArguments {
    /// The claim, as `list` names it
    #[arg(value_name = "CLAIM")]
    claim: Option<String>,
    /// Every claim that names one of your sites
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
    /// Since when the public could know of it: the first report, the first statement
    #[arg(long, value_name = "TIME", value_parser = moment)]
    public_since: Option<Moment>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A claim tested against one site, and what is judged of it.
#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    test: ClaimTest,
    assessment: Assessment,
}

#[derive(Serialize)]
struct Tested<'a> {
    tests: Vec<Outcome>,
    track_records: BTreeMap<&'a str, &'a TrackRecord>,
}

pub(super) fn run(arguments: &TestArguments) -> Result<String, Refusal> {
    let found = arguments.place.find().map_err(Refusal::Said)?;
    if found.sites.is_empty() {
        return Err(Refusal::Usage(
            "name the settings file with --config: it says which sites are yours".to_owned(),
        ));
    }
    let claims = Claims::read(&found.state)?;
    let asked: Vec<&Claim> = match &arguments.claim {
        Some(id) => vec![
            claims
                .get(id)
                .ok_or_else(|| Refusal::No(format!("there is no claim {id}; see `floodwall claim list`")))?,
        ],
        None => claims.iter().filter(|claim| !named(claim, &found.sites).is_empty()).collect(),
    };
    if asked.is_empty() {
        return Err(Refusal::No("no claim that is kept names one of your sites".to_owned()));
    }
    // A claimant's record is over all of their claims.
    let of_claimants: Vec<&Claim> =
        claims.iter().filter(|claim| asked.iter().any(|asked| asked.claimant == claim.claimant)).collect();
    let now = recorded_up_to(SystemClock::start().now().wall_unix_seconds());
    let observed = Observed::gather(&found.state, searched(&of_claimants), now).map_err(Refusal::No)?;
    let public = arguments.public_since.map(|moment| moment.earliest_unix_s());
    let mut records: BTreeMap<&str, TrackRecord> = BTreeMap::new();
    for claim in &of_claimants {
        let record = records.entry(&claim.claimant).or_default();
        tests(claim, &found, &observed, None).iter().for_each(|test| record.add(&test.test));
    }
    let tests: Vec<_> = asked.iter().flat_map(|claim| tests(claim, &found, &observed, public)).collect();
    if arguments.json {
        let track_records = records.iter().map(|(name, record)| (*name, record)).collect();
        return table::as_json(&Tested { tests, track_records });
    }
    Ok(text(&asked, &tests, &records, &observed))
}

fn text(
    asked: &[&Claim],
    tests: &[Outcome],
    records: &BTreeMap<&str, TrackRecord>,
    observed: &Observed,
) -> String {
    let mut text = String::new();
    for claim in asked {
        text.push_str(&format!("{}\n{}", claim.id, table::head(claim)));
        text.push_str(&table::recorded(observed.claim_record(&claim.id)));
        for tested in tests.iter().filter(|tested| tested.test.claim == claim.id) {
            text.push('\n');
            text.push_str(&table::test(&tested.test));
            if tested.test.names_the_site() {
                text.push('\n');
                text.push_str(&table::assessment(&tested.assessment));
            }
        }
        text.push('\n');
    }
    for (claimant, record) in records {
        text.push_str(&table::track_record(claimant, record));
    }
    text.push_str(table::CLOSING);
    text
}

/// A claim against each site it names; where it names none, against each.
fn tests(claim: &Claim, found: &Found, observed: &Observed, public: Option<i64>) -> Vec<Outcome> {
    let matches = named(claim, &found.sites);
    let names_one = matches.iter().any(|found| found.kind.names_the_site());
    let of = |site: &floodwall_assessment::DeclaredSite| {
        let own = matches.iter().find(|found| found.site == site.name);
        if names_one && !own.is_some_and(|own| own.kind.names_the_site()) {
            return None;
        }
        let mut facts = observed.facts(&site.name);
        facts.public_since_unix_s = public;
        let test = test_claim(claim, own, &facts);
        let assessment = assess(&test, &facts);
        Some(Outcome { test, assessment })
    };
    found.sites.iter().filter_map(of).collect()
}

/// From the first to the last time that the claims could be about, with what shows what was usual.
fn searched(claims: &[&Claim]) -> Span {
    const DAYS: i64 = 2 * 86_400;
    let times = || {
        claims.iter().flat_map(|claim| {
            let window = claim.window.iter().flat_map(|window| [Some(window.from), window.until]);
            window.flatten().chain([claim.posted])
        })
    };
    let first = times().map(|moment| moment.earliest_unix_s()).min().unwrap_or(0);
    let last = times().map(|moment| moment.latest_unix_s()).max().unwrap_or(0);
    Span { from_unix_s: first.saturating_sub(DAYS), to_unix_s: last.saturating_add(DAYS) }
}
