//! Counts alone: how many requests in each span, and nothing else.
//!
//! Counts cannot tell a crowd from an attack: a flood can have any shape. So the verdict is never
//! "attack". It is "crowd", and with a low likelihood, where the rise came gently enough for people,
//! or at an hour that the calendar names; else "unknown".

use floodwall_model::{Likelihoods, TrafficVerdict};

use crate::baseline::{Baselines, Calendar, Expected};
use crate::figure::{Figure, Row};

/// An episode that counts alone show.
#[derive(Clone, Debug, PartialEq)]
pub struct CountsEpisode {
    /// When it began, in seconds since 1970.
    pub onset_unix_s: i64,
    /// When it was over; `None` while it goes on.
    pub ended_unix_s: Option<i64>,
    /// Highest rate, per second.
    pub peak_per_s: f64,
    /// What was usual at the onset, per second.
    pub usual_per_s: f64,
    /// Requests beyond what was usual.
    pub beyond: f64,
    /// Seconds from the onset to half of the highest rise.
    pub rise_s: i64,
    /// Times the usual that the calendar expected.
    pub announced: f64,
    /// `crowd` or `unknown`; `routine` where far fewer came than usual.
    pub verdict: TrafficVerdict,
    /// Never sure: counts are no evidence of who asks.
    pub likelihoods: Likelihoods,
}

/// Detection from counts.
#[derive(Clone, Debug)]
pub struct CountsDetector {
    baselines: Baselines,
    calendar: Calendar,
    utc_offset_s: i32,
    level: f64,
    /// Mean distance of the rate from its level, as logarithm.
    deviation: f64,
    span_s: f64,
    spans: u32,
    last_unix_s: Option<i64>,
    sum: f64,
    since_unix_s: i64,
    fall: f64,
    fall_since_unix_s: i64,
    open: Option<CountsEpisode>,
    quiet_s: i64,
    last_unusual_unix_s: i64,
    history: Vec<(i64, f64)>,
    /// Times that were no later than those before.
    stepped_back: u64,
}

/// Sum at which a change is declared; in quarters of the rate itself, see [`CountsDetector::push`].
const DECLARED: f64 = 12.0;
/// Seconds after which an episode is over when nothing is unusual.
const HOLD_S: i64 = 1_800;
/// Points of an episode's shape that are kept.
const HISTORY_MAX: usize = 4_096;

impl CountsDetector {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(calendar: Calendar, utc_offset_s: i32) -> Self {
        Self {
            baselines: Baselines::default(),
            calendar,
            utc_offset_s,
            level: 0.0,
            deviation: 0.1,
            span_s: 60.0,
            spans: 0,
            last_unix_s: None,
            sum: 0.0,
            since_unix_s: 0,
            fall: 0.0,
            fall_since_unix_s: 0,
            open: None,
            quiet_s: 0,
            last_unusual_unix_s: 0,
            history: Vec::new(),
            stepped_back: 0,
        }
    }

    /// What is usual, as far as it was learned.
    #[must_use]
    pub fn baselines(&self) -> &Baselines {
        &self.baselines
    }

    /// Counts that were left out because their time was not later than those before.
    #[must_use]
    pub fn stepped_back(&self) -> u64 {
        self.stepped_back
    }

    /// The episode that is open.
    #[must_use]
    pub fn open_episode(&self) -> Option<&CountsEpisode> {
        self.open.as_ref()
    }

    /// Takes in `count` requests in `span_s` seconds from `unix_s` on; the episode that is now over,
    /// if one is. Spans come in order of time; a missing span is no span without requests.
    pub fn push(&mut self, unix_s: i64, span_s: u32, count: f64) -> Option<CountsEpisode> {
        if self.last_unix_s.is_some_and(|last| unix_s <= last) {
            self.stepped_back = self.stepped_back.saturating_add(1);
            return None;
        }
        self.last_unix_s = Some(unix_s);
        let seconds = f64::from(span_s.max(1));
        let rate = (if count.is_finite() { count.max(0.0) } else { 0.0 }) / seconds;
        let habits = self.calendar.habits_of(unix_s, self.utc_offset_s);
        let expected = self.baselines.expected(Figure::Requests, habits, self.utc_offset_s);
        let usual = self.usual(expected);
        self.compare(unix_s, rate, usual);
        let (rises, falls) = (self.sum >= DECLARED, self.fall >= DECLARED);
        if self.open.is_none() && (rises || falls) {
            self.begin(if rises { self.since_unix_s } else { self.fall_since_unix_s }, usual, rises);
        }
        if self.open.is_some() {
            return self.go_on(unix_s, i64::from(span_s), rate, usual);
        }
        self.learn(unix_s, seconds, rate);
        if self.history.len() >= HISTORY_MAX {
            self.history.drain(..HISTORY_MAX / 2);
        }
        self.history.push((unix_s, rate));
        None
    }

    /// The end of the data: the episode that is still open.
    pub fn finish(&mut self) -> Option<CountsEpisode> {
        self.open.take()
    }

    /// The upper and lower end of what is usual now.
    fn usual(&self, expected: Option<Expected>) -> Expected {
        let times = (3.0 * self.deviation).exp().clamp(1.5, 1.9);
        let chance = 4.0 * (self.level.max(0.02) / self.span_s.max(1.0)).sqrt();
        let near = Expected {
            low: (self.level / times - chance).max(0.0),
            middle: self.level,
            high: self.level * times + chance,
        };
        match expected {
            // Whichever is the more generous: a morning is no episode. But a season that is not sure of
            // itself must not excuse everything.
            Some(season) => Expected {
                low: near.low.min(season.low.max(season.middle / 2.0)),
                middle: near.middle,
                high: near.high.max(season.high.min(season.middle * 2.0)),
            },
            None => near,
        }
    }

