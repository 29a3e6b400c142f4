//! One drill: hosts, origin, edge, visitors and flood from start to end, and what came of it.

mod agents;
mod watch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use agents::Agent;
use watch::Watch;

use crate::agent::{FloodSeen, Orders, OriginSeen, VisitorsSeen};
use crate::clock::Moment;
use crate::directory;
use crate::edges::{Edge, EdgeError, Label, Place};
use crate::hosts::{Host, Hosts, HostsError, Network};
use crate::machine::{Use, use_of};
use crate::measure::{Goodput, to_f64};
use crate::plan::Plan;
use crate::random::Seed;
use crate::requirements::{self, Unmet};
use crate::scenario::Scenario;

/// Name of the sample site.
pub const SITE: &str = "www.vote.example";

/// Ports of the servers. Below 1024 nothing is needed on hosts of our own, and on loopback nothing
/// is allowed.
const EDGE_PORT: u16 = 8080;
/// The origin's port.
pub const ORIGIN_PORT: u16 = 8081;

/// Agents say `ready` within this time, and print their result within this time after the end.
const AGENT_PATIENCE: Duration = Duration::from_secs(40);

/// From "all are ready" to the first arrival.
const LEAD_US: u64 = 500_000;

/// Sessions may begin this much late (99th percentile) before the measurement is void.
const SCHEDULE_ERROR_US_MAX: u64 = 50_000;
/// Generators together may use this share of their processor before the measurement is void.
const GENERATOR_CPU_MAX: f64 = 0.95;

/// What is to be run.
pub struct Drill<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The seed.
    pub seed: Seed,
    /// What stands in the edge's place.
    pub edge: &'a dyn Edge,
    /// What the hosts are made of.
    pub network: Network,
    /// This program, to run its agents.
    pub program: PathBuf,
    /// Set to stop early.
    pub stop: &'a AtomicBool,
}

/// What came of a drill.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The scenario.
    pub scenario: Scenario,
    /// The seed.
    pub seed: u64,
    /// What stood in the edge's place.
    pub edge: Label,
    /// What the hosts were made of.
    pub network: Network,
    /// What was planned.
    pub plan: Planned,
    /// What visitors got.
    pub goodput: Goodput,
    /// What the floods did, in the scenario's order.
    pub floods: Vec<FloodSeen>,
    /// What reached the origin.
    pub origin: OriginSeen,
    /// What the edge used.
    pub edge_use: EdgeUse,
    /// Whether the generators kept up.
    pub generators: Generators,
    /// Why the measurement does not count, where it does not.
    pub void: Option<String>,
}

/// What was planned: the same for the same scenario and seed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Stands for every arrival, to the microsecond: [`Plan::fingerprint`].
    pub fingerprint: String,
    /// Sessions that this network can have.
    pub sessions: u64,
    /// What they want, assets included.
    pub wants: u64,
}

impl Planned {
    fn of(plan: &Plan, network: Network) -> Self {
        let sessions = plan.sessions.iter().filter(|session| network.has(session.source));
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Self {
            fingerprint: plan.fingerprint(),
            sessions: count(sessions.clone().count()),
            wants: sessions.map(|session| count(session.wants())).sum(),
        }
    }
}

/// What the edge used.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct EdgeUse {
    /// Processor time from start to end, seconds.
    pub cpu_s: f64,
    /// The most memory seen at a second's mark (proportional set size), bytes.
    pub memory_peak_bytes: u64,
}

