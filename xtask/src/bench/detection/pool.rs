//! What visitors do, from two places: the drill's sessions on a voter-information site, and the real
//! sessions of an access log.

use std::collections::HashMap;

use floodwall_detection::{
    AdmissionSeen, AgentKind, CachePart, ContentKind, MethodClass, PathClass, Referrer, RequestReader,
    RequestSeen, RequestText, TokenSeen,
};
use floodwall_drill::plan::Want;
use floodwall_drill::random::{Chance, Seed};
use floodwall_drill::scenario::{VisitorKind, Visitors};
use floodwall_drill::{Plan, plan};

use super::series::LogLine;

/// Who a session's visitor is, as far as his address goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Somebody with an address of his own.
    Person,
    /// One of many behind few addresses.
    Office,
    /// A machine that always has the same address.
    Machine(u64),
}

/// A session to copy.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) who: Who,
    /// Milliseconds from the session's start, and what is asked for.
    pub(super) wants: Vec<(u32, RequestSeen)>,
}

/// A kind of site: its sessions, and the agents of its visitors.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) sessions: Vec<Template>,
    /// Agents of people, as often as they come.
    pub(super) agents: Vec<u64>,
    /// Mean requests of a session.
    pub(super) requests_each: f64,
}

/// Requests of a session later than this are left out: a session of hours would not fit an episode.
const SESSION_MS_MAX: u32 = 180_000;

/// A fingerprint that goes with an agent: a dozen of them in all.
pub(super) fn fingerprint_of(agent: u64) -> u64 {
    (agent % 12).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A request without a source yet.
pub(super) fn request(kind: ContentKind, path: u64, agent: u64, referrer: Referrer) -> RequestSeen {
    RequestSeen {
        source: 0,
        network: 0,
        asn: 0,
        path_class: PathClass::new(match kind {
            ContentKind::Page => 0,
            ContentKind::Asset => 1,
            ContentKind::Data => 2,
            ContentKind::Other => 3,
        }),
        kind,
        path,
        query: None,
        agent: Some(agent),
        agent_kind: AgentKind::Browser,
        fingerprint: Some(fingerprint_of(agent)),
        method: MethodClass::Get,
        status: 200,
        cache: CachePart::Unknown,
        referrer,
        token: TokenSeen::Absent,
        admission: AdmissionSeen::Admitted,
    }
}

/// FNV-1a, spread: paths must only differ.
pub(super) fn hash(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(31)
}

impl Pool {
    /// The drill's visitors; agents as in the log.
    pub(super) fn of_drill(agents: &[u64], seed: Seed) -> Result<Self, String> {
        let mut visitors = Visitors::usual();
        for kind in &mut visitors {
            kind.sessions_per_second *= 1.5;
        }
        let mut scenario =
            floodwall_drill::scenario::shipped("calm").ok_or("the drill has no scenario `calm`")?;
        (scenario.duration_s, scenario.visitors) = (400, visitors);
        let plan = Plan::new(&scenario, seed);
        let mut chance = seed.stream("agents", 0);
        let sessions = plan.sessions.iter().map(|session| of_session(session, agents, &mut chance)).collect();
        Ok(Self::new(sessions, agents.to_vec()))
    }

    /// The log's sessions: an address's requests with no pause of half an hour.
    pub(super) fn of_log(lines: &[LogLine]) -> Self {
        let reader = RequestReader::new(7, &["semicomplete.com", "www.semicomplete.com"]);
        let mut open: HashMap<String, (i64, i64, Template)> = HashMap::new();
        let (mut sessions, mut agents) = (Vec::new(), Vec::new());
        for line in lines {
            let Ok(client) = line.client.parse() else { continue };
            let mut seen = reader.read(&RequestText {
                client,
                method: &line.method,
                target: &line.target,
                referer: line.referer.as_deref(),
                user_agent: line.agent.as_deref(),
                status: line.status,
            });
            seen.path_class = request(seen.kind, 0, 0, Referrer::Absent).path_class;
            seen.fingerprint = seen.agent.map(fingerprint_of);
            if seen.agent_kind == AgentKind::Browser
                && let Some(agent) = seen.agent
            {
                agents.push(agent);
            }
            let who = match seen.agent_kind {
                AgentKind::Browser => Who::Person,
                _ => Who::Machine(seen.source),
            };
            let fresh = || (line.unix_s, line.unix_s, Template { who, wants: Vec::new() });
            let entry = open.entry(line.client.clone()).or_insert_with(fresh);
            if line.unix_s - entry.1 > 1_800 {
                sessions.push(std::mem::replace(entry, fresh()).2);
            }
            entry.1 = line.unix_s;
            let after_ms = u32::try_from((line.unix_s - entry.0).max(0) * 1_000).unwrap_or(u32::MAX);
            if after_ms <= SESSION_MS_MAX && entry.2.wants.len() < 200 {
                entry.2.wants.push((after_ms, seen));
            }
        }
        let mut rest: Vec<_> = open.into_iter().collect();
        rest.sort_by(|one, two| one.0.cmp(&two.0));
        sessions.extend(rest.into_iter().map(|(_, (_, _, template))| template));
        Self::new(sessions, agents)
    }

    fn new(sessions: Vec<Template>, agents: Vec<u64>) -> Self {
        let wants: usize = sessions.iter().map(|session| session.wants.len()).sum();
        let requests_each = wants as f64 / sessions.len().max(1) as f64;
        Self { sessions, agents, requests_each }
    }

    pub(super) fn agent(&self, chance: &mut Chance) -> u64 {
        pick(&self.agents, chance).copied().unwrap_or(1)
    }
}

/// One of a list, evenly.
pub(super) fn pick<'a, T>(list: &'a [T], chance: &mut Chance) -> Option<&'a T> {
    let place = usize::try_from(chance.below(list.len() as u64)).ok()?;
    list.get(place)
}

