//! `floodwall claim add`: one claim, written down by a person.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use floodwall_assessment::{
    CLAIM_FORMAT, Claim, ClaimOrigin, ClaimedEffect, ClaimedMethod, ClaimedWindow, DeclaredSite, Moment,
    NamedHow, NamedTarget, ReadBy, TEXT_BYTES_MAX, TargetName, TextReading, WhereFound, named, read_text,
};
use floodwall_model::Clock as _;
use sha2::{Digest as _, Sha256};

use super::command::{Place, Refusal};
use super::kept::{Claims, Put};
use super::table;
use crate::clock::SystemClock;

#[derive(Args, Debug)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    place: Place,
    /// Who claims, as they call themselves
    #[arg(long, value_name = "NAME")]
    claimant: String,
    /// Where it stands: a channel, a feed, a page
    #[arg(long, value_name = "WHERE")]
    channel: String,
    /// Which post of it: its number or address
    #[arg(long, value_name = "POST")]
    reference: Option<String>,
    /// When it was posted, as exactly as that is known
    #[arg(long, value_name = "TIME", value_parser = moment)]
    posted: Moment,
    /// What it says
    #[arg(long, value_name = "TEXT", conflicts_with = "text_file")]
    text: Option<String>,
    /// A file with what it says; `-` reads it from the standard input
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// Keep the text's hash and not the text
    #[arg(long)]
    hash_only: bool,
    /// A host or address that it names; may be given several times
    #[arg(long, value_name = "HOST", value_parser = target)]
    target: Vec<TargetName>,
    /// Since when it says that it happened
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Moment>,
    /// Until when
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "from")]
    until: Option<Moment>,
    /// How it says it was done: http_flood, slow_connections, tls_handshakes, stream_resets, syn_flood,
    /// packet_flood, intrusion; may be given several times
    #[arg(long, value_name = "METHOD", value_parser = method)]
    method: Vec<ClaimedMethod>,
    /// What it says came of it: down, degraded
    #[arg(long, value_name = "EFFECT", value_parser = effect)]
    effect: Option<ClaimedEffect>,
    /// How long it says it lasted: 40m, 2h
    #[arg(long, value_name = "TIME", value_parser = crate::settings::parse_duration)]
    lasted: Option<Duration>,
    /// Print the claim as JSON
    #[arg(long)]
    json: bool,
}

impl AddArguments {
    /// What a person wrote down in place of a text: the capture, where there is no other.
    fn written_down(&self) -> String {
        let targets: Vec<_> = self.target.iter().map(ToString::to_string).collect();
        let methods: Vec<_> = self.method.iter().map(|method| method.as_str()).collect();
        format!(
            "claimant: {}\nchannel: {}\nreference: {}\nposted: {}\ntargets: {}\nfrom: {}\nuntil: {}\nmethods: {}\neffect: {}\nlasted: {}\n",
            self.claimant,
            self.channel,
            self.reference.as_deref().unwrap_or_default(),
            self.posted.in_words(),
            targets.join(" "),
            self.from.map(|from| from.in_words()).unwrap_or_default(),
            self.until.map(|until| until.in_words()).unwrap_or_default(),
            methods.join(" "),
            self.effect.map(ClaimedEffect::as_str).unwrap_or_default(),
            self.lasted.map_or(0, |lasted| lasted.as_secs()),
        )
    }
}

pub(super) fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text).ok_or_else(|| {
        "it is no time; write 2026-11-03, 2026-11-03T12:00Z or 2026-11-03T12:00:07Z".to_owned()
    })
}

fn target(text: &str) -> Result<TargetName, String> {
    TargetName::parse(text).map(|(name, _)| name).map_err(|fault| fault.to_string())
}

pub(super) fn method(text: &str) -> Result<ClaimedMethod, String> {
    let all = || ClaimedMethod::ALL.map(ClaimedMethod::as_str).join(", ");
    ClaimedMethod::parse(text).ok_or_else(|| format!("there are {}", all()))
}

pub(super) fn effect(text: &str) -> Result<ClaimedEffect, String> {
    match text {
        "down" => Ok(ClaimedEffect::Down),
        "degraded" => Ok(ClaimedEffect::Degraded),
        _ => Err("there are down and degraded".to_owned()),
    }
}

