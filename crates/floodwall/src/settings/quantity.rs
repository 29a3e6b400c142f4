//! Durations and sizes as people write them: `10s`, `500ms`, `256MiB`.
//!
//! One whole number and one unit, nothing else: `1h30m` and `1.5s` have a plain spelling in the
//! smaller unit, and a value that reads in only one way cannot be misread. Decimal sizes (`256MB`)
//! are refused, since half the world means the binary ones by them.

use std::time::Duration;

use super::forms::{TextFault, shorten};

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZE_UNITS: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Splits `10s` into 10 and `s`. The number is `None` when there is none or it is too large.
fn split(text: &str) -> (Option<u64>, &str) {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number.parse().ok(), unit.trim())
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = split(text);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number?.checked_mul(*factor)
}

/// Reads a duration.
pub(super) fn parse_duration(text: &str) -> Result<Duration, TextFault> {
    if let Some(millis) = parse(text, &DURATION_UNITS) {
        return Ok(Duration::from_millis(millis));
    }
    let fix = match split(text) {
        (Some(number), "") => format!("add the unit: \"{number}s\" for seconds (ms, s, m, h, d)"),
        (Some(number), "sec" | "secs" | "second" | "seconds") => format!("write \"{number}s\""),
        (Some(number), "min" | "mins" | "minute" | "minutes") => format!("write \"{number}m\""),
        (Some(number), "hour" | "hours") => format!("write \"{number}h\""),
        (Some(number), "day" | "days") => format!("write \"{number}d\""),
        _ => {
            "write one whole number and one unit (ms, s, m, h, d), for example \"10s\" or \"90m\"".to_owned()
        }
    };
    Err(TextFault::new(format!("`{}` is not a duration", shorten(text)), fix))
}

/// Reads a duration of the command line; the message says what to write.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|fault| format!("{}; {}", fault.problem, fault.fix))
}

/// Reads a number of bytes.
pub(super) fn parse_size(text: &str) -> Result<u64, TextFault> {
    if let Some(bytes) = parse(text, &SIZE_UNITS) {
        return Ok(bytes);
    }
    let fix = match split(text) {
        (Some(number), "") => {
            format!("add the unit: \"{number}MiB\" or \"{number}B\" (B, KiB, MiB, GiB, TiB)")
        }
        (Some(_), unit) if SIZE_UNITS.iter().any(|(name, _)| *name == unit) => {
            "write a smaller size".to_owned()
        }
        (Some(number), unit) => match unit.to_ascii_lowercase().chars().next() {
            Some(letter @ ('k' | 'm' | 'g' | 't')) if unit.len() <= 3 => {
                format!("write \"{number}{}iB\"", letter.to_ascii_uppercase())
            }
            _ => "write a whole number and B, KiB, MiB, GiB or TiB, for example \"256MiB\"".to_owned(),
        },
        _ => "write a whole number and B, KiB, MiB, GiB or TiB, for example \"256MiB\"".to_owned(),
    };
    Err(TextFault::new(format!("`{}` is not a size", shorten(text)), fix))
}

fn format(number: u64, units: &[(&str, u64)]) -> String {
    let exact = units.iter().rev().find(|(_, factor)| number > 0 && number.is_multiple_of(*factor));
    match exact.or_else(|| units.get(1)) {
        Some((unit, factor)) => format!("{}{unit}", number / factor),
        None => number.to_string(),
    }
}

/// Writes a duration in the largest unit that gives a whole number: `90s`, `24h` as `1d`.
pub(crate) fn format_duration(duration: Duration) -> String {
    format(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATION_UNITS)
}

/// Writes a number of bytes in the largest unit that gives a whole number.
pub(crate) fn format_size(bytes: u64) -> String {
    format(bytes, &SIZE_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("5m", 300_000),
            ("24h", 86_400_000),
            ("30d", 2_592_000_000),
            (" 1 s ", 1_000),
        ] {
            assert_eq!(parse_duration(text).ok(), Some(Duration::from_millis(millis)), "{text}");
        }
        for (text, fix) in [
            ("10", "add the unit: \"10s\" for seconds (ms, s, m, h, d)"),
            ("10 sec", "write \"10s\""),
            ("5min", "write \"5m\""),
            ("1.5s", "write one whole number and one unit (ms, s, m, h, d), for example \"10s\" or \"90m\""),
            ("-1s", "write one whole number and one unit (ms, s, m, h, d), for example \"10s\" or \"90m\""),
            (
                "99999999999999999999s",
                "write one whole number and one unit (ms, s, m, h, d), for example \"10s\" or \"90m\"",
            ),
        ] {
            assert_eq!(parse_duration(text).err().map(|f| f.fix).as_deref(), Some(fix), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("256MiB", 256 << 20), ("64KiB", 65_536), ("1GiB", 1 << 30), ("512B", 512), ("1TiB", 1 << 40)]
        {
            assert_eq!(parse_size(text).ok(), Some(bytes), "{text}");
        }
        for (text, fix) in [
            ("256MB", "write \"256MiB\""),
            ("256m", "write \"256MiB\""),
            ("1Gib", "write \"1GiB\""),
            ("256", "add the unit: \"256MiB\" or \"256B\" (B, KiB, MiB, GiB, TiB)"),
            ("much", "write a whole number and B, KiB, MiB, GiB or TiB, for example \"256MiB\""),
            ("16777216TiB", "write a smaller size"),
        ] {
            assert_eq!(parse_size(text).err().map(|f| f.fix).as_deref(), Some(fix), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number in 0..u64::MAX / 1000) {
            prop_assert_eq!(parse_size(&format_size(number)).ok(), Some(number));
            let duration = Duration::from_millis(number);
            prop_assert_eq!(parse_duration(&format_duration(duration)).ok(), Some(duration));
        }
    }
}
