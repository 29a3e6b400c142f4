//! From a window of unusual seconds and what is usual to measures that speak for or against a verdict.
//!
//! Most measures are of *what came on top*: the window less what calm times would have brought in
//! as many seconds. A crowd on top of a calm site looks like its visitors; a flood does not.
//!
//! Each measure becomes a number around -1 to 1 which is 0 where it says nothing: because it is as in
//! calm times, because too little came to tell, or because nobody measures it.

use floodwall_model::{GroundKind, OriginHealth};

use crate::figure::{Figure, Row};
use crate::sessions::Behaviour;
use crate::sketch::{Filled, Spread};
use crate::surroundings::{Surroundings, WatchFault};

/// What calm seconds are like: rates per second and mixes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reference {
    pub(crate) row: Row,
    pub(crate) agents: Spread,
    pub(crate) paths: Spread,
    pub(crate) fingerprints: Spread,
    pub(crate) sources: Spread,
    pub(crate) behaviour: Behaviour,
}

/// What came since the onset, older seconds counting less and less.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    pub(crate) seconds: f64,
    pub(crate) row: Row,
    pub(crate) agents: Spread,
    pub(crate) paths: Spread,
    pub(crate) fingerprints: Spread,
    pub(crate) sources: Spread,
}

/// A second that may still be counted into a window or a reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Second {
    pub(crate) at_s: u64,
    pub(crate) unix_s: i64,
    pub(crate) row: Row,
    pub(crate) agents: Filled,
    pub(crate) paths: Filled,
    pub(crate) fingerprints: Filled,
    pub(crate) sources: Filled,
}

impl Window {
    /// Part of a second's weight that is left a second later: half of it after 14 s.
    const KEPT: f32 = 0.951;

    pub(crate) fn take_in(&mut self, second: &Second) {
        let kept = f64::from(Self::KEPT);
        self.seconds = self.seconds * kept + 1.0;
        self.row = self.row.times(kept);
        self.row.add_row(&second.row, 1.0);
        self.agents.fade_and_add(Self::KEPT, &second.agents);
        self.paths.fade_and_add(Self::KEPT, &second.paths);
        self.fingerprints.fade_and_add(Self::KEPT, &second.fingerprints);
        self.sources.fade_and_add(Self::KEPT, &second.sources);
    }
}

impl Reference {
    pub(crate) fn take_in(&mut self, second: &Second, row: &Row, part: f32) {
        self.row = *row;
        self.agents.approach(&second.agents, part);
        self.paths.approach(&second.paths, part);
        self.fingerprints.approach(&second.fingerprints, part);
        self.sources.approach(&second.sources, part);
    }
}

impl Reference {
    /// What a window's seconds were like.
    pub(crate) fn set_from(&mut self, window: &Window) {
        let each = 1.0 / window.seconds.max(1.0);
        self.row = window.row.times(each);
        self.agents = window.agents.scaled(each);
        self.paths = window.paths.scaled(each);
        self.fingerprints = window.fingerprints.scaled(each);
        self.sources = window.sources.scaled(each);
    }
}

/// One measure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measure {
    pub(crate) value: f64,
    pub(crate) calm: Option<f64>,
    /// From about -1 to 1; 0 says nothing.
    pub(crate) strength: f64,
}

/// All measures, in the order of [`GroundKind::ALL`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evidence {
    measures: Vec<Measure>,
    /// What came on top comes of one or two sources that ask many times a second each. That is no
    /// crowd, whatever else is known or not: people are many.
    pub(crate) of_a_handful: bool,
    /// Hardly anybody asks for anything: no crowd is to be seen, whatever else is unusual.
    pub(crate) nobody_asks: bool,
    /// How many sides of who asks could be looked at and compared with calm times, each as far as it can
    /// be trusted: what pages bring with them, how visits go on, who was here before, where visitors come
    /// from, what they use, what they ask for. 0 to 6.
    pub(crate) sides_known: f64,
}

