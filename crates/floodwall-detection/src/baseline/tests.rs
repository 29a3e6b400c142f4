use proptest::prelude::*;

use super::*;

/// 10/s at night, 60/s by day, half of it at weekends; minute by minute.
fn rate_at(unix_s: i64) -> f64 {
    let hour = unix_s.rem_euclid(86_400) as f64 / 3_600.0;
    let day = unix_s.div_euclid(86_400).rem_euclid(7);
    let weekend = if day == 2 || day == 3 { 0.5 } else { 1.0 };
    (35.0 - 25.0 * (hour / 24.0 * std::f64::consts::TAU).cos()) * weekend
}

fn learned(days: i64, disturbed: impl Fn(i64) -> f64) -> Baselines {
    let mut baselines = Baselines::default();
    for minute in 0..days * 1_440 {
        let mut totals = Row::default();
        totals.set(Figure::Requests, rate_at(minute * 60) * disturbed(minute * 60) * 60.0);
        baselines.learn(minute * 60, 60.0, &totals, 0);
    }
    baselines
}

fn middle(baselines: &Baselines, unix_s: i64) -> f64 {
    baselines.expected(Figure::Requests, unix_s, 0).unwrap().middle
}

#[test]
fn times_of_day_and_days_of_the_week_are_learned() {
    let baselines = learned(28, |_| 1.0);
    assert_eq!(baselines.maturity(), Maturity::Weeks);
    for hours in [28 * 24 + 2, 28 * 24 + 12, 30 * 24 + 12, 31 * 24 + 18, 33 * 24 + 9] {
        let (now, truth) = (hours * 3_600, rate_at(hours * 3_600));
        let ratio = middle(&baselines, now) / truth;
        assert!((0.75..1.33).contains(&ratio), "hour {hours}: {ratio}");
    }
}

#[test]
fn the_young_are_unsure_and_say_so() {
    let (hours, week) = (learned(1, |_| 1.0), learned(21, |_| 1.0));
    let width = |baselines: &Baselines, unix_s| {
        let expected = baselines.expected(Figure::Requests, unix_s, 0).unwrap();
        expected.high / expected.low.max(0.01)
    };
    assert!(width(&hours, 86_400 + 43_200) > 2.0 * width(&week, 21 * 86_400 + 43_200));
    assert_eq!(hours.maturity(), Maturity::Days);
    assert!(Baselines::default().expected(Figure::Requests, 0, 0).is_none());
    let rows = [
        (&hours, 86_400 + 43_200, "requests at this hour, from less than a week's traffic: 31-120/s"),
        (&week, 21 * 86_400 + 43_200, "requests at this hour on a Thursday: 42-71/s"),
        (&Baselines::default(), 0, "requests: nothing is known yet of what is usual"),
    ];
    for (baselines, unix_s, text) in rows {
        assert_eq!(baselines.explain(Figure::Requests, unix_s, 0), text);
    }
}

#[test]
fn a_past_incident_hardly_moves_what_is_usual() {
    let noon = 20 * 86_400 + 43_200;
    let disturbed = learned(27, |now| if (noon..noon + 7_200).contains(&now) { 100.0 } else { 1.0 });
    let calm = learned(27, |_| 1.0);
    // The same hour a week and a day later.
    for later in [noon + 7 * 86_400, noon + 8 * 86_400] {
        let ratio = middle(&disturbed, later) / middle(&calm, later);
        assert!((0.8..1.4).contains(&ratio), "{ratio}");
    }
}

#[test]
fn what_is_saved_is_what_was_learned() {
    let baselines = learned(9, |_| 1.0);
    let saved = SavedBaselines::of(&baselines);
    let text = saved.to_json().unwrap();
    let restored = SavedBaselines::from_json(&text).unwrap().restore();
    assert_eq!(SavedBaselines::of(&restored), saved);
    assert!(text.len() < 300_000, "{} bytes", text.len());
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("floodwall baselines", "other baselines"),
        ("\"spread\":0", "\"spread\":-0"),
        ("\"day\":[", "\"day\":[1.0,"),
        ("{\"format", "[\"format"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "{from} is not in the text");
        assert!(SavedBaselines::from_json(&other).is_err(), "{to}");
    }
}

#[test]
fn the_calendar_knows_elections_and_holidays() {
    let mut calendar = Calendar::default();
    let entry = |from_unix_s, until_unix_s, occasion| CalendarEntry {
        from_unix_s,
        until_unix_s,
        occasion,
        name: "8 November".to_owned(),
    };
    calendar.add(entry(100, 200, Occasion::Expect(30.0))).unwrap();
    calendar.add(entry(150, 300, Occasion::Expect(3.0))).unwrap();
    assert_eq!([99, 100, 199, 200, 300].map(|now| calendar.factor(now)), [1.0, 30.0, 30.0, 3.0, 1.0]);
    assert!(calendar.add(entry(200, 200, Occasion::Holiday)).is_err());
    assert!(calendar.add(entry(1, 2, Occasion::Expect(0.5))).is_err());
    assert!(calendar.add(entry(1, 2, Occasion::Expect(f64::NAN))).is_err());
    // Tuesday, 6 January 1970, is like the Sunday after it.
    let tuesday = 5 * 86_400 + 36_000;
    calendar.add(entry(5 * 86_400, 6 * 86_400, Occasion::Holiday)).unwrap();
    assert_eq!(calendar.habits_of(tuesday, 0), tuesday + 5 * 86_400);
    assert_eq!(calendar.habits_of(tuesday + 86_400, 0), tuesday + 86_400);
}

proptest! {
    /// Whatever comes, in whatever order: expectations stay finite and in order.
    #[test]
    fn expectations_are_always_numbers(
        minutes in prop::collection::vec((any::<i64>(), -1.0_f64..1e12), 1..60),
        look in any::<i64>(),
    ) {
        let mut baselines = Baselines::default();
        for (unix_s, total) in minutes {
            let mut totals = Row::default();
            totals.set(Figure::Requests, total);
            baselines.learn(unix_s, 900.0, &totals, 3_600);
        }
        if let Some(expected) = baselines.expected(Figure::Requests, look, -3_600) {
            prop_assert!(expected.low.is_finite() && expected.high.is_finite());
            prop_assert!(0.0 <= expected.low && expected.low <= expected.middle && expected.middle <= expected.high);
        }
    }
}
