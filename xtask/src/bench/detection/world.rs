//! One episode from its first calm second to its end, through the detector.

use std::time::Duration;

use floodwall_detection::{
    Baselines, Calendar, CalendarEntry, Change, ConnectionsSeen, Detector, Figure, Occasion, PacketsSeen,
    RequestSeen, Row, SecondSummary, Sketches, Surroundings, TokenSeen, WatchFault, WatchSeen, Weights,
};
use floodwall_drill::random::Seed;
use floodwall_model::{IncidentId, Likelihoods, RoutineCause, SiteId, Timestamp, TrafficVerdict};

use super::edge::{Answered, Edge};
use super::episodes::{Attack, CALM_S, CrowdKind, Episode, What};
use super::floods::{Below, FloodSource};
use super::pool::Pool;
use super::series::Minute;
use super::visitors::{Schedule, Visitors, regulars};

/// Requests a second of an episode at the most: what this machine simulates in bearable time.
const RATE_MAX: f64 = 5_000.0;
/// Seconds of an incident at which its evidence is kept for fitting.
const AGES_S: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// What the detector said of an episode.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) episode: Episode,
    /// Requests a second before the onset.
    pub(super) calm_rate: f64,
    /// Highest requests a second.
    pub(super) peak_rate: f64,
    /// Seconds from the true onset until an incident was open at a second's end.
    pub(super) noticed_s: Option<u32>,
    /// Seconds from the true onset until the right verdict was said.
    pub(super) right_s: Option<u32>,
    /// Incidents opened before the onset.
    pub(super) false_alarms: u32,
    /// Which figures raised them.
    pub(super) alarmed_by: Vec<&'static str>,
    /// Incidents from the onset on.
    pub(super) incidents: u32,
    /// The verdict when it ended, and its likelihoods.
    pub(super) verdict: Option<TrafficVerdict>,
    pub(super) mixed_with: Option<TrafficVerdict>,
    pub(super) likelihoods: Likelihoods,
    /// The verdict ten seconds after it was noticed.
    pub(super) early: Option<TrafficVerdict>,
    /// Every verdict that was said for at least a second.
    pub(super) ever: Vec<TrafficVerdict>,
    pub(super) routine: Option<RoutineCause>,
    pub(super) grounds: Vec<String>,
    /// Evidence at some ages: strengths of all grounds.
    pub(super) evidence: Vec<Vec<f64>>,
    /// Likelihoods each ten seconds, for the reliability diagram.
    pub(super) said: Vec<Likelihoods>,
}

/// Runs an episode.
pub(super) fn run(
    episode: &Episode,
    pools: &[Pool; 2],
    minutes: &[Minute],
    weights: Option<Weights>,
) -> Result<Outcome, String> {
    let pool = if episode.of_log { &pools[1] } else { &pools[0] };
    let mut world = World::new(episode, pool, minutes);
    if let Some(weights) = weights {
        world.detector.set_weights(weights);
    }
    world.run()
}

struct World<'a> {
    episode: &'a Episode,
    pool: &'a Pool,
    minutes: &'a [Minute],
    /// The onset's place in the series.
    onset: usize,
    scale: f64,
    calm_rate: f64,
    detector: Detector,
    sketches: Sketches,
}

impl<'a> World<'a> {
    fn new(episode: &'a Episode, pool: &'a Pool, minutes: &'a [Minute]) -> Self {
        let (onset, scale) = moment(episode, minutes);
        let calm_rate = minutes.get(onset).map_or(1.0, |minute| minute.requests) / 60.0 * scale;
        let mut detector = Detector::new(SiteId(0), episode.seed ^ 0x5EED);
        let unix_s = minutes.get(onset).map_or(0, |minute| minute.unix_s);
        regulars().for_each(|network| detector.learn_network(network, unix_s - 86_400));
        if episode.announced > 1.0 {
            let mut calendar = Calendar::default();
            let entry = CalendarEntry {
                from_unix_s: unix_s - 3_600,
                until_unix_s: unix_s + 36_000,
                occasion: Occasion::Expect(episode.announced),
                name: "election".to_owned(),
            };
            // The factor lies within the bounds by how it was drawn.
            let _ = calendar.add(entry);
            detector.set_calendar(calendar);
        }
        Self {
            episode,
            pool,
            minutes,
            onset,
            scale,
            calm_rate,
            detector,
            sketches: Sketches::new(episode.seed),
        }
    }

    /// Requests per second that the series has at a second of the episode.
    fn base(&self, second: u32) -> f64 {
        let at_s = i64::from(second) - i64::from(CALM_S);
        let minute = self.onset as i64 + at_s.div_euclid(60);
        let place = usize::try_from(minute).unwrap_or(0);
        let requests = |place: usize| self.minutes.get(place).map_or(0.0, |minute| minute.requests);
        let into = at_s.rem_euclid(60) as f64 / 60.0;
        (requests(place) * (1.0 - into) + requests(place + 1) * into) / 60.0 * self.scale
    }

