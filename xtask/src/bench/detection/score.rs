//! Figures from outcomes: confusion, delays, calibration.

use std::fmt::Write as _;

use floodwall_model::TrafficVerdict;

use super::episodes::What;
use super::fit::CLASSES;
use super::world::Outcome;

/// What was said, as columns; `None` is that nothing was noticed.
const SAID: [Option<TrafficVerdict>; 5] = [
    Some(TrafficVerdict::Attack),
    Some(TrafficVerdict::Crowd),
    Some(TrafficVerdict::Routine),
    Some(TrafficVerdict::Unknown),
    None,
];

/// All figures of a set of episodes.
#[derive(Debug, serde::Serialize)]
pub(super) struct Score {
    pub(super) episodes: usize,
    /// Rows attack, crowd, routine; columns attack, crowd, routine, unknown, unnoticed.
    pub(super) confusion: [[usize; 5]; 3],
    pub(super) right: f64,
    pub(super) right_of_noticed: f64,
    pub(super) attack_called_crowd: f64,
    pub(super) crowd_called_attack: f64,
    pub(super) routine_called_attack: f64,
    /// The same if a verdict counts as soon as it was said for a second.
    pub(super) crowd_ever_attack: usize,
    pub(super) routine_ever_attack: usize,
    pub(super) cause_right: f64,
    pub(super) delay_attacks_s: Delays,
    pub(super) delay_sudden_s: Delays,
    pub(super) delay_all_s: Delays,
    pub(super) right_after_s: Delays,
    pub(super) calm_episodes: usize,
    pub(super) false_alarms: u32,
    pub(super) calm_hours: f64,
    pub(super) brier: [f64; 3],
    /// For each tenth of likelihood: how often said, mean likelihood, how often right.
    pub(super) reliability: Vec<(usize, f64, f64)>,
}

#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Delays {
    pub(super) of: usize,
    pub(super) median: f64,
    pub(super) p95: f64,
    pub(super) max: f64,
}

impl Delays {
    /// Delays in seconds; what never came counts as the longest.
    fn of(delays: impl Iterator<Item = Option<u32>>) -> Self {
        let mut delays: Vec<f64> = delays.map(|delay| delay.map_or(f64::INFINITY, f64::from)).collect();
        delays.sort_by(f64::total_cmp);
        let at = |part: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part of a list's length"
            )]
            let place = ((delays.len() as f64 * part).ceil() as usize).saturating_sub(1);
            delays.get(place).copied().unwrap_or(f64::NAN)
        };
        Self { of: delays.len(), median: at(0.5), p95: at(0.95), max: at(1.0) }
    }
}

