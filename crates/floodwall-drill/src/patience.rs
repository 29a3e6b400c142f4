//! How patient people are: the same before every edge, on hosts and in simulated time.

use std::time::Duration;

/// How long a person looks at nothing: from when a page is wanted, or from the last that was shown, until
/// the next answer.
pub const ANSWER: Duration = Duration::from_secs(10);

/// How long a person goes on in all while pages are shown that say that it goes on: a place in a line, a
/// check of the browser, an error that says when to come back.
pub const IN_ALL: Duration = Duration::from_secs(60);

/// How often a person loads an error page again.
pub const RELOADS_MAX: u32 = 2;

/// When, if the page does not say (`Retry-After`).
pub const RELOAD_AFTER: Duration = Duration::from_secs(3);

/// Whoever is told to come back later than this gives up.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// How long before a person loads an error page again for the `reloads`-th time, from 0 on; `None` where they
/// give up.
#[must_use]
pub fn before_reload(reloads: u32, retry_after: Option<Duration>) -> Option<Duration> {
    let span = retry_after.unwrap_or(RELOAD_AFTER);
    (reloads < RELOADS_MAX && span <= RETRY_AFTER_MAX).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_back_twice_and_not_in_an_hour() {
        let s = Duration::from_secs;
        for (reloads, told, then) in [
            (0, None, Some(RELOAD_AFTER)),
            (1, Some(s(7)), Some(s(7))),
            (1, Some(s(30)), Some(s(30))),
            (0, Some(s(31)), None),
            (2, None, None),
        ] {
            assert_eq!(before_reload(reloads, told), then, "{reloads} {told:?}");
        }
    }
}
