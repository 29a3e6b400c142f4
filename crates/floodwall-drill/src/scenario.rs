//! Scenarios as data: who visits, who floods, what the origin does, when and for how long.
//!
//! The file format (TOML; `docs/drill.md` explains it for people):
//!
//! ```toml
//! title      = "5,000 sources at one request a second each"
//! why        = "Passes every limit per address."
//! duration_s = 60
//! tls        = true         # visitors and HTTP floods come over TLS; false where it is not written
//! certificate_expires_s = 20                                         # optional, with tls
//!
//! [[visitors]]
//! kind                = "browser"
//! sessions_per_second = 3.0
//! surge               = { from_s = 10, ramp_s = 20, times = 20.0 }   # optional
//!
//! [[flood]]
//! kind    = "look-ups"
//! sources = 5000
//! rate    = 5000.0          # a second, all sources together
//! from_s  = 15
//! until_s = 45
//! pulse   = { on_s = 30, off_s = 30 }                                # optional
//! skill   = "solves"        # what it does with challenges; "plain" where it is not written
//! proofs_per_second = 5.0
//!
//! [[origin]]
//! trouble = "down"
//! from_s  = 15
//! until_s = 30
//! ```
//!
//! Without `[[visitors]]` the usual mix comes ([`Visitors::usual`]). Unknown keys are faults. Everything is bounded ([`bounds`]); a file beyond them is refused whole.

pub mod bounds;
mod flood;
mod shipped;
mod visitors;

use serde::{Deserialize, Serialize};

pub use flood::{Flood, FloodKind, Pulse, Skill};
pub use shipped::{SHIPPED, shipped};
pub use visitors::{Surge, VisitorKind, Visitors};

/// A checked scenario. Times are whole seconds from its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scenario {
    /// What people call it on the command line.
    pub name: String,
    /// In one line.
    pub title: String,
    /// Why it matters.
    pub why: String,
    /// Seconds from start to end.
    pub duration_s: u32,
    /// Visitors and the floods of HTTP requests come over TLS.
    pub tls: bool,
    /// When the edge's certificate expires, where it does.
    pub certificate_expires_s: Option<u32>,
    /// Who visits.
    pub visitors: Vec<Visitors>,
    /// Who floods.
    pub floods: Vec<Flood>,
    /// What befalls the origin.
    pub origin: Vec<OriginTrouble>,
}

/// A file as it is written, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    title: String,
    why: String,
    duration_s: u32,
    #[serde(default)]
    tls: bool,
    certificate_expires_s: Option<u32>,
    #[serde(default = "Visitors::usual")]
    visitors: Vec<Visitors>,
    #[serde(default)]
    flood: Vec<Flood>,
    #[serde(default)]
    origin: Vec<OriginTrouble>,
}

/// What befalls the origin for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginTrouble {
    /// What it is.
    pub trouble: Trouble,
    /// When it begins.
    pub from_s: u32,
    /// When it ends.
    pub until_s: u32,
}

/// Kinds of trouble at the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// It refuses connections.
    Down,
    /// Every answer takes ten seconds longer.
    Slow,
    /// Every answer is a 500.
    Errors,
}

impl Scenario {
    /// Reads and checks a scenario file.
    ///
    /// # Errors
    /// Where it is not TOML or has keys or kinds we do not know, or every value beyond its bound.
    pub fn read(name: &str, text: &str) -> Result<Self, Vec<ScenarioFault>> {
        let draft: Draft = toml::from_str(text)
            .map_err(|error| vec![ScenarioFault { place: name.to_owned(), what: error.to_string() }])?;
        let scenario = Self {
            name: name.to_owned(),
            title: draft.title,
            why: draft.why,
            duration_s: draft.duration_s,
            tls: draft.tls,
            certificate_expires_s: draft.certificate_expires_s,
            visitors: draft.visitors,
            floods: draft.flood,
            origin: draft.origin,
        };
        scenario.checked()
    }

    /// Itself, if it lies within the bounds.
    ///
    /// # Errors
    /// Every value beyond its bound.
    pub fn checked(self) -> Result<Self, Vec<ScenarioFault>> {
        let faults = bounds::faults(&self);
        if faults.is_empty() { Ok(self) } else { Err(faults) }
    }

