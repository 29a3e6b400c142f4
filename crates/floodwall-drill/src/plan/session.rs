//! A visitor's session: what a person does on a voter-information site, step by step.

use serde::{Deserialize, Serialize};

use super::{PHONES, Source, micros, source_of};
use crate::random::Chance;
use crate::scenario::VisitorKind;

/// Pages of the sample site that a cache can keep, most wanted first, each with words that only the
/// wanted page has.
pub const PAGES: [(&str, &str); 6] = [
    ("/", "<h1>Vote in the State of Example"),
    ("/polling-place", "<h1>Find your polling place"),
    ("/deadlines", "<h1>Deadlines"),
    ("/register", "<h1>Register to vote"),
    ("/voting-by-mail", "<h1>Vote by mail"),
    ("/accessibility", "<h1>Accessible voting"),
];

/// What a browser fetches with the first page of a session; then it has them.
pub const ASSETS: [&str; 2] = ["/assets/site.css", "/assets/seal.svg"];

/// Words of a look-up's answer.
const LOOK_UP_WORDS: &str = "<h1>Your polling place";

/// What kind of thing is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// A page that a cache can keep.
    Page,
    /// A part of a page, which a cache can keep.
    Part,
    /// A page that the origin has to work for.
    LookUp,
}

/// What is wanted: a target, and words that show that it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Want {
    /// Of what kind.
    pub what: Wanted,
    /// Path and query.
    pub target: String,
    /// What the body must contain; empty where the status is enough.
    pub words: &'static str,
}

/// One step of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When it is wanted, microseconds from the session's start.
    pub at_us: u64,
    /// The page.
    pub page: Want,
    /// What is fetched with it, in parallel once the page has come.
    pub assets: Vec<Want>,
    /// The address changed before this step (a phone that moved).
    pub roams: bool,
}

/// One visitor's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Who.
    pub kind: VisitorKind,
    /// When it begins, microseconds from the scenario's start.
    pub start_us: u64,
    /// Where from.
    pub source: Source,
    /// Where from after roaming.
    pub second_source: Source,
    /// What is done.
    pub steps: Vec<Step>,
}

impl Session {
    /// How many things are wanted, assets included.
    #[must_use]
    pub fn wants(&self) -> usize {
        self.steps.iter().map(|step| 1 + step.assets.len()).sum()
    }
}

/// Plans the session of the `number`-th visitor of that kind.
pub(super) fn plan(
    kind: VisitorKind,
    place: u64,
    number: u64,
    start_us: u64,
    chance: &mut Chance,
) -> Session {
    let steps = match kind {
        VisitorKind::Monitor => vec![step(0.0, page(0), Vec::new())],
        VisitorKind::Crawler => crawl(chance),
        _ => person(kind, place, number, chance),
    };
    let second_source = match (kind, source_of(kind, number)) {
        // The other half of the phones' range.
        (VisitorKind::Phone, Source::V4(n)) => Source::V4(n.wrapping_add(PHONES)),
        (_, source) => source,
    };
    Session { kind, start_us, source: source_of(kind, number), second_source, steps }
}

/// Home page, perhaps another page, the look-up form, the look-up: why people come.
fn person(kind: VisitorKind, place: u64, number: u64, chance: &mut Chance) -> Vec<Step> {
    let assets =
        ASSETS.map(|target| Want { what: Wanted::Part, target: target.to_owned(), words: "" }).to_vec();
    let mut at_s = 0.0;
    let mut steps = vec![step(at_s, page(0), assets)];
    if chance.unit() < 0.4 {
        at_s += think(chance);
        let other = usize::try_from(2 + chance.below(4)).unwrap_or(2);
        steps.push(step(at_s, page(other), Vec::new()));
    }
    at_s += think(chance);
    steps.push(step(at_s, page(1), Vec::new()));
    at_s += think(chance);
    // Each person's own address: what one person looks up helps no other from the cache.
    let house = 1 + chance.below(9_999);
    let target = format!("/polling-place/lookup?address={house}+Oak+Street+{place}-{number}");
    steps.push(step(at_s, Want { what: Wanted::LookUp, target, words: LOOK_UP_WORDS }, Vec::new()));
    if kind == VisitorKind::Phone
        && let Some(last_but_one) = steps.iter_mut().rev().nth(1)
    {
        last_but_one.roams = true;
    }
    steps
}

/// All pages, one after the other.
fn crawl(chance: &mut Chance) -> Vec<Step> {
    let mut at_s = 0.0;
    (0..PAGES.len())
        .map(|place| {
            let step = step(at_s, page(place), Vec::new());
            at_s += 0.2 + 0.3 * chance.unit();
            step
        })
        .collect()
}

/// Time to read before the next step: short, because people who come to look something up are in a
/// hurry, and because whole sessions must fit into a scenario.
fn think(chance: &mut Chance) -> f64 {
    0.5 + chance.exponential(1.0).min(4.0)
}

pub(crate) fn page(place: usize) -> Want {
    let (target, words) = PAGES.get(place).copied().unwrap_or(("/", ""));
    Want { what: Wanted::Page, target: target.to_owned(), words }
}

fn step(at_s: f64, page: Want, assets: Vec<Want>) -> Step {
    Step { at_us: micros(at_s), page, assets, roams: false }
}
