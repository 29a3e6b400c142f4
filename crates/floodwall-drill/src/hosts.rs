//! The drill's own hosts and the only addresses its generators can connect to.
//!
//! As root the hosts are network namespaces without a name, joined by veth pairs that never show in
//! the machine's own namespace:
//!
//! ```text
//! visitors 198.18.0.0/16 ──┐
//!          2001:db8:1::/48 │
//!                          ├── edge 192.0.2.1, 2001:db8:e::1 ── origin 192.0.2.2
//! flood    198.19.0.0/16 ──┘
//! ```
//!
//! Each namespace lives as long as a process in it, and those end with the drill however it ends
//! (their standard input closes; the kernel sends them SIGKILL when their parent dies; what a rival
//! started is ended by `run::watch`). So nothing is left behind even by `kill -9`.
//!
//! The networks are those set aside for benchmarks and documentation (RFC 2544, 5737, 3849): no
//! real host has them. No namespace has a way out: no default route, no link but the drill's.
//!
//! In the upper half of the flood's networks (198.19.128.0/17, 2001:db8:2:8000::/49) nobody is: packets that
//! claim to come from there get no answer from there ([`PacketSocket`]).
//!
//! Without root everything is on loopback, with an address of 127.0.0.0/8 for each source.

mod packets;
mod programs;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpSocket, TcpStream};

pub use packets::{Packet, PacketSocket};

use programs::{keeper, run};

use crate::plan::{NOBODY_FROM, Source};

/// What the drill's links are called inside its namespaces.
const LINK: &str = "fwdrill";

/// What the hosts are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Network namespaces of their own.
    Namespaces,
    /// Addresses of the loopback network: no namespaces, no IPv6 visitors, no packet floods.
    Loopback,
}

/// The drill's hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Host {
    /// What is tested.
    Edge,
    /// The site behind it.
    Origin,
    /// All visitors.
    Visitors,
    /// All who flood.
    Flood,
}

impl Host {
    const ALL: [Self; 4] = [Self::Edge, Self::Origin, Self::Visitors, Self::Flood];

    /// The processor that is its own: the first for the edge, the second for all others, where there
    /// are two.
    pub(crate) fn processor(self) -> usize {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        usize::from(self != Self::Edge && count > 1)
    }

    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Origin => "origin",
            Self::Visitors => "visitors",
            Self::Flood => "flood",
        }
    }
}

/// An address of one of the drill's own hosts. There is no way to make one of an address that comes
/// from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAddress(SocketAddr);

impl HostAddress {
    /// To show it, and to let a server listen on it.
    #[must_use]
    pub fn socket(self) -> SocketAddr {
        self.0
    }

    /// Connects from `source`.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn connect(self, source: IpAddr) -> io::Result<TcpStream> {
        self.socket_from(source)?.connect(self.0).await
    }

    /// As [`Self::connect`], with the smallest receive window the system gives.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn connect_with_narrow_window(self, source: IpAddr) -> io::Result<TcpStream> {
        let socket = self.socket_from(source)?;
        // The kernel raises it to its own least.
        socket.set_recv_buffer_size(1)?;
        socket.connect(self.0).await
    }

    fn socket_from(self, source: IpAddr) -> io::Result<TcpSocket> {
        let socket = if self.0.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Ports of connections that have just closed can be used again at once.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::new(source, 0))?;
        Ok(socket)
    }
}

impl Network {
    /// The address of a server on a host; IPv6 where `v6` and the network has it.
    #[must_use]
    pub fn address(self, host: Host, v6: bool, port: u16) -> HostAddress {
        let last = if host == Host::Origin { 2 } else { 1 };
        let ip = match (self, v6) {
            (Self::Namespaces, false) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
            (Self::Namespaces, true) => {
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xe, 0, 0, 0, 0, last.into()))
            }
            (Self::Loopback, _) => IpAddr::V4(Ipv4Addr::new(127, 77, 0, last)),
        };
        HostAddress(SocketAddr::new(ip, port))
    }

    /// The networks that sources of a host lie in: a /16 and a /48.
    pub(crate) fn sources(self, host: Host) -> (Ipv4Addr, Ipv6Addr) {
        let flood = u8::from(host == Host::Flood);
        let v4 = match self {
            Self::Namespaces => Ipv4Addr::new(198, 18 + flood, 0, 0),
            Self::Loopback => Ipv4Addr::new(127, 78 + flood, 0, 0),
        };
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 1 + u16::from(flood), 0, 0, 0, 0, 0);
        (v4, v6)
    }

    /// Whether this network has such sources.
    #[must_use]
    pub fn has(self, source: Source) -> bool {
        matches!((self, source), (Self::Namespaces, _) | (Self::Loopback, Source::V4(_)))
    }
}