    /// The same in `duration_s` seconds; rates stay, but for those at which connections that are to be
    /// held are opened. For a quick answer. What comes before the onset
    /// keeps three seconds where it can, because without it nobody knows what calm is; before and after,
    /// times are in proportion.
    #[must_use]
    pub fn shortened(&self, duration_s: u32) -> Self {
        let mut short = self.clone();
        if duration_s >= self.duration_s {
            return short;
        }
        let onset_s = self.onset_s().unwrap_or(0);
        let calm_s = in_proportion(onset_s, duration_s, self.duration_s)
            .max(SHORT_CALM_S.min(duration_s / 3))
            .min(onset_s);
        let (trouble_s, left_s) = (self.duration_s - onset_s.min(self.duration_s), duration_s - calm_s);
        let span = |seconds: u32| in_proportion(seconds, left_s, trouble_s);
        let scale = |at_s: u32| match at_s.checked_sub(onset_s) {
            Some(into_s) => calm_s + span(into_s),
            None => in_proportion(at_s, calm_s, onset_s),
        };
        short.duration_s = duration_s;
        for surge in short.visitors.iter_mut().filter_map(|visitors| visitors.surge.as_mut()) {
            (surge.from_s, surge.ramp_s) = (scale(surge.from_s), span(surge.ramp_s));
        }
        for flood in &mut short.floods {
            let length_s = flood.until_s.saturating_sub(flood.from_s);
            (flood.from_s, flood.until_s) = (scale(flood.from_s), scale(flood.until_s));
            // How long it takes until all are held that are to be held is a time too.
            if flood.kind.holds_connections() {
                let times =
                    f64::from(length_s) / f64::from(flood.until_s.saturating_sub(flood.from_s).max(1));
                flood.rate = (flood.rate * times).min(flood.rate.max(SHORT_OPENING_RATE_MAX));
            }
            if let Some(pulse) = flood.pulse.as_mut() {
                (pulse.on_s, pulse.off_s) = (span(pulse.on_s).max(1), span(pulse.off_s).max(1));
            }
        }
        short.certificate_expires_s = short.certificate_expires_s.map(scale);
        for trouble in &mut short.origin {
            (trouble.from_s, trouble.until_s) = (scale(trouble.from_s), scale(trouble.until_s));
        }
        short
    }

    /// When trouble begins, in seconds: the first flood, surge, origin trouble, or the certificate's
    /// end. `None` when it is calm throughout.
    #[must_use]
    pub fn onset_s(&self) -> Option<u32> {
        let floods = self.floods.iter().map(|flood| flood.from_s);
        let surges = self.visitors.iter().filter_map(|visitors| visitors.surge).map(|surge| surge.from_s);
        let origin = self.origin.iter().map(|trouble| trouble.from_s);
        floods.chain(surges).chain(origin).chain(self.certificate_expires_s).min()
    }

    /// Whether anybody comes over TLS, so that the edge must offer it.
    #[must_use]
    pub fn needs_tls(&self) -> bool {
        self.tls || self.floods.iter().any(|flood| flood.kind.is_tls_only())
    }

    /// Whether it has floods of packets, which only hosts of their own can have.
    #[must_use]
    pub fn needs_packets(&self) -> bool {
        self.floods.iter().any(|flood| flood.kind.is_packets())
    }

    /// What the origin suffers from at this time, in seconds.
    #[must_use]
    pub fn trouble_at(&self, at_s: f64) -> Option<Trouble> {
        let on =
            |trouble: &&OriginTrouble| at_s >= f64::from(trouble.from_s) && at_s < f64::from(trouble.until_s);
        self.origin.iter().find(on).map(|trouble| trouble.trouble)
    }
}

/// Seconds of calm that a shortened scenario keeps before the onset where it can.
const SHORT_CALM_S: u32 = 3;

/// Connections that a shortened flood opens each second at the most, if it did not before.
const SHORT_OPENING_RATE_MAX: f64 = 3_000.0;

/// `seconds` of `from` in `to`, to the nearest second.
fn in_proportion(seconds: u32, to: u32, from: u32) -> u32 {
    let from = u64::from(from.max(1));
    let scaled = (u64::from(seconds) * u64::from(to) * 2 + from) / (from * 2);
    u32::try_from(scaled).unwrap_or(seconds)
}

/// What is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ScenarioFault {
    /// The key, with its place in the list: `flood[1].rate`.
    pub place: String,
    /// What is wrong and what to write.
    pub what: String,
}

#[cfg(test)]
mod tests;