/// Fewer sources a second, estimated, are a handful where each asks so often in it.
const HANDFUL_SOURCES: f64 = 2.5;
const HANDFUL_REQUESTS: f64 = 5.0;

/// Requests in a window, of half a minute, below which nobody asks.
const CROWD_REQUESTS: f64 = 3.0;

/// What evidence is taken from.
pub(crate) struct Scene<'a> {
    pub(crate) window: &'a Window,
    pub(crate) reference: &'a Reference,
    /// What calm times would bring now against what they brought when the reference was taken.
    pub(crate) season: f64,
    pub(crate) behaviour: Behaviour,
    pub(crate) rise_s: f64,
    /// What the calendar expects, times the usual.
    pub(crate) announced: f64,
    pub(crate) knows_networks: bool,
    /// All requests come from a proxy's addresses: sources say nothing.
    pub(crate) behind_proxy: bool,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) onset_unix_s: i64,
    pub(crate) now_unix_s: i64,
}

/// `now` against `calm` in logarithms of base e, both raised by `floor` so that little is not much.
fn log_ratio(now: f64, calm: f64, floor: f64) -> f64 {
    ((now.max(0.0) + floor) / (calm.max(0.0) + floor)).ln()
}

/// How far `count` observations can be trusted, from 0 to 1; half at `half`.
fn trust(count: f64, half: f64) -> f64 {
    count / (count + half)
}

impl Evidence {
    pub(crate) fn of(scene: &Scene<'_>) -> Self {
        let measures = vec![Measure::default(); GroundKind::ALL.len()];
        let mut evidence = Self { measures, of_a_handful: false, nobody_asks: false, sides_known: 0.0 };
        let top = Top::of(scene);
        evidence.nobody_asks = scene.window.row.get(Figure::Requests) < CROWD_REQUESTS;
        evidence.volume(scene, &top);
        evidence.habits(scene, &top);
        evidence.sources(scene, &top);
        evidence.mixes(scene, &top);
        evidence.below_requests(scene);
        evidence.failures(scene, &top);
        evidence
    }

    pub(crate) fn get(&self, kind: GroundKind) -> Measure {
        self.measures.get(kind as usize).copied().unwrap_or_default()
    }

