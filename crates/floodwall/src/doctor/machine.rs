//! What `doctor` and `check` ask of the machine: one trait, so that tests put any machine in its
//! place.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::time::Duration;

use floodwall_model::Clock;
use rustix::fs::{Access, access, statfs, statvfs};
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::SystemClock;

/// Most bytes read of one file below `/proc` or `/sys`; `/proc/net/tcp` is the only long one.
const TEXT_BYTES_MAX: u64 = 16 << 20;

/// How long an origin is given to take a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A machine that can be asked about itself. Nothing here changes it.
pub(crate) trait Machine: Sync {
    /// A small text file's content; `None` when it is not there or cannot be read.
    fn text(&self, path: &str) -> Option<String>;
    /// Names in a directory, sorted; none when it is not there.
    fn entries(&self, path: &str) -> Vec<String>;
    /// Where a symbolic link points.
    fn link(&self, path: &str) -> Option<String>;
    /// Cores this process may use, limits of its control group considered.
    fn cores(&self) -> usize;
    /// Tries to listen on an address, as the server would, and lets go of it.
    fn try_listen(&self, address: SocketAddr) -> io::Result<()>;
    /// Whether two sockets may share a port (`SO_REUSEPORT`).
    fn shares_ports(&self) -> bool;
    /// Whether the address is one of this machine's.
    fn is_own(&self, address: IpAddr) -> bool;
    /// Addresses of a host name. Takes as long as the system's resolver does.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
    /// Connects, and hangs up. Waits for [`CONNECT_TIMEOUT`] at most.
    fn connect(&self, address: SocketAddr) -> io::Result<()>;
    /// Whether files can be made in a directory. `NotFound` when there is no such directory.
    fn may_write(&self, directory: &Path) -> io::Result<()>;
    /// Bytes that can still be written to the file system a path lies on.
    fn free_bytes(&self, path: &Path) -> Option<u64>;
    /// Wall-clock time in seconds since 1970-01-01T00:00:00Z.
    fn now_unix_seconds(&self) -> i64;
}

/// `proc`, `sysfs` and `cgroup2` (statfs(2)).
const KERNEL_FILE_SYSTEMS: [rustix::fs::FsWord; 3] = [0x9fa0, 0x6265_6572, 0x6367_7270];

/// The machine this program runs on.
pub(crate) struct ThisMachine;

impl Machine for ThisMachine {
    fn text(&self, path: &str) -> Option<String> {
        let mut text = String::new();
        let file = fs::File::open(path).ok()?;
        io::Read::read_to_string(&mut io::Read::take(file, TEXT_BYTES_MAX), &mut text).ok()?;
        Some(text)
    }

    fn entries(&self, path: &str) -> Vec<String> {
        let Ok(directory) = fs::read_dir(path) else { return Vec::new() };
        let mut names: Vec<String> =
            directory.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn link(&self, path: &str) -> Option<String> {
        Some(fs::read_link(path).ok()?.to_string_lossy().into_owned())
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn try_listen(&self, address: SocketAddr) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Without it a port that was in use a minute ago would seem taken.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(1)
    }

    fn shares_ports(&self) -> bool {
        let first = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_port(true)?;
            io::Result::Ok(socket)
        };
        let both = || {
            let (a, b) = (first()?, first()?);
            a.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
            a.listen(1)?;
            b.bind(&a.local_addr()?)?;
            b.listen(1)
        };
        both().is_ok()
    }