/// Proof that this process runs on one of the drill's hosts. Generators get addresses from it alone.
#[derive(Clone, Copy, Debug)]
pub struct OwnHost {
    network: Network,
    host: Host,
}

impl OwnHost {
    /// Makes sure that this process is where it should be.
    ///
    /// # Errors
    /// When the network namespace is not one of the drill's.
    pub fn confirm(network: Network, host: Host) -> Result<Self, HostsError> {
        if network == Network::Namespaces {
            let devices = std::fs::read_to_string("/proc/self/net/dev").map_err(HostsError::Look)?;
            if !is_drill_namespace(&devices) {
                return Err(HostsError::NotOurs);
            }
        }
        Ok(Self { network, host })
    }

    /// The edge's address for a visitor of that source.
    #[must_use]
    pub fn edge(self, source: IpAddr, port: u16) -> HostAddress {
        self.network.address(Host::Edge, source.is_ipv6(), port)
    }

    /// The address that stands for a source of the plan.
    #[must_use]
    pub fn source(self, source: Source) -> IpAddr {
        let (v4, v6) = self.network.sources(self.host);
        source.within(v4, v6)
    }

    /// What this host is part of.
    #[must_use]
    pub fn network(self) -> Network {
        self.network
    }

    /// A socket that sends packets to the edge from sources where nobody is; over IPv6 where `v6`.
    ///
    /// # Errors
    /// This is not the flood's host in a namespace of its own, or the system refuses the socket.
    pub fn packets(self, v6: bool) -> Result<PacketSocket, HostsError> {
        if (self.network, self.host) != (Network::Namespaces, Host::Flood) {
            return Err(HostsError::NoPackets);
        }
        PacketSocket::open(self, v6).map_err(HostsError::Packets)
    }
}

/// Whether a namespace with these devices (`/proc/net/dev`) is one of the drill's: nothing but
/// loopback and the drill's links, so that no packet can leave.
fn is_drill_namespace(devices: &str) -> bool {
    let mut ours = 0;
    for name in devices.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim()) {
        match name {
            "lo" => {}
            _ if name.starts_with(LINK) => ours += 1,
            _ => return false,
        }
    }
    ours > 0
}