/// Whether the generators kept up.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Generators {
    /// Of one processor, visitors, flood and origin together, on average.
    pub cpu_share: f64,
    /// How late sessions began: 99th percentile and maximum, microseconds.
    pub visitors_late_us: (u64, u64),
    /// How late the flood was, likewise; the worst of several.
    pub flood_late_us: (u64, u64),
    /// Sessions that this network cannot have.
    pub sessions_left_out: u64,
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The machine lacks something.
    #[error(transparent)]
    Unmet(#[from] Unmet),
    /// The hosts cannot be made.
    #[error(transparent)]
    Hosts(#[from] HostsError),
    /// The edge cannot be put in place.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// A process of the drill cannot be started or ended too early.
    #[error("the drill's {host} {what}")]
    Agent {
        /// Which.
        host: &'static str,
        /// What happened, with its last words.
        what: String,
    },
    /// No place for temporary files.
    #[error("cannot make a temporary directory: {0}; is TMPDIR writable?")]
    Directory(#[source] std::io::Error),
    /// Somebody asked to stop.
    #[error("stopped")]
    Stopped,
}

impl Drill<'_> {
    /// Runs it. `progress` is told the second of the scenario, once a second.
    ///
    /// # Errors
    /// See [`DrillError`]. Whatever happens, hosts and processes are gone afterwards.
    pub fn run(&self, mut progress: impl FnMut(u32)) -> Result<Outcome, DrillError> {
        let origin_address = self.network.address(Host::Origin, false, ORIGIN_PORT).socket();
        requirements::check(self.network, &[&self.edge_addresses()[..], &[origin_address]].concat())?;
        let directory = directory::make().map_err(DrillError::Directory)?;
        let hosts = Hosts::make(self.network)?;
        let (edge_processor, other_processor) = processors();
        let listen = self.edge_addresses();
        let place =
            Place { listen: &listen, origin: origin_address, site: SITE, directory: directory.path() };
        let edge = self.edge.prepare(&place)?;

        let agent = |host| {
            let mut command = hosts.command(host, other_processor, &self.program);
            command.args(["drill-agent", host.as_str()]);
            Agent::start(host, command, Some(&self.orders(host)), directory.path())
        };
        let mut origin = agent(Host::Origin)?;
        origin.ready(self.stop)?;
        let mut edge_command = hosts.command(Host::Edge, edge_processor, &edge.program);
        edge_command.args(&edge.arguments);
        let mut edge = Agent::start(Host::Edge, edge_command, None, directory.path())?;
        let _watch = Watch::over(&edge, directory.path())?;
        let (mut visitors, mut flood) = (agent(Host::Visitors)?, agent(Host::Flood)?);
        // The visitors are ready once the edge has answered them.
        visitors.ready_beside(&mut edge, self.stop)?;
        flood.ready(self.stop)?;

        let before = (use_of(edge.pid()), generators_cpu(&[&origin, &visitors, &flood]));
        let start = Moment::now().plus_us(LEAD_US);
        for agent in [&mut origin, &mut visitors, &mut flood] {
            agent.tell(&start)?;
        }
        let mut peak = before.0;
        let mut last = before.0;
        let mut cpu_s = before.1;
        for second in 1..=self.scenario.duration_s {
            self.wait_until(start.plus_us(u64::from(second) * 1_000_000))?;
            last = use_of(edge.pid());
            peak.memory_bytes = peak.memory_bytes.max(last.memory_bytes);
            cpu_s = generators_cpu(&[&origin, &visitors, &flood]).max(cpu_s);
            progress(second);
        }
        let seen: VisitorsSeen = visitors.result(AGENT_PATIENCE, self.stop)?;
        let floods: Vec<FloodSeen> = flood.result(AGENT_PATIENCE, self.stop)?;
        origin.tell(&"end")?;
        let origin: OriginSeen = origin.result(AGENT_PATIENCE, self.stop)?;
        if let Some(words) = edge.ended_early() {
            return Err(DrillError::Agent { host: "edge", what: words });
        }
        let used = EdgeUse { cpu_s: last.cpu_s - before.0.cpu_s, memory_peak_bytes: peak.memory_bytes };
        Ok(self.outcome(&seen, floods, origin, used, cpu_s - before.1))
    }

    fn outcome(
        &self,
        seen: &VisitorsSeen,
        floods: Vec<FloodSeen>,
        origin: OriginSeen,
        edge_use: EdgeUse,
        generators_cpu_s: f64,
    ) -> Outcome {
        let late = floods.iter().map(|flood| flood.schedule_error_us);
        let generators = Generators {
            cpu_share: generators_cpu_s / f64::from(self.scenario.duration_s.max(1)),
            visitors_late_us: seen.schedule_error_us,
            flood_late_us: late.fold((0, 0), |worst, one| (worst.0.max(one.0), worst.1.max(one.1))),
            sessions_left_out: seen.sessions_left_out,
        };
        let plan = Planned::of(&Plan::new(self.scenario, self.seed), self.network);
        Outcome {
            void: void(&generators, &plan, seen),
            plan,
            goodput: Goodput::of(&seen.records, self.scenario.duration_s, self.scenario.onset_s()),
            scenario: self.scenario.clone(),
            seed: self.seed.0,
            edge: self.edge.label(),
            network: self.network,
            floods,
            origin,
            edge_use,
            generators,
        }
    }

    fn edge_addresses(&self) -> Vec<std::net::SocketAddr> {
        let v4 = self.network.address(Host::Edge, false, EDGE_PORT).socket();
        let v6 = self.network.address(Host::Edge, true, EDGE_PORT).socket();
        if v4 == v6 { vec![v4] } else { vec![v4, v6] }
    }

    fn orders(&self, host: Host) -> Orders {
        Orders {
            network: self.network,
            host,
            scenario: self.scenario.clone(),
            seed: self.seed.0,
            port: if host == Host::Origin { ORIGIN_PORT } else { EDGE_PORT },
            site: SITE.to_owned(),
        }
    }

    fn wait_until(&self, moment: Moment) -> Result<(), DrillError> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(DrillError::Stopped);
            }
            let left = moment.since(Moment::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::park_timeout(left.min(Duration::from_millis(100)));
        }
    }
}

fn generators_cpu(agents: &[&Agent]) -> f64 {
    agents.iter().map(|agent| use_of(agent.pid())).map(|Use { cpu_s, .. }| cpu_s).sum()
}

/// The processor of the edge and that of everything else: apart where there are two.
fn processors() -> (usize, usize) {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (0, usize::from(count > 1))
}

fn void(generators: &Generators, plan: &Planned, seen: &VisitorsSeen) -> Option<String> {
    let told = u64::try_from(seen.records.len()).unwrap_or(u64::MAX);
    if told != plan.wants {
        return Some(format!("{} things were to be wanted, and {told} were told of", plan.wants));
    }
    let late = generators.visitors_late_us.0;
    if late > SCHEDULE_ERROR_US_MAX {
        return Some(format!(
            "the visitors could not keep their schedule: 99th percentile {} ms late",
            late / 1_000
        ));
    }
    let flood_late = generators.flood_late_us.0;
    if flood_late > SCHEDULE_ERROR_US_MAX {
        return Some(format!(
            "the flood could not keep its schedule: 99th percentile {} ms late",
            flood_late / 1_000
        ));
    }
    if generators.cpu_share > GENERATOR_CPU_MAX {
        let percent = generators.cpu_share * to_f64(100);
        return Some(format!("the generators used {percent:.0} % of their processor"));
    }
    None
}
