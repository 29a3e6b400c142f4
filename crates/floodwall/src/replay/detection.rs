//! Detection in simulated time: the second's requests into the sketches, the seconds into the
//! detector, and incidents as [`Episode`]s out.

use std::time::Duration;

use floodwall_detection::{
    Baselines, Calendar, Change, CountsDetector, CountsEpisode, Detector, Figure, Sketches, Surroundings,
};
use floodwall_model::{Incident, IncidentId, IncidentState, SiteId, Timestamp, TrafficVerdict};

use super::counts::Counts;
use super::episode::Episode;
use super::event::{Event, SEED};
use super::words::to_f64;

/// Episodes that are kept; further ones are counted.
const EPISODES_MAX: usize = 1_000;
/// Seconds without a request that are seconds in which nobody came. After a longer silence nobody
/// knows: the detector sees a gap.
const SILENCE_S_MAX: i64 = 900;
/// How long what was expected of a second holds for those after it.
const BAND_HOLDS_S: i64 = 60;

/// What was expected of the requests of a second: lower and upper edge, requests a second.
pub(crate) type Band = Option<(f64, f64)>;

/// What is replayed with.
#[derive(Clone, Debug, Default)]
pub(crate) struct DetectionOptions {
    /// What was learned before.
    pub(crate) baselines: Option<Baselines>,
    /// Seconds by which the site's local time is ahead of UTC: habits follow it.
    pub(crate) utc_offset_s: i32,
}

/// What detection said.
#[derive(Debug, Default)]
pub(crate) struct Detected {
    pub(crate) episodes: Vec<Episode>,
    /// Episodes that were not kept.
    pub(crate) episodes_dropped: u64,
    /// What is usual, as far as it was learned.
    pub(crate) baselines: Baselines,
}

/// The detector of one site in simulated time.
pub(crate) struct DetectionReplay {
    sketches: Sketches,
    detector: Detector,
    around: Surroundings,
    began_s: i64,
    /// The next second the detector is to be told of.
    next_s: i64,
    band: (i64, Band),
    kept: Vec<(IncidentId, Episode)>,
    dropped: u64,
}

impl DetectionReplay {
    /// Before the first second of a log.
    pub(crate) fn new(options: &DetectionOptions, began_s: i64) -> Self {
        let mut detector = Detector::new(SiteId(0), SEED);
        if let Some(baselines) = &options.baselines {
            detector.set_baselines(baselines.clone());
        }
        Self {
            sketches: Sketches::new(SEED),
            detector,
            around: Surroundings { utc_offset_s: options.utc_offset_s, ..Surroundings::default() },
            began_s,
            next_s: began_s,
            band: (i64::MIN, None),
            kept: Vec::new(),
            dropped: 0,
        }
    }

    /// Takes a second's requests; what was expected of it.
    pub(crate) fn second(&mut self, unix_s: i64, events: &[Event]) -> Band {
        if unix_s - self.next_s > SILENCE_S_MAX {
            self.next_s = unix_s;
        }
        while self.next_s < unix_s {
            self.tick();
        }
        for event in events {
            self.sketches.observe(&event.seen);
        }
        self.tick();
        self.expected(unix_s)
    }

    /// The log has ended: what was said.
    pub(crate) fn finish(mut self) -> Detected {
        if let Some(incident) = self.detector.open_incident().cloned() {
            self.keep(&incident);
        }
        Detected {
            episodes: self.kept.into_iter().map(|(_, episode)| episode).collect(),
            episodes_dropped: self.dropped,
            baselines: self.detector.baselines().clone(),
        }
    }

    fn tick(&mut self) {
        let second = self.next_s;
        self.next_s += 1;
        let since = u64::try_from(self.next_s - self.began_s).unwrap_or(0);
        let now = Timestamp::new(Duration::from_secs(since), second.saturating_mul(1_000_000));
        let summary = self.sketches.take_summary();
        for change in self.detector.tick(&summary, &self.around, now) {
            let (Change::Ended(id) | Change::Reopened(id)) = change else { continue };
            if let Some(incident) = self.detector.incident(id).cloned() {
                self.keep(&incident);
            }
        }
    }