    pub(crate) fn strengths(&self) -> impl Iterator<Item = f64> + '_ {
        self.measures.iter().map(|measure| measure.strength)
    }

    fn set(&mut self, kind: GroundKind, value: f64, calm: Option<f64>, strength: f64) {
        if let Some(place) = self.measures.get_mut(kind as usize) {
            let strength = if strength.is_finite() { strength.clamp(-1.5, 1.5) } else { 0.0 };
            *place = Measure { value, calm, strength };
        }
    }

    fn volume(&mut self, scene: &Scene<'_>, top: &Top) {
        let ratio = top.now / top.usual.max(0.05);
        let sure = trust(top.requests, 5.0);
        if ratio >= 1.0 {
            self.set(GroundKind::RequestRise, ratio, Some(1.0), ratio.ln() / 3.0 * sure);
            let sudden = 1.0 - (scene.rise_s.max(1.0).ln() / 60_f64.ln()).min(1.0);
            self.set(GroundKind::RiseTime, scene.rise_s, None, sudden * (ratio.ln() / 2.0).min(1.0) * sure);
        } else {
            let enough = trust(top.usual * scene.window.seconds, 10.0);
            self.set(GroundKind::RequestDrop, ratio, Some(1.0), -(ratio + 0.02).ln() / 3.0 * enough);
        }
        if scene.announced > 1.0 {
            let fits = if ratio <= scene.announced * 1.5 { 1.0 } else { scene.announced / ratio };
            self.set(GroundKind::Announced, scene.announced, Some(1.0), fits);
        }
    }

    fn habits(&mut self, scene: &Scene<'_>, top: &Top) {
        let (beyond, calm) = (&top.beyond, &scene.reference.row);
        let wanted = |row: &Row| row.get(Figure::Pages) + row.get(Figure::Data);
        let (more, usual) = (wanted(beyond), wanted(calm));
        if usual > 0.02 {
            let (now, then) = (beyond.get(Figure::Assets) / more.max(1.0), calm.get(Figure::Assets) / usual);
            // Of a site without pictures, their absence says nothing.
            let says = trust(then, 0.15) * trust(more, 8.0) * top.clear;
            self.sides_known += trust(then, 0.15) * trust(more, 8.0);
            let ratio = log_ratio(now, then, 0.1) / 2.5;
            self.set(GroundKind::AssetsPerPage, now, Some(then), ratio.min(0.5) * says);
        }
        let (now, then) = (scene.behaviour, scene.reference.behaviour);
        if !scene.behind_proxy && then.visits > 3.0 {
            let sure = trust(now.visits, 8.0);
            self.sides_known += sure;
            let difference = now.browser_like - then.browser_like;
            self.set(GroundKind::BrowserLike, now.browser_like, Some(then.browser_like), difference * sure);
            let sure = trust(now.page_visits, 8.0) * trust(then.page_visits, 4.0);
            self.set(GroundKind::BareVisits, now.bare, Some(then.bare), (now.bare - then.bare) * sure);
            let sure = trust(now.visits, 8.0);
            let difference = now.from_within - then.from_within;
            self.set(GroundKind::CameFromWithin, now.from_within, Some(then.from_within), difference * sure);
            let sure = trust(now.wanted, 15.0) * trust(then.wanted, 15.0);
            let difference = now.greedy - then.greedy;
            self.set(GroundKind::GreedySources, now.greedy, Some(then.greedy), difference * sure);
            let sure = trust(now.broad_visits, 8.0) * trust(then.broad_visits, 4.0);
            self.set(
                GroundKind::PageBreadth,
                now.breadth,
                Some(then.breadth),
                (now.breadth - then.breadth) * sure,
            );
            let sure = trust(now.thinks, 10.0) * trust(then.thinks, 10.0);
            let ratio = log_ratio(now.think_s, then.think_s, 0.3) / 2.0;
            self.set(GroundKind::ThinkTime, now.think_s, Some(then.think_s), ratio * sure);
        }
        let share = |row: &Row, part, whole| row.share(part, whole, 0.01);
        if let (Some(now), Some(then)) = (
            share(beyond, Figure::NoReferrer, Figure::ReferrerKnown),
            share(calm, Figure::NoReferrer, Figure::ReferrerKnown),
        ) {
            self.sides_known += trust(beyond.get(Figure::ReferrerKnown), 10.0);
            let sure = trust(beyond.get(Figure::ReferrerKnown), 10.0) * top.clear;
            self.set(GroundKind::NoReferrer, now, Some(then), (now - then) * sure);
        }
        let challenged = beyond.get(Figure::Challenged);
        if challenged >= 5.0 {
            let solved = (beyond.get(Figure::TokensValid) / challenged).min(1.0);
            self.set(
                GroundKind::Unsolved,
                1.0 - solved,
                None,
                (0.5 - solved) * 2.0 * trust(challenged, 20.0),
            );
        }
    }

    fn sources(&mut self, scene: &Scene<'_>, top: &Top) {
        if scene.behind_proxy {
            return;
        }
        let (beyond, calm) = (&top.beyond, &scene.reference.row);
        let each = |row: &Row| row.get(Figure::Requests) / row.get(Figure::Sources).max(0.05);
        if beyond.get(Figure::Sources) > 0.0 || top.requests > 5.0 {
            let now = top.requests / beyond.get(Figure::Sources).max(scene.window.seconds);
            let then = each(calm);
            let strength = log_ratio(now, then, 0.2) / 3.0 * trust(top.requests, 15.0) * top.clear;
            self.set(GroundKind::RequestsPerSource, now, Some(then), strength);
            // The figures of a window are sums over its seconds.
            let a_second = scene.window.row.get(Figure::Sources) / scene.window.seconds.max(1.0);
            self.of_a_handful = a_second < HANDFUL_SOURCES && now >= HANDFUL_REQUESTS && top.requests > 5.0;
        }
        let share = scene.window.sources.beyond(&scene.reference.sources, top.expected_f32()).top_share();
        // Where few came, one of them is always a large share.
        let chance = 1.0 / beyond.get(Figure::Sources).max(scene.window.seconds).max(1.0);
        self.set(
            GroundKind::TopSource,
            share,
            None,
            (share - chance) * trust(top.requests, 40.0) * top.clear,
        );
        if scene.knows_networks {
            let (window, calm) = (&scene.window.row, &scene.reference.row);
            if let Some(now) = window.share(Figure::SampledKnown, Figure::Sampled, 1.0) {
                let then = calm.share(Figure::SampledKnown, Figure::Sampled, 0.005).unwrap_or(0.5);
                let sure = trust(window.get(Figure::Sampled), 12.0);
                self.sides_known += sure;
                self.set(GroundKind::Returning, now, Some(then), (now - then) * sure);
            }
        }
    }

    fn mixes(&mut self, scene: &Scene<'_>, top: &Top) {
        let (window, reference, times) = (scene.window, scene.reference, top.expected_f32());
        let pairs = [
            (GroundKind::TopAgent, GroundKind::AgentShift, &window.agents, &reference.agents),
            (GroundKind::TopPath, GroundKind::PathShift, &window.paths, &reference.paths),
            (
                GroundKind::TopFingerprint,
                GroundKind::FingerprintShift,
                &window.fingerprints,
                &reference.fingerprints,
            ),
        ];
        for (most, shift, now, then) in pairs {
            let beyond = now.beyond(then, times);
            let count = beyond.total();
            if count < 3.0 || then.total() <= 0.0 {
                continue;
            }
            let real = top.clear * (top.requests / count).min(1.0);
            let (now_share, then_share) = (beyond.top_share(), then.top_share());
            if most == GroundKind::TopAgent {
                self.sides_known += trust(count, 25.0);
            }
            let chance = 1.0 / count.sqrt();
            let difference = (now_share - then_share - chance).max(-1.0);
            self.set(most, now_share, Some(then_share), difference * trust(count, 25.0) * real);
            // A few observations always look unlike the mix they are from.
            let kinds = then.entropy().exp2();
            let by_chance = trust(kinds, count * 2.0);
            let distance = (beyond.distance(then) - by_chance * 0.6).max(0.0);
            self.set(shift, beyond.distance(then), Some(0.0), distance * trust(count, 40.0) * real);
            let new = match shift {
                GroundKind::AgentShift => GroundKind::NewAgents,
                GroundKind::FingerprintShift => GroundKind::NewFingerprints,
                _ => continue,
            };
            let (now_share, then_share) = (beyond.share_of_rare(then), then.share_of_rare(then));
            self.set(new, now_share, Some(then_share), (now_share - then_share) * trust(count, 25.0) * real);
        }
        let (beyond, calm) = (&top.beyond, &reference.row);
        if calm.get(Figure::Requests) > 0.01 {
            self.sides_known += trust(top.requests, 15.0);
        }
        let sure = trust(top.requests, 15.0) * top.clear;
        let mut share = |kind, part: &[Figure], whole: Figure| {
            let of = |row: &Row| {
                let whole = row.get(whole);
                (whole > 0.01).then(|| part.iter().map(|figure| row.get(*figure)).sum::<f64>() / whole)
            };
            if let (Some(now), Some(then)) = (of(beyond), of(calm)) {
                self.set(kind, now.min(1.0), Some(then), (now.min(1.0) - then) * sure);
            }
        };
        share(GroundKind::QueryShare, &[Figure::Queries], Figure::Requests);
        share(GroundKind::NotFound, &[Figure::NotFound], Figure::Requests);
        share(GroundKind::OtherMethods, &[Figure::Post, Figure::OtherMethods], Figure::Requests);
        share(GroundKind::DeclaredBots, &[Figure::DeclaredBots], Figure::Requests);
        share(GroundKind::OriginBound, &[Figure::OriginBound], Figure::CacheKnown);
        let queries = beyond.get(Figure::Queries);
        if queries >= 3.0 {
            let novel = (beyond.get(Figure::DistinctQueries) / queries).min(1.0);
            let more = self.get(GroundKind::QueryShare).strength.max(0.0);
            self.set(GroundKind::QueryNovelty, novel, None, novel * more);
        }
    }

    fn below_requests(&mut self, scene: &Scene<'_>) {
        let (window, calm) = (&scene.window.row, &scene.reference.row);
        let seconds = scene.window.seconds.max(1.0);
        let mut rise = |kind, of: &dyn Fn(&Row) -> f64, floor: f64, size: f64| {
            let (now, then) = (of(window).max(0.0) / seconds, of(calm).max(0.0));
            let strength = log_ratio(now, then, floor) / size;
            self.set(kind, now, Some(then), strength.max(0.0));
        };
        rise(GroundKind::HalfOpen, &|row| row.get(Figure::Syn) - row.get(Figure::Handshakes), 20.0, 4.0);
        rise(
            GroundKind::OtherPackets,
            &|row| row.get(Figure::Udp) + row.get(Figure::OtherPackets),
            20.0,
            3.0,
        );
        let silent = |row: &Row| row.get(Figure::Connections) - row.get(Figure::Requests);
        rise(GroundKind::SilentConnections, &silent, 5.0, 3.0);
        rise(GroundKind::HandshakeFailures, &|row| row.get(Figure::TlsFailures), 3.0, 3.0);
        rise(GroundKind::SlowConnections, &|row| row.get(Figure::TimedOut), 2.0, 3.0);
        rise(GroundKind::StreamResets, &|row| row.get(Figure::Resets), 5.0, 4.0);
        rise(GroundKind::UnknownHosts, &|row| row.get(Figure::UnknownHosts), 3.0, 3.0);
        rise(GroundKind::Malformed, &|row| row.get(Figure::Malformed), 2.0, 3.0);
    }

    fn failures(&mut self, scene: &Scene<'_>, top: &Top) {
        let (window, calm, around) = (&scene.window.row, &scene.reference.row, scene.surroundings);
        // What fails while many more come may fail because they come.
        let by_itself = 1.0 / (top.now / top.usual.max(0.05)).max(1.0);
        if let Some(origin) = &around.origin {
            let down = f64::from(u8::from(origin.health == OriginHealth::Down));
            self.set(GroundKind::OriginDown, down, Some(0.0), down * by_itself);
        }
        let asked = window.get(Figure::OriginRequests);
        if asked >= 3.0 {
            let then = calm.share(Figure::OriginFailures, Figure::OriginRequests, 0.01).unwrap_or(0.0);
            let now = window.get(Figure::OriginFailures) / asked;
            self.set(
                GroundKind::OriginFailures,
                now,
                Some(then),
                (now - then) * trust(asked, 8.0) * by_itself,
            );
            let now = window.get(Figure::OriginWaitMs) / asked;
            if let Some(then) = calm.share(Figure::OriginWaitMs, Figure::OriginRequests, 0.01) {
                let strength = log_ratio(now, then, 20.0) / 4.0;
                self.set(
                    GroundKind::OriginLatency,
                    now,
                    Some(then),
                    strength * trust(asked, 8.0) * by_itself,
                );
            }
        } else {
            let share = |row: &Row| row.share(Figure::Status5xx, Figure::Requests, 0.01).unwrap_or(0.0);
            let (now, then) = (share(window), share(calm));
            let sure = trust(window.get(Figure::Status5xx), 5.0);
            self.set(GroundKind::OriginFailures, now, Some(then), (now - then) * sure * by_itself);
        }
        let failed = window.get(Figure::Status5xx);
        if failed >= 5.0 {
            let part = window.get(Figure::Worst5xx) / failed;
            let rest = window.share(Figure::Status2xx, Figure::Requests, 1.0).unwrap_or(0.0);
            self.set(GroundKind::OnePart, part, None, part * rest * trust(failed, 10.0) * by_itself);
        }
        if let Some(watch) = &around.watch {
            self.set(GroundKind::Unreachable, watch.unreachable, Some(0.0), watch.unreachable * by_itself);
            if watch.fails_at == Some(WatchFault::Dns) {
                self.set(GroundKind::Names, watch.unreachable, Some(0.0), watch.unreachable);
            }
        }
        self.certificate(scene, top);
        if let Some(edge) = &around.edge {
            let strain = ((edge.processor - 0.75) / 0.25).max(0.0);
            self.set(GroundKind::EdgeStrain, edge.processor, None, strain * by_itself);
        }
        let turned = |row: &Row| row.share(Figure::KnownRefused, Figure::KnownRequests, 0.02);
        if let Some(now) = turned(window) {
            let then = turned(calm).unwrap_or(0.0);
            let sure = trust(window.get(Figure::KnownRequests), 10.0);
            self.set(GroundKind::KnownRefused, now, Some(then), (now - then) * sure * by_itself);
        }
        if let Some(change) = around.last_change_unix_s {
            let before = scene.onset_unix_s.saturating_sub(change);
            if (-10..=600).contains(&before) {
                let before = f64::from(i32::try_from(before).unwrap_or(0)).max(0.0);
                self.set(GroundKind::RecentChange, before, None, (-before / 200.0).exp());
            }
        }
    }

    fn certificate(&mut self, scene: &Scene<'_>, top: &Top) {
        let (window, around) = (&scene.window.row, scene.surroundings);
        let failed = window.get(Figure::TlsFailures);
        let share = failed / (failed + window.get(Figure::Connections) + 1.0);
        let ended = around.certificate_ends_unix_s.is_some_and(|end| end <= scene.now_unix_s);
        let watched = around.watch.as_ref().is_some_and(|watch| watch.fails_at == Some(WatchFault::Tls));
        if ended || watched {
            let fewer = if top.now <= top.usual * 1.5 { 1.0 } else { 0.5 };
            self.set(GroundKind::Certificate, share, Some(0.0), fewer * (0.3 + share).min(1.0));
        }
    }
}

