//! A machine made up for a test.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::machine::Machine;

/// What it answers, by path or address; whatever is not given is absent or refused.
#[derive(Clone, Default)]
pub(crate) struct Fixture {
    texts: BTreeMap<String, String>,
    links: BTreeMap<String, String>,
    ports: BTreeMap<u16, io::ErrorKind>,
    own: Vec<IpAddr>,
    names: BTreeMap<String, Vec<IpAddr>>,
    servers: BTreeMap<SocketAddr, Option<io::ErrorKind>>,
    unwritable: BTreeMap<String, io::ErrorKind>,
    free_bytes: Option<u64>,
    shares_ports: bool,
}

/// 2026-10-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_790_812_800;

impl Fixture {
    /// A virtual machine in an office where all is well.
    pub(crate) fn office() -> Self {
        let texts = [
            ("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"),
            ("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Example CPU 3.0\n"),
            ("/proc/meminfo", "MemTotal:        8000000 kB\nMemAvailable:    6000000 kB\n"),
            (
                "/proc/self/limits",
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max open files            65536                524288               files     \n",
            ),
            ("/proc/self/status", "Name:\tfloodwall\nCapEff:\t0000000000000400\n"),
            ("/proc/sys/net/core/somaxconn", "4096\n"),
            ("/proc/sys/net/ipv4/tcp_syncookies", "1\n"),
            ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "1024\n"),
            ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("/run/systemd/timesync/synchronized", ""),
            ("/sys/class/net/eth0/operstate", "up\n"),
            ("/sys/class/net/eth0/speed", "10000\n"),
            ("/sys/class/net/lo/operstate", "unknown\n"),
        ];
        Self {
            texts: texts.map(|(path, text)| (path.to_owned(), text.to_owned())).into(),
            links: [(
                "/sys/class/net/eth0/device/driver".to_owned(),
                "../../bus/virtio/drivers/virtio_net".to_owned(),
            )]
            .into(),
            own: vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([198, 51, 100, 7])],
            free_bytes: Some(50 << 30),
            shares_ports: true,
            ..Self::default()
        }
    }

    pub(crate) fn with_text(mut self, path: &str, text: &str) -> Self {
        self.texts.insert(path.to_owned(), text.to_owned());
        self
    }

    pub(crate) fn without(mut self, path: &str) -> Self {
        self.texts.remove(path);
        self
    }

    pub(crate) fn with_link(mut self, path: &str, to: &str) -> Self {
        self.links.insert(path.to_owned(), to.to_owned());
        self
    }

    /// Listening on the port fails.
    pub(crate) fn with_port(mut self, port: u16, error: io::ErrorKind) -> Self {
        self.ports.insert(port, error);
        self
    }

    pub(crate) fn with_name(mut self, host: &str, addresses: &[&str]) -> Self {
        self.names.insert(host.to_owned(), addresses.iter().filter_map(|a| a.parse().ok()).collect());
        self
    }

    /// Connecting there succeeds, or fails as said.
    pub(crate) fn with_server(mut self, address: &str, error: Option<io::ErrorKind>) -> Self {
        self.servers.extend(address.parse().map(|address| (address, error)));
        self
    }

    pub(crate) fn with_unwritable(mut self, directory: &str, error: io::ErrorKind) -> Self {
        self.unwritable.insert(directory.to_owned(), error);
        self
    }

    pub(crate) fn with_free_bytes(mut self, bytes: u64) -> Self {
        self.free_bytes = Some(bytes);
        self
    }

    pub(crate) fn without_shared_ports(mut self) -> Self {
        self.shares_ports = false;
        self
    }
}

impl Machine for Fixture {
    fn text(&self, path: &str) -> Option<String> {
        self.texts.get(path).cloned()
    }

    fn entries(&self, path: &str) -> Vec<String> {
        let prefix = format!("{path}/");
        let below = |full: &String| Some(full.strip_prefix(&prefix)?.split('/').next()?.to_owned());
        let mut names: Vec<String> = self.texts.keys().chain(self.links.keys()).filter_map(below).collect();
        names.sort();
        names.dedup();
        names
    }

    fn link(&self, path: &str) -> Option<String> {
        self.links.get(path).cloned()
    }

    fn cores(&self) -> usize {
        4
    }

    fn try_listen(&self, address: SocketAddr) -> io::Result<()> {
        self.ports.get(&address.port()).map_or(Ok(()), |kind| Err((*kind).into()))
    }

    fn shares_ports(&self) -> bool {
        self.shares_ports
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let unknown = || io::Error::other("failed to lookup address information: Name or service not known");
        let addresses = self.names.get(host).ok_or_else(unknown)?;
        Ok(addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect())
    }

    fn connect(&self, address: SocketAddr) -> io::Result<()> {
        match self.servers.get(&address) {
            Some(None) => Ok(()),
            Some(Some(kind)) => Err((*kind).into()),
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    fn may_write(&self, directory: &Path) -> io::Result<()> {
        let kind = directory.to_str().and_then(|directory| self.unwritable.get(directory));
        kind.map_or(Ok(()), |kind| Err((*kind).into()))
    }

    fn free_bytes(&self, _path: &Path) -> Option<u64> {
        self.free_bytes
    }

    fn now_unix_seconds(&self) -> i64 {
        NOW
    }
}
