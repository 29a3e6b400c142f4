//! Medians, ranges and how they are written.

use serde::Serialize;

/// The least, the middle and the greatest of some figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied();
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            at(middle)?
        } else {
            f64::midpoint(at(middle.checked_sub(1)?)?, at(middle)?)
        };
        Some(Self { min: *values.first()?, median, max: *values.last()? })
    }
}

/// A whole number with its thousands apart.
pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    if number <= -0.5 { format!("-{text}") } else { text }
}

/// Bytes as KiB, one decimal.
pub(super) fn kib(bytes: f64) -> String {
    format!("{:.1} KiB", bytes / 1024.0)
}

/// Bytes as MiB, one decimal.
pub(super) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", as_f64(bytes) / (1024.0 * 1024.0))
}

/// For figures: what is lost beyond 2^52 is no matter.
#[expect(clippy::cast_precision_loss, reason = "figures for people; none comes near 2^52")]
pub(super) fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_and_even_counts() {
        let spread = |values: &[f64]| Spread::of(values.to_vec());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]), Some(Spread { min: 1.0, median: 2.5, max: 4.0 }));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in
            [(0.0, "0"), (999.4, "999"), (1000.0, "1 000"), (-1_234_567.0, "-1 234 567"), (-0.2, "0")]
        {
            assert_eq!(thousands(number), text);
        }
    }
}