    /// Keeps an incident as it is now; one that goes on again takes its own place.
    fn keep(&mut self, incident: &Incident) {
        let Some(episode) = episode(incident) else { return };
        if let Some((_, kept)) = self.kept.iter_mut().rev().find(|(id, _)| *id == incident.id) {
            *kept = episode;
        } else if self.kept.len() < EPISODES_MAX {
            self.kept.push((incident.id, episode));
        } else {
            self.dropped += 1;
        }
    }

    fn expected(&mut self, unix_s: i64) -> Band {
        let (since, band) = self.band;
        if unix_s.saturating_sub(since) < BAND_HOLDS_S {
            return band;
        }
        let offset = self.around.utc_offset_s;
        let expected = self.detector.baselines().expected(Figure::Requests, unix_s, offset);
        self.band = (unix_s, expected.map(|expected| (expected.low, expected.high)));
        self.band.1
    }
}

fn episode(incident: &Incident) -> Option<Episode> {
    let judgement = incident.judgement()?;
    let likelihoods = judgement.likelihoods;
    let is_over = incident.state == IncidentState::Ended;
    let mut vectors: Vec<_> = judgement.vectors.iter().map(|vector| vector.as_str()).collect();
    vectors.dedup();
    Some(Episode {
        verdict: judgement.verdict,
        mixed_with: judgement.mixed_with,
        likelihood: judgement.likelihood(),
        likelihoods,
        vectors,
        reasons: judgement.grounds.iter().map(ToString::to_string).collect(),
        onset_s: incident.onset.likely_unix_s,
        end_s: incident.ended_unix_s.filter(|_| is_over),
        per_second_max: incident.toll.peak_requests_per_s,
        expected_per_second: incident.toll.calm_requests_per_s,
    })
}

/// Detection from plain counts; `each` is told of every row and what was expected of it.
pub(crate) fn of_counts(
    options: &DetectionOptions,
    counts: &Counts,
    mut each: impl FnMut(i64, u64, Band),
) -> Detected {
    let offset = options.utc_offset_s;
    let mut detector = CountsDetector::new(Calendar::default(), offset);
    let mut detected = Detected::default();
    let span_s = u32::try_from(counts.period_s).unwrap_or(u32::MAX);
    for row in &counts.rows {
        let unix_s = row.unix_micros.div_euclid(1_000_000);
        let expected = detector.baselines().expected(Figure::Requests, unix_s, offset);
        each(unix_s, row.count, expected.map(|expected| (expected.low, expected.high)));
        if let Some(ended) = detector.push(unix_s, span_s, to_f64(row.count)) {
            keep_counted(&mut detected, &ended);
        }
    }
    detected.baselines = detector.baselines().clone();
    if let Some(open) = detector.finish() {
        keep_counted(&mut detected, &open);
    }
    detected
}

fn keep_counted(detected: &mut Detected, counted: &CountsEpisode) {
    if detected.episodes.len() >= EPISODES_MAX {
        detected.episodes_dropped += 1;
        return;
    }
    let mut reasons = vec!["counts alone do not tell who asks: they are no evidence of an attack".to_owned()];
    if counted.verdict != TrafficVerdict::Routine {
        reasons.push(format!("half of the highest rise was reached within {} s", counted.rise_s));
    }
    if counted.announced > 1.0 {
        reasons.push(format!("the calendar expected {:.1} times the usual", counted.announced));
    }
    detected.episodes.push(Episode {
        verdict: counted.verdict,
        mixed_with: None,
        likelihood: counted.likelihoods.of(counted.verdict),
        likelihoods: counted.likelihoods,
        vectors: Vec::new(),
        reasons,
        onset_s: counted.onset_unix_s,
        end_s: counted.ended_unix_s,
        per_second_max: counted.peak_per_s,
        expected_per_second: counted.usual_per_s,
    });
}
