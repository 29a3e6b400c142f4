//! The statement in English, as it is read out in the United States.

use super::{Confidence, Coverage, Explanation, IncidentFact, Moment, StatementFacts, Time, Usable, Words};
use super::{is_about_requests, likelihood, minutes, role};
use crate::testing::thousands;

pub(super) struct English;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn date(at: jiff::civil::DateTime) -> String {
    let month = usize::try_from(at.month() - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"");
    format!("{month} {}, {}", at.day(), at.year())
}

fn clock(at: jiff::civil::DateTime) -> String {
    let half = if at.hour() < 12 { "a.m." } else { "p.m." };
    let hour = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    format!("{hour}:{:02} {half}", at.minute())
}

fn lasting(minutes: u64) -> String {
    let many = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    match (minutes / 60, minutes % 60) {
        (0, minutes) => many(minutes, "minute"),
        (hours, 0) => many(hours, "hour"),
        (hours, minutes) => format!("{} and {}", many(hours, "hour"), many(minutes, "minute")),
    }
}

impl Words for English {
    fn what(&self, facts: &StatementFacts, time: &Time<'_>) -> String {
        let incident = &facts.incident;
        let (began, zone) = time.at(incident.onset_unix_s);
        let role = role(facts).map(|role| format!(" ({role})")).unwrap_or_default();
        let site = format!("our website {}{role}", facts.host);
        let (past, ongoing) = match incident.verdict {
            Explanation::Routine => ("had trouble", "has had trouble"),
            _ if is_about_requests(incident) => {
                ("received far more requests than usual", "has been receiving far more requests than usual")
            }
            _ => ("saw unusual traffic", "has been seeing unusual traffic"),
        };
        if incident.is_open {
            return format!("Since {} {zone} on {}, {site} {ongoing}.", clock(began), date(began));
        }
        let Some(end) = incident.ended_unix_s else {
            return format!(
                "From {} {zone} on {}, {site} {past}; our records break off before it ended.",
                clock(began),
                date(began)
            );
        };
        let (ended, end_zone) = time.at(end.saturating_add(1));
        let lasted = lasting(minutes(facts));
        if began.date() == ended.date() {
            format!(
                "On {}, {site} {past} from {} to {} {zone}, for {lasted}.",
                date(began),
                clock(began),
                clock(ended)
            )
        } else {
            format!(
                "From {} {zone} on {} to {} {end_zone} on {}, {site} {past}, for {lasted}.",
                clock(began),
                date(began),
                clock(ended),
                date(ended)
            )
        }
    }

    fn judgement(&self, incident: &IncidentFact, which: Explanation, too: bool) -> String {
        let likely = likelihood(incident, which);
        let that = match which {
            Explanation::Routine if too => "routine trouble is part of it".to_owned(),
            Explanation::Attack => "somebody meant to overload it".to_owned(),
            Explanation::Crowd => "many people came at the same time".to_owned(),
            Explanation::Routine => match incident.routine_cause.as_deref().map(cause) {
                Some(cause) => format!("this was routine trouble: {cause}"),
                None => "this was routine trouble".to_owned(),
            },
            Explanation::Unknown => return "We cannot say yet why.".to_owned(),
        };
        let that = if too { format!("{that}, too") } else { that };
        // In American English no space comes before the sign.
        likely.of(&that).replacen(" %)", "%)", 1) + "."
    }

    fn confidence(&self, confidence: Confidence, is_whole: bool, sources: u32) -> String {
        let data =
            if is_whole { "we have records of every minute" } else { "some minutes are not on record" };
        let from = match sources {
            0 => "and nothing else saw it",
            1 => "and they come from our own server alone",
            _ => "and it was watched from outside as well",
        };
        let from =
            if sources == 1 && !is_whole { "and the rest comes from our own server alone" } else { from };
        format!("Our confidence in that is {}: {data}, {from}.", confidence.word())
    }