/// Ratio of variance to mean that requests usually have: a page brings its pictures with it.
const UNEVENNESS: f64 = 2.0;

/// What came on top of calm.
struct Top {
    beyond: Row,
    /// Requests that came on top.
    requests: f64,
    /// Requests per second now, and usually.
    now: f64,
    usual: f64,
    /// Seconds of calm that the window stands for.
    expected: f64,
    /// How clearly more came than calm times bring by chance, from 0 to 1: below, what is left over
    /// in one figure or bucket is only what is missing in another.
    clear: f64,
}

impl Top {
    fn of(scene: &Scene<'_>) -> Self {
        let expected = scene.window.seconds * scene.season;
        let beyond = scene.window.row.beyond(&scene.reference.row.times(expected));
        let requests = beyond.get(Figure::Requests);
        let chance = 3.0 * (UNEVENNESS * scene.reference.row.get(Figure::Requests) * expected).sqrt();
        Self {
            requests,
            clear: requests / (requests + chance + 1.0),
            now: scene.window.row.get(Figure::Requests) / scene.window.seconds.max(1.0),
            usual: scene.reference.row.get(Figure::Requests) * scene.season,
            beyond,
            expected,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "seconds of a window of half a minute")]
    fn expected_f32(&self) -> f32 {
        self.expected as f32
    }
}
