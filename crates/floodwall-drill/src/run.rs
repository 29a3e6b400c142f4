//! One drill: hosts, origin, edge, visitors and flood from start to end, and what came of it.

mod agents;
mod verdict;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use agents::Agent;
use verdict::{share_flooded, void};
use watch::Watch;

use crate::agent::{Counters, FloodSeen, Orders, OriginSeen, TlsOrders, VisitorsSeen};
use crate::certificates::{CertificateError, Certificates};
use crate::clock::Moment;
use crate::directory;
use crate::edges::{Edge, EdgeCommand, EdgeError, Label, Place, TlsPlace};
use crate::hosts::{Host, Hosts, HostsError, Network};
pub use crate::machine::Held;
use crate::machine::{Use, held_at, processor_used_s, raise_open_files, use_of};
use crate::measure::{FloodMet, Goodput, not_comparable};
use crate::plan::Plan;
use crate::random::Seed;
use crate::requirements::{self, Unmet};
use crate::scenario::Scenario;

/// Name of the sample site.
pub const SITE: &str = "www.vote.example";

/// Ports of the servers. Below 1024 nothing is needed on hosts of our own, and on loopback nothing
/// is allowed.
const EDGE_PORT: u16 = 8080;
/// The edge's with TLS.
const EDGE_TLS_PORT: u16 = 8443;
/// Where Floodwall shows its own figures, on its host alone.
pub(crate) const ADMIN_PORT: u16 = 9_800;
/// The agent that reads them.
const COUNTERS: &str = "counters";
/// The origin's port.
pub const ORIGIN_PORT: u16 = 8081;

/// Agents say `ready` within this time.
const AGENT_PATIENCE: Duration = Duration::from_secs(40);
/// They print their result within this time after the end: somebody may go on for a minute for what they
/// wanted in the last second ([`crate::patience`]), and then for its parts.
const RESULT_PATIENCE: Duration = Duration::from_secs(100);

/// From "all are ready" to the first arrival.
const LEAD_US: u64 = 200_000;

/// Where a certificate is to expire at a second of the scenario, its end is written before the edge
/// starts, and all must be ready within this time.
const PREPARATION_S: u64 = 6;

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
    /// How much of each the edge met, likewise.
    pub floods_met: Vec<FloodMet>,
    /// What reached the origin.
    pub origin: OriginSeen,
    /// What the edge used.
    pub edge_use: EdgeUse,
    /// What its system held at each second's mark: whether a connection that flooders hold is also
    /// one that the edge holds.
    pub edge_held: Vec<Held>,
    /// What the edge itself says of its admission, by the names of its metrics: of counters the end, of
    /// gauges the peak. Empty where it says nothing.
    pub admission: Counters,
    /// Whether the generators kept up.
    pub generators: Generators,
    /// Why the measurement does not count, where it does not.
    pub void: Option<String>,
    /// Why it stands beside no other edge's, where it does not: this one met a smaller flood.
    pub not_comparable: Option<String>,
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
    /// Processor time that programs of others took on the edge's processor, seconds: on a busy machine
    /// visitors wait for that, whatever the edge does.
    pub taken_by_others_s: f64,
    /// The most TCP connections of each kind that its system held at a second's mark.
    pub held_peak: Held,
}

