//! `floodwall claim list`.

use clap::Args;
use floodwall_assessment::{Claim, MatchKind, Moment, TargetName, named};
use serde::Serialize;

use super::command::{Place, Refusal};
use super::kept::Claims;
use super::table;

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