/// Why there are no hosts.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// A program that makes them failed.
    #[error(
        "{program} failed: {why}; see `floodwall doctor`, or run without root for the reduced drill on loopback"
    )]
    Program {
        /// What was run.
        program: String,
        /// What it said.
        why: String,
    },
    /// The process is elsewhere.
    #[error(
        "this process is not on one of the drill's own hosts; `floodwall drill` starts it where it belongs"
    )]
    NotOurs,
    /// Packets are for the flood's namespace only.
    #[error("packet floods need hosts of their own: run as root and without --loopback")]
    NoPackets,
    /// The system refuses the socket for packets.
    #[error("cannot open a socket for packets: {0}; it needs CAP_NET_RAW")]
    Packets(#[source] io::Error),
    /// The namespace cannot be looked at.
    #[error("cannot see this process's network devices: {0}")]
    Look(#[source] io::Error),
}

/// The hosts of one drill. Dropping it removes them.
#[derive(Debug)]
pub struct Hosts {
    network: Network,
    /// A process in each namespace that keeps it, in the order of [`Host::ALL`]; none on loopback.
    keepers: Vec<Child>,
    are_steered: bool,
}

impl Hosts {
    /// Makes the hosts.
    ///
    /// # Errors
    /// When namespaces or links cannot be made.
    pub fn make(network: Network) -> Result<Self, HostsError> {
        let mut hosts = Self { network, keepers: Vec::new(), are_steered: false };
        if network == Network::Namespaces {
            for _ in Host::ALL {
                hosts.keepers.push(keeper()?);
            }
            hosts.join()?;
            hosts.are_steered = Host::ALL.into_iter().all(|host| hosts.steer(host).is_ok());
        }
        Ok(hosts)
    }

    /// What the hosts are made of.
    #[must_use]
    pub fn network(&self) -> Network {
        self.network
    }

    /// Whether what comes for a host is worked on by that host's processor. Otherwise the sender's
    /// does it, so that a flood of packets costs the flood what it should cost the edge.
    #[must_use]
    pub fn are_steered(&self) -> bool {
        self.are_steered
    }

    /// A command that runs `program` on a host and on its processor, and ends with this thread.
    #[must_use]
    pub fn command(&self, host: Host, program: &Path) -> Command {
        let processor = host.processor().to_string();
        let mut words: Vec<String> = Vec::new();
        if let Some(namespace) = self.namespace(host) {
            words.extend(["nsenter".to_owned(), format!("--net={namespace}"), "--".to_owned()]);
        }
        words.extend(
            ["taskset", "--cpu-list", &processor, "setpriv", "--pdeathsig", "KILL", "--"].map(str::to_owned),
        );
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg(program);
        command
    }

    fn namespace(&self, host: Host) -> Option<String> {
        let place = Host::ALL.iter().position(|other| *other == host)?;
        self.keepers.get(place).map(|keeper| format!("/proc/{}/ns/net", keeper.id()))
    }

    /// Links every other host to the edge and gives all of them their addresses.
    fn join(&self) -> Result<(), HostsError> {
        let edge = self.namespace(Host::Edge).unwrap_or_default();
        let in_edge = ["nsenter".to_owned(), format!("--net={edge}"), "--".to_owned()];
        let own = |host, v6| self.network.address(host, v6, 0).socket().ip();
        let mut edge_lines = vec!["link set lo up".to_owned()];
        for v6 in [false, true] {
            edge_lines.push(format!("address add {} dev lo", own(Host::Edge, v6)));
        }
        for (place, host) in Host::ALL.into_iter().enumerate().skip(1) {
            let Some(keeper) = self.keepers.get(place) else { continue };
            let link = format!("{LINK}{place}");
            let make = ["ip", "link", "add", &link, "type", "veth", "peer", "name", LINK, "netns"];
            run(&[&in_edge[..], &make.map(str::to_owned), &[keeper.id().to_string()]].concat(), "")?;
            let mut lines = vec!["link set lo up".to_owned(), format!("link set {LINK} up")];
            lines.push(format!("address add fe80::2/64 dev {LINK} nodad"));
            edge_lines.push(format!("link set {link} up"));
            edge_lines.push(format!("address add fe80::1/64 dev {link} nodad"));
            for v6 in [false, true] {
                let there = own(Host::Edge, v6);
                lines.push(format!("route add {there} {}dev {LINK}", via("fe80::1", v6)));
                let (v4_sources, v6_sources) = self.network.sources(host);
                let back = match (host, v6) {
                    (Host::Origin, _) => own(host, v6).to_string(),
                    (_, false) => format!("{v4_sources}/16"),
                    (_, true) => format!("{v6_sources}/48"),
                };
                edge_lines.push(format!("route add {back} {}dev {link}", via("fe80::2", v6)));
                // Every address of the network is this host's own, without being listed one by one.
                lines.push(format!("route add local {back} dev lo"));
            }
            if host == Host::Flood {
                // Spoofed packets name sources of this half. What comes back for them ends here: an
                // answer (RST) would take the half-open connection off the edge's hands.
                let (v4, v6) = self.network.sources(host);
                for (source, bits) in [(Source::V4(NOBODY_FROM), 17), (Source::V6(NOBODY_FROM), 49)] {
                    let silent = source.within(v4, v6);
                    lines.push(format!("route add blackhole {silent}/{bits} table local"));
                }
            }
            let inside =
                ["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", keeper.id()), "--".to_owned()];
            self.batch(&inside, &lines)?;
            // IPv4 lets a process bind to any address that is routed to itself; IPv6 has to be told.
            let allow = ["sh", "-c", "echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind"].map(str::to_owned);
            run(&[&inside[..], &allow].concat(), "")?;
        }
        self.batch(&in_edge, &edge_lines)
    }

    /// Lets a host's own processor work on what its links receive (receive packet steering of Linux),
    /// as a machine of its own would. The mount is seen by this one command.
    fn steer(&self, host: Host) -> Result<(), HostsError> {
        let namespace = self.namespace(host).unwrap_or_default();
        let mask = 1 << host.processor();
        let set = format!(
            "mount -t sysfs sysfs /sys && for queue in /sys/class/net/{LINK}*/queues/rx-0/rps_cpus; \
             do echo {mask} > $queue || exit 1; done"
        );
        let net = format!("--net={namespace}");
        let words = ["nsenter", &net, "--", "unshare", "--mount", "--", "sh", "-c", &set];
        run(&words.map(str::to_owned), "")
    }

    fn batch(&self, prefix: &[String], lines: &[String]) -> Result<(), HostsError> {
        let ip = ["ip", "-batch", "-"].map(str::to_owned);
        run(&[prefix, &ip[..]].concat(), &(lines.join("\n") + "\n"))
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for keeper in &mut self.keepers {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

/// The other end of a link, for a route: named once, so that a network of thousands of sources is one
/// neighbour and not thousands (the kernel's table of neighbours holds a thousand).
fn via(neighbour: &str, v6: bool) -> String {
    let family = if v6 { "" } else { "inet6 " };
    format!("via {family}{neighbour} ")
}

#[cfg(test)]
mod tests;
