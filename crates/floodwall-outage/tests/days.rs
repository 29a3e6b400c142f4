//! Simulated days: a target that fails when we say, a prober with troubles of its own, and what is
//! said of it. A day of minutes takes a millisecond.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

use std::time::Duration;

use floodwall_model::Timestamp;
use floodwall_outage::{
    Cause, Change, Outage, References, Sample, State, Surroundings, Target, TargetSettings, judge, next_due,
    phase_of,
};
use proptest::prelude::*;

const EPOCH: i64 = 1_667_865_600_000_000;
const TIMEOUT: u64 = 10;

fn at(seconds: u64) -> Timestamp {
    Timestamp::new(Duration::from_secs(seconds), EPOCH + i64::try_from(seconds).unwrap() * 1_000_000)
}

fn unix(seconds: u64) -> i64 {
    at(seconds).wall_unix_micros()
}

/// A day from one vantage. Times in seconds.
#[derive(Clone, Debug, Default)]
struct Day {
    /// When the target does not answer.
    down: Vec<(u64, u64)>,
    /// When the prober is cut off.
    cut_off: Vec<(u64, u64)>,
    /// When it gets no processor.
    starved: Vec<(u64, u64)>,
    /// When it does not run.
    stopped: Vec<(u64, u64)>,
    /// Single probes that are lost on the way, by their number.
    lost: Vec<u64>,
}

fn within(spans: &[(u64, u64)], moment: u64) -> bool {
    spans.iter().any(|(start, end)| (*start..*end).contains(&moment))
}

#[derive(Debug, Default)]
struct Record {
    outages: Vec<Outage>,
    unknown_micros: u64,
    probes: u64,
    last: Option<State>,
}

fn watch(day: &Day, settings: TargetSettings) -> Record {
    let mut target = Target::new(settings);
    let mut seen = Record::default();
    // In whole seconds, as everything here is.
    let phase = phase_of("https://www.sos.example.gov/", "here", settings.interval);
    let phase = Duration::from_secs(phase.as_secs());
    let mut now = phase.as_secs();
    while now < 86_400 {
        let due = now;
        if !within(&day.stopped, now) {
            seen.probes += 1;
            let fails = within(&day.down, now) || within(&day.cut_off, now) || within(&day.starved, now);
            let lost = day.lost.contains(&seen.probes);
            let took = if fails || lost { TIMEOUT } else { 0 };
            let around = Surroundings {
                due: at(due),
                started: at(now),
                finished: at(now + took),
                lag: Duration::from_secs(if within(&day.starved, now) { 5 } else { 0 }),
                lag_max: Duration::from_secs(1),
                references: References { asked: 2, reached: if within(&day.cut_off, now) { 0 } else { 2 } },
                all_fail_here: false,
            };
            let outcome = if fails || lost { Err(Cause::ConnectTimeout) } else { Ok(()) };
            let sample = Sample { started: at(now), finished: at(now + took), seen: judge(outcome, &around) };
            for change in target.take(&sample) {
                match change {
                    Change::Opened(outage) => seen.outages.push(outage),
                    Change::Closed(outage) => *seen.outages.last_mut().unwrap() = outage,
                    Change::Unknown(span, _) => {
                        seen.unknown_micros +=
                            u64::try_from(span.end_unix_micros - span.start_unix_micros).unwrap();
                    }
                }
            }
            now += took;
        }
        let pace = target.pace();
        now = if pace < settings.interval {
            now + pace.as_secs()
        } else {
            next_due(Duration::from_secs(now), phase, settings.interval).as_secs()
        };
    }
    seen.last = Some(target.state(at(86_400)));
    seen
}

#[test]
fn an_outage_has_its_start_end_cause_and_honest_bars() {
    let day = Day { down: vec![(50_520, 60_000)], ..Day::default() };
    let seen = watch(&day, TargetSettings::default());
    assert_eq!(seen.outages.len(), 1);
    let outage = &seen.outages[0];
    assert!(outage.start.contains(unix(50_520)) && outage.end.unwrap().contains(unix(60_000)), "{outage:?}");
    assert_eq!(outage.cause(), Some(Cause::ConnectTimeout));
    assert!(outage.start.half_width_micros() <= 35_000_000, "{outage:?}");
    let truth: u64 = (60_000 - 50_520) * 1_000_000;
    assert!(outage.length_micros(0).abs_diff(truth) <= outage.length_error_micros());
}

