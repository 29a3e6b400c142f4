//! Every text of the pages, once for each language.
//!
//! The fields have no defaults: a new text does not compile until each language has it. Texts hold
//! no markup and no quotes; a test holds that.
//!
//! They are for somebody who is tired, in a hurry, and only wants to know where to vote: short
//! sentences, everyday words, first what happened, then what happens next.

mod english;
mod spanish;

use std::time::Duration;

use super::Language;

/// The words of one short page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) title: &'static str,
    /// What happened.
    pub(super) what: &'static str,
    /// What to do now.
    pub(super) advice: &'static str,
}

/// All texts of one language.
pub(super) struct Texts {
    /// Before the reference.
    pub(super) reference: &'static str,
    /// What the banner on a kept copy is, for who hears it.
    pub(super) kept_label: &'static str,
    /// That a page is a kept copy: the time of day it is from, and its age in seconds.
    pub(super) kept_copy: fn(&str, i64) -> String,
    pub(super) refusals: RefusalTexts,
    pub(super) overload: OverloadTexts,
    /// The form by which a person reports that he cannot get in.
    pub(super) person: PersonTexts,
}

/// What was wrong with a request, or with the origin.
pub(super) struct RefusalTexts {
    pub(super) too_many: Words,
    /// In place of `too_many.advice`, with the seconds to wait.
    pub(super) too_many_advice: fn(u64) -> String,
    pub(super) unknown_host: Words,
    pub(super) undeclared_path: Words,
    pub(super) method: Words,
    pub(super) blocked: Words,
    /// `what` stands before the exact fault, which is in English.
    pub(super) malformed: Words,
    pub(super) header_too_large: &'static str,
    pub(super) moved_to_https: Words,
    pub(super) loop_detected: Words,
    pub(super) not_cached: Words,
    pub(super) origin_busy: Words,
    pub(super) visitor_broke_off: Words,
    pub(super) origin_slow: Words,
    pub(super) origin_down: Words,
}

/// What people meet while too much is asked for.
pub(super) struct OverloadTexts {
    pub(super) choice_title: &'static str,
    pub(super) waiting_title: &'static str,
    /// Why there is this page at all.
    pub(super) why: &'static str,
    /// That the visitor did nothing wrong, and what is kept of him.
    pub(super) no_fault: &'static str,
    pub(super) work_heading: &'static str,
    pub(super) work_what: &'static str,
    /// The name of the progress bar.
    pub(super) work_bar: &'static str,
    /// `#` stands for the percentage.
    pub(super) work_share: &'static str,
    pub(super) work_stop: &'static str,
    pub(super) work_start: &'static str,
    pub(super) work_solved: &'static str,
    pub(super) work_stopped: &'static str,
    pub(super) work_failed: &'static str,
    /// The browser keeps no cookie, so the work would be lost.
    pub(super) work_no_cookie: &'static str,
    /// The page came back several times after the work was done.
    pub(super) work_in_vain: &'static str,
    /// The heading of the place in line beside the work.
    pub(super) wait_heading: &'static str,
    /// The place of somebody who has just come.
    pub(super) place_new: &'static str,
    /// So many are before the visitor, and how long it will take.
    pub(super) place: fn(u64, Duration) -> String,
    /// The page asks again each so many seconds.
    pub(super) wait_what: fn(u64) -> String,
    pub(super) ask_again: &'static str,
    pub(super) turn: &'static str,
    pub(super) no_room: Words,
    pub(super) over_share: Words,
    /// The page asks again by itself in so many seconds.
    pub(super) busy_again: fn(u64) -> String,
    /// A form was not taken; when to send it again.
    pub(super) busy_form: fn(u64) -> String,
}

/// The report of a person who cannot get in.
pub(super) struct PersonTexts {
    pub(super) what: &'static str,
    pub(super) button: &'static str,
    pub(super) thanks: Words,
    pub(super) back: &'static str,
}

impl Language {
    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::English => &english::TEXTS,
            Self::Spanish => &spanish::TEXTS,
        }
    }
}

/// A count as it is honest to say it of an estimate: exact up to 10, then to two digits, rounded up.
fn rounded(count: u64) -> u64 {
    let mut step = 1;
    while count / step >= 100 {
        step *= 10;
    }
    if step == 1 && count > 10 { count.div_ceil(5) * 5 } else { count.div_ceil(step).saturating_mul(step) }
}

/// A number with commas between thousands, as both languages write it in the United States.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time as it is honest to say it of an estimate: rounded up, the coarser the longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Estimate {
    /// Ten seconds at most.
    FewSeconds,
    /// In tens.
    Seconds(u64),
    /// To a minute; from ten minutes on to five.
    Minutes(u64),
    /// Up to so many hours.
    Hours(u64),
    /// Longer than a ticket is valid, so nobody can say.
    Long,
}

impl Estimate {
    fn of(span: Duration) -> Self {
        let seconds = span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0));
        let minutes = seconds.div_ceil(60);
        match seconds {
            0..=10 => Self::FewSeconds,
            11..=50 => Self::Seconds(seconds.div_ceil(10) * 10),
            51..=600 => Self::Minutes(minutes),
            601..=3_300 => Self::Minutes(minutes.div_ceil(5) * 5),
            3_301..=7_200 => Self::Hours(seconds.div_ceil(3_600)),
            _ => Self::Long,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_rounded_up_and_the_coarser_the_longer() {
        use Estimate::{FewSeconds, Hours, Long, Minutes, Seconds};
        for (seconds, expected) in [
            (0, FewSeconds),
            (10, FewSeconds),
            (11, Seconds(20)),
            (50, Seconds(50)),
            (51, Minutes(1)),
            (61, Minutes(2)),
            (600, Minutes(10)),
            (601, Minutes(15)),
            (3_300, Minutes(55)),
            (3_301, Hours(1)),
            (3_601, Hours(2)),
            (7_200, Hours(2)),
            (7_201, Long),
            (u64::MAX, Long),
        ] {
            assert_eq!(Estimate::of(Duration::from_secs(seconds)), expected, "{seconds} s");
        }
        assert_eq!(Estimate::of(Duration::from_millis(10_001)), Seconds(20));
        for (count, expected) in [
            (0, 0),
            (10, 10),
            (11, 15),
            (100, 100),
            (101, 110),
            (340, 340),
            (341, 350),
            (1_001, 1_100),
            (123_456, 130_000),
        ] {
            assert_eq!(rounded(count), expected, "{count}");
        }
        assert!(rounded(u64::MAX) >= u64::MAX / 2);
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
