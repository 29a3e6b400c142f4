//! Admission in words: what is asked of a site's visitors, how full the origin is, who waits, and
//! what was done in the last minute and what it cost people. In calm it is one line; the other texts are empty then, and what
//! is empty is not shown.

use floodwall_model::{AdmissionCounts, GateMode, GateStatus, SiteSnapshot};

use super::{Figure, State};
use crate::format;

/// The gate before one path class.
#[derive(Debug)]
pub(crate) struct GateView {
    /// The path class, where the site has more than one.
    pub(crate) class: Option<String>,
    pub(crate) state: State,
    /// Sentences; those without a text are not shown.
    pub(crate) more: [Figure; 3],
}

/// The gates of a site, keyed below `key`, with what each did in the last minute.
pub(super) fn gates(key: &str, site: &SiteSnapshot, last_minute: &[AdmissionCounts]) -> Vec<GateView> {
    let several = site.gates.len() > 1;
    let gate = |(number, gate): (usize, &GateStatus)| {
        let key = format!("{key}.gate.{number}");
        let place =
            if several { format!("{}, paths {}", site.name, gate.class) } else { site.name.to_string() };
        let minute = last_minute.get(number).copied().unwrap_or_default();
        let more = [("origin", origin(gate)), ("waiting", waiting(gate)), ("counts", done(gate, &minute))];
        GateView {
            class: several.then(|| gate.class.to_string()),
            more: more.map(|(name, text)| {
                let text = if is_calm(gate) { String::new() } else { text };
                Figure::new(format!("{key}.{name}"), text)
            }),
            state: State {
                health: if asks(gate) { "pressed" } else { "up" },
                words: Figure::new(format!("{key}.words"), words(gate, &minute)),
                announcement: format!("Site {place}: {}", asked(gate)),
                key,
            },
        }
    };
    site.gates.iter().enumerate().map(gate).collect()
}

/// How many visitors said that they cannot get in; empty when none did.
pub(super) fn person_reports(key: &str, site: &SiteSnapshot) -> Figure {
    let text = match (site.person_reports, site.last_person_report) {
        (0, _) => String::new(),
        (count, last) => {
            let mut text = format!(
                "{} since the start: I am a person and cannot get in.",
                format::counted(count, "report")
            );
            if let Some(last) = last {
                text.push_str(&format!(" The last one was sent at {}", format::date_time(last.at)));
                text.push_str(&match last.reference {
                    Some(reference) => {
                        format!(" with reference {reference}; floodwall explain {reference} says why.")
                    }
                    None => " without a reference.".to_owned(),
                });
            }
            text
        }
    };
    Figure::new(format!("{key}.person_reports"), text)
}

/// Whether anything is asked of anybody.
fn asks(gate: &GateStatus) -> bool {
    gate.rung > 1
}

fn is_calm(gate: &GateStatus) -> bool {
    gate.rung == 0 && gate.waiting == 0 && gate.in_waiting_room == 0
}

/// The first line; in calm the only one.
fn words(gate: &GateStatus, minute: &AdmissionCounts) -> String {
    let so = format!("{} It has been so since {}.", asked(gate), format::date_time(gate.since));
    if !is_calm(gate) {
        return so;
    }
    let mut words = format!("{so} {}", full(gate));
    let (challenged, refused) = (minute.challenged(), minute.refused());
    if challenged > 0 || refused > 0 {
        words.push_str(&format!(
            " {} {} challenged, {} refused.",
            period(gate),
            format::count(challenged),
            format::count(refused)
        ));
    }
    words
}

/// What the counts tell of: what was done, or would have been.
fn period(gate: &GateStatus) -> &'static str {
    match gate.mode {
        GateMode::On => "In the last minute:",
        GateMode::Observe => "In the last minute, had admission been on:",
    }
}

/// What is asked of visitors now.
fn asked(gate: &GateStatus) -> String {
    let asked = match gate.rung {
        0 => "Nothing is asked of visitors.",
        1 => "Nothing is asked of visitors; the cache works harder.",
        2 => "New visitors go through a redirect that nobody sees.",
        3 => "New visitors choose: their browser does some work, or they wait in line.",
        _ => "Visitors who have proven nothing yet wait in line.",
    };
    match gate.mode {
        GateMode::On => asked.to_owned(),
        GateMode::Observe if !asks(gate) => format!("{asked} Admission only observes."),
        GateMode::Observe => {
            format!("Admission only observes, and lets everybody through. If it were on: {asked}")
        }
    }
}