    fn compare(&mut self, unix_s: i64, rate: f64, usual: Expected) {
        if self.spans < 60 {
            return;
        }
        // One for each time that the rate is beyond the upper end by a half, summed as by Page.
        let beyond = if usual.high > 0.0 { (rate / usual.high).max(1e-3).ln() * 8.0 } else { 0.0 };
        if self.sum <= 0.0 {
            self.since_unix_s = unix_s;
        }
        self.sum = (self.sum + beyond.clamp(-6.0, 6.0)).clamp(0.0, 40.0);
        let below = if usual.low > 0.5 { (usual.low / rate.max(1e-3)).ln() * 4.0 } else { -1.0 };
        if self.fall <= 0.0 {
            self.fall_since_unix_s = unix_s;
        }
        self.fall = (self.fall + below.clamp(-6.0, 6.0)).clamp(0.0, 40.0);
    }

    fn begin(&mut self, onset_unix_s: i64, usual: Expected, rises: bool) {
        let verdict = if rises { TrafficVerdict::Unknown } else { TrafficVerdict::Routine };
        self.history.retain(|(at, _)| *at >= onset_unix_s);
        let before: Vec<_> = std::mem::take(&mut self.history);
        let peak = before.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        self.history = before;
        self.quiet_s = 0;
        self.open = Some(CountsEpisode {
            onset_unix_s,
            ended_unix_s: None,
            peak_per_s: peak,
            usual_per_s: usual.middle,
            beyond: 0.0,
            rise_s: 0,
            announced: self.calendar.factor(onset_unix_s),
            verdict,
            likelihoods: Likelihoods::default(),
        });
    }

    fn go_on(&mut self, unix_s: i64, span_s: i64, rate: f64, usual: Expected) -> Option<CountsEpisode> {
        if self.history.len() < HISTORY_MAX {
            self.history.push((unix_s, rate));
        }
        let episode = self.open.as_mut()?;
        let rises = episode.verdict != TrafficVerdict::Routine;
        let seconds = f64::from(u32::try_from(span_s).unwrap_or(60));
        episode.beyond += (rate - episode.usual_per_s).max(0.0) * seconds;
        episode.peak_per_s = episode.peak_per_s.max(rate);
        episode.announced = episode.announced.max(self.calendar.factor(unix_s));
        let unusual = if rises { rate > usual.high } else { rate < usual.low };
        if unusual {
            self.last_unusual_unix_s = unix_s.saturating_add(span_s);
        }
        self.quiet_s = if unusual { 0 } else { self.quiet_s.saturating_add(span_s) };
        shape(episode, &self.history, rises);
        // What lasts for most of a day is what is usual now.
        let lasting = unix_s.saturating_sub(episode.onset_unix_s) > 12 * 3_600;
        if lasting {
            self.level += (rate - self.level) * 0.01;
        }
        if self.quiet_s < HOLD_S {
            return None;
        }
        let mut ended = self.open.take()?;
        ended.ended_unix_s = Some(self.last_unusual_unix_s.max(ended.onset_unix_s));
        (self.sum, self.fall) = (0.0, 0.0);
        self.history.clear();
        Some(ended)
    }

    fn learn(&mut self, unix_s: i64, seconds: f64, rate: f64) {
        self.spans = self.spans.saturating_add(1);
        let part = (1.0 / f64::from(self.spans)).max((seconds / 3_600.0).min(0.2));
        self.span_s = seconds;
        let distance = ((rate + 0.02) / (self.level + 0.02)).ln().abs().min(0.5);
        self.deviation += (distance - self.deviation) * part.min(0.01);
        self.level += (rate - self.level) * part;
        let mut totals = Row::default();
        totals.set(Figure::Requests, rate * seconds);
        self.baselines.learn(unix_s, seconds, &totals, self.utc_offset_s);
    }
}

/// What the shape says, which is little: people need minutes to come, and the calendar may have
/// named the hour.
fn shape(episode: &mut CountsEpisode, history: &[(i64, f64)], rises: bool) {
    if !rises {
        episode.likelihoods = Likelihoods { attack: 0.0, crowd: 0.05, routine: 0.6 };
        return;
    }
    let half = f64::midpoint(episode.usual_per_s, episode.peak_per_s);
    let reached = history.iter().find(|(_, rate)| *rate >= half).map_or(episode.onset_unix_s, |(at, _)| *at);
    episode.rise_s = reached.saturating_sub(episode.onset_unix_s);
    let fits = episode.announced > 1.0 && episode.peak_per_s <= episode.usual_per_s * episode.announced * 1.5;
    let gentle = episode.rise_s >= 240;
    let crowd = match (fits, gentle) {
        (true, true) => 0.8,
        (true, false) => 0.7,
        (false, true) => 0.6,
        (false, false) => 0.4,
    };
    episode.verdict = if crowd >= 0.6 { TrafficVerdict::Crowd } else { TrafficVerdict::Unknown };
    episode.likelihoods = Likelihoods { attack: 0.5 - crowd / 2.0, crowd, routine: 0.1 };
}
