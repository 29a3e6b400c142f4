//! The outcome in words: what was read, what detection says, what admission would have done, and the
//! traffic as a table.

use std::fmt::Write;

use floodwall_policy::Rung;

use super::admission::AdmissionCounts;
use super::assumed_origin::OriginAssumption;
use super::episode::Episode;
use super::order::WINDOW_S;
use super::outcome::{AdmissionOutcome, Outcome};
use super::tally::Tally;
use super::words::{counted, grouped, minute, percent, rate, size, span, time, to_f64};

/// Rows of the table of traffic.
const ROWS_MAX: usize = 24;
/// Episodes that are told of.
const EPISODES_SHOWN: usize = 20;
/// Files that are told of one by one.
const FILES_SHOWN: usize = 12;

pub(super) fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = read(&mut text, outcome);
    let _ = proxies(&mut text, outcome);
    if outcome.span_micros.is_some() {
        let _ = detection(&mut text, outcome);
        if let Some(admission) = &outcome.admission {
            let _ = self::admission(&mut text, admission);
        }
        let _ = traffic(&mut text, outcome);
    }
    text
}

type Written = std::fmt::Result;

fn read(text: &mut String, outcome: &Outcome) -> Written {
    let lines = outcome.tallies.iter().map(|tally| tally.lines).sum();
    let files = u64::try_from(outcome.tallies.len()).unwrap_or(0);
    writeln!(
        text,
        "Read: {} of {}, {}",
        counted(lines, "line"),
        counted(files, "file"),
        size(outcome.bytes)
    )?;
    if let Some((first, last)) = outcome.span_micros {
        writeln!(text, "  from {} to {} UTC, {}", time(first), time(last), span(last - first))?;
    }
    for tally in outcome.tallies.iter().take(FILES_SHOWN) {
        file(text, tally)?;
    }
    if let Some(more) = outcome.tallies.len().checked_sub(FILES_SHOWN).filter(|more| *more > 0) {
        writeln!(text, "  and {more} files more (--json tells of all)")?;
    }
    if outcome.late > 0 {
        writeln!(
            text,
            "  {} left out: more than {WINDOW_S} s later than others. Give parts of a log that are not in order as \
             files of their own, or sort them.",
            counted(outcome.late, "request")
        )?;
    }
    if outcome.counts_left_out > 0 {
        writeln!(
            text,
            "  {} of plain counts left out: beside access logs they would count twice. Replay them apart.",
            counted(outcome.counts_left_out, "row")
        )?;
    }
    if outcome.crowded_out > 0 {
        writeln!(text, "  {} left out: too many in one second", counted(outcome.crowded_out, "request"))?;
    }
    Ok(())
}

fn file(text: &mut String, tally: &Tally) -> Written {
    let format = tally.format.map_or("format not recognised", |format| format.as_str());
    writeln!(
        text,
        "  {}: {format}, {} of {}",
        tally.name,
        grouped(tally.records),
        counted(tally.lines, "line")
    )?;
    if tally.other_format > 0 {
        writeln!(text, "    {} in another format", counted(tally.other_format, "line"))?;
    }
    for (fault, count) in tally.faults() {
        writeln!(text, "    {} not read: {fault}", counted(count, "line"))?;
    }
    for broken in &tally.first_broken {
        writeln!(text, "      line {}: {}", broken.number, broken.text)?;
    }
    if tally.strays > 0 {
        let were = if tally.strays == 1 { "is" } else { "are" };
        writeln!(
            text,
            "    {} left out: their time {were} far from that of the lines around",
            counted(tally.strays, "line")
        )?;
    }
    if tally.put_back > 0 {
        writeln!(
            text,
            "    the clock was put back {}, by up to {}; time was taken to go on",
            if tally.put_back == 1 { "once".to_owned() } else { format!("{} times", tally.put_back) },
            span(tally.put_back_max)
        )?;
    }
    if let Some(why) = &tally.broken_off {
        writeln!(text, "    breaks off after line {}: {why}; what came before it counts", tally.lines)?;
    }
    Ok(())
}

fn proxies(text: &mut String, outcome: &Outcome) -> Written {
    if outcome.proxies.is_empty() {
        return Ok(());
    }
    let addresses: Vec<_> = outcome.proxies.iter().map(ToString::to_string).collect();
    writeln!(
        text,
        "\nNearly all requests come from {}, with user agents of many kinds: these are your proxy's addresses, not \
         visitors'. Let the server log what the proxy says of them (X-Forwarded-For), and set trusted_proxies, or \
         --trusted-proxies here. As it is, all visitors count as one.",
        addresses.join(", ")
    )
}

fn detection(text: &mut String, outcome: &Outcome) -> Written {
    let detected = &outcome.detected;
    let episodes = &detected.episodes;
    if episodes.is_empty() {
        return writeln!(text, "\nDetection: nothing out of the ordinary");
    }
    let all = u64::try_from(episodes.len()).unwrap_or(0) + detected.episodes_dropped;
    writeln!(text, "\nDetection: {}", counted(all, "episode"))?;
    for (episode, number) in episodes.iter().zip(1..).take(EPISODES_SHOWN) {
        self::episode(text, number, episode)?;
    }
    if let Some(more) = episodes.len().checked_sub(EPISODES_SHOWN).filter(|more| *more > 0) {
        writeln!(text, "  and {more} more (--json tells of all)")?;
    }
    Ok(())
}