/// How full the origin is.
fn full(gate: &GateStatus) -> String {
    format!(
        "The origin works on {} of at most {} requests at once.",
        format::count(gate.in_flight.into()),
        format::count(gate.limit.into())
    )
}

fn origin(gate: &GateStatus) -> String {
    let mut text =
        format!("{} It can answer about {} a second.", full(gate), format::count(gate.capacity_per_second));
    if let Some(latency) = gate.calm_latency {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        text.push_str(&format!(" In calm times one takes {}.", format::mean_wait(micros, 1)));
    }
    if gate.mode == GateMode::Observe {
        text.push_str(" What is let through only because admission observes is not counted here.");
    }
    text
}

fn waiting(gate: &GateStatus) -> String {
    let (requests, tickets) = (u64::from(gate.waiting), gate.in_waiting_room);
    if requests == 0 && tickets == 0 {
        return "Nobody waits.".to_owned();
    }
    let waits = if requests == 1 { "waits" } else { "wait" };
    format!(
        "{} {waits} for the origin now; the line of the waiting room has {}.",
        format::counted(requests, "request"),
        format::counted(tickets, "ticket"),
    )
}

/// What was done in the last minute, and what it cost people.
fn done(gate: &GateStatus, minute: &AdmissionCounts) -> String {
    // Nobody is made to wait by a gate that only observes: nobody goes away.
    let went_away = match gate.mode {
        GateMode::On => format!(" ({} of them went away)", format::count(minute.abandoned)),
        GateMode::Observe => String::new(),
    };
    let kinds = [
        (minute.challenged_redirect, "by the redirect, which takes a moment"),
        (minute.challenged_choice, "by the choice, which takes some seconds of work or a wait"),
        (minute.challenged_waiting_room, "by the waiting room, which takes a wait"),
    ];
    let kinds = kinds.iter().filter(|(count, _)| *count > 0);
    let kinds: Vec<_> = kinds.map(|(count, kind)| format!("{} {kind}", format::count(*count))).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join("; ")) };
    format!(
        "{} {} admitted, {} waited{went_away}, {} challenged{kinds}, {} refused and told when to come again.",
        period(gate),
        format::count(minute.admitted),
        format::count(minute.waited),
        format::count(minute.challenged()),
        format::count(minute.refused()),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use floodwall_model::{PersonReport, Prefix, SiteId, Timestamp, TrafficCounts};

    use super::*;

    fn gate(class: &str, rung: u8, mode: GateMode) -> GateStatus {
        GateStatus {
            class: class.into(),
            mode,
            rung,
            rung_name: "as the policy names it",
            since: Timestamp::new(Duration::ZERO, 1_667_912_407_000_000),
            limit: 40,
            in_flight: 38,
            capacity_per_second: 320,
            waiting: 0,
            in_waiting_room: 0,
            calm_latency: None,
            memory_bytes_max: 1 << 20,
            counts: AdmissionCounts::default(),
        }
    }

    fn site(gates: Vec<GateStatus>) -> SiteSnapshot {
        SiteSnapshot {
            site: SiteId(0),
            name: "sos".into(),
            hosts: Vec::new(),
            role: None,
            counts: TrafficCounts::default(),
            origins: Vec::new(),
            gates,
            person_reports: 0,
            last_person_report: None,
        }
    }

    /// Every text that is shown of a gate, one line each.
    fn said(gate: GateStatus) -> String {
        let last_minute = [gate.counts];
        let gates = gates("site.0", &site(vec![gate]), &last_minute);
        let texts = gates.iter().flat_map(|gate| std::iter::once(&gate.state.words).chain(&gate.more));
        texts
            .map(|figure| figure.text.as_str())
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn calm_is_one_line() {
        let calm = gate("pages", 0, GateMode::On);
        for (gate, line) in [
            (
                calm.clone(),
                "Nothing is asked of visitors. It has been so since 2022-11-08 13:00:07 UTC. \
                 The origin works on 38 of at most 40 requests at once.",
            ),
            (
                GateStatus { in_flight: 1, mode: GateMode::Observe, ..calm.clone() },
                "Nothing is asked of visitors. Admission only observes. It has been so since 2022-11-08 13:00:07 UTC. \
                 The origin works on 1 of at most 40 requests at once.",
            ),
            (
                GateStatus {
                    counts: AdmissionCounts { challenged_choice: 1_200, refused_no_room: 7, ..calm.counts },
                    ..calm
                },
                "Nothing is asked of visitors. It has been so since 2022-11-08 13:00:07 UTC. \
                 The origin works on 38 of at most 40 requests at once. \
                 In the last minute: 1,200 challenged, 7 refused.",
            ),
        ] {
            assert_eq!(said(gate), line);
        }
    }

    #[test]
    fn pressure_is_told_whole() {
        let counts = AdmissionCounts {
            admitted: 10_000,
            waited: 500,
            abandoned: 20,
            over_share: 9_999,
            refused_no_room: 1,
            refused_over_share: 2,
            refused_displaced: 3,
            refused_waited_out: 4,
            challenged_redirect: 100,
            challenged_choice: 200,
            challenged_waiting_room: 300,
            ..AdmissionCounts::default()
        };
        let pressed = gate("pages", 3, GateMode::On);
        let pressed = GateStatus {
            waiting: 12,
            in_waiting_room: 1_204,
            calm_latency: Some(Duration::from_micros(80_250)),
            counts,
            ..pressed
        };
        insta::assert_snapshot!(said(pressed.clone()));
        insta::assert_snapshot!(said(GateStatus { mode: GateMode::Observe, ..pressed }));
    }

    #[test]
    fn every_rung_says_what_it_asks() {
        let mut lines = Vec::new();
        for mode in [GateMode::On, GateMode::Observe] {
            for rung in 0..=4 {
                let view = gates("site.0", &site(vec![gate("pages", rung, mode)]), &[]).remove(0);
                lines.push(format!(
                    "{} {rung} {}: {}",
                    mode.as_str(),
                    view.state.health,
                    asked(&gate("pages", rung, mode))
                ));
            }
        }
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_class_is_named_where_there_are_several() {
        let one = gates("site.0", &site(vec![gate("pages", 2, GateMode::On)]), &[]);
        assert_eq!(one[0].class, None);
        assert_eq!(
            one[0].state.announcement,
            "Site sos: New visitors go through a redirect that nobody sees."
        );
        let both = site(vec![gate("look-up", 2, GateMode::On), gate("pages", 0, GateMode::On)]);
        let both = gates("site.0", &both, &[]);
        assert_eq!(both[1].class.as_deref(), Some("pages"));
        assert_eq!(both[1].state.announcement, "Site sos, paths pages: Nothing is asked of visitors.");
        assert_eq!(both[1].state.key, "site.0.gate.1");
    }

    #[test]
    fn reports_are_counted_and_the_last_is_named() {
        let last = |reference: Option<&str>| PersonReport {
            reference: reference.map(|text| text.parse().unwrap()),
            client: Prefix::of_client("192.0.2.7".parse().unwrap()),
            at: Timestamp::new(Duration::ZERO, 1_667_916_072_000_000),
        };
        for (count, report, text) in [
            (0, None, ""),
            (
                1,
                Some(last(None)),
                "1 report since the start: I am a person and cannot get in. \
                 The last one was sent at 2022-11-08 14:01:12 UTC without a reference.",
            ),
            (
                1_003,
                Some(last(Some("7F3K-9QWX-02MB"))),
                "1,003 reports since the start: I am a person and cannot get in. \
                 The last one was sent at 2022-11-08 14:01:12 UTC with reference 7F3K-9QWX-02MB; \
                 floodwall explain 7F3K-9QWX-02MB says why.",
            ),
        ] {
            let site = SiteSnapshot { person_reports: count, last_person_report: report, ..site(Vec::new()) };
            assert_eq!(person_reports("site.0", &site).text, text);
        }
    }
}
