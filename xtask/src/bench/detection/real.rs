//! Real data by itself: the whole World Cup series as counts, and the 2015 log line by line.

use std::fmt::Write as _;

use floodwall_detection::{
    Calendar, Change, CountsDetector, CountsEpisode, Detector, LogFeed, Notice, RequestReader, RequestText,
    Surroundings,
};
use floodwall_model::{SiteId, Timestamp, TrafficVerdict};

use super::series::{LogLine, Minute};

/// Both, in Markdown.
pub(super) fn report(minutes: &[Minute], lines: &[LogLine]) -> Result<String, String> {
    let mut text = String::new();
    let episodes = counts(minutes);
    let attacks = episodes.iter().filter(|episode| episode.verdict == TrafficVerdict::Attack).count();
    let of = |verdict| episodes.iter().filter(|episode| episode.verdict == verdict).count();
    let _ = writeln!(
        text,
        "\n## The World Cup series\n\n{} minutes, counts only: {} episodes, of these {} crowd, {} unknown, {} routine \
         (fewer than usual), {attacks} attack.\n\n| onset (UTC) | minutes | usual/s | peak/s | rise | verdict | crowd |\n|---|---|---|---|---|---|---|",
        minutes.len(),
        episodes.len(),
        of(TrafficVerdict::Crowd),
        of(TrafficVerdict::Unknown),
        of(TrafficVerdict::Routine),
    );
    for episode in &episodes {
        let ended = episode.ended_unix_s.unwrap_or(episode.onset_unix_s);
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {:.0} | {} s | {} | {:.2} |",
            Timestamp::new(std::time::Duration::ZERO, episode.onset_unix_s * 1_000_000),
            (ended - episode.onset_unix_s) / 60,
            episode.usual_per_s,
            episode.peak_per_s,
            episode.rise_s,
            episode.verdict.as_str(),
            episode.likelihoods.crowd,
        );
    }
    let (incidents, notices) = log(lines)?;
    let _ = writeln!(
        text,
        "\n## The 2015 log\n\n{} lines, second by second (it has one minute of each hour; the gaps are noticed and not listed): {} incidents.\n\n{}",
        lines.len(),
        incidents.len(),
        incidents.iter().chain(&notices).map(|line| format!("- {line}\n")).collect::<String>()
    );
    Ok(text)
}

fn counts(minutes: &[Minute]) -> Vec<CountsEpisode> {
    let mut detector = CountsDetector::new(Calendar::default(), 0);
    let mut episodes: Vec<_> =
        minutes.iter().filter_map(|minute| detector.push(minute.unix_s, 60, minute.requests)).collect();
    episodes.extend(detector.finish());
    episodes
}

fn log(lines: &[LogLine]) -> Result<(Vec<String>, Vec<String>), String> {
    let reader = RequestReader::new(3, &["semicomplete.com", "www.semicomplete.com"]);
    let mut detector = Detector::new(SiteId(0), 3);
    let mut feed = LogFeed::new(3, 90, Surroundings::default());
    let mut changes = Vec::new();
    for line in lines {
        let client = line.client.parse().map_err(|error| format!("{}: {error}", line.client))?;
        let seen = reader.read(&RequestText {
            client,
            method: &line.method,
            target: &line.target,
            referer: line.referer.as_deref(),
            user_agent: line.agent.as_deref(),
            status: line.status,
        });
        changes.extend(feed.push(&mut detector, line.unix_s, &seen));
    }
    changes.extend(feed.finish(&mut detector, 0));
    let notices = changes.iter().filter_map(|(_, change)| match change {
        // The log has one minute of each hour.
        Change::Noticed(Notice::Gap { .. }) => None,
        Change::Noticed(notice) => Some(notice.to_string()),
        _ => None,
    });
    let incidents = detector.incidents().map(|incident| {
        let judgement = incident.judgement();
        let said = judgement.map_or(TrafficVerdict::Unknown, |judgement| judgement.verdict);
        let ever_attack = incident.revisions.iter().any(|revision| revision.verdict == TrafficVerdict::Attack);
        let grounds: Vec<_> =
            judgement.map(|judgement| judgement.grounds.iter().map(ToString::to_string).collect()).unwrap_or_default();
        format!(
            "{}: {} (attack {:.2}, crowd {:.2}, routine {:.2}){}, {} s, peak {} requests/s, usually {:.2}/s; {}",
            incident.opened,
            said.as_str(),
            judgement.map_or(0.0, |judgement| judgement.likelihoods.attack),
            judgement.map_or(0.0, |judgement| judgement.likelihoods.crowd),
            judgement.map_or(0.0, |judgement| judgement.likelihoods.routine),
            if ever_attack { ", ATTACK was said" } else { "" },
            incident.toll.seconds,
            incident.toll.peak_requests_per_s,
            incident.toll.calm_requests_per_s,
            grounds.join("; "),
        )
    });
    Ok((incidents.collect(), notices.collect()))
}
