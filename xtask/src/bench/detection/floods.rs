//! Floods: the drill's own arrivals, with habits that attackers choose.

use floodwall_detection::{AgentKind, ConnectionsSeen, ContentKind, MethodClass, PacketsSeen, Referrer};
use floodwall_drill::plan::{FloodArrivals, Source};
use floodwall_drill::random::{Chance, Seed};
use floodwall_drill::scenario::{Flood, FloodKind};
use floodwall_drill::{Plan, scenario};

use super::episodes::{Agents, Attack, Way};
use super::pool::{Pool, fingerprint_of, hash, request};
use super::visitors::{Wanted, client, poisson};

/// A flood going on.
pub(super) struct FloodSource<'a> {
    attack: Attack,
    arrivals: Option<std::iter::Peekable<FloodArrivals>>,
    pool: &'a Pool,
    chance: Chance,
    rate: f64,
    length_s: u32,
    seed: u64,
}

/// What a second of a flood adds besides requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Below {
    pub(super) packets: PacketsSeen,
    pub(super) connections: ConnectionsSeen,
}

impl<'a> FloodSource<'a> {
    /// A flood of `rate` arrivals a second for `length_s` seconds.
    pub(super) fn new(
        attack: Attack,
        rate: f64,
        length_s: u32,
        pool: &'a Pool,
        seed: u64,
    ) -> Result<Self, String> {
        let arrivals = match attack.way {
            Way::Drill(kind) => Some(arrivals(kind, attack.sources, rate, length_s, seed)?),
            Way::Bodies | Way::Scan => None,
        };
        let chance = Seed(seed).stream("flood's habits", 0);
        Ok(Self { attack, arrivals, pool, chance, rate, length_s, seed })
    }

    /// How much of its height it has in a second of its own.
    fn strength(&self, second: u32) -> f64 {
        if second >= self.length_s {
            return 0.0;
        }
        let attack = &self.attack;
        if attack.pulse_s > 0 && (second / attack.pulse_s) % 2 == 1 {
            return 0.0;
        }
        if attack.ramp_s == 0 { 1.0 } else { (f64::from(second + 1) / f64::from(attack.ramp_s)).min(1.0) }
    }

    /// A second of it.
    pub(super) fn second(&mut self, second: u32, wanted: &mut Vec<Wanted>) -> Below {
        let mut below = Below::default();
        let strength = self.strength(second);
        match self.attack.way {
            Way::Drill(kind) => {
                let until_us = u64::from(second + 1) * 1_000_000;
                let mut taken = Vec::new();
                if let Some(arrivals) = self.arrivals.as_mut() {
                    while let Some(arrival) = arrivals.next_if(|arrival| arrival.at_us < until_us) {
                        taken.push(arrival);
                    }
                }
                for arrival in taken {
                    if self.chance.unit() >= strength {
                        continue;
                    }
                    let number = match arrival.source {
                        Source::V4(number) | Source::V6(number) => u64::from(number),
                    };
                    self.arrive(kind, number, &arrival.target, wanted, &mut below);
                }
            }
            Way::Bodies | Way::Scan => {
                for _ in 0..poisson(self.rate * strength, &mut self.chance) {
                    let number = self.chance.below(u64::from(self.attack.sources.max(1)));
                    let target = format!("/{:x}", self.chance.number());
                    self.arrive(FloodKind::Pages, number, &target, wanted, &mut below);
                }
            }
        }
        below
    }

