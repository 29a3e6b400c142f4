//! Traffic over time in bounded memory, for the plot and the table beside it: bins of a minute, or of
//! more where a log is longer.

/// Bins that are kept. Where there would be more, they become larger.
const BINS_MAX: usize = 1_440;
const BIN_S_AT_FIRST: i64 = 60;
/// Sizes that people reckon in, in seconds; each is a multiple of the one before.
const SIZES: [i64; 7] = [60, 300, 900, 3_600, 14_400, 43_200, 86_400];

fn next_size(bin_s: i64) -> i64 {
    SIZES.into_iter().find(|size| *size > bin_s).unwrap_or(bin_s.saturating_mul(2))
}

/// Traffic of one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bin {
    pub(crate) requests: u64,
    /// Requests of its fullest second.
    pub(crate) second_max: u64,
    /// What was expected of its seconds, requests a second, summed: lower and upper edge of the band,
    /// and how many seconds it was known for.
    pub(crate) expected: (f64, f64, u32),
}

impl Bin {
    fn plus(self, other: Self) -> Self {
        let (low, high, seconds) = other.expected;
        Self {
            requests: self.requests + other.requests,
            second_max: self.second_max.max(other.second_max),
            expected: (self.expected.0 + low, self.expected.1 + high, self.expected.2 + seconds),
        }
    }

    /// The band of what was expected, requests a second.
    pub(crate) fn band(&self) -> Option<(f64, f64)> {
        let (low, high, seconds) = self.expected;
        (seconds > 0).then(|| (low / f64::from(seconds), high / f64::from(seconds)))
    }
}

/// Bins from the first second on.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    bin_s: i64,
    /// Start of the first bin, seconds since 1970.
    first_s: i64,
    bins: Vec<Bin>,
}

impl Series {
    pub(crate) fn new() -> Self {
        Self { bin_s: BIN_S_AT_FIRST, first_s: 0, bins: Vec::new() }
    }

    /// Adds a second's requests, and the band of what was expected where it is known. Seconds come in
    /// order.
    pub(crate) fn add(&mut self, unix_s: i64, requests: u64, band: Option<(f64, f64)>) {
        self.add_span(unix_s, requests, requests, band);
    }

    /// The same for a span that begins then and whose fullest second had so many.
    pub(crate) fn add_span(&mut self, unix_s: i64, requests: u64, second_max: u64, band: Option<(f64, f64)>) {
        if self.bins.is_empty() {
            self.first_s = unix_s.div_euclid(BIN_S_AT_FIRST) * BIN_S_AT_FIRST;
        }
        let place = loop {
            let since = unix_s.saturating_sub(self.first_s).max(0);
            match usize::try_from(since / self.bin_s) {
                Ok(place) if place < BINS_MAX => break place,
                _ => self.coarsen(),
            }
        };
        if self.bins.len() <= place {
            self.bins.resize(place + 1, Bin::default());
        }
        if let Some(bin) = self.bins.get_mut(place) {
            let expected = band.map_or((0.0, 0.0, 0), |(low, high)| (low, high, 1));
            *bin = bin.plus(Bin { requests, second_max, expected });
        }
    }

    /// Makes bins of the next larger size, which begin where a clock would have them begin.
    fn coarsen(&mut self) {
        let bin_s = next_size(self.bin_s);
        let first_s = self.first_s.div_euclid(bin_s).saturating_mul(bin_s);
        let mut bins: Vec<Bin> = Vec::new();
        for (bin, place) in self.bins.iter().zip(0_i64..) {
            let since = self.first_s + place * self.bin_s - first_s;
            let place = usize::try_from(since / bin_s).unwrap_or(0);
            bins.resize(bins.len().max(place + 1), Bin::default());
            if let Some(sum) = bins.get_mut(place) {
                *sum = sum.plus(*bin);
            }
        }
        (self.bin_s, self.first_s, self.bins) = (bin_s, first_s, bins);
    }

    /// Seconds of one bin.
    pub(crate) fn bin_s(&self) -> i64 {
        self.bin_s
    }

    /// Start of the first bin, seconds since 1970.
    pub(crate) fn first_s(&self) -> i64 {
        self.first_s
    }

    pub(crate) fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// The same in at most so many bins, for a table.
    pub(crate) fn in_at_most(&self, bins: usize) -> Self {
        let mut coarse = self.clone();
        while coarse.bins.len() > bins {
            coarse.coarsen();
        }
        coarse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_fit_and_nothing_is_lost() {
        let mut series = Series::new();
        let day = 86_400;
        for number in 0..2_000 {
            series.add(1_000_000_000 + number * day, 2, Some((1.0, 3.0)));
        }
        assert!(series.bins().len() <= BINS_MAX);
        assert_eq!(series.bins().iter().map(|bin| bin.requests).sum::<u64>(), 4_000);
        assert!(series.bins().iter().filter_map(Bin::band).all(|band| band == (1.0, 3.0)));
        assert_eq!((series.bin_s(), series.first_s()), (2 * day, 999_993_600));
        let table = series.in_at_most(24);
        assert!(table.bins().len() <= 24);
        assert_eq!(table.bins().iter().map(|bin| bin.requests).sum::<u64>(), 4_000);
    }
}