/// Whether the generators kept up.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Generators {
    /// Of one processor, visitors, flood and origin together, on average.
    pub cpu_share: f64,
    /// The same while a flood was on; the worst of several floods, 0 without one.
    pub cpu_share_flooded: f64,
    /// How late sessions began: 99th percentile and maximum, microseconds.
    pub visitors_late_us: (u64, u64),
    /// How late the flood was, likewise; the worst of several.
    pub flood_late_us: (u64, u64),
    /// How late visitors' proofs of work were computed, likewise.
    pub proofs_late_us: (u64, u64),
    /// Sessions that this network cannot have.
    pub sessions_left_out: u64,
    /// Whether the edge's processor, and not theirs, worked on the packets that they sent.
    pub are_packets_steered: bool,
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
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
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
    /// Why this drill cannot be held, where it cannot: not a failure of the edge.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        if self.scenario.needs_tls() && !self.edge.offers_tls() {
            return Some(format!("not offered: {} has no TLS of its own", self.edge.label().name));
        }
        if self.scenario.needs_packets() && self.network == Network::Loopback {
            return Some("left out: packet floods need hosts of their own; run as root".to_owned());
        }
        None
    }

    /// Runs it. `progress` is told the second of the scenario, once a second.
    ///
    /// # Errors
    /// See [`DrillError`]. Whatever happens, hosts and processes are gone afterwards.
    pub fn run(&self, mut progress: impl FnMut(u32)) -> Result<Outcome, DrillError> {
        raise_open_files();
        let origin_address = self.network.address(Host::Origin, false, ORIGIN_PORT).socket();
        let wanted = [EDGE_PORT, EDGE_TLS_PORT].map(|port| self.edge_addresses(port)).concat();
        requirements::check(self.network, &[&wanted[..], &[origin_address]].concat())?;
        let directory = directory::make().map_err(DrillError::Directory)?;
        let hosts = Hosts::make(self.network)?;
        let planned = Moment::now().plus_us(PREPARATION_S * 1_000_000);
        let certificates = self.certificates(directory.path())?;
        let edge = self.edge_command(directory.path(), certificates.as_ref())?;

        let agent = |host: Host| {
            let name = if host == Host::Edge { COUNTERS } else { host.as_str() };
            let mut command = hosts.command(host, &self.program);
            command.args(["drill-agent", name]);
            let orders = self.orders(host, certificates.as_ref());
            Agent::start((host, name), command, Some(&orders), directory.path())
        };
        let mut origin = agent(Host::Origin)?;
        origin.ready(self.stop)?;
        let mut edge_command = hosts.command(Host::Edge, &edge.program);
        edge_command.args(&edge.arguments);
        let mut edge = Agent::start((Host::Edge, "edge"), edge_command, None, directory.path())?;
        let _watch = Watch::over(&edge, directory.path())?;
        let (mut visitors, mut flood) = (agent(Host::Visitors)?, agent(Host::Flood)?);
        // The visitors are ready once the edge has answered them.
        visitors.ready_beside(&mut edge, self.stop)?;
        flood.ready(self.stop)?;
        let mut counters = if self.edge.tells_of_admission() { Some(agent(Host::Edge)?) } else { None };
        counters.as_mut().map_or(Ok(()), |counters| counters.ready(self.stop))?;

        let start = self.start(planned)?;
        let before = (use_of(edge.pid()), generators_cpu(&[&origin, &visitors, &flood]));
        let processor_before_s = processor_used_s(Host::Edge.processor());
        for agent in [&mut origin, &mut visitors, &mut flood] {
            agent.tell(&start)?;
        }
        let (mut used, mut held) = (EdgeUse::default(), Vec::new());
        let mut generators_s = vec![before.1];
        for second in 1..=self.scenario.duration_s {
            self.wait_until(start.plus_us(u64::from(second) * 1_000_000))?;
            held.push(held_at(&[EDGE_PORT, EDGE_TLS_PORT], edge.pid()));
            used.note(use_of(edge.pid()), before.0, &held);
            let taken_s = processor_used_s(Host::Edge.processor()) - processor_before_s;
            used.taken_by_others_s = (taken_s - used.cpu_s).max(0.0);
            // One that has ended is seen no more.
            let last_s = generators_s.last().copied().unwrap_or(0.0);
            generators_s.push(generators_cpu(&[&origin, &visitors, &flood]).max(last_s));
            progress(second);
        }
        let seen: VisitorsSeen = visitors.result(RESULT_PATIENCE, self.stop)?;
        let floods: Vec<FloodSeen> = flood.result(RESULT_PATIENCE, self.stop)?;
        origin.tell(&"end")?;
        let origin: OriginSeen = origin.result(RESULT_PATIENCE, self.stop)?;
        let admission = counters.as_mut().map(|counters| self.told_of_admission(counters));
        if let Some(words) = edge.ended_early() {
            return Err(DrillError::Agent { host: "edge", what: words });
        }
        let steered = hosts.are_steered();
        let outcome = self.outcome(&seen, floods, origin, (used, held), (&generators_s, steered));
        Ok(Outcome { admission: admission.unwrap_or_default(), ..outcome })
    }

    /// What the edge said of its admission; nothing where it said nothing, which is no failure.
    fn told_of_admission(&self, counters: &mut Agent) -> Counters {
        let told = counters.tell(&"end").and_then(|()| counters.result(RESULT_PATIENCE, self.stop));
        told.unwrap_or_default()
    }

    /// The site's certificate, where the scenario needs one.
    fn certificates(&self, directory: &Path) -> Result<Option<Certificates>, CertificateError> {
        if !self.scenario.needs_tls() {
            return Ok(None);
        }
        let expires_in = self.scenario.certificate_expires_s.map(|at_s| PREPARATION_S + u64::from(at_s));
        Certificates::issue(directory, SITE, expires_in).map(Some)
    }

    fn edge_command(
        &self,
        directory: &Path,
        certificates: Option<&Certificates>,
    ) -> Result<EdgeCommand, EdgeError> {
        let (listen, listen_tls) = (self.edge_addresses(EDGE_PORT), self.edge_addresses(EDGE_TLS_PORT));
        let tls = certificates.map(|certificates| TlsPlace { listen: &listen_tls, certificates });
        let origin = self.network.address(Host::Origin, false, ORIGIN_PORT).socket();
        self.edge.prepare(&Place { listen: &listen, origin, site: SITE, tls, directory })
    }

    /// When it starts: at once, or at the time that the certificate was made for.
    fn start(&self, planned: Moment) -> Result<Moment, DrillError> {
        let soon = Moment::now().plus_us(LEAD_US);
        if self.scenario.certificate_expires_s.is_none() {
            return Ok(soon);
        }
        if soon > planned {
            let what = format!("was not ready within {PREPARATION_S} s, so the certificate ends too early");
            return Err(DrillError::Agent { host: "edge", what });
        }
        Ok(planned)
    }

    fn outcome(
        &self,
        seen: &VisitorsSeen,
        floods: Vec<FloodSeen>,
        origin: OriginSeen,
        (edge_use, edge_held): (EdgeUse, Vec<Held>),
        (generators_s, are_packets_steered): (&[f64], bool),
    ) -> Outcome {
        let late = floods.iter().map(|flood| flood.schedule_error_us);
        let spent_s = generators_s.last().zip(generators_s.first()).map_or(0.0, |(last, first)| last - first);
        let generators = Generators {
            cpu_share: spent_s / f64::from(self.scenario.duration_s.max(1)),
            cpu_share_flooded: share_flooded(self.scenario, generators_s),
            visitors_late_us: seen.schedule_error_us,
            flood_late_us: late.fold((0, 0), |worst, one| (worst.0.max(one.0), worst.1.max(one.1))),
            proofs_late_us: seen.proofs_late_us,
            sessions_left_out: seen.sessions_left_out,
            are_packets_steered,
        };
        let plan = Planned::of(&Plan::new(self.scenario, self.seed), self.network);
        let met = self.scenario.floods.iter().zip(&floods);
        let floods_met: Vec<_> = met.map(|(flood, seen)| FloodMet::of(flood, seen)).collect();
        Outcome {
            void: void(&generators, &plan, seen),
            not_comparable: not_comparable(&floods_met),
            floods_met,
            plan,
            goodput: Goodput::of(&seen.records, self.scenario.duration_s, self.scenario.onset_s()),
            scenario: self.scenario.clone(),
            seed: self.seed.0,
            edge: self.edge.label(),
            network: self.network,
            floods,
            origin,
            edge_use,
            edge_held,
            admission: Counters::new(),
            generators,
        }
    }

    fn edge_addresses(&self, port: u16) -> Vec<SocketAddr> {
        let v4 = self.network.address(Host::Edge, false, port).socket();
        let v6 = self.network.address(Host::Edge, true, port).socket();
        if v4 == v6 { vec![v4] } else { vec![v4, v6] }
    }

    fn orders(&self, host: Host, certificates: Option<&Certificates>) -> Orders {
        let tls = certificates
            .map(|certificates| TlsOrders { port: EDGE_TLS_PORT, authority: certificates.authority.clone() });
        Orders {
            tls,
            network: self.network,
            host,
            scenario: self.scenario.clone(),
            seed: self.seed.0,
            port: match host {
                Host::Origin => ORIGIN_PORT,
                Host::Edge => ADMIN_PORT,
                Host::Visitors | Host::Flood => EDGE_PORT,
            },
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

impl EdgeUse {
    /// Takes in what is seen at a second's mark.
    fn note(&mut self, now: Use, before: Use, held: &[Held]) {
        self.cpu_s = now.cpu_s - before.cpu_s;
        self.memory_peak_bytes = self.memory_peak_bytes.max(now.memory_bytes);
        if let Some(last) = held.last() {
            self.held_peak.connections = self.held_peak.connections.max(last.connections);
            self.held_peak.half_open = self.held_peak.half_open.max(last.half_open);
        }
    }
}

fn generators_cpu(agents: &[&Agent]) -> f64 {
    agents.iter().map(|agent| use_of(agent.pid())).map(|Use { cpu_s, .. }| cpu_s).sum()
}
