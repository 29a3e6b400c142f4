//! Plain counts: rows in order of their times, and how long a row's period is.

use floodwall_exchange::access_log::CountRecord;

/// The rows of all files, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) rows: Vec<CountRecord>,
    /// Seconds that a row counts: the commonest distance from one to the next.
    pub(crate) period_s: i64,
}

impl Counts {
    /// Sorts rows as they came; what is said twice of one time counts once, the larger.
    pub(crate) fn new(mut rows: Vec<CountRecord>) -> Self {
        rows.sort_by_key(|row| (row.unix_micros, std::cmp::Reverse(row.count)));
        rows.dedup_by_key(|row| row.unix_micros);
        let mut distances: Vec<_> = rows
            .iter()
            .zip(rows.iter().skip(1))
            .map(|(row, next)| (next.unix_micros - row.unix_micros) / 1_000_000)
            .filter(|seconds| *seconds > 0)
            .collect();
        distances.sort_unstable();
        // The median: gaps are fewer than rows.
        let period_s = distances.get(distances.len() / 2).copied().unwrap_or(60);
        Self { rows, period_s }
    }

    /// Requests of all rows.
    pub(crate) fn requests(&self) -> u64 {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_their_period_found() {
        let row = |minute: i64, count| CountRecord { unix_micros: minute * 60_000_000, count };
        let counts = Counts::new(vec![row(3, 7), row(1, 5), row(2, 6), row(900, 1), row(2, 4)]);
        let rows: Vec<_> = counts.rows.iter().map(|row| row.count).collect();
        assert_eq!((rows, counts.period_s, counts.requests()), (vec![5, 6, 7, 1], 60, 19));
        assert_eq!(Counts::new(vec![row(1, 120)]).period_s, 60);
    }
}
