//! The clock of one log: lines whose time is far off, clocks that were put back, gaps.
//!
//! A single line far in the future must not make all others late, and a clock that was put back by an
//! hour (by hand, or a local time without offset in autumn) must not make an hour of log vanish. So:
//! - a line more than [`JUMP`] ahead is believed when [`CONFIRMED_BY`] lines in a row agree with it: then
//!   it was a gap; when the old time goes on before that, they were strays;
//! - where [`BACK_CONFIRMED_BY`] lines in a row lie more than [`BEHIND`] back, by up to [`BACK_MAX`], the
//!   clock was put back: time goes on from where it was, and the difference is kept for what follows.
//!
//! What is further back than that is left as it is, and will be late ([`super::order`]).

/// Ahead of all others by more than this, a time is doubted.
const JUMP: i64 = 3_600 * 1_000_000;
const CONFIRMED_BY: usize = 4;
/// Behind by more than this, the clock may have been put back.
pub(crate) const BEHIND: i64 = 120 * 1_000_000;
const BACK_CONFIRMED_BY: usize = 16;
const BACK_MAX: i64 = 3 * 3_600 * 1_000_000;

/// A value with a time, in microseconds since 1970.
pub(crate) trait Timed {
    fn unix_micros(&self) -> i64;
    fn set_unix_micros(&mut self, unix_micros: i64);
}

/// The clock of one log.
#[derive(Debug)]
pub(crate) struct ClockSteps<T> {
    /// The latest time that was believed, shifted.
    latest: Option<i64>,
    shift: i64,
    doubted: Vec<T>,
    doubt: Doubt,
    /// Lines left out because their time is alone.
    pub(crate) strays: u64,
    /// How often the clock was put back, and by how much at most, in microseconds.
    pub(crate) put_back: u64,
    pub(crate) put_back_max: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    Ahead,
    Behind,
}

impl<T: Timed> ClockSteps<T> {
    pub(crate) fn new() -> Self {
        Self {
            latest: None,
            shift: 0,
            doubted: Vec::new(),
            doubt: Doubt::Ahead,
            strays: 0,
            put_back: 0,
            put_back_max: 0,
        }
    }

    /// Takes the next line; appends what is believed by now to `out`.
    pub(crate) fn push(&mut self, mut value: T, out: &mut Vec<T>) {
        let time = value.unix_micros().saturating_add(self.shift);
        value.set_unix_micros(time);
        let Some(latest) = self.latest else {
            // Nothing to compare the very first with.
            if self.doubted.last().is_some_and(|last| time > last.unix_micros().saturating_add(JUMP)) {
                self.believe(out);
                return self.doubted.push(value);
            }
            return self.doubt_first(value, out);
        };
        let doubt = if time > latest.saturating_add(JUMP) {
            Doubt::Ahead
        } else if time < latest - BEHIND {
            Doubt::Behind
        } else {
            self.settle(out);
            self.latest = Some(latest.max(time));
            return out.push(value);
        };
        let agrees = self.doubt == doubt
            && self.doubted.last().is_none_or(|last| match doubt {
                Doubt::Ahead => time >= last.unix_micros() - BEHIND,
                Doubt::Behind => (time - last.unix_micros()).abs() <= BEHIND,
            });
        if !agrees {
            self.settle(out);
        }
        self.doubt = doubt;
        self.doubted.push(value);
        match doubt {
            Doubt::Ahead if self.doubted.len() >= CONFIRMED_BY => self.believe(out),
            Doubt::Behind if self.doubted.len() >= BACK_CONFIRMED_BY => self.put_back(latest, out),
            _ => {}
        }
    }

    /// The log has ended: what was doubted last is the end of it.
    pub(crate) fn finish(&mut self, out: &mut Vec<T>) {
        self.believe(out);
    }

    fn doubt_first(&mut self, value: T, out: &mut Vec<T>) {
        // Lines far ahead of one that follows them were from the future.
        let known = self.doubted.len();
        self.doubted.retain(|earlier| earlier.unix_micros() <= value.unix_micros().saturating_add(JUMP));
        self.strays += u64::try_from(known - self.doubted.len()).unwrap_or(0);
        self.doubted.push(value);
        if self.doubted.len() >= CONFIRMED_BY {
            self.believe(out);
        }
    }

