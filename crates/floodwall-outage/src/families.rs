//! One target with its families of addresses judged apart: a name that answers over IPv4 and not over
//! IPv6 is half up, and neither half hides the other.
//!
//! What comes before there is an address (a name that does not resolve) counts for every family that is
//! known. A family of which the name has no address any more is nobody's way in: its outage ends, and
//! it is forgotten.

use std::time::Duration;

use crate::outage::Outage;
use crate::sample::{Sample, Seen};
use crate::target::{Change, State, Target, TargetRecord, TargetSettings};

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// A short name for records; never changed once released.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// The name of a family in records; `any` where a target is not told apart by it.
#[must_use]
pub fn family_name(family: Option<Family>) -> &'static str {
    family.map_or("any", Family::as_str)
}

/// The family of that name in records; `None` where there is no such name.
#[must_use]
pub fn family_of_name(name: &str) -> Option<Option<Family>> {
    [None, Some(Family::V4), Some(Family::V6)].into_iter().find(|family| family_name(*family) == name)
}

/// What a sample of one family changed, and what is said of it now.
#[derive(Clone, Debug)]
pub struct FamilyJudged {
    /// Which; `None` where there has been no address to tell by.
    pub family: Option<Family>,
    /// What was seen.
    pub sample: Sample,
    /// What it changed.
    pub changes: Vec<Change>,
    /// What is said of it now.
    pub state: State,
    /// The outage that is open and confirmed.
    pub outage: Option<Outage>,
    /// How many of its last 20 known samples disagreed with what was said.
    pub dissent: u32,
}

/// One target, its families apart.
#[derive(Clone, Debug)]
pub struct Families {
    settings: TargetSettings,
    parts: Vec<(Option<Family>, Target)>,
}

impl Families {
    /// A target of which nothing is known.
    #[must_use]
    pub fn new(settings: TargetSettings) -> Self {
        Self { settings, parts: Vec::new() }
    }

    /// A target that was watched before, and what is on record of each family.
    #[must_use]
    pub fn resumed(
        settings: TargetSettings,
        records: impl IntoIterator<Item = (Option<Family>, TargetRecord)>,
    ) -> Self {
        let mut families = Self::new(settings);
        for (family, record) in records {
            if families.part(family).is_none() {
                families.parts.push((family, Target::resumed(settings, record)));
            }
        }
        families
    }

    /// How long until the next probe is wanted.
    #[must_use]
    pub fn pace(&self) -> Duration {
        self.parts.iter().map(|(_, target)| target.pace()).min().unwrap_or(self.settings.interval)
    }

    /// Takes what a probe saw of each family; `None` for what is of no family. What is said of every
    /// family that is known, in order.
    pub fn take(&mut self, samples: &[(Option<Family>, Sample)]) -> Vec<FamilyJudged> {
        let has_addresses = samples.iter().any(|(family, _)| family.is_some());
        for (family, _) in samples {
            let is_told_by_it = family.is_some() || self.parts.is_empty();
            if is_told_by_it && self.part(*family).is_none() {
                self.parts.push((*family, Target::new(self.settings)));
            }
        }
        self.parts.sort_by_key(|(family, _)| *family);
        let of = |family| samples.iter().find(|(of, _)| *of == family).map(|(_, sample)| *sample);
        let nameless = of(None).filter(|_| !has_addresses);
        let left_out = samples.first().map(|(_, sample)| Sample { seen: Seen::Up, ..*sample });
        let mut judged = Vec::with_capacity(self.parts.len());
        self.parts.retain_mut(|(family, target)| {
            let own = of(*family).or(nameless);
            // Nobody is sent there any more.
            let Some(sample) = own.or(left_out) else { return true };
            let changes = target.take(&sample);
            let (state, dissent) = (target.state(sample.finished), target.dissent());
            let stays = own.is_some() || target.open_outage().is_some();
            if stays || !changes.is_empty() {
                let outage = target.open_outage().cloned();
                judged.push(FamilyJudged { family: *family, sample, changes, state, outage, dissent });
            }
            stays
        });
        judged
    }

    fn part(&self, family: Option<Family>) -> Option<&Target> {
        self.parts.iter().find(|(of, _)| *of == family).map(|(_, target)| target)
    }
}

