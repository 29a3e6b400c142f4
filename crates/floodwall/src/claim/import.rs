//! `floodwall claim import`: exports, feeds, tables and lists, as claims.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use floodwall_assessment::{Claim, ClaimOrigin, MatchKind, Moment, named};
use floodwall_exchange::claims::{ClaimFormat, Item, ReadCounts, read};
use floodwall_model::Clock as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::add::{hex, moment};
use super::command::{Place, Refusal};
use super::kept::{Claims, Put};
use super::made::{Given, TargetsOfList, from_post, from_row};
use super::table;
use crate::clock::SystemClock;

/// How much of a file is looked at to tell its format.
const BEGINNING_BYTES: u64 = 64 * 1024;

#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    /// The file: result.json of Telegram Desktop, a feed, a table, a list of targets
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// telegram, feed, csv, targets, or auto
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = format)]
    format: Format,
    /// Who claims, for what does not say it: needed for a list of targets
    #[arg(long, value_name = "NAME")]
    claimant: Option<String>,
    /// Where it comes from, for what does not say it
    #[arg(long, value_name = "WHERE")]
    channel: Option<String>,
    /// When a list of targets was published or seen, as exactly as that is known
    #[arg(long, value_name = "TIME", value_parser = moment)]
    posted: Option<Moment>,
    /// The encoding of the file, where it does not say: windows-1251
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// Keep only claims that name one of your sites
    #[arg(long)]
    only_named: bool,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Format(Option<ClaimFormat>);

fn format(text: &str) -> Result<Format, String> {
    if text == "auto" {
        return Ok(Format(None));
    }
    let found = ClaimFormat::ALL.into_iter().find(|(_, name)| *name == text);
    found
        .map(|(format, _)| Format(Some(format)))
        .ok_or_else(|| "there are telegram, feed, csv, targets and auto".to_owned())
}

/// What came of an import.
#[derive(Debug, Default, Serialize)]
struct Imported {
    entries: u64,
    /// Entries that name no host: they claim nothing that could be tested.
    naming_nothing: u64,
    without_time: u64,
    unreadable: u64,
    empty: u64,
    new: u64,
    edited: u64,
    known: u64,
    /// Claims that do not name one of your sites, with `--only-named`.
    not_yours: u64,
    /// Claims that name one of your sites.
    naming_you: Vec<String>,
    /// Why reading ended before the file did.
    fault: Option<String>,
}

pub(super) fn run(arguments: &ImportArguments) -> Result<String, Refusal> {
    let found = arguments.place.find().map_err(Refusal::Said)?;
    if arguments.only_named && found.sites.is_empty() {
        return Err(Refusal::Usage(
            "name the settings file with --config: it says which sites are yours".to_owned(),
        ));
    }
    let format = match arguments.format.0 {
        Some(format) => format,
        None => detected(&arguments.file)?,
    };
    let given = Given {
        claimant: arguments.claimant.clone(),
        channel: arguments.channel.clone(),
        captured_unix_s: SystemClock::start().now().wall_unix_seconds(),
    };
    let mut list = (format == ClaimFormat::Targets).then(|| list_of(arguments, &given)).transpose()?;
    let mut claims = Claims::open(&found.state)?;
    let mut imported = Imported::default();
    let mut stopped: Option<super::kept::KeptError> = None;
    let mut keep = |imported: &mut Imported, claim: Claim| {
        let names_you = names_one(&claim, &found.sites);
        if claim.targets.is_empty() {
            imported.naming_nothing += 1;
        } else if arguments.only_named && !names_you {
            imported.not_yours += 1;
        } else if stopped.is_none() {
            let id = claim.id.clone();
            match claims.put(claim) {
                Ok(Put::New) => imported.new += 1,
                Ok(Put::Edited) => imported.edited += 1,
                Ok(Put::Known) => imported.known += 1,
                Err(error) => stopped = Some(error),
            }
            if names_you && !imported.naming_you.contains(&id) {
                imported.naming_you.push(id);
            }
        }
    };
    let (counts, fault) = each(arguments, format, |item| match item {
        Item::Post(post) => keep(&mut imported, from_post(post, origin(format), &given)),
        Item::Row(row) => match from_row(&row, &given) {
            Some(claim) => keep(&mut imported, claim),
            None => imported.without_time += 1,
        },
        Item::Target(target) => {
            if let Some(list) = &mut list {
                list.add(&target);
            }
        }
    })?;
    if let Some(list) = list {
        keep(&mut imported, list.claim(&file_hash(&arguments.file)?));
    }
    if let Some(error) = stopped {
        return Err(error.into());
    }
    claims.save(&found.state, |claim| names_one(claim, &found.sites))?;
    imported.entries = counts.taken;
    imported.without_time += counts.without_time;
    imported.unreadable = counts.unreadable;
    imported.empty = counts.empty;
    imported.fault = fault;
    said(&imported, arguments.json)
}

