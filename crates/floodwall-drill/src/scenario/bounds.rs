//! The bounds that every scenario keeps, shipped or somebody's own. They are part of what makes the
//! drill safe to run: no file and no option lifts them.

use super::{Scenario, ScenarioFault, Skill};

/// The longest scenario, seconds.
pub const DURATION_S_MAX: u32 = 600;
/// Sessions that begin per second, each kind, surge included.
pub const SESSIONS_PER_SECOND_MAX: f64 = 500.0;
/// Requests, connections or packets that one flood begins per second; in floods of HTTP/2 frames also
/// what all its connections together send.
pub const FLOOD_RATE_MAX: f64 = 50_000.0;
/// Sources of one flood: half of its host's network. In the other half nobody is, for packets whose
/// sources are to give no answer.
pub const FLOOD_SOURCES_MAX: u32 = 0x7fff;
/// Connections that one flood holds open.
pub const FLOOD_CONNECTIONS_MAX: u32 = 20_000;
/// How long a flooder waits at the longest, seconds.
pub const FLOOD_PATIENCE_S_MAX: u32 = 10;
/// Proofs of work that one flood does per second.
pub const FLOOD_PROOFS_PER_SECOND_MAX: f64 = 50.0;
/// Entries of one list: visitors, floods, origin troubles.
pub const LIST_MAX: usize = 16;
/// Characters of title and reason.
pub const TEXT_MAX: usize = 400;

/// Every value beyond its bound, and every span that makes no sense.
pub(super) fn faults(scenario: &Scenario) -> Vec<ScenarioFault> {
    let mut check = Check(Vec::new());
    check.within("duration_s", f64::from(scenario.duration_s), 1.0, f64::from(DURATION_S_MAX));
    for (key, text) in [("title", &scenario.title), ("why", &scenario.why)] {
        if text.trim().is_empty() || text.chars().count() > TEXT_MAX {
            check.fault(key, format!("write 1 to {TEXT_MAX} characters"));
        }
    }
    for (key, entries) in [
        ("visitors", scenario.visitors.len()),
        ("flood", scenario.floods.len()),
        ("origin", scenario.origin.len()),
    ] {
        if entries > LIST_MAX {
            check.fault(key, format!("{entries} entries; at most {LIST_MAX} are taken"));
        }
    }
    if scenario.visitors.is_empty() {
        check.fault("visitors", "nobody visits: write at least one [[visitors]]".to_owned());
    }
    if let Some(expires_s) = scenario.certificate_expires_s {
        check.span("certificate_expires_s", expires_s, scenario.duration_s, scenario.duration_s);
        if !scenario.tls {
            check.fault("certificate_expires_s", "nobody would see it: write tls = true as well".to_owned());
        }
    }
    visitors(&mut check, scenario);
    floods(&mut check, scenario);
    for (place, trouble) in scenario.origin.iter().enumerate() {
        check.span(&format!("origin[{place}]"), trouble.from_s, trouble.until_s, scenario.duration_s);
    }
    check.0
}

fn visitors(check: &mut Check, scenario: &Scenario) {
    for (place, visitors) in scenario.visitors.iter().enumerate() {
        let key = |name: &str| format!("visitors[{place}].{name}");
        let rate = visitors.sessions_per_second;
        check.within(&key("sessions_per_second"), rate, 0.0, SESSIONS_PER_SECOND_MAX);
        if let Some(surge) = visitors.surge {
            check.within(&key("surge.times"), surge.times, 0.0, SESSIONS_PER_SECOND_MAX);
            check.within(
                &key("sessions_per_second × surge.times"),
                rate * surge.times,
                0.0,
                SESSIONS_PER_SECOND_MAX,
            );
            let end = surge.from_s.saturating_add(surge.ramp_s.max(1));
            check.span(&key("surge"), surge.from_s, end, scenario.duration_s);
        }
    }
}

fn floods(check: &mut Check, scenario: &Scenario) {
    for (place, flood) in scenario.floods.iter().enumerate() {
        let key = |name: &str| format!("flood[{place}].{name}");
        check.within(&key("rate"), flood.rate, 0.0, FLOOD_RATE_MAX);
        check.within(&key("sources"), f64::from(flood.sources), 1.0, f64::from(FLOOD_SOURCES_MAX));
        let connections = f64::from(flood.connections_max);
        check.within(&key("connections_max"), connections, 1.0, f64::from(FLOOD_CONNECTIONS_MAX));
        let patience = f64::from(flood.patience_s);
        check.within(&key("patience_s"), patience, 1.0, f64::from(FLOOD_PATIENCE_S_MAX));
        let needed = flood.unanswered_connections();
        let is_answered = !flood.kind.holds_connections() && !flood.kind.is_packets();
        if is_answered && needed > connections {
            let room = if needed <= f64::from(FLOOD_CONNECTIONS_MAX) {
                format!("connections_max = {needed:.0}, or ")
            } else {
                String::new()
            };
            let what = format!(
                "{} a second with a patience of {patience} s need {needed:.0} connections (a tenth to spare), or a slow server \
                 meets a smaller flood; write {room}a lower rate or patience_s",
                flood.rate
            );
            check.fault(&key("connections_max"), what);
        }
        if let Some(frames) = flood.kind.h2_frames_per_second() {
            let together = connections * f64::from(frames);
            let name = format!("connections_max × {frames} frames a second");
            check.within(&key(&name), together, 1.0, FLOOD_RATE_MAX);
        }
        check.within(&key("proofs_per_second"), flood.proofs_per_second, 0.0, FLOOD_PROOFS_PER_SECOND_MAX);
        if flood.skill != Skill::Plain && !flood.kind.asks_the_site() {
            check.fault(
                &key("skill"),
                "only pages, look-ups and cache-bust meet challenges; leave it out".to_owned(),
            );
        }
        if flood.ipv6 && !flood.kind.is_packets() {
            check.fault(&key("ipv6"), "only packets come over IPv6; leave it out".to_owned());
        }
        check.span(&format!("flood[{place}]"), flood.from_s, flood.until_s, scenario.duration_s);
        if flood.pulse.is_some_and(|pulse| pulse.on_s == 0 || pulse.off_s == 0) {
            check.fault(&key("pulse"), "write at least 1 for on_s and off_s".to_owned());
        }
    }
}

struct Check(Vec<ScenarioFault>);

impl Check {
    fn fault(&mut self, place: &str, what: String) {
        self.0.push(ScenarioFault { place: place.to_owned(), what });
    }

    fn within(&mut self, place: &str, value: f64, min: f64, max: f64) {
        // Written so that NaN is a fault.
        if !(value >= min && value <= max) {
            self.fault(place, format!("{value} is out of bounds; write a number from {min} to {max}"));
        }
    }

    fn span(&mut self, place: &str, from_s: u32, until_s: u32, duration_s: u32) {
        if from_s >= until_s || until_s > duration_s {
            let what = format!(
                "from {from_s} s to {until_s} s is no span within the scenario's {duration_s} s; \
                 write from_s < until_s <= duration_s"
            );
            self.fault(place, what);
        }
    }
}
