//! How long answers of each kind take in calm times, so that a change of what is asked for is not taken
//! for a change of how quickly the origin works.

/// Requests that cost the origin alike, as far as their method and path tell.
///
/// Numbers in a path, and what comes after its fourth part, do not count; nor does the query. Kinds
/// share 63 places, by a hash: who shares one is compared with the average of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkKind(u8);

impl WorkKind {
    /// Answers that refuse what was asked for (4xx): quick or slow for reasons of their own, and of
    /// whatever path a stranger thinks of.
    pub const REFUSED: Self = Self(0);

    /// The kind of a request.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Self {
        // FNV-1a; whoever finds paths that meet in one place has made two kinds one.
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let mut hash = method.bytes().take(8).fold(0x811C_9DC5, mix);
        let mut parts = 0;
        let mut last = 0;
        for byte in path.bytes().take(PATH_MAX) {
            let byte = if byte.is_ascii_digit() { b'0' } else { byte };
            parts += u32::from(byte == b'/');
            if parts > PARTS_MAX {
                break;
            }
            if byte != b'0' || last != b'0' {
                hash = mix(hash, byte);
            }
            last = byte;
        }
        let places = u32::try_from(PLACES - 1).unwrap_or(1);
        Self(u8::try_from((hash ^ (hash >> 15)) % places + 1).unwrap_or(1))
    }
}

const PLACES: usize = 64;
const PATH_MAX: usize = 96;
const PARTS_MAX: u32 = 4;
/// What is quicker is quick, whatever calm times were: CoDel's target (RFC 8289 section 4.3).
const QUICK_S: f64 = 0.005;
/// How many answers in calm times the average of a kind remembers.
const REMEMBERED: f64 = 1_000.0;
/// How fast the average follows what is quicker than it, under load; less where answers are few.
const QUICKER_WEIGHT: f64 = 0.2;
const FEW: f64 = 10.0;

/// What answers of each kind took: in calm times, and in the window that is open.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    places: [Place; PLACES],
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Mean logarithm of the seconds in calm times; nothing while `remembered` is 0.
    calm: f64,
    remembered: f64,
    /// Of the window.
    answers: f64,
    log_seconds: f64,
}

impl Place {
    fn learn(&mut self, is_calm: bool) {
        let mean = self.log_seconds / self.answers;
        if self.remembered == 0.0 {
            (self.calm, self.remembered) = (mean, self.answers);
        } else if is_calm {
            self.remembered = (self.remembered + self.answers).min(REMEMBERED);
            self.calm += (mean - self.calm) * (self.answers / self.remembered).min(1.0);
        } else if mean < self.calm {
            self.calm += (mean - self.calm) * QUICKER_WEIGHT * self.answers / (self.answers + FEW);
        }
    }
}

impl Usual {
    pub(super) fn new() -> Self {
        Self { places: [Place::default(); PLACES] }
    }

    /// An answer has come, after e to this power seconds.
    pub(super) fn note(&mut self, kind: WorkKind, log_seconds: f64) {
        if let Some(place) = self.places.get_mut(usize::from(kind.0)) {
            place.answers += 1.0;
            place.log_seconds += log_seconds;
        }
    }

    /// Whether an answer of this kind has usually come by then.
    pub(super) fn is_late(&self, kind: WorkKind, log_seconds: f64) -> bool {
        let place = self.places.get(usize::from(kind.0)).filter(|place| place.remembered > 0.0);
        place.is_some_and(|place| log_seconds > place.calm)
    }

    /// Ends the window: how many times as long its answers took as such answers take in calm times.
    /// Kinds count by the work they are. What is seen for the first time is as usual.
    pub(super) fn end_window(&mut self) -> f64 {
        let (mut took, mut usual) = (0.0, 0.0);
        for place in self.places.iter().filter(|place| place.answers > 0.0 && place.remembered > 0.0) {
            let mean = (place.log_seconds / place.answers).exp();
            took += place.answers * mean.max(QUICK_S);
            usual += place.answers * place.calm.exp().max(QUICK_S);
        }
        if usual > 0.0 { took / usual } else { 1.0 }
    }

    /// Learns from the window and forgets it: from what is quicker than it was thought to be, and, in
    /// calm times, from all.
    pub(super) fn learn(&mut self, is_calm: bool) {
        for place in self.places.iter_mut().filter(|place| place.answers > 0.0) {
            place.learn(is_calm);
            (place.answers, place.log_seconds) = (0.0, 0.0);
        }
    }

    /// Forgets the window.
    pub(super) fn forget_window(&mut self) {
        for place in &mut self.places {
            (place.answers, place.log_seconds) = (0.0, 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_differ_by_numbers_are_of_one_kind() {
        for (one, other, alike) in [
            ("/look-up", "/look-up", true),
            ("/precinct/7", "/precinct/4711", true),
            ("/a/b/c/d/e", "/a/b/c/d/f", true),
            ("/look-up", "/deadlines", false),
            ("/a/b", "/a/c", false),
        ] {
            let same = WorkKind::of("GET", one) == WorkKind::of("GET", other);
            assert_eq!(same, alike, "{one} and {other}");
        }
        assert_ne!(WorkKind::of("GET", "/register"), WorkKind::of("POST", "/register"));
        assert_ne!(WorkKind::of("GET", "/register"), WorkKind::REFUSED);
    }

    #[test]
    fn another_mix_is_no_slowness_and_slowness_is() {
        let (page, look_up) = (WorkKind::of("GET", "/"), WorkKind::of("GET", "/look-up"));
        let window = |usual: &mut Usual, pages: u32, look_ups: u32, slower: f64| {
            (0..pages).for_each(|_| usual.note(page, (0.001 * slower).ln()));
            (0..look_ups).for_each(|_| usual.note(look_up, (0.075 * slower).ln()));
            usual.end_window()
        };
        for (pages, look_ups, slower, expected) in [
            (49, 1, 1.0, 1.0..=1.01),
            (0, 50, 1.0, 1.0..=1.01),
            (0, 50, 2.0, 1.9..=2.01),
            (25, 25, 2.0, 1.9..=2.01),
            // Pages that take two milliseconds are no reason for anything.
            (50, 0, 2.0, 1.0..=1.01),
            (50, 0, 20.0, 3.9..=4.1),
        ] {
            let mut usual = Usual::new();
            window(&mut usual, 40, 10, 1.0);
            usual.learn(true);
            let found = window(&mut usual, pages, look_ups, slower);
            assert!(expected.contains(&found), "{pages} and {look_ups}, {slower} times slower: {found}");
        }
    }

    #[test]
    fn a_flood_does_not_teach_that_slow_is_usual() {
        let kind = WorkKind::of("GET", "/look-up");
        let mut usual = Usual::new();
        usual.note(kind, 0.075_f64.ln());
        usual.learn(true);
        for _ in 0..100 {
            (0..50).for_each(|_| usual.note(kind, 0.75_f64.ln()));
            assert!(usual.end_window() > 9.9);
            usual.learn(false);
        }
    }
}
