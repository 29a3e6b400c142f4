//! `floodwall claim list`.

use std::path::Path;

use clap::Args;
use floodwall_assessment::{Claim, MatchKind, Moment, SEARCH_BEFORE_S, Span, TargetName, named};
use serde::Serialize;

use super::command::{Place, Refusal, declared};
use super::kept::Claims;
use super::table;
use crate::settings::Site;

#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    place: Place,
    /// Only those that name one of your sites
    #[arg(long)]
    named: bool,
    /// Only those of this claimant
    #[arg(long, value_name = "NAME")]
    claimant: Option<String>,
    /// How many at the most
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed<'a> {
    claim: &'a Claim,
    names: Vec<NamedSite>,
}

/// A site of ours that a claim names.
#[derive(Serialize)]
pub(super) struct NamedSite {
    pub(super) site: String,
    pub(super) target: TargetName,
    pub(super) since: Moment,
    #[serde(rename = "match")]
    pub(super) kind: MatchKind,
}

pub(super) fn run(arguments: &ListArguments) -> Result<String, Refusal> {
    let found = arguments.place.find().map_err(Refusal::Said)?;
    if arguments.named && found.sites.is_empty() {
        return Err(Refusal::Usage(
            "name the settings file with --config: it says which sites are yours".to_owned(),
        ));
    }
    let claims = Claims::read(&found.state)?;
    let mut listed: Vec<Listed<'_>> = claims
        .iter()
        .filter(|claim| arguments.claimant.as_ref().is_none_or(|name| *name == claim.claimant))
        .map(|claim| Listed {
            claim,
            names: named(claim, &found.sites)
                .into_iter()
                .map(|found| NamedSite {
                    site: found.site.to_owned(),
                    target: found.target.name.clone(),
                    since: found.target.since,
                    kind: found.kind,
                })
                .collect(),
        })
        .filter(|listed| !arguments.named || !listed.names.is_empty())
        .collect();
    listed.sort_by_key(|listed| std::cmp::Reverse(listed.claim.posted));
    listed.truncate(usize::try_from(arguments.max).unwrap_or(usize::MAX));
    if listed.is_empty() {
        return Err(Refusal::No(match arguments.named {
            true => "no claim that is kept names one of your sites".to_owned(),
            false => format!("no claim is kept in {}", found.state.display()),
        }));
    }
    if arguments.json {
        return table::as_json(&serde_json::json!({ "claims": listed }));
    }
    let mut text = String::new();
    for one in &listed {
        text.push_str(&table::list_line(one.claim));
        for found in named(one.claim, &found.sites) {
            text.push_str(&table::named_line(&found));
        }
    }
    Ok(text)
}

/// Claims that name a site and were posted within a day of a stretch of time, earliest first.
pub(crate) fn claims_that_name(
    state: &Path,
    site: &Site,
    span: Span,
) -> Result<Vec<(String, Moment)>, String> {
    let claims = Claims::read(state).map_err(|error| error.to_string())?;
    let sites = [declared(site)];
    let names_it = |claim: &&Claim| {
        let is_near = claim.posted.earliest_unix_s() < span.to_unix_s.saturating_add(SEARCH_BEFORE_S)
            && claim.posted.latest_unix_s() >= span.from_unix_s.saturating_sub(SEARCH_BEFORE_S);
        is_near && named(claim, &sites).iter().any(|found| found.kind.names_the_site())
    };
    let mut found: Vec<_> =
        claims.iter().filter(names_it).map(|claim| (claim.id.clone(), claim.posted)).collect();
    found.sort_by_key(|(_, posted)| *posted);
    Ok(found)
}