fn episode(text: &mut String, number: u32, episode: &Episode) -> Written {
    let onset = episode.onset_s.saturating_mul(1_000_000);
    let when = match episode.end_s.map(|end| end.saturating_mul(1_000_000)) {
        Some(end) => format!("{} to {} UTC, {}", time(onset), time(end), span(end - onset)),
        None => format!("from {} UTC; the log ends before it does", time(onset)),
    };
    let mixed = episode.mixed_with.map_or(String::new(), |with| format!(", mixed with {}", with.as_str()));
    let (verdict, likely) = (episode.verdict.as_str(), percent(episode.likelihood));
    writeln!(text, "  {number}. {verdict} (likelihood {likely}){mixed}: {when}")?;
    let (most, expected) = (rate(episode.per_second_max), rate(episode.expected_per_second));
    writeln!(text, "     up to {most} requests a second, where {expected} were expected")?;
    if !episode.vectors.is_empty() {
        writeln!(text, "     by {}", episode.vectors.join(", ").replace('_', " "))?;
    }
    for reason in &episode.reasons {
        writeln!(text, "     - {reason}")?;
    }
    Ok(())
}

fn admission(text: &mut String, admission: &AdmissionOutcome) -> Written {
    let (counts, origin) = (&admission.counts, &admission.options.origin);
    let latency = match (origin.latency, admission.latencies_from_log) {
        (Some(latency), _) => format!("each after {} ms", latency.as_millis()),
        (None, 0) => format!("each after {} ms", OriginAssumption::LATENCY.as_millis()),
        (None, _) => "each after as long as the log says".to_owned(),
    };
    writeln!(
        text,
        "\nAdmission, had the origin been able to give {} answers a second, {latency}:",
        rate(origin.per_second)
    )?;
    writeln!(text, "  {:>12} would have reached the origin", grouped(counts.offered))?;
    writeln!(
        text,
        "  {:>12} admitted, {} of them after a wait",
        grouped(counts.admitted),
        grouped(counts.admitted_after_wait)
    )?;
    if counts.challenged() > 0 {
        writeln!(
            text,
            "  {:>12} asked for proof: {} by a redirect, {} by the page with the choice, {} sent to the waiting room; \
             {} came back with it",
            grouped(counts.challenged()),
            grouped(counts.challenged_redirect),
            grouped(counts.challenged_choice),
            grouped(counts.challenged_waiting_room),
            grouped(counts.came_back)
        )?;
    }
    refused(text, counts)?;
    if admission.rung_max > Rung::Open {
        writeln!(
            text,
            "  the ladder was climbed to rung {} ({})",
            admission.rung_max.number(),
            rung(admission.rung_max)
        )?;
    }
    if !admission.worst.is_empty() {
        writeln!(text, "  worst minutes (UTC)   offered    waited     asked   refused")?;
        for one in &admission.worst {
            writeln!(
                text,
                "  {:19} {:>9} {:>9} {:>9} {:>9}",
                minute(one.unix_minute.saturating_mul(60)),
                grouped(one.offered),
                grouped(one.waited),
                grouped(one.challenged),
                grouped(one.refused)
            )?;
        }
    }
    Ok(())
}

fn refused(text: &mut String, counts: &AdmissionCounts) -> Written {
    if counts.refused() == 0 {
        writeln!(text, "  {:>12} refused: nobody", 0)?;
    } else {
        writeln!(
            text,
            "  {:>12} refused, {} of them from visitors who load the parts of pages as browsers do",
            grouped(counts.refused()),
            grouped(counts.refused_browsers)
        )?;
        for (count, why) in [
            (counts.refused_limit, "over a limit of the settings"),
            (counts.refused_no_room, "no room at the origin"),
            (counts.refused_over_share, "no room, and over their share"),
            (counts.refused_displaced, "waited, until somebody better proven took the place"),
            (counts.refused_waited_out, "waited as long as anybody may"),
        ] {
            if count > 0 {
                writeln!(text, "  {:>16} {why}", grouped(count))?;
            }
        }
    }
    Ok(())
}

/// A rung's name.
pub(super) fn rung(rung: Rung) -> &'static str {
    match rung {
        Rung::Open => "open",
        Rung::Collapse => "collapse",
        Rung::Redirect => "redirect",
        Rung::Choice => "choice",
        Rung::WaitingRoom => "waiting room",
    }
}

fn traffic(text: &mut String, outcome: &Outcome) -> Written {
    let series = outcome.series.in_at_most(ROWS_MAX);
    writeln!(text, "\nTraffic, in steps of {}", span(series.bin_s().saturating_mul(1_000_000)))?;
    writeln!(text, "  from (UTC)             requests  a second  fullest second  expected a second")?;
    for (bin, place) in series.bins().iter().zip(0_i64..) {
        let from = series.first_s() + place * series.bin_s();
        let band =
            bin.band().map_or("-".to_owned(), |(low, high)| format!("{} to {}", rate(low), rate(high)));
        let seconds = to_f64(u64::try_from(series.bin_s()).unwrap_or(1));
        writeln!(
            text,
            "  {:18} {:>12} {:>9} {:>15} {band:>18}",
            minute(from),
            grouped(bin.requests),
            rate(to_f64(bin.requests) / seconds),
            grouped(bin.second_max)
        )?;
    }
    Ok(())
}
