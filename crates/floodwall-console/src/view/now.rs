//! The first thing an operator reads: how the last minute was for all sites together. Says what is
//! done and to how many, and never that it is an attack: counts alone cannot tell one from a crowd.

use floodwall_model::TrafficCounts;

use super::{Figure, from_cache};
use crate::format;
use crate::snapshot::Snapshot;

/// One answer: a question, its figure, and what the figure means.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) label: &'static str,
    pub(crate) figure: Figure,
    pub(crate) meaning: Figure,
}

impl Answer {
    fn new(name: &str, label: &'static str, figure: String, meaning: String) -> Self {
        Self {
            label,
            figure: Figure::new(format!("now.{name}"), figure),
            meaning: Figure::new(format!("now.{name}.meaning"), meaning),
        }
    }
}

/// The answers, in the order they are asked.
pub(super) fn answers(snapshot: &Snapshot) -> Vec<Answer> {
    let sum = |of: fn(&crate::snapshot::SiteFigures) -> &TrafficCounts| {
        snapshot.sites.iter().fold(TrafficCounts::default(), |sum, site| sum.plus(of(site)))
    };
    let (second, minute) = (sum(|site| &site.last_second), sum(|site| &site.last_minute));
    vec![
        Answer::new(
            "requests",
            "Requests in the last minute",
            format::count(minute.requests),
            format!("{} in the last second", format::count(second.requests)),
        ),
        Answer::new(
            "refused",
            "Refused: over the limit",
            format::count_with_share(minute.refused_prefix_rate, minute.requests),
            refused(&minute),
        ),
        Answer::new(
            "from_cache",
            "Answered from the cache",
            format::count_with_share(from_cache(&minute), minute.requests),
            from_cache_means(&minute),
        ),
        Answer::new(
            "errors",
            "Answered with an error",
            format::count_with_share(minute.responses_5xx, minute.requests),
            errors(&minute),
        ),
    ]
}

fn refused(minute: &TrafficCounts) -> String {
    if minute.refused_prefix_rate == 0 {
        return "No source is over its limit.".to_owned();
    }
    "Sources over their limit are told to wait. This count does not say whether it is an attack or a crowd."
        .to_owned()
}

fn from_cache_means(minute: &TrafficCounts) -> String {
    let origin = match minute.origin_requests {
        0 => "The origin had no work.".to_owned(),
        requests => {
            let wait = format::mean_wait(minute.origin_wait_us, requests);
            format!("The origin had {}, mean wait {wait}.", format::counted(requests, "request"))
        }
    };
    match minute.cache_stale {
        0 => origin,
        stale => format!(
            "{origin} {} stale, because it failed or was slow.",
            if stale == 1 {
                "1 answer was".to_owned()
            } else {
                format!("{} answers were", format::count(stale))
            }
        ),
    }
}

fn errors(minute: &TrafficCounts) -> String {
    if minute.responses_5xx == 0 {
        return "No visitor was shown a server error.".to_owned();
    }
    "Visitors were shown 5xx: by the origin, for want of it, or by admission, whose pages are 503.".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_put_in_words() {
        let calm = TrafficCounts { requests: 100, cache_hits: 90, ..TrafficCounts::default() };
        let flooded = TrafficCounts {
            requests: 9_000,
            refused_prefix_rate: 8_000,
            cache_stale: 1_200,
            origin_requests: 1,
            origin_wait_us: 80_000,
            responses_5xx: 3,
            ..calm
        };
        for (minute, words) in [
            (
                calm,
                "No source is over its limit. | The origin had no work. | No visitor was shown a server error.",
            ),
            (
                flooded,
                "Sources over their limit are told to wait. This count does not say whether it is an attack or a crowd. | \
                 The origin had 1 request, mean wait 80.0\u{a0}ms. 1,200 answers were stale, because it failed or was slow. | \
                 Visitors were shown 5xx: by the origin, for want of it, or by admission, whose pages are 503.",
            ),
        ] {
            let said = [refused(&minute), from_cache_means(&minute), errors(&minute)].join(" | ");
            assert_eq!(said, words);
        }
    }
}