    fn unix_s(&self, second: u32) -> i64 {
        let onset = self.minutes.get(self.onset).map_or(0, |minute| minute.unix_s);
        onset + i64::from(second) - i64::from(CALM_S)
    }

    fn run(mut self) -> Result<Outcome, String> {
        let episode = self.episode;
        let seed = Seed(episode.seed);
        let mut visitors = Visitors { pool: self.pool, episode, chance: seed.stream("visitors", 1) };
        let mut schedule = Schedule::default();
        // Sessions that began before are in their midst when the episode begins.
        let warm_s = 180;
        let total_s = warm_s + CALM_S + episode.length_s + 20;
        let reloads = matches!(episode.what, What::Crowd(crowd) if crowd.kind == CrowdKind::Reload);
        let mut edge = Edge::new(1e9, episode.challenges, reloads, seed.stream("edge", 0));
        let mut flood = self.flood()?;
        let mut outcome = Outcome::of(episode, self.calm_rate);
        let mut origin_usual = 0.0;
        let mut totals = Row::default();
        let mut followed = Followed::default();
        for tick in 0..total_s {
            let second = tick.saturating_sub(warm_s);
            let into = second.checked_sub(CALM_S).filter(|_| tick >= warm_s);
            let into = into.filter(|into| *into < episode.length_s);
            let fewer = self.fewer(into);
            visitors.begin(tick, self.base(second) * fewer, &mut schedule);
            self.crowd(into, tick, &mut visitors, &mut schedule);
            let mut wanted = schedule.take();
            let mut below = Below::default();
            if let (Some(into), Some((flood, from_s))) = (into, flood.as_mut())
                && let Some(own) = into.checked_sub(*from_s)
            {
                below = flood.second(own, &mut wanted);
            }
            edge.trouble = self.trouble(into);
            let (sketches, log_only) = (&mut self.sketches, episode.log_only);
            let answered = edge.answer(tick, &wanted, &mut schedule, |seen| {
                sketches.observe(&if log_only { as_logged(seen) } else { *seen });
            });
            let summary = self.sketches.take_summary();
            if tick < warm_s {
                continue;
            }
            if second < CALM_S / 2 {
                origin_usual += answered.origin.requests as f64 / f64::from(CALM_S / 2);
                totals.add_row(summary.row(), 1.0);
            }
            if second == CALM_S / 2 {
                edge.capacity = (origin_usual * episode.headroom).max(12.0);
            }
            if second == 30 {
                self.teach(&totals);
            }
            let around = self.surroundings(second, into, &summary, answered, below);
            let now = Timestamp::new(
                Duration::from_secs(u64::from(second) + 1),
                self.unix_s(second).saturating_mul(1_000_000),
            );
            let changes = self.detector.tick(&summary, &around, now);
            outcome.peak_rate = outcome.peak_rate.max(summary.figure(Figure::Requests));
            followed.follow(&changes, &self.detector, second, into, &mut outcome);
            if second >= CALM_S + episode.length_s {
                break;
            }
        }
        Ok(outcome)
    }

    /// Visitors who cannot come, as a factor.
    fn fewer(&self, into: Option<u32>) -> f64 {
        match (self.episode.what, into) {
            (What::Routine(RoutineCause::Dns), Some(into)) => (1.0 - f64::from(into) / 12.0).max(0.04),
            (What::Routine(RoutineCause::Certificate), Some(_)) => 0.15,
            (What::Routine(RoutineCause::OwnFault), Some(_)) => 0.6,
            _ => 1.0,
        }
    }

    fn trouble(&self, into: Option<u32>) -> Option<(RoutineCause, f64)> {
        let What::Routine(cause) = self.episode.what else { return None };
        into.map(|_| (cause, (self.episode.seed % 100) as f64 / 100.0))
    }

    /// What a crowd, or a crawler, adds.
    fn crowd(&self, into: Option<u32>, tick: u32, visitors: &mut Visitors<'_>, schedule: &mut Schedule) {
        let Some(into) = into else { return };
        match self.episode.what {
            What::Crowd(crowd) | What::Both(crowd, _) => {
                let risen = (f64::from(into + 1) / f64::from(crowd.ramp_s.max(1))).min(1.0);
                let size = match self.episode.what {
                    What::Both(..) => self.episode.size.min(8.0),
                    _ => self.episode.size,
                };
                let more = (self.calm_rate * (size - 1.0)).min(RATE_MAX) * risen;
                visitors.crowd(tick, crowd, more, schedule);
            }
            What::Routine(RoutineCause::Crawler) => {
                let rate = 4.0 + (self.episode.seed % 30) as f64;
                visitors.crawl(tick, rate.min(self.calm_rate * 3.0).max(3.0), schedule);
            }
            _ => {}
        }
    }

