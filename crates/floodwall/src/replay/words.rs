//! Numbers and times as people read them.

/// `12,345,678`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 line`, `2 lines`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `2015-05-17 10:05:03`, in UTC.
pub(super) fn time(unix_micros: i64) -> String {
    formatted(unix_micros, "%Y-%m-%d %H:%M:%S")
}

/// `2015-05-17 10:05`, in UTC.
pub(super) fn minute(unix_s: i64) -> String {
    formatted(unix_s.saturating_mul(1_000_000), "%Y-%m-%d %H:%M")
}

/// RFC 3339 in UTC, for JSON.
pub(super) fn rfc_3339(unix_micros: i64) -> String {
    formatted(unix_micros, "%Y-%m-%dT%H:%M:%SZ")
}

fn formatted(unix_micros: i64, form: &str) -> String {
    jiff::Timestamp::from_microsecond(unix_micros)
        .map_or_else(|_| "a time no calendar holds".to_owned(), |time| time.strftime(form).to_string())
}

/// A span in its largest two units: `2 d 3 h`, `14 min 10 s`.
pub(super) fn span(micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    let (days, hours, minutes, rest) =
        (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => both(minutes, "min", rest, "s"),
        (0, ..) => both(hours, "h", minutes, "min"),
        _ => both(days, "d", hours, "h"),
    }
}

fn both(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// A rate: whole where it is large, with tenths or hundredths where it is small.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        small if small < 1.0 => format!("{small:.2}"),
        middling if middling < 10.0 => format!("{middling:.1}"),
        large => format!("{large:.0}"),
    }
}

/// A part of 1 in whole percent.
pub(super) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

/// A size to one tenth of its unit: `2.3 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let mut size = to_f64(bytes);
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1_024.0 {
            return if unit == "B" { format!("{size:.0} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1_024.0;
    }
    format!("{size:.1} TiB")
}

/// A count as a floating number, for rates and places; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "requests of a log are far below 2^53")]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_read_well() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
        for (seconds, text) in [
            (5, "5 s"),
            (850, "14 min 10 s"),
            (7_265, "2 h 1 min"),
            (183_600, "2 d 3 h"),
            (3_600, "1 h"),
            (-1, "0 s"),
        ] {
            assert_eq!(span(seconds * 1_000_000), text);
        }
        assert_eq!((counted(1, "line"), counted(2, "line")), ("1 line".to_owned(), "2 lines".to_owned()));
        for (bytes, text) in [(0, "0 B"), (1_023, "1023 B"), (2_370_789, "2.3 MiB"), (5 << 40, "5.0 TiB")] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(rfc_3339(1_667_916_127_000_000), "2022-11-08T14:02:07Z");
    }
}