fn of_session(session: &plan::Session, agents: &[u64], chance: &mut Chance) -> Template {
    let who = match session.kind {
        VisitorKind::Office => Who::Office,
        VisitorKind::Crawler => Who::Machine(0x0001_0000_0000 | 0x4242_0101),
        VisitorKind::Monitor => Who::Machine(0x0001_0000_0000 | 0x4343_0202),
        _ => Who::Person,
    };
    let machine = matches!(who, Who::Machine(_));
    let agent = if machine { hash("machine") } else { pick(agents, chance).copied().unwrap_or(1) };
    let mut wants = Vec::new();
    for (number, step) in session.steps.iter().enumerate() {
        let came_from = match (machine, number, chance.below(100)) {
            (true, _, _) => Referrer::Absent,
            (_, 0, 0..45) => Referrer::Absent,
            (_, 0, _) => Referrer::Elsewhere,
            _ => Referrer::Own,
        };
        let at_ms = u32::try_from(step.at_us / 1_000).unwrap_or(u32::MAX);
        let seen = |want: &Want, referrer| {
            let (path, query) = want.target.split_once('?').unwrap_or((&want.target, ""));
            let kind = match (path.starts_with("/assets"), query.is_empty()) {
                (true, _) => ContentKind::Asset,
                (_, true) => ContentKind::Page,
                _ => ContentKind::Data,
            };
            let mut seen = request(kind, hash(path), agent, referrer);
            seen.query = (!query.is_empty()).then(|| hash(query));
            if machine {
                seen.agent_kind = AgentKind::DeclaredBot;
            }
            seen
        };
        wants.push((at_ms, seen(&step.page, came_from)));
        for asset in &step.assets {
            let later = u32::try_from(80 + chance.below(250)).unwrap_or(100);
            wants.push((at_ms.saturating_add(later), seen(asset, Referrer::Own)));
        }
    }
    Template { who, wants }
}