    /// The flood, and how long after the onset it begins.
    fn flood(&self) -> Result<Option<(FloodSource<'a>, u32)>, String> {
        let (attack, from_s): (Attack, u32) = match self.episode.what {
            What::Attack(attack) => (attack, 0),
            What::Both(crowd, attack) => (attack, crowd.ramp_s.min(40) + 5),
            _ => return Ok(None),
        };
        let size = self.episode.size.max(if from_s > 0 { 12.0 } else { 1.5 });
        let mut rate = (self.calm_rate * (size - 1.0)).min(RATE_MAX);
        if !attack.is_requests() {
            // Packets and connections have no calm rate to be compared with, and few of them harm nobody.
            rate = rate.max(if attack.is_packets() { 300.0 } else { 40.0 });
        }
        let length_s = (self.episode.length_s - from_s.min(self.episode.length_s)).min(590);
        let flood = FloodSource::new(attack, rate, length_s.max(1), self.pool, self.episode.seed)?;
        Ok(Some((flood, from_s)))
    }

    /// Teaches the baseline what the series had in the days before, in the mix of the first seconds.
    fn teach(&mut self, totals: &Row) {
        if self.episode.days == 0 {
            return;
        }
        let requests = totals.get(Figure::Requests).max(1.0);
        let mut baselines = Baselines::default();
        let first = self.onset.saturating_sub(self.episode.days as usize * 1_440);
        for minute in self.minutes.get(first..self.onset.saturating_sub(5)).unwrap_or(&[]) {
            let row = totals.times(minute.requests * self.scale / requests);
            baselines.learn(minute.unix_s, 60.0, &row, 0);
        }
        self.detector.set_baselines(baselines);
    }

    fn surroundings(
        &self,
        second: u32,
        into: Option<u32>,
        summary: &SecondSummary,
        answered: Answered,
        below: Below,
    ) -> Surroundings {
        if self.episode.log_only {
            return Surroundings::default();
        }
        let trouble = self.trouble(into).map(|(cause, _)| cause);
        let requests = summary.figure(Figure::Requests);
        let connections = whole(requests * 0.35);
        let certificate = trouble == Some(RoutineCause::Certificate);
        let seconds_in = into.unwrap_or(0);
        let refused =
            if certificate { 2 + whole(self.calm_rate * 0.5) } else { u64::from(second.is_multiple_of(7)) };
        let fault = match trouble {
            Some(RoutineCause::Dns) => Some(WatchFault::Dns),
            Some(RoutineCause::Certificate) => Some(WatchFault::Tls),
            Some(RoutineCause::OriginDown | RoutineCause::OriginErrors) => Some(WatchFault::Http),
            Some(RoutineCause::OwnFault) => Some(WatchFault::Tcp),
            _ => None,
        };
        // The watch looks every ten seconds.
        let fault = fault.filter(|_| seconds_in >= 10);
        let own = u64::from(trouble == Some(RoutineCause::OwnFault)) * 4;
        Surroundings {
            utc_offset_s: 0,
            packets: Some(PacketsSeen {
                syn: connections + connections / 20 + below.packets.syn + below.connections.accepted,
                handshakes: connections + below.connections.accepted,
                udp: below.packets.udp + u64::from(second % 3),
                other: 1,
            }),
            connections: Some(ConnectionsSeen {
                accepted: connections + below.connections.accepted + refused,
                open: connections * 20,
                timed_out: below.connections.timed_out + u64::from(second.is_multiple_of(11)) + own,
                tls_failures: below.connections.tls_failures + refused,
                resets: below.connections.resets + u64::from(second.is_multiple_of(5)),
                unknown_hosts: below.connections.unknown_hosts + u64::from(second.is_multiple_of(13)),
                malformed: u64::from(second.is_multiple_of(29)),
            }),
            origin: Some(answered.origin),
            watch: self
                .episode
                .watched
                .then(|| WatchSeen { unreachable: if fault.is_some() { 1.0 } else { 0.0 }, fails_at: fault }),
            edge: Some(answered.edge),
            last_change_unix_s: match self.episode.what {
                What::Routine(RoutineCause::Deploy) => Some(self.unix_s(CALM_S) - 20),
                // Changes happen; most have nothing to do with what comes after.
                _ if self.episode.seed.is_multiple_of(9) => Some(self.unix_s(CALM_S) - 240),
                _ => None,
            },
            certificate_ends_unix_s: match self.episode.what {
                What::Routine(RoutineCause::Certificate) => Some(self.unix_s(CALM_S)),
                _ => Some(self.unix_s(CALM_S) + 40 * 86_400),
            },
        }
    }
}