    fn usable(&self, usable: Usable, percent: u16, goes_on: bool) -> String {
        let [when, reached, could, answered] = if goes_on {
            ["So far", "reach", "can", "have been answered"]
        } else {
            ["During that time", "reached", "could", "were answered"]
        };
        let share = format!("{percent}% of the requests of our usual visitors {answered}");
        match usable {
            Usable::NearlyAll => {
                format!("{when}, people who {reached} our server {could} use the website as usual: {share}.")
            }
            Usable::Most => {
                format!("{when}, most people who {reached} our server {could} use the website: {share}.")
            }
            Usable::Some => format!("{when}, many people {could} not use the website: {share}."),
            Usable::Few => format!("{when}, most people {could} not use the website: {share}."),
            Usable::NotMeasured => {
                "How many people could use the website in that time was not measured.".to_owned()
            }
        }
    }

    fn outside(&self, minutes_down: Option<u64>) -> String {
        match minutes_down {
            None => "We did not check from outside whether everybody could reach our server.".to_owned(),
            Some(0) => "Checks from outside reached the website the whole time.".to_owned(),
            Some(minutes) => {
                format!("Checks from outside could not reach the website for {}.", lasting(minutes))
            }
        }
    }

    fn cost(&self, goes_on: bool) -> String {
        if goes_on {
            "Some visitors have to wait, or to let their browser be checked, before they get in."
        } else {
            "Some visitors had to wait, or to let their browser be checked, before they got in."
        }
        .to_owned()
    }

    fn kept_apart(&self) -> &'static str {
        "The website is set up so that visitors' requests are not passed to the office's internal networks."
    }

    fn other_systems(&self) -> &'static str {
        "Our records are about this website and say nothing about other systems."
    }

    fn claim(&self, posted: &str, several: bool, verdict: Explanation) -> String {
        let but = match verdict {
            Explanation::Routine => "that does not show what caused the trouble",
            _ => "that does not show who sent the requests",
        };
        if several {
            format!("Several posts name this website as a target, the first of {posted}; {but}.")
        } else {
            format!("A post of {posted} names this website as a target; {but}.")
        }
    }

    fn records(&self, coverage: &Coverage) -> String {
        match coverage.minutes.saturating_sub(coverage.recorded) {
            0 => "Every minute of that time is on record and can be examined.".to_owned(),
            1 => "One minute of that time is missing from our records.".to_owned(),
            missing => format!("{} minutes of that time are missing from our records.", thousands(missing)),
        }
    }

    fn just_begun(&self) -> &'static str {
        "This has just begun, and the record of its first minute is not complete."
    }

    fn not_known_who(&self, goes_on: bool) -> &'static str {
        if goes_on {
            "We do not know who is sending the requests."
        } else {
            "We do not know who sent the requests."
        }
    }

    fn moment(&self, moment: Moment, time: &Time<'_>) -> String {
        let (at, zone) = time.at(moment.unix_s);
        match moment.precision_s {
            0..=60 => format!("{}, {} {zone}", date(at), clock(at)),
            _ if moment.precision_s == 86_400 => {
                // A day that was written down in UTC stays that day.
                date(Time(&jiff::tz::TimeZone::UTC).at(moment.unix_s).0)
            }
            _ => format!("{} or later", date(at)),
        }
    }
}

fn cause(cause: &str) -> &str {
    match cause {
        "origin_down" => "the server behind the website did not answer",
        "origin_slow" => "the server behind the website answered slowly",
        "origin_errors" => "the server behind the website answered with errors",
        "deploy" => "the website was changed shortly before",
        "certificate" => "its certificate had ended or did not fit",
        "dns" => "its name could not be looked up",
        "vendor" => "one part of the website failed, as when a supplier's service does",
        "own_fault" => "our server was short of capacity",
        "own_defence" => "our own protection turned people away",
        "crawler" => "one machine that gives its name asked for too much",
        _ => "the cause is on record",
    }
}
