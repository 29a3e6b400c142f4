//! What was imported, as claims.

use std::collections::HashMap;

use floodwall_assessment::{
    CLAIM_FORMAT, Claim, ClaimOrigin, ClaimedWindow, Moment, NamedHow, NamedTarget, ReadBy, RequestTemplate,
    TARGETS_MAX, TargetName, WhereFound, read_text,
};
use floodwall_exchange::claims::{ListedTarget, Post, Row};
use sha2::{Digest as _, Sha256};

use super::add::{claim_id, effect, hex, method};

/// Requests of one target that are kept.
const REQUESTS_MAX: usize = 64;
/// Letters of a claimant's or a channel's name that are kept.
const NAME_LETTERS_MAX: usize = 256;

/// What the command line says in place of a file.
pub(super) struct Given {
    pub(super) claimant: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) captured_unix_s: i64,
}

impl Given {
    fn channel(&self, said: &str) -> String {
        name(self.channel.as_deref().unwrap_or(said), "not named")
    }

    fn claimant(&self, said: &str) -> String {
        name(self.claimant.as_deref().unwrap_or(said), "not named")
    }
}

fn name(text: &str, otherwise: &str) -> String {
    let text: String =
        text.trim().chars().filter(|letter| !letter.is_control()).take(NAME_LETTERS_MAX).collect();
    if text.is_empty() { otherwise.to_owned() } else { text }
}

/// A post, with what its words assert.
pub(super) fn from_post(post: Post, origin: ClaimOrigin, given: &Given) -> Claim {
    let posted = Moment::between(post.posted.earliest_unix_s, post.posted.latest_unix_s);
    let since = match post.edited_unix_s {
        Some(edited) => Moment::between(posted.earliest_unix_s(), edited.max(posted.latest_unix_s())),
        None => posted,
    };
    let channel = given.channel(&post.channel);
    let claimant = given.claimant(post.author.as_deref().unwrap_or(&post.channel));
    let links = post.links.join("\n");
    let capture_sha256 = hex(&Sha256::digest(format!("{}\n{links}", post.text).as_bytes()));
    let reading = read_text(&post.text, &post.links, since);
    let found = WhereFound { origin, channel, reference: post.reference };
    Claim {
        format: CLAIM_FORMAT.to_owned(),
        id: claim_id(&found, &claimant, &capture_sha256),
        claimant,
        found,
        posted,
        captured_unix_s: given.captured_unix_s,
        capture_sha256,
        text: Some(reading.text),
        targets: reading.targets,
        targets_dropped: reading.targets_dropped,
        window: None,
        methods: reading.methods,
        effect: reading.effect,
        duration_s: None,
        size: reading.size,
        proofs: reading.proofs,
        edits: Vec::new(),
        read_by: ReadBy::Program,
    }
}

/// A row of a table: what its columns say counts as said by a person. `None` without a time.
pub(super) fn from_row(row: &Row, given: &Given) -> Option<Claim> {
    let posted = Moment::parse(&row.posted)?;
    let post = Post {
        channel: if row.channel.is_empty() { "a table".to_owned() } else { row.channel.clone() },
        author: Some(row.claimant.clone()).filter(|claimant| !claimant.is_empty()),
        reference: Some(row.reference.clone()).filter(|reference| !reference.is_empty()),
        posted: floodwall_exchange::claims::PostTime {
            earliest_unix_s: posted.earliest_unix_s(),
            latest_unix_s: posted.latest_unix_s(),
        },
        edited_unix_s: None,
        text: [row.text.as_str(), &row.targets.join(" ")].join("\n").trim().to_owned(),
        links: Vec::new(),
    };
    let mut claim = from_post(post, ClaimOrigin::Csv, given);
    let targets: Vec<_> = row
        .targets
        .iter()
        .filter_map(|raw| listed(raw, posted, NamedHow::Person))
        .take(TARGETS_MAX)
        .collect();
    if !targets.is_empty() {
        claim.targets = targets;
        claim.read_by = ReadBy::Person;
    }
    let methods: Vec<_> = row.methods.iter().filter_map(|word| method(word).ok()).collect();
    if !methods.is_empty() {
        claim.methods = methods;
    }
    claim.effect = effect(&row.effect).ok().or(claim.effect);
    claim.window =
        Moment::parse(&row.from).map(|from| ClaimedWindow { from, until: Moment::parse(&row.until) });
    Some(claim)
}

fn listed(raw: &str, since: Moment, how: NamedHow) -> Option<NamedTarget> {
    let (name, flags) = TargetName::parse(raw).ok()?;
    Some(NamedTarget { name, flags, since, how, requests: Vec::new() })
}

/// A list of targets, which is one claim.
pub(super) struct TargetsOfList {
    claim: Claim,
    places: HashMap<TargetName, usize>,
}

impl TargetsOfList {
    pub(super) fn new(claimant: &str, channel: &str, posted: Moment, captured_unix_s: i64) -> Self {
        let found =
            WhereFound { origin: ClaimOrigin::TargetList, channel: name(channel, "a list"), reference: None };
        let claim = Claim {
            format: CLAIM_FORMAT.to_owned(),
            id: String::new(),
            claimant: name(claimant, "not named"),
            found,
            posted,
            captured_unix_s,
            capture_sha256: String::new(),
            text: None,
            targets: Vec::new(),
            targets_dropped: 0,
            window: None,
            methods: Vec::new(),
            effect: None,
            duration_s: None,
            size: None,
            proofs: Vec::new(),
            edits: Vec::new(),
            read_by: ReadBy::Program,
        };
        Self { claim, places: HashMap::new() }
    }

    /// Adds an entry: its host, and its address as another target.
    pub(super) fn add(&mut self, entry: &ListedTarget) {
        let posted = self.claim.posted;
        // A target is on the list since its entry was made, if the entry says that and it can be.
        let since = entry.since_unix_s.filter(|since| *since <= posted.latest_unix_s());
        let since = since.map_or(posted, Moment::second);
        for raw in [&entry.host, &entry.address] {
            let Some(target) = listed(raw, since, NamedHow::Entry) else { continue };
            let known = self.places.get(&target.name).copied();
            let place = match known {
                Some(place) => place,
                None if self.claim.targets.len() >= TARGETS_MAX => {
                    self.claim.targets_dropped += 1;
                    continue;
                }
                None => {
                    self.places.insert(target.name.clone(), self.claim.targets.len());
                    self.claim.targets.push(target);
                    self.claim.targets.len() - 1
                }
            };
            let Some(target) = self.claim.targets.get_mut(place) else { continue };
            target.since = target.since.min(since);
            if !entry.path.is_empty() && target.requests.len() < REQUESTS_MAX && *raw == entry.host {
                target.requests.push(RequestTemplate {
                    kind: entry.kind.clone(),
                    method: entry.method.clone(),
                    path: entry.path.clone(),
                    port: entry.port,
                });
            }
        }
    }

    pub(super) fn claim(mut self, capture_sha256: &str) -> Claim {
        capture_sha256.clone_into(&mut self.claim.capture_sha256);
        self.claim.id = claim_id(&self.claim.found, &self.claim.claimant, capture_sha256);
        self.claim
    }
}