/// A number of things.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates of an episode")]
fn whole(value: f64) -> u64 {
    value.clamp(0.0, 1e9).round() as u64
}

/// What an access log keeps of a request.
fn as_logged(seen: &RequestSeen) -> RequestSeen {
    RequestSeen {
        fingerprint: None,
        cache: floodwall_detection::CachePart::Unknown,
        token: TokenSeen::Absent,
        admission: if seen.status == 429 {
            seen.admission
        } else {
            floodwall_detection::AdmissionSeen::Admitted
        },
        ..*seen
    }
}

/// A minute of the series to begin at, and what to multiply the series by.
fn moment(episode: &Episode, minutes: &[Minute]) -> (usize, f64) {
    let days = (episode.days as usize).max(2);
    let rate = |place: usize| minutes.get(place).map_or(0.0, |minute| minute.requests);
    let fits = |place: &usize| {
        let hour = minutes.get(*place).map_or(0, |minute| minute.unix_s.rem_euclid(86_400) / 3_600);
        let by_night = (2..9).contains(&hour);
        // The series' own flash crowds are measured by themselves.
        let around = [place - 8, place - 5, place - 2, place + 2, place + 5];
        let (low, high) = around.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), place| {
            (low.min(rate(*place)), high.max(rate(*place)))
        });
        by_night == episode.night && low > 60.0 && high < low * 1.35
    };
    let first = days * 1_440 + 20;
    let places: Vec<usize> = (first..minutes.len().saturating_sub(30)).step_by(7).filter(fits).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a list's length")]
    let place = (episode.moment * places.len() as f64) as usize;
    let onset = places.get(place).copied().unwrap_or(first);
    // The site's size against its own median of the week before.
    let mut week: Vec<f64> = (onset.saturating_sub(1_440 * 7)..onset).step_by(31).map(rate).collect();
    week.sort_by(f64::total_cmp);
    let median = week.get(week.len() / 2).copied().unwrap_or(60.0).max(30.0);
    (onset, episode.site_rate * 60.0 / median)
}

#[derive(Default)]
struct Followed {
    opened: Option<(IncidentId, u32)>,
}

impl Followed {
    fn follow(
        &mut self,
        changes: &[Change],
        detector: &Detector,
        second: u32,
        into: Option<u32>,
        outcome: &mut Outcome,
    ) {
        for change in changes {
            if let Change::Opened(id) | Change::Reopened(id) = change {
                match into {
                    Some(_) => {
                        outcome.incidents += 1;
                        self.opened.get_or_insert((*id, second));
                    }
                    None if second < CALM_S => {
                        outcome.false_alarms += 1;
                        outcome
                            .alarmed_by
                            .extend(detector.open_figures().iter().map(|(figure, _)| figure.as_str()));
                    }
                    None => {}
                }
            }
        }
        let (Some(into), Some(incident)) = (into, detector.open_incident()) else { return };
        // What was open before the onset has noticed nothing until it says what is.
        let early = self.opened.is_none();
        let opened = self.opened.get_or_insert((incident.id, second)).1;
        if !early {
            outcome.noticed_s.get_or_insert(opened.saturating_sub(CALM_S) + 1);
        }
        let Some(judgement) = incident.judgement() else { return };
        let age = second - opened + 1;
        outcome.verdict = Some(judgement.verdict);
        outcome.mixed_with = judgement.mixed_with;
        outcome.likelihoods = judgement.likelihoods;
        outcome.routine = judgement.routine;
        if Some(judgement.verdict) == outcome.episode.what.truth() {
            outcome.right_s.get_or_insert(into + 1);
            outcome.noticed_s.get_or_insert(into + 1);
        }
        if age <= 10 {
            outcome.early = Some(judgement.verdict);
        }
        if !outcome.ever.contains(&judgement.verdict) {
            outcome.ever.push(judgement.verdict);
        }
        outcome.grounds = judgement.grounds.iter().map(ToString::to_string).collect();
        if AGES_S.contains(&age) {
            outcome.evidence.push(detector.strengths());
        }
        if age % 10 == 3 {
            outcome.said.push(judgement.likelihoods);
        }
    }
}

impl Outcome {
    fn of(episode: &Episode, calm_rate: f64) -> Self {
        Self {
            episode: episode.clone(),
            calm_rate,
            peak_rate: 0.0,
            noticed_s: None,
            right_s: None,
            false_alarms: 0,
            alarmed_by: Vec::new(),
            incidents: 0,
            verdict: None,
            mixed_with: None,
            likelihoods: Likelihoods::default(),
            early: None,
            ever: Vec::new(),
            routine: None,
            grounds: Vec::new(),
            evidence: Vec::new(),
            said: Vec::new(),
        }
    }
}