    fn is_own(&self, address: IpAddr) -> bool {
        // The kernel lets a socket be bound to an address of this machine only.
        address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    fn connect(&self, address: SocketAddr) -> io::Result<()> {
        TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map(drop)
    }

    fn may_write(&self, directory: &Path) -> io::Result<()> {
        if !fs::metadata(directory)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        access(directory, Access::WRITE_OK | Access::EXEC_OK)?;
        // Where root may do everything and yet nothing can be made.
        if KERNEL_FILE_SYSTEMS.contains(&statfs(directory)?.f_type) {
            return Err(io::Error::other("it belongs to the kernel, and no files can be kept there"));
        }
        Ok(())
    }

    fn free_bytes(&self, path: &Path) -> Option<u64> {
        let system = statvfs(path).ok()?;
        Some(system.f_bavail.saturating_mul(system.f_frsize))
    }

    fn now_unix_seconds(&self) -> i64 {
        SystemClock::start().now().wall_unix_seconds()
    }
}

/// Whether files can be made in a directory, or the directory itself where it is not there yet.
/// The path is the one at fault.
pub(crate) fn may_write_or_make<'p>(
    machine: &dyn Machine,
    directory: &'p Path,
) -> Result<(), (&'p Path, io::Error)> {
    let mut at = directory;
    loop {
        let here = if at.as_os_str().is_empty() { Path::new(".") } else { at };
        match machine.may_write(here) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match at.parent() {
                Some(parent) => at = parent,
                None => return Err((at, error)),
            },
            Err(error) => return Err((at, error)),
        }
    }
}

/// The program that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortHolder {
    /// Its name: `nginx`.
    pub(crate) program: String,
    /// Its process number.
    pub(crate) process: String,
}

/// State of a listening socket in `/proc/net/tcp` (`TCP_LISTEN`).
const LISTENING: &str = "0A";

/// Who listens on a port; `None` when it cannot be told, as for other users' programs without root.
pub(crate) fn port_holder(machine: &dyn Machine, port: u16) -> Option<PortHolder> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| machine.text(path))
        .flat_map(|table| {
            let inodes = table.lines().filter_map(|line| listening_inode(line, port));
            inodes.map(|inode| format!("socket:[{inode}]")).collect::<Vec<_>>()
        })
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let is_process = |name: &String| name.bytes().all(|b| b.is_ascii_digit());
    let process = machine.entries("/proc").into_iter().filter(is_process).find(|process| {
        let folder = format!("/proc/{process}/fd");
        let holds =
            |name: &String| machine.link(&format!("{folder}/{name}")).is_some_and(|to| sockets.contains(&to));
        machine.entries(&folder).iter().any(holds)
    })?;
    let program = machine.text(&format!("/proc/{process}/comm"))?.trim().to_owned();
    Some(PortHolder { program, process })
}

/// The inode of a line of `/proc/net/tcp`, if it is a socket that listens on the port.
fn listening_inode(line: &str, port: u16) -> Option<&str> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let listens = u16::from_str_radix(local_port, 16).ok()? == port && *fields.get(3)? == LISTENING;
    listens.then(|| fields.get(9).copied())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture::Fixture;
    use std::net::TcpListener;

    #[test]
    fn the_holder_of_a_port_is_named() {
        let machine = Fixture::office()
            .with_text(
                "/proc/net/tcp",
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                 0: 0100007F:0050 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 7 1 x\n   \
                 1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 x\n",
            )
            .with_link("/proc/812/fd/6", "socket:[4711]")
            .with_link("/proc/900/fd/3", "socket:[7]")
            .with_text("/proc/812/comm", "nginx\n");
        let holder = PortHolder { program: "nginx".to_owned(), process: "812".to_owned() };
        assert_eq!(port_holder(&machine, 80), Some(holder));
        assert_eq!(port_holder(&machine, 81), None);
    }

    #[test]
    fn a_port_of_this_machine_is_free_or_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(ThisMachine.try_listen(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        ThisMachine.connect(address).unwrap();
        assert!(ThisMachine.is_own(address.ip()));
        assert!(!ThisMachine.is_own("192.0.2.1".parse().unwrap()), "an address reserved for documentation");
        drop(taken);
        ThisMachine.try_listen(address).unwrap();
    }

    #[test]
    fn directories_that_do_not_exist_yet_may_be_made() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(may_write_or_make(&ThisMachine, &folder.path().join("a/b/c")).is_ok());
        let below = file.join("below");
        assert!(may_write_or_make(&ThisMachine, &below).is_err());
        assert!(may_write_or_make(&ThisMachine, Path::new("/proc/floodwall")).is_err(), "not even by root");
        assert!(ThisMachine.free_bytes(folder.path()).is_some());
    }
}