fn share(count: usize, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

impl Score {
    pub(super) fn of(outcomes: &[&Outcome]) -> Self {
        let mut confusion = [[0; 5]; 3];
        let real: Vec<&&Outcome> = outcomes.iter().filter(|o| o.episode.what != What::Nothing).collect();
        for outcome in &real {
            let row = CLASSES.iter().position(|class| Some(*class) == outcome.episode.what.truth());
            let column = SAID.iter().position(|said| *said == outcome.verdict);
            if let (Some(row), Some(column)) = (row, column)
                && let Some(cell) = confusion.get_mut(row).and_then(|row| row.get_mut(column))
            {
                *cell += 1;
            }
        }
        let [attack, crowd, routine] = confusion;
        let total = |row: [usize; 5]| row.iter().sum::<usize>();
        let right = attack[0] + crowd[1] + routine[2];
        let unnoticed = attack[4] + crowd[4] + routine[4];
        let ever = |truth: TrafficVerdict| {
            let of = real.iter().filter(|o| o.episode.what.truth() == Some(truth));
            of.filter(|o| o.ever.contains(&TrafficVerdict::Attack)).count()
        };
        let attacks = || real.iter().filter(|o| matches!(o.episode.what, What::Attack(_)));
        let sudden = attacks().filter(|o| matches!(o.episode.what, What::Attack(a) if a.ramp_s == 0));
        let causes: Vec<bool> = real
            .iter()
            .filter_map(|o| match o.episode.what {
                What::Routine(cause) if o.routine.is_some() => Some(o.routine == Some(cause)),
                _ => None,
            })
            .collect();
        let (brier, reliability) = calibration(&real);
        let calm = outcomes.len() - real.len();
        let length_s: f64 = outcomes
            .iter()
            .map(|o| match o.episode.what {
                What::Nothing => f64::from(240 + o.episode.length_s),
                _ => 240.0,
            })
            .sum();
        let noise =
            outcomes.iter().filter(|o| o.episode.what == What::Nothing).map(|o| o.incidents).sum::<u32>();
        Self {
            episodes: real.len(),
            confusion,
            right: share(right, real.len()),
            right_of_noticed: share(right, real.len() - unnoticed),
            attack_called_crowd: share(attack[1], total(attack)),
            crowd_called_attack: share(crowd[0], total(crowd)),
            routine_called_attack: share(routine[0], total(routine)),
            crowd_ever_attack: ever(TrafficVerdict::Crowd),
            routine_ever_attack: ever(TrafficVerdict::Routine),
            cause_right: share(causes.iter().filter(|right| **right).count(), causes.len()),
            delay_attacks_s: Delays::of(attacks().map(|o| o.noticed_s)),
            delay_sudden_s: Delays::of(sudden.map(|o| o.noticed_s)),
            delay_all_s: Delays::of(real.iter().map(|o| o.noticed_s)),
            right_after_s: Delays::of(attacks().map(|o| o.right_s)),
            calm_episodes: calm,
            false_alarms: outcomes.iter().map(|o| o.false_alarms).sum::<u32>() + noise,
            calm_hours: length_s / 3_600.0,
            brier,
            reliability,
        }
    }

    /// Tables in Markdown.
    pub(super) fn tables(&self) -> String {
        let mut text = String::from(
            "| is / said | attack | crowd | routine | unknown | not noticed |\n|---|---|---|---|---|---|\n",
        );
        for (class, row) in CLASSES.iter().zip(&self.confusion) {
            let [a, c, r, u, n] = row;
            let _ = writeln!(text, "| {} | {a} | {c} | {r} | {u} | {n} |", class.as_str());
        }
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let delay = |d: &Delays| {
            format!(
                "{:.0} s median, {:.0} s 95th percentile, {:.0} s longest ({})",
                d.median, d.p95, d.max, d.of
            )
        };
        let rows = [
            (
                "verdict right",
                ">= 97 %",
                format!("{} ({} of those noticed)", percent(self.right), percent(self.right_of_noticed)),
            ),
            ("attack called crowd", "<= 1 %", percent(self.attack_called_crowd)),
            (
                "crowd called attack",
                "<= 0.5 %",
                format!(
                    "{}; said at any second: {}",
                    percent(self.crowd_called_attack),
                    self.crowd_ever_attack
                ),
            ),
            (
                "routine called attack",
                "<= 0.5 %",
                format!(
                    "{}; said at any second: {}",
                    percent(self.routine_called_attack),
                    self.routine_ever_attack
                ),
            ),
            ("time to notice, attacks that begin at once", "2 s, 5 s", delay(&self.delay_sudden_s)),
            ("time to notice, all attacks", "", delay(&self.delay_attacks_s)),
            ("time to notice, everything (crowds ramp for up to 3 min)", "", delay(&self.delay_all_s)),
            ("time until \"attack\" was said", "", delay(&self.right_after_s)),
            ("routine cause right, where routine was said", "", percent(self.cause_right)),
            ("incidents in calm traffic", "", format!("{} in {:.1} h", self.false_alarms, self.calm_hours)),
            (
                "Brier score: attack, crowd, routine",
                "",
                self.brier.map(|brier| format!("{brier:.4}")).join(", "),
            ),
        ];
        text.push_str("\n| What | Target | Measured |\n|---|---|---|\n");
        for (what, target, measured) in rows {
            let _ = writeln!(text, "| {what} | {target} | {measured} |");
        }
        text.push_str("\n| likelihood said | how often | mean | came true |\n|---|---|---|---|\n");
        for (tenth, (count, mean, right)) in self.reliability.iter().enumerate() {
            let (from, to) = (tenth as f64 / 10.0, (tenth + 1) as f64 / 10.0);
            let bar = (0..20)
                .filter(|step| f64::from(*step) + 0.5 <= right * 20.0)
                .map(|_| '#')
                .collect::<String>();
            let _ = writeln!(text, "| {from:.1}-{to:.1} | {count} | {mean:.2} | {right:.2} `{bar}` |");
        }
        text
    }
}

/// Brier's score of each likelihood, and how often what was said came true.
fn calibration(real: &[&&Outcome]) -> ([f64; 3], Vec<(usize, f64, f64)>) {
    let mut brier = [(0.0, 0.0); 3];
    let mut tenths = vec![(0_usize, 0.0, 0.0); 10];
    for outcome in real {
        let both = matches!(outcome.episode.what, What::Both(..));
        for (number, said) in outcome.said.iter().enumerate() {
            for (class, verdict) in CLASSES.iter().enumerate() {
                // Whether the crowd is still part of it, and whether the flood is already, is open there.
                if both && (*verdict == TrafficVerdict::Crowd || number < 6) {
                    continue;
                }
                let likelihood = said.of(*verdict);
                let truth = f64::from(u8::from(outcome.episode.what.truth() == Some(*verdict)));
                if let Some((sum, count)) = brier.get_mut(class) {
                    *sum += (likelihood - truth).powi(2);
                    *count += 1.0;
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10")]
                let tenth = ((likelihood * 10.0) as usize).min(9);
                if let Some((count, mean, right)) = tenths.get_mut(tenth) {
                    *count += 1;
                    *mean += likelihood;
                    *right += truth;
                }
            }
        }
    }
    let each = |(count, sum, right): (usize, f64, f64)| {
        let of = count.max(1) as f64;
        (count, sum / of, right / of)
    };
    (brier.map(|(sum, count)| sum / f64::max(count, 1.0)), tenths.into_iter().map(each).collect())
}