    /// The old time goes on: what was ahead was alone, what was behind is late.
    fn settle(&mut self, out: &mut Vec<T>) {
        match self.doubt {
            Doubt::Ahead => {
                self.strays += u64::try_from(self.doubted.len()).unwrap_or(0);
                self.doubted.clear();
            }
            Doubt::Behind => out.append(&mut self.doubted),
        }
    }

    fn believe(&mut self, out: &mut Vec<T>) {
        let latest = self.doubted.iter().map(Timed::unix_micros).max();
        self.latest = self.latest.max(latest);
        out.append(&mut self.doubted);
    }

    fn put_back(&mut self, latest: i64, out: &mut Vec<T>) {
        let first = self.doubted.first().map_or(latest, Timed::unix_micros);
        let back = latest - first;
        if back <= BACK_MAX {
            self.shift = self.shift.saturating_add(back);
            self.put_back += 1;
            self.put_back_max = self.put_back_max.max(back);
            for value in &mut self.doubted {
                let time = value.unix_micros().saturating_add(back);
                value.set_unix_micros(time);
            }
        }
        self.believe(out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct At(i64);

    impl Timed for At {
        fn unix_micros(&self) -> i64 {
            self.0
        }

        fn set_unix_micros(&mut self, unix_micros: i64) {
            self.0 = unix_micros;
        }
    }

    /// What comes of lines at these seconds: the seconds, strays, times put back.
    fn told(seconds: impl IntoIterator<Item = i64>) -> (Vec<i64>, u64, u64) {
        let (mut clock, mut out) = (ClockSteps::new(), Vec::new());
        for second in seconds {
            clock.push(At(second * 1_000_000), &mut out);
        }
        clock.finish(&mut out);
        (out.iter().map(|at| at.0 / 1_000_000).collect(), clock.strays, clock.put_back)
    }

    const T: i64 = 1_700_000_000;
    const YEAR: i64 = 31_536_000;

    #[test]
    fn lines_in_order_or_nearly_are_left_alone() {
        let seconds = [T, T + 1, T - 60, T + 5, T + 3_000, T + 2_950];
        assert_eq!(told(seconds), (seconds.to_vec(), 0, 0));
        assert_eq!(told([T]), (vec![T], 0, 0));
        assert_eq!(told([]), (vec![], 0, 0));
    }

    #[test]
    fn a_line_from_the_future_is_left_out() {
        let good = [T, T + 1, T + 2, T + 3, T + 4];
        for stray_at in 0..=4 {
            let mut seconds = good.to_vec();
            seconds.insert(stray_at, T + 10 * YEAR);
            assert_eq!(told(seconds), (good.to_vec(), 1, 0), "{stray_at}");
        }
    }

    #[test]
    fn gaps_are_believed() {
        let seconds: Vec<_> = (T..T + 10).chain(T + YEAR..T + YEAR + 10).collect();
        assert_eq!(told(seconds.clone()), (seconds, 0, 0));
        // One line a day.
        let days: Vec<_> = (0..30).map(|day| T + day * 86_400).collect();
        assert_eq!(told(days.clone()), (days, 0, 0));
    }

    #[test]
    fn after_a_clock_is_put_back_time_goes_on() {
        let seconds = (T..T + 100).chain(T + 100 - 3_600..T + 200 - 3_600);
        let (out, strays, put_back) = told(seconds);
        // The first line after it counts as one in the same second as the last before.
        let expected: Vec<_> = (T..T + 100).chain(T + 99..T + 199).collect();
        assert_eq!((out, strays, put_back), (expected, 0, 1));
    }

    #[test]
    fn what_is_days_back_is_left_as_it_is() {
        let seconds: Vec<_> = (T..T + 100).chain(T - 7 * 86_400..T - 7 * 86_400 + 50).collect();
        assert_eq!(told(seconds.clone()), (seconds, 0, 0));
    }

    proptest! {
        #[test]
        fn every_line_is_given_out_or_counted(
            seconds in prop::collection::vec(prop_oneof![T..T + 300, T - YEAR..T + YEAR, 0..i64::from(u32::MAX)], 0..200),
        ) {
            let all = seconds.len();
            let (out, strays, _) = told(seconds);
            prop_assert_eq!(out.len() + usize::try_from(strays).unwrap(), all);
        }
    }
}
