//! Sentences about what visitors got, for the table on the terminal and for the report alike.

use crate::measure::{Goodput, Share, percent};

/// How pages that can be kept and look-ups went, and visits by whether the browser runs scripts.
#[must_use]
pub fn parts(goodput: &Goodput) -> String {
    format!(
        "cached pages {}, look-ups {}; look-up visits with scripts {}, without {}",
        share(goodput.documents.arrived_percent()),
        share(goodput.look_ups.arrived_percent()),
        share(goodput.with_script.look_up_sessions_percent()),
        share(goodput.without_script.look_up_sessions_percent()),
    )
}

/// What lay between visitors and what they wanted; `None` where nothing did.
#[must_use]
pub fn between(of: &Share) -> Option<String> {
    let detours = &of.detours;
    if detours.is_none() {
        return None;
    }
    let mut parts = Vec::new();
    let mut say = |count: u64, what: String| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    say(detours.redirected, "arrived by redirects".to_owned());
    let (working, waiting) = (detours.working, detours.waiting);
    say(
        detours.proved,
        format!("by work (median {}, longest {})", time(working.p50_ms), time(working.max_ms)),
    );
    say(
        detours.waited,
        format!("by waiting (median {}, longest {})", time(waiting.p50_ms), time(waiting.max_ms)),
    );
    say(detours.reloaded, "when loaded again".to_owned());
    say(detours.refused_on_the_way, "refused at least once".to_owned());
    let shown = percent(detours.sessions_shown_a_page, of.sessions);
    let arrived = if parts.is_empty() { "nothing arrived by a detour".to_owned() } else { parts.join(", ") };
    Some(format!("{arrived}; {} of visits saw a page in between", share(shown)))
}

fn share(percent: Option<f64>) -> String {
    percent.map_or("-".to_owned(), |percent| format!("{percent:.2}%"))
}

fn time(ms: f64) -> String {
    if ms >= 1_000.0 { format!("{:.1} s", ms / 1_000.0) } else { format!("{ms:.0} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Outcome, Record, Way};
    use crate::plan::Wanted;
    use crate::scenario::VisitorKind;

    #[test]
    fn what_lay_between_is_said() {
        let straight = Record {
            kind: VisitorKind::Browser,
            session: 1,
            what: Wanted::Page,
            wanted_us: 0,
            latency_us: 20_000,
            outcome: Outcome::Arrived,
            way: Way::default(),
        };
        let goodput = Goodput::of(&[straight], 1, None);
        assert_eq!(between(&goodput.under_trouble), None);
        let way = Way { redirects: 2, proofs: 1, working_us: 700_000, ..Way::default() };
        let proved = Record { session: 2, what: Wanted::LookUp, way, ..straight };
        let way = Way { waits: 2, waiting_us: 10_100_000, refusals: 1, ..Way::default() };
        let waited =
            Record { kind: VisitorKind::NoCookies, session: 3, what: Wanted::LookUp, way, ..straight };
        let way = Way { reloads: 2, ..Way::default() };
        let lost =
            Record { session: 4, what: Wanted::LookUp, outcome: Outcome::ServerError, way, ..straight };
        let goodput = Goodput::of(&[straight, proved, waited, lost], 1, None);
        assert_eq!(
            between(&goodput.under_trouble).unwrap(),
            "1 arrived by redirects, 1 by work (median 700 ms, longest 700 ms), 1 by waiting (median 10.1 s, \
             longest 10.1 s), 1 refused at least once; 50.00% of visits saw a page in between"
        );
        assert_eq!(
            parts(&goodput),
            "cached pages 100.00%, look-ups 66.67%; look-up visits with scripts 50.00%, without 100.00%"
        );
    }
}