#[test]
fn the_probers_own_troubles_open_nothing_and_are_time_of_their_own() {
    let hour = vec![(30_000, 33_600)];
    for day in [
        Day { cut_off: hour.clone(), ..Day::default() },
        Day { starved: hour.clone(), ..Day::default() },
        Day { stopped: hour.clone(), ..Day::default() },
    ] {
        let seen = watch(&day, TargetSettings::default());
        assert_eq!(seen.outages, [], "{day:?}");
        assert!(
            (3_500_000_000..3_700_000_000).contains(&seen.unknown_micros),
            "{day:?}: {}",
            seen.unknown_micros
        );
        assert_eq!(seen.last, Some(State::Up));
    }
}

#[test]
fn an_outage_in_which_the_prober_was_cut_off_says_how_long_nothing_was_known() {
    let day = Day { down: vec![(30_000, 40_000)], cut_off: vec![(33_000, 34_800)], ..Day::default() };
    let seen = watch(&day, TargetSettings::default());
    assert_eq!(seen.outages.len(), 1);
    assert!((1_740_000_000..1_880_000_000).contains(&seen.outages[0].unknown_micros), "{:?}", seen.outages);
}

#[test]
fn two_probes_in_three_lost_is_down_and_one_in_twenty_is_not() {
    let every = |step: u64, keep: u64| (1..3000).filter(|n| n % step != keep % step).collect::<Vec<_>>();
    let bad = watch(&Day { lost: every(3, 0), ..Day::default() }, TargetSettings::default());
    assert!(!bad.outages.is_empty());
    let fair = Day { lost: (1..3000).filter(|n| n % 20 == 0).collect(), ..Day::default() };
    assert_eq!(watch(&fair, TargetSettings::default()).outages, []);
}

#[test]
fn it_probes_faster_only_while_unsure() {
    let calm = watch(&Day::default(), TargetSettings::default()).probes;
    assert_eq!(calm, 1440);
    let day = Day { down: vec![(30_000, 37_200)], ..Day::default() };
    assert!(watch(&day, TargetSettings::default()).probes <= calm + 6);
}

proptest! {
    #[test]
    fn every_outage_longer_than_confirming_takes_is_found_with_bars_that_hold_it(
        starts in proptest::collection::vec((0_u64..20, 600_u64..4000), 1..5),
        interval in 15_u64..120,
        confirm in 1_u8..5,
    ) {
        let interval_span = Duration::from_secs(interval);
        let settings = TargetSettings {
            interval: interval_span,
            confirm_every: Duration::from_secs(interval.min(10)),
            confirm,
            silent_after: interval_span * 3,
        };
        let mut down = Vec::new();
        let mut moment = 1000;
        for (gap, length) in starts {
            moment += 1200 + gap * 100;
            down.push((moment, moment + length));
            moment += length;
        }
        let seen = watch(&Day { down: down.clone(), ..Day::default() }, settings);
        prop_assert_eq!(seen.outages.len(), down.len());
        for (outage, (start, end)) in seen.outages.iter().zip(&down) {
            prop_assert!(outage.start.contains(unix(*start)), "{:?} {}", outage.start, unix(*start));
            prop_assert!(outage.end.unwrap().contains(unix(*end)), "{:?} {}", outage.end, unix(*end));
            let width = i64::try_from((interval + TIMEOUT) * 1_000_000).unwrap();
            prop_assert!(outage.start.half_width_micros() * 2 <= width);
            prop_assert!(outage.end.unwrap().half_width_micros() * 2 <= width);
        }
        prop_assert_eq!(seen.unknown_micros, 0);
    }

    #[test]
    fn nothing_that_ails_the_prober_ever_opens_an_outage(
        troubles in proptest::collection::vec((0_u64..80_000, 1_u64..6000, 0_u8..3), 0..6),
        lost in proptest::collection::vec(0_u64..100, 0..8),
    ) {
        let of = |kind: u8| troubles.iter().filter(|t| t.2 == kind).map(|t| (t.0, t.0 + t.1)).collect::<Vec<_>>();
        // Single losses, far enough apart to be single.
        let lost = lost.into_iter().map(|n| n * 12 + 5).collect();
        let day = Day { cut_off: of(0), starved: of(1), stopped: of(2), lost, ..Day::default() };
        prop_assert_eq!(watch(&day, TargetSettings::default()).outages, []);
    }
}