/// What a visitor meets who can use every family there is: the state over IPv4, to which every browser
/// falls back; over IPv6 where the name has no other address.
#[must_use]
pub fn state_for_visitors(judged: &[(Option<Family>, State)], silent: State) -> State {
    let of = |family| judged.iter().find(|(of, _)| *of == family).map(|(_, state)| *state);
    of(Some(Family::V4)).or_else(|| of(None)).or_else(|| of(Some(Family::V6))).unwrap_or(silent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;
    use crate::outage::Edge;
    use floodwall_model::Timestamp;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::new(Duration::from_secs(seconds), i64::try_from(seconds).unwrap() * 1_000_000)
    }

    fn seen(seconds: u64, seen: Seen) -> Sample {
        Sample { started: at(seconds), finished: at(seconds + 1), seen }
    }

    const DOWN: Seen = Seen::Down(Cause::ConnectRefused);
    const NAMELESS: Seen = Seen::Down(Cause::NameUnknown);

    /// Takes the same samples some times, ten seconds apart; what is said last, and every change with its family.
    fn run(
        families: &mut Families,
        from: u64,
        times: u64,
        row: &[(Option<Family>, Seen)],
    ) -> (String, Vec<(Option<Family>, Change)>) {
        let (mut last, mut changes) = (String::new(), Vec::new());
        for number in 0..times {
            let samples: Vec<_> =
                row.iter().map(|(family, what)| (*family, seen(from + number * 10, *what))).collect();
            let judged = families.take(&samples);
            last = judged
                .iter()
                .map(|one| format!("{} {:?}", family_name(one.family), one.state))
                .collect::<Vec<_>>()
                .join(", ");
            for one in judged {
                changes.extend(one.changes.into_iter().map(|change| (one.family, change)));
            }
        }
        (last, changes)
    }

    const V4: Option<Family> = Some(Family::V4);
    const V6: Option<Family> = Some(Family::V6);

    #[test]
    fn half_up_is_half_up() {
        let mut families = Families::new(TargetSettings::default());
        let (last, changes) = run(&mut families, 0, 3, &[(V4, Seen::Up), (V6, DOWN)]);
        assert_eq!(last, "ipv4 Up, ipv6 Down");
        assert!(matches!(changes.as_slice(), [(Some(Family::V6), Change::Opened(_))]), "{changes:?}");
        assert_eq!(families.pace(), Duration::from_secs(60));
    }

    #[test]
    fn a_name_that_is_gone_is_down_for_every_family_and_a_family_without_address_for_none() {
        let mut families = Families::new(TargetSettings::default());
        run(&mut families, 0, 1, &[(V4, Seen::Up), (V6, Seen::Up)]);
        let (last, changes) = run(&mut families, 10, 3, &[(None, NAMELESS)]);
        assert_eq!((last.as_str(), changes.len()), ("ipv4 Down, ipv6 Down", 2));
        // The office takes the IPv6 address out.
        let (last, changes) = run(&mut families, 40, 3, &[(V4, Seen::Up)]);
        assert_eq!(changes.len(), 2);
        assert_eq!(last, "ipv4 Up, ipv6 Up");
        assert_eq!(run(&mut families, 70, 1, &[(V4, Seen::Up)]).0, "ipv4 Up");
    }

    #[test]
    fn a_name_that_did_not_resolve_at_first_is_told_by_family_later() {
        let mut families = Families::new(TargetSettings::default());
        assert_eq!(run(&mut families, 0, 3, &[(None, NAMELESS)]).0, "any Down");
        let (last, changes) = run(&mut families, 30, 4, &[(V4, Seen::Up)]);
        assert_eq!(last, "ipv4 Up");
        assert!(matches!(changes.as_slice(), [(None, Change::Closed(_))]), "{changes:?}");
    }

    #[test]
    fn an_outage_goes_on_over_a_restart_and_the_time_between_is_unknown() {
        let open = Outage {
            start: Edge { earliest_unix_micros: Some(900), latest_unix_micros: 1_000 },
            end: None,
            causes: Vec::new(),
            unknown_micros: 0,
        };
        let record = |outage| TargetRecord { known_until_unix_micros: 2_000_000, outage };
        let mut families =
            Families::resumed(TargetSettings::default(), [(V4, record(Some(open))), (V6, record(None))]);
        let (last, changes) = run(&mut families, 1_002, 3, &[(V4, DOWN), (V6, DOWN)]);
        assert_eq!(last, "ipv4 Down, ipv6 Down");
        let unknown = |change: &Change| match change {
            Change::Unknown(span, _) => Some((span.start_unix_micros, span.end_unix_micros)),
            _ => None,
        };
        let spans: Vec<_> = changes.iter().filter_map(|(_, change)| unknown(change)).collect();
        assert_eq!(spans, [(2_000_000, 1_002_000_000); 2]);
        let opened = changes.iter().find_map(|(family, change)| match change {
            Change::Opened(outage) => Some((*family, outage.start)),
            _ => None,
        });
        // It was up when that was last known, and down at the first probe: between the two it went.
        let start = Edge { earliest_unix_micros: Some(2_000_000), latest_unix_micros: 1_003_000_000 };
        assert_eq!(opened, Some((V6, start)));
        let (_, changes) = run(&mut families, 1_040, 3, &[(V4, Seen::Up), (V6, Seen::Up)]);
        let closed = changes.iter().find_map(|(family, change)| match change {
            Change::Closed(outage) if *family == V4 => Some(outage.clone()),
            _ => None,
        });
        let closed = closed.unwrap();
        assert_eq!(closed.start.latest_unix_micros, 1_000);
        assert_eq!(closed.unknown_micros, 1_000_000_000);
        assert_eq!(
            closed.end,
            Some(Edge { earliest_unix_micros: Some(1_022_000_000), latest_unix_micros: 1_041_000_000 })
        );
    }

    #[test]
    fn visitors_fall_back_to_ipv4() {
        let unknown = State::Unknown(crate::sample::UnknownCause::Silent);
        for (states, expected) in [
            (vec![(V4, State::Up), (V6, State::Down)], State::Up),
            (vec![(V4, State::Down), (V6, State::Up)], State::Down),
            (vec![(V6, State::Down)], State::Down),
            (vec![(None, State::Down)], State::Down),
            (vec![], unknown),
        ] {
            assert_eq!(state_for_visitors(&states, unknown), expected, "{states:?}");
        }
    }

    proptest::proptest! {
        /// One family by itself is judged as a target is.
        #[test]
        fn a_single_family_is_a_target(samples in proptest::collection::vec(0_u8..3, 0..60)) {
            let mut families = Families::new(TargetSettings::default());
            let mut target = Target::new(TargetSettings::default());
            for (number, what) in (0..).zip(samples) {
                let unknown = Seen::Unknown(crate::sample::UnknownCause::Starved);
                let sample = seen(number * 60, [Seen::Up, DOWN, unknown][usize::from(what)]);
                let judged = families.take(&[(V4, sample)]);
                proptest::prop_assert_eq!(&judged[0].changes, &target.take(&sample));
                proptest::prop_assert_eq!(judged[0].state, target.state(sample.finished));
                proptest::prop_assert_eq!(families.pace(), target.pace());
            }
        }

        /// Whatever is seen of whichever family, an outage that ends had begun, and under the same start.
        #[test]
        fn every_outage_that_ends_had_begun(rows in proptest::collection::vec((0_u8..4, 0_u8..3, 0_u8..3), 0..80)) {
            let mut families = Families::new(TargetSettings::default());
            let mut open: std::collections::BTreeMap<Option<Family>, Edge> = std::collections::BTreeMap::new();
            for (number, (which, first, second)) in (0..).zip(rows) {
                let unknown = Seen::Unknown(crate::sample::UnknownCause::Starved);
                let what = |what: u8| seen(number * 60, [Seen::Up, DOWN, unknown][usize::from(what)]);
                let samples = match which {
                    0 => vec![(None, what(first))],
                    1 => vec![(V4, what(first))],
                    2 => vec![(V6, what(first))],
                    _ => vec![(V4, what(first)), (V6, what(second))],
                };
                for one in families.take(&samples) {
                    for change in one.changes {
                        match change {
                            Change::Opened(outage) => {
                                proptest::prop_assert!(open.insert(one.family, outage.start).is_none());
                            }
                            Change::Closed(outage) => {
                                proptest::prop_assert_eq!(open.remove(&one.family), Some(outage.start));
                            }
                            Change::Unknown(..) => {}
                        }
                    }
                    proptest::prop_assert_eq!(one.outage.is_some(), open.contains_key(&one.family));
                }
            }
        }
    }
}