    fn arrive(
        &mut self,
        kind: FloodKind,
        number: u64,
        target: &str,
        wanted: &mut Vec<Wanted>,
        below: &mut Below,
    ) {
        let connections = &mut below.connections;
        match kind {
            FloodKind::SynSpoofed => below.packets.syn += 1,
            FloodKind::Udp => below.packets.udp += 1,
            FloodKind::TlsHandshakes => {
                connections.accepted += 1;
                connections.tls_failures += u64::from(number.is_multiple_of(2));
            }
            FloodKind::Connections | FloodKind::SlowHeaders => {
                connections.accepted += 1;
                connections.timed_out += u64::from(self.chance.unit() < 0.6);
            }
            FloodKind::H2RapidReset => connections.resets += 20,
            FloodKind::BareAddress => {
                connections.accepted += 1;
                connections.unknown_hosts += 1;
            }
            _ => {
                connections.accepted += u64::from(self.chance.unit() < 0.3);
                self.request(number, target, wanted);
            }
        }
    }

    fn request(&mut self, number: u64, target: &str, wanted: &mut Vec<Wanted>) {
        // Sources lie all over, a network's neighbours seldom with them.
        let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(self.seed << 33) >> 20;
        let (source, network) = client(0x2000_0000 + (spread & 0x7FFF_FFFF));
        let agent = match self.attack.agents {
            Agents::One => hash("attacker"),
            Agents::ShortList => hash("list").wrapping_add(self.chance.below(20) << 24),
            Agents::AsVisitors => self.pool.agent(&mut self.chance),
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let kind = match (query.is_empty(), path.contains("lookup")) {
            (true, _) => ContentKind::Page,
            // A random query on a page makes data of it, as far as its address goes.
            (false, _) => ContentKind::Data,
        };
        let referrer = if self.attack.referrers { Referrer::Own } else { Referrer::Absent };
        let mut seen = request(kind, hash(path), agent, referrer);
        (seen.source, seen.network) = (source, network);
        seen.query = (!query.is_empty()).then(|| hash(query));
        if self.attack.agents == Agents::One && self.seed.is_multiple_of(3) {
            seen.agent_kind = AgentKind::Tool;
        }
        // Their own TLS library, whatever they say they are.
        seen.fingerprint = Some(fingerprint_of(1_000 + self.seed % 5).rotate_left(9));
        match self.attack.way {
            Way::Bodies => {
                (seen.method, seen.kind, seen.path) =
                    (MethodClass::Post, ContentKind::Data, hash("/contact"));
            }
            Way::Scan => seen.status = 404,
            Way::Drill(_) => {}
        }
        wanted.push(Wanted { seen, person: false, again: 0 });
        // A source in disguise fetches what pages need with each.
        if f64::from(u32::try_from(spread % 1_000).unwrap_or(0)) < self.attack.disguised * 1_000.0 {
            let assets = self.pool.sessions.iter().flat_map(|session| &session.wants);
            for (_, asset) in assets.filter(|(_, seen)| seen.kind == ContentKind::Asset).take(2) {
                let mut seen = request(ContentKind::Asset, asset.path, agent, Referrer::Own);
                (seen.source, seen.network) = (source, network);
                seen.fingerprint = Some(fingerprint_of(1_000 + self.seed % 5).rotate_left(9));
                wanted.push(Wanted { seen, person: false, again: 0 });
            }
        }
    }
}

/// The drill's arrivals.
fn arrivals(
    kind: FloodKind,
    sources: u32,
    rate: f64,
    length_s: u32,
    seed: u64,
) -> Result<std::iter::Peekable<FloodArrivals>, String> {
    let mut scenario = scenario::shipped("calm").ok_or("the drill has no scenario `calm`")?;
    let flood = Flood {
        kind,
        sources: sources.max(1),
        rate,
        from_s: 0,
        until_s: length_s,
        pulse: None,
        connections_max: 20_000,
        patience_s: 2,
        ipv6: false,
        skill: scenario::Skill::Plain,
        proofs_per_second: 1.0,
    };
    (scenario.duration_s, scenario.floods, scenario.visitors) = (length_s, vec![flood], Vec::new());
    let plan = Plan { scenario, seed, sessions: Vec::new() };
    Ok(plan.flood(0).ok_or("the drill has no such flood")?.peekable())
}