pub(super) fn run(arguments: &AddArguments) -> Result<String, Refusal> {
    let found = arguments.place.find().map_err(Refusal::Said)?;
    let claim = claim(arguments, text(arguments)?)?;
    if claim.targets.is_empty() {
        return Err(Refusal::Usage(
            "the claim names no host; name one with --target, or give its text with --text-file".to_owned(),
        ));
    }
    let mut claims = Claims::open(&found.state)?;
    let (id, put) = (claim.id.clone(), claims.put(claim)?);
    let kept = claims.get(&id).cloned();
    claims.save(&found.state, |_| true)?;
    let Some(kept) = kept else { return Err(Refusal::No("the claim was not kept".to_owned())) };
    if arguments.json {
        return table::as_json(&kept);
    }
    Ok(said(&kept, put, &found.sites))
}

fn said(claim: &Claim, put: Put, sites: &[DeclaredSite]) -> String {
    let what = match put {
        Put::New => "is written down",
        Put::Edited => "was known in another form; both are kept",
        Put::Known => "is known already",
    };
    let mut text = format!("{} {what}.\n{}", claim.id, table::head(claim));
    for found in named(claim, sites) {
        text.push_str(&table::named_line(&found));
    }
    text
}

fn text(arguments: &AddArguments) -> Result<Option<String>, Refusal> {
    let Some(file) = &arguments.text_file else { return Ok(arguments.text.clone()) };
    let mut text = String::new();
    let max = u64::try_from(TEXT_BYTES_MAX).unwrap_or(u64::MAX);
    let read = if file.as_os_str() == "-" {
        std::io::stdin().take(max + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(max + 1).read_to_string(&mut text))
    };
    match read {
        Ok(_) if text.len() > TEXT_BYTES_MAX => Err(Refusal::Usage(format!(
            "{} is longer than 16 KiB; cut it to what is claimed",
            file.display()
        ))),
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(Refusal::No(format!("{} {error}", file.display()))),
    }
}

fn claim(arguments: &AddArguments, text: Option<String>) -> Result<Claim, Refusal> {
    let posted = arguments.posted;
    let reading = text.as_ref().map(|text| read_text(text, &[], posted)).unwrap_or_default();
    let given = !arguments.target.is_empty()
        || !arguments.method.is_empty()
        || arguments.effect.is_some()
        || arguments.lasted.is_some()
        || arguments.from.is_some();
    let captured = text.clone().unwrap_or_else(|| arguments.written_down());
    let TextReading { text: shown, targets, targets_dropped, methods, effect, size, proofs } = reading;
    let targets = if arguments.target.is_empty() {
        targets
    } else {
        arguments.target.iter().map(|name| by_person(name, posted)).collect()
    };
    let found = WhereFound {
        origin: ClaimOrigin::Person,
        channel: arguments.channel.clone(),
        reference: arguments.reference.clone(),
    };
    let capture_sha256 = hex(&Sha256::digest(captured.as_bytes()));
    let id = claim_id(&found, &arguments.claimant, &capture_sha256);
    Ok(Claim {
        format: CLAIM_FORMAT.to_owned(),
        id,
        claimant: arguments.claimant.clone(),
        found,
        posted,
        captured_unix_s: SystemClock::start().now().wall_unix_seconds(),
        capture_sha256,
        text: text.filter(|_| !arguments.hash_only).map(|_| shown),
        targets,
        targets_dropped,
        window: arguments.from.map(|from| ClaimedWindow { from, until: arguments.until }),
        methods: if arguments.method.is_empty() { methods } else { arguments.method.clone() },
        effect: arguments.effect.or(effect),
        duration_s: arguments.lasted.map(|lasted| lasted.as_secs()),
        size,
        proofs,
        edits: Vec::new(),
        read_by: if given { ReadBy::Person } else { ReadBy::Program },
    })
}

fn by_person(name: &TargetName, since: Moment) -> NamedTarget {
    let flags = TargetName::parse(&name.to_string()).map(|(_, flags)| flags).unwrap_or_default();
    NamedTarget { name: name.clone(), flags, since, how: NamedHow::Person, requests: Vec::new() }
}

/// The same post has the same name: by its place, or where it has none, by what it says.
pub(super) fn claim_id(found: &WhereFound, claimant: &str, capture_sha256: &str) -> String {
    let post = found.reference.as_deref().unwrap_or(capture_sha256);
    let place = format!("{claimant}\n{}\n{post}", found.channel);
    let hash = hex(&Sha256::digest(place.as_bytes()));
    format!("c-{}", hash.get(..12).unwrap_or(&hash))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
