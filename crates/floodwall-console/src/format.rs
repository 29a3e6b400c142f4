//! How figures are written for people: grouped digits, shares, sizes, spans and UTC times.

use std::time::Duration;

use floodwall_model::Timestamp;

/// Between a figure and its unit, which belong on one line.
const NO_BREAK: char = '\u{a0}';

/// `1234567` as `1,234,567`.
pub(crate) fn count(figure: u64) -> String {
    let digits = figure.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure with what it counts: `1 request`, `2 requests`.
pub(crate) fn counted(figure: u64, thing: &str) -> String {
    let ending = if figure == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", count(figure))
}

/// `part` of `whole` in per cent with one decimal, cut and not rounded, so that `100.0 %` means all;
/// `None` when there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> Option<String> {
    let permille = (u128::from(part.min(whole)) * 1000).checked_div(u128::from(whole))?;
    Some(format!("{}.{}{NO_BREAK}%", permille / 10, permille % 10))
}

/// A figure with its share of `whole`: `7 (87.5 %)`.
pub(crate) fn count_with_share(part: u64, whole: u64) -> String {
    match share(part, whole) {
        Some(share) => format!("{} ({share})", count(part)),
        None => count(part),
    }
}

/// A size in binary units with one decimal, cut: `12.0 MiB`.
pub(crate) fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut named = (size, None);
    let mut scale = 1_u64;
    for unit in UNITS {
        match scale.checked_mul(1024) {
            Some(next) if size >= next => scale = next,
            _ => break,
        }
        named = (size / scale, Some(unit));
    }
    match named {
        (whole, Some(unit)) => {
            let tenth = u128::from(size % scale) * 10 / u128::from(scale);
            format!("{}.{tenth}{NO_BREAK}{unit}", count(whole))
        }
        (whole, None) => format!("{whole}{NO_BREAK}B"),
    }
}

/// Mean of a sum of microseconds over `events`: `105.2 ms`; `none` without events.
pub(crate) fn mean_wait(sum_us: u64, events: u64) -> String {
    match sum_us.checked_div(events) {
        None => "none".to_owned(),
        Some(mean) => format!("{}.{}{NO_BREAK}ms", count(mean / 1000), mean % 1000 / 100),
    }
}

/// A span in its two largest units: `2 d 3 h`, `1 h 2 min`, `1 min 5 s`, `45 s`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Date and time of day: `2022-11-08 14:02:07 UTC`.
pub(crate) fn date_time(at: Timestamp) -> String {
    utc(at.wall_unix_seconds(), "%Y-%m-%d %H:%M:%S UTC")
}

/// Time of day: `14:02:07 UTC`.
pub(crate) fn time_of_day(at: Timestamp) -> String {
    utc(at.wall_unix_seconds(), "%H:%M:%S UTC")
}

/// Hour and minute, whose zone the caller's heading names: `14:02`.
pub(crate) fn minute(unix_seconds: i64) -> String {
    utc(unix_seconds, "%H:%M")
}

/// RFC 3339 in UTC, whole seconds: `2022-11-08T14:02:00Z`.
pub(crate) fn rfc_3339_seconds(unix_seconds: i64) -> String {
    utc(unix_seconds, "%Y-%m-%dT%H:%M:%SZ")
}

fn utc(unix_seconds: i64, pattern: &str) -> String {
    match jiff::Timestamp::from_second(unix_seconds) {
        Ok(wall) => wall.strftime(pattern).to_string(),
        Err(_) => format!("(time out of range: {unix_seconds} s since 1970)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (figure, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(figure), text);
        }
    }

    #[test]
    fn shares_never_claim_all_when_some_is_missing() {
        for (part, whole, text) in [
            (7, 8, Some("87.5\u{a0}%")),
            (99_999, 100_000, Some("99.9\u{a0}%")),
            (5, 5, Some("100.0\u{a0}%")),
            (0, 3, Some("0.0\u{a0}%")),
            (9, 3, Some("100.0\u{a0}%")),
            (0, 0, None),
            (u64::MAX, u64::MAX, Some("100.0\u{a0}%")),
        ] {
            assert_eq!(share(part, whole).as_deref(), text, "{part} of {whole}");
        }
    }

    #[test]
    fn sizes_use_the_largest_unit_that_fits() {
        for (size, text) in [
            (0, "0\u{a0}B"),
            (1023, "1023\u{a0}B"),
            (1024, "1.0\u{a0}KiB"),
            (1536, "1.5\u{a0}KiB"),
            (64 << 20, "64.0\u{a0}MiB"),
            (u64::MAX, "15.9\u{a0}EiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn spans_use_two_units() {
        for (seconds, text) in
            [(45, "45 s"), (65, "1 min 5 s"), (3720, "1 h 2 min"), (183_600, "2 d 3 h"), (86_400, "1 d 0 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn waits_are_means() {
        assert_eq!(mean_wait(0, 0), "none");
        assert_eq!(mean_wait(1_052_000, 10), "105.2\u{a0}ms");
    }

    #[test]
    fn times_name_their_zone() {
        let at = Timestamp::new(Duration::ZERO, 1_667_916_127_900_000);
        assert_eq!(date_time(at), "2022-11-08 14:02:07 UTC");
        assert_eq!(time_of_day(at), "14:02:07 UTC");
        assert_eq!(rfc_3339_seconds(1_667_916_120), "2022-11-08T14:02:00Z");
        assert_eq!(rfc_3339_seconds(i64::MAX), "(time out of range: 9223372036854775807 s since 1970)");
    }
}
