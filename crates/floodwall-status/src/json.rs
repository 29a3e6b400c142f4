//! The page as JSON.

use floodwall_outage::{ACCOUNTING_METHOD, Availability, Edge, OutageRecord, family_name};
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::facts::{Facts, IncidentKind, Service, ServiceState, Site};
use crate::figures::{Day, all_days, bounds, days, months};
use crate::text::rfc_3339;

pub(crate) fn document(facts: &Facts) -> String {
    let good_for = i64::try_from(facts.good_for.as_micros()).unwrap_or(i64::MAX);
    let bounds = bounds(facts);
    let document = json!({
        "title": facts.title.english,
        "made_at": rfc_3339(facts.made_unix_micros),
        "stale_after": rfc_3339(facts.made_unix_micros.saturating_add(good_for)),
        "accounting_method": ACCOUNTING_METHOD,
        "sites": facts.sites.iter().map(|site| site_json(site, facts, &bounds)).collect::<Vec<_>>(),
        "incidents": facts.incidents.iter().map(|incident| json!({
            "site": incident.site,
            "kind": match incident.kind {
                IncidentKind::Attack => "attack",
                IncidentKind::Crowd => "crowd",
                IncidentKind::Routine => "routine",
            },
            "onset": rfc_3339(incident.onset_unix_micros),
            "end": incident.end_unix_micros.map(rfc_3339),
            "interrupted": incident.is_interrupted,
        })).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn state_name(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Up => "up",
        ServiceState::UpOverIpv4 => "up_over_ipv4",
        ServiceState::Unknown => "unknown",
        ServiceState::Down => "down",
    }
}

fn site_json(site: &Site, facts: &Facts, bounds: &[(Date, i64, i64)]) -> Value {
    json!({
        "name": site.name,
        "state": state_name(site.state()),
        "services": site.services.iter().map(|service| service_json(service, facts, bounds)).collect::<Vec<_>>(),
    })
}

fn service_json(service: &Service, facts: &Facts, bounds: &[(Date, i64, i64)]) -> Value {
    // Of thousands of services, every day would be megabytes that say nothing.
    let says_something = |day: &&Day| {
        day.outages > 0 || day.figures.is_some_and(|figures| figures.unknown_micros >= 1_000_000)
    };
    let days = days(service, facts, bounds);
    let days = days.iter().filter(says_something).map(|day| {
        json!({ "day": day.date.to_string(), "outages": day.outages, "figures": day.figures.map(figures_json) })
    });
    let months = months(service, facts);
    let months = months.iter().map(|month| {
        json!({
            "month": month.first.strftime("%Y-%m").to_string(),
            "figures": figures_json(month.figures),
        })
    });
    json!({
        "name": service.name,
        "vantage": service.vantage,
        "state": state_name(service.state),
        "cause": service.cause.map(floodwall_outage::Cause::as_str),
        "watched_since": rfc_3339(service.since_unix_micros),
        "last_90_days": all_days(service, facts).map(|(figures, _)| figures_json(figures)),
        "months": months.collect::<Vec<_>>(),
        "days_with_outages_or_unknown_time": days.collect::<Vec<_>>(),
        "outages": service.outages.iter().map(outage_json).collect::<Vec<_>>(),
        "outages_ipv6_only": service.outages_ipv6.iter().map(outage_json).collect::<Vec<_>>(),
    })
}

fn figures_json(figures: Availability) -> Value {
    let range = figures.range_parts_per_million();
    json!({
        "available_parts_per_million": figures.parts_per_million(),
        "available_parts_per_million_least": range.map(|(least, _)| least),
        "available_parts_per_million_most": range.map(|(_, most)| most),
        "up_seconds": figures.up_micros / 1_000_000,
        "down_seconds": figures.down_micros / 1_000_000,
        "unknown_seconds": figures.unknown_micros / 1_000_000,
    })
}

fn outage_json(row: &OutageRecord) -> Value {
    let edge = |edge: &Edge| {
        json!({
            "likely": rfc_3339(edge.middle_unix_micros()),
            "earliest": edge.earliest_unix_micros.map(rfc_3339),
            "latest": rfc_3339(edge.latest_unix_micros),
        })
    };
    json!({
        "id": &*row.key,
        "family": family_name(row.family),
        "start": edge(&row.outage.start),
        "end": row.outage.end.as_ref().map(edge),
        "cause": row.outage.cause().map(floodwall_outage::Cause::as_str),
        "unknown_seconds": row.outage.unknown_micros / 1_000_000,
    })
}
