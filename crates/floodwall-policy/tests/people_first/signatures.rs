//! Signatures in the simulated world: what people and bots look like, and what the rules make of it.

use std::net::IpAddr;

use floodwall_model::{Prefix, Protocol, Timestamp};
use floodwall_policy::{
    ProofKind, Referrer, RequestShape, SignatureSettings, SignatureStage, SignatureWatch, Standing, TokenId,
};

use crate::people::Kind;

type Names = &'static [&'static str];
type Look = (&'static [u8], Names, Protocol, bool);

const CHROME_NAMES: Names = &["host", "user-agent", "accept", "accept-encoding", "accept-language"];
const FIREFOX_NAMES: Names = &["host", "user-agent", "accept", "accept-language", "accept-encoding"];

/// Browsers by their part of all visits, and one visit in 500 by somebody's script.
fn browser(visitor: u64) -> Look {
    let chrome = b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/129.0.0.0 Safari/537.36";
    let firefox = b"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";
    let safari = b"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1";
    match visitor % 500 {
        0 => (b"curl/8.5.0", &["host", "user-agent", "accept"], Protocol::Http11, false),
        1..300 => (chrome, CHROME_NAMES, Protocol::Http2, true),
        300..400 => (firefox, FIREFOX_NAMES, Protocol::Http2, true),
        _ => (safari, FIREFOX_NAMES, Protocol::Http2, true),
    }
}

/// How the bots of a flood look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BotLook {
    /// As browsers, field by field.
    AsBrowsers,
    /// As browsers, but for the order of their header fields.
    OddOrder,
    /// A third each: no language, HTTP/1.1 under a browser's name that never speaks it, no User-Agent.
    ThreeTools,
}

fn bot(look: BotLook, source: u64) -> Look {
    let (agent, names, protocol, language) = browser(source.wrapping_mul(2_654_435_761) >> 7);
    match (look, source % 3) {
        (BotLook::AsBrowsers, _) => (agent, names, protocol, language),
        (BotLook::OddOrder, _) => {
            (agent, &["host", "accept", "user-agent", "accept-language"], protocol, language)
        }
        (BotLook::ThreeTools, 0) => (agent, names, protocol, false),
        (BotLook::ThreeTools, 1) => (agent, names, Protocol::Http11, language),
        (BotLook::ThreeTools, _) => (b"", names, protocol, language),
    }
}

fn shape(look: Look, client: IpAddr) -> (RequestShape<'static>, Names) {
    let (agent, names, protocol, asks_for_language) = look;
    let shape = RequestShape {
        client,
        method: "GET",
        path: "/polling-place",
        query: Some("zip=12345"),
        user_agent: Some(agent),
        referrer: Referrer::SameSite,
        protocol,
        asks_for_language,
        fingerprint: None,
        http2_settings: None,
        system: None,
    };
    (shape, names)
}

/// The rules, and whom they hit.
pub(crate) struct Watched {
    watch: SignatureWatch,
    look: BotLook,
    /// Requests of people and of bots while a rule acted, and those of them it hit.
    people: (u64, u64),
    bots: (u64, u64),
    first_acted_s: Option<u64>,
}

impl Watched {
    /// After a week in which so many visitors came.
    pub(crate) fn new(look: BotLook, calm_visitors: u64, seed: u64) -> Self {
        let mut watch = SignatureWatch::new(SignatureSettings::default(), seed);
        let before = Timestamp::new(std::time::Duration::ZERO, 0);
        for visitor in 0..calm_visitors {
            let kind = Kind::of_percent(visitor * 37 % 100);
            let client = kind.address(1 << 21 | visitor, visitor);
            let (shape, names) = shape(browser(visitor), client);
            let traits = watch.keys().traits(&shape, names.iter().copied());
            watch.note_calm(Prefix::of_client(client), &traits, before);
        }
        let _none = watch.tick(false, before);
        Self { watch, look, people: (0, 0), bots: (0, 0), first_acted_s: None }
    }

    /// How one who asks stands.
    pub(crate) fn standing(
        &mut self,
        (id, is_person): (u64, bool),
        client: IpAddr,
        token: Option<(TokenId, ProofKind)>,
        overloaded: bool,
        now: Timestamp,
    ) -> Standing {
        let look = if is_person { browser(id) } else { bot(self.look, id) };
        let (shape, names) = shape(look, client);
        let traits = self.watch.keys().traits(&shape, names.iter().copied());
        let has_paid = token.is_some_and(|(_, proof)| proof >= ProofKind::WaitingRoom);
        let hit = self.watch.observe(Prefix::of_client(client), &traits, has_paid, now).is_some();
        if overloaded && token.is_none() {
            self.watch.note_surplus(&traits, &shape, names.iter().copied(), now);
        }
        if self.first_acted_s.is_some() {
            let (all, of_hit) = if is_person { &mut self.people } else { &mut self.bots };
            *all += 1;
            *of_hit += u64::from(hit);
        }
        if hit { Standing::Suspect } else { Standing::Unknown }
    }

    pub(crate) fn tick(&mut self, overloaded: bool, now: Timestamp) {
        if let Some(search) = self.watch.tick(overloaded, now) {
            self.watch.conclude(&search.run(), now);
        }
        if self.watch.live().any(|record| record.stage == SignatureStage::Acting) {
            self.first_acted_s.get_or_insert(now.monotonic_nanos() / 1_000_000_000);
        }
    }

    /// What became of it: rules in words, when the first acted, of people and bots what part was hit.
    pub(crate) fn outcome(&self) -> Outcome {
        let part = |(all, hit): (u64, u64)| if all == 0 { 0.0 } else { hit as f64 / all as f64 };
        Outcome {
            rules: self
                .watch
                .live()
                .map(|record| format!("{}: {}", record.stage.as_str(), record.words))
                .collect(),
            ended: self
                .watch
                .ended()
                .map(|record| format!("{}: {}", record.stage.as_str(), record.words))
                .collect(),
            first_acted_s: self.first_acted_s,
            people_hit: part(self.people),
            bots_hit: part(self.bots),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rules: Vec<String>,
    pub(crate) ended: Vec<String>,
    pub(crate) first_acted_s: Option<u64>,
    pub(crate) people_hit: f64,
    pub(crate) bots_hit: f64,
}