fn names_one(claim: &Claim, sites: &[floodwall_assessment::DeclaredSite]) -> bool {
    named(claim, sites).iter().any(|found| found.kind != MatchKind::LooksLike)
}

fn origin(format: ClaimFormat) -> ClaimOrigin {
    match format {
        ClaimFormat::Telegram => ClaimOrigin::Telegram,
        ClaimFormat::Feed => ClaimOrigin::Feed,
        ClaimFormat::Csv => ClaimOrigin::Csv,
        ClaimFormat::Targets => ClaimOrigin::TargetList,
    }
}

fn list_of(arguments: &ImportArguments, given: &Given) -> Result<TargetsOfList, Refusal> {
    let (Some(claimant), Some(posted)) = (&arguments.claimant, arguments.posted) else {
        return Err(Refusal::Usage(
            "a list of targets does not say whose it is and when it was seen; name them with --claimant and --posted"
                .to_owned(),
        ));
    };
    let name = arguments.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(TargetsOfList::new(claimant, &given.channel.clone().unwrap_or(name), posted, given.captured_unix_s))
}

fn said(imported: &Imported, json: bool) -> Result<String, Refusal> {
    let is_good = imported.fault.is_none();
    let text = if json {
        table::as_json(imported)?
    } else {
        let mut text = format!(
            "{} entries read: {} new claims, {} in another form than before, {} known already.\n",
            imported.entries, imported.new, imported.edited, imported.known
        );
        for (count, what) in [
            (imported.naming_nothing, "name no host, so they are no claims that could be tested"),
            (imported.not_yours, "name none of your sites"),
            (imported.without_time, "have no time that can be read"),
            (imported.unreadable, "could not be read"),
            (imported.empty, "say nothing"),
        ] {
            if count > 0 {
                text.push_str(&format!("Passed over: {count} {what}.\n"));
            }
        }
        match imported.naming_you.as_slice() {
            [] => text.push_str("None names one of your sites.\n"),
            [one] => text.push_str(&format!("You are named, in {one}.\n")),
            many => text.push_str(&format!(
                "You are named, in {} claims; see `floodwall claim list --named`.\n",
                many.len()
            )),
        }
        text
    };
    if is_good {
        return Ok(text);
    }
    let fault = imported.fault.as_deref().unwrap_or_default();
    Err(Refusal::After(text, format!("reading ended early: {fault}; what was read before it is kept")))
}

/// Hands over each entry, with a bar where somebody looks on.
fn each(
    arguments: &ImportArguments,
    format: ClaimFormat,
    take: impl FnMut(Item),
) -> Result<(ReadCounts, Option<String>), Refusal> {
    let file = open(&arguments.file)?;
    let bytes = file.metadata().map_or(0, |about| about.len());
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(bytes) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes:>10} of {total_bytes}  {eta} left") {
        bar.set_style(style);
    }
    let reader = BufReader::with_capacity(256 * 1024, bar.wrap_read(file));
    let mut counts = ReadCounts::default();
    let outcome = read(format, reader, arguments.encoding.as_deref(), &mut counts, take);
    bar.finish_and_clear();
    Ok((counts, outcome.err().map(|fault| fault.to_string())))
}

fn open(path: &Path) -> Result<File, Refusal> {
    File::open(path).map_err(|error| Refusal::No(format!("{} {error}", path.display())))
}

fn detected(path: &Path) -> Result<ClaimFormat, Refusal> {
    let mut beginning = Vec::new();
    open(path)?.take(BEGINNING_BYTES).read_to_end(&mut beginning)?;
    ClaimFormat::detect(&beginning).ok_or_else(|| {
        Refusal::Usage(format!(
            "{} does not say what it is; name its format with --format telegram|feed|csv|targets",
            path.display()
        ))
    })
}

fn file_hash(path: &Path) -> Result<String, Refusal> {
    let mut file = open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}
