//! Ports, origins and directories: whether they are there for the taking.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::Probed;
use crate::client_files;
use crate::doctor::PORTS_BELOW_1024;
use crate::doctor::machine::{CONNECT_TIMEOUT, Machine, may_write_or_make, port_holder};
use crate::settings::{Origin, OriginTarget, Place, ProbeTargets};

/// Origins tried at once. Each takes a thread for [`CONNECT_TIMEOUT`] at most, or as long as the
/// resolver takes.
const ORIGINS_AT_ONCE: usize = 16;

/// Addresses of one origin that are tried.
const ADDRESSES_MAX: usize = 4;

pub(super) fn listeners(machine: &dyn Machine, listeners: &[(SocketAddr, Place)]) -> Vec<Probed> {
    listeners.iter().filter_map(|(address, place)| listener(machine, *address, place)).collect()
}

fn listener(machine: &dyn Machine, address: SocketAddr, place: &Place) -> Option<Probed> {
    if address.port() == 0 {
        return None;
    }
    let error = machine.try_listen(address).err()?;
    let port = address.port();
    Some(match error.kind() {
        io::ErrorKind::AddrInUse => match port_holder(machine, port) {
            Some(holder) if holder.program == "floodwall" => Probed::warning(
                place,
                format!("{address} is in use by a running Floodwall (process {})", holder.process),
                "nothing to do if these are the settings it runs with; otherwise choose another port",
            ),
            Some(holder) => Probed::error(
                place,
                format!("{address} is in use by {} (process {})", holder.program, holder.process),
                "stop that program, or write another port",
            ),
            None => Probed::error(
                place,
                format!("{address} is in use by another program"),
                format!(
                    "find it with `ss -ltnp 'sport = :{port}'` as root and stop it, or write another port"
                ),
            ),
        },
        io::ErrorKind::PermissionDenied if port < 1024 => {
            Probed::error(place, format!("this user may not listen on port {port}"), PORTS_BELOW_1024)
        }
        io::ErrorKind::AddrNotAvailable => Probed::error(
            place,
            format!("this machine has no address {}", address.ip()),
            "write one of those that `ip address` shows, or 0.0.0.0 (or [::]) for all of them",
        ),
        _ => Probed::error(
            place,
            format!("{address} cannot be listened on: {error}"),
            "write another address or port",
        ),
    })
}

pub(super) fn directories(machine: &dyn Machine, targets: &ProbeTargets) -> Vec<Probed> {
    let state = targets.state.iter().map(|(path, place)| (path.as_path(), place));
    let log = targets.access_log.iter().map(|(path, place)| (path.parent().unwrap_or(Path::new("/")), place));
    state.chain(log).filter_map(|(directory, place)| directory_fault(machine, directory, place)).collect()
}

fn directory_fault(machine: &dyn Machine, directory: &Path, place: &Place) -> Option<Probed> {
    let (at, error) = may_write_or_make(machine, directory).err()?;
    let problem = if at == directory {
        format!("{} cannot be written: {error}", directory.display())
    } else {
        format!("{} cannot be made: {}: {error}", directory.display(), at.display())
    };
    let fix = format!(
        "run `install -d -o USER {}` as root, with the user Floodwall runs as, or write another path",
        directory.display()
    );
    Some(Probed::error(place, problem, fix))
}

/// Tries every origin, a number of them at once.
/// Whether what is said of clients can be read: by this user, which should be the one that serves.
pub(super) fn client_files(targets: &ProbeTargets) -> Vec<Probed> {
    let files = targets.client_files.iter();
    files
        .filter_map(|(kind, path, place)| {
            let error = client_files::try_read(*kind, path).err()?;
            Some(Probed::error(
                place,
                error.to_string(),
                "see the path, who may read the file, and what is in it",
            ))
        })
        .collect()
}

pub(super) fn origins(machine: &dyn Machine, targets: &ProbeTargets) -> Vec<Probed> {
    let mut found = Vec::new();
    for chunk in targets.origins.chunks(ORIGINS_AT_ONCE) {
        std::thread::scope(|scope| {
            let probes: Vec<_> = chunk
                .iter()
                .map(|target| scope.spawn(|| origin_fault(machine, target, &targets.listeners)))
                .collect();
            // A probe that panicked found nothing; its message is on standard error already.
            found.extend(probes.into_iter().filter_map(|probe| probe.join().ok().flatten()));
        });
    }
    found
}

fn origin_fault(
    machine: &dyn Machine,
    target: &OriginTarget,
    listeners: &[(SocketAddr, Place)],
) -> Option<Probed> {
    let OriginTarget { origin, place, out_of_reach } = target;
    let literal = origin.literal_address();
    let resolved = match literal {
        Some(address) => Ok(vec![address]),
        None => machine.resolve(&origin.host, origin.port),
    };
    let addresses = match resolved {
        Ok(addresses) if !addresses.is_empty() => addresses,
        Ok(_) => return Some(unresolved(origin, place, "the name has no address")),
        Err(error) => return Some(unresolved(origin, place, &error.to_string())),
    };
    if let Some((address, (_, listener))) = ourselves(machine, &addresses, listeners) {
        let listens = format!("{address} is this machine, where {} listens", listener.key);
        let fix = "write the address of the web server that is to be protected";
        // What the addresses alone prove was said with the settings.
        return (!address.ip().is_loopback() || literal.is_none())
            .then(|| Probed::error(place, format!("the origin is Floodwall itself: {listens}"), fix));
    }
    let beyond =
        addresses.iter().find(|address| out_of_reach.iter().any(|prefix| prefix.contains(address.ip())));
    if let Some(address) = beyond {
        let problem = format!(
            "{} leads to {}, which server.internal keeps out of the public's reach",
            origin.host,
            address.ip()
        );
        let fix = "write the name of a server for the public: Floodwall does not connect to this one";
        // What the address alone proves was said with the settings.
        return literal.is_none().then(|| Probed::error(place, problem, fix));
    }
    let mut failures = Vec::new();
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match machine.connect(*address) {
            Ok(()) => return None,
            Err(error) => failures.push(format!("{address} {}", in_words(&error))),
        }
    }
    let problem = format!("{origin} cannot be reached now: {}", failures.join("; "));
    let fix = "start the web server there and let this machine through its firewall, or write the right address (--offline leaves this out)";
    Some(Probed::error(place, problem, fix))
}

fn unresolved(origin: &Origin, place: &Place, cause: &str) -> Probed {
    let problem = format!("the origin's name {} cannot be resolved: {cause}", origin.host);
    Probed::error(
        place,
        problem,
        "write a name that this machine can resolve (`getent hosts NAME`), or an address",
    )
}

/// The first address that leads back to one of our own listeners, with that listener.
fn ourselves<'l>(
    machine: &dyn Machine,
    addresses: &[SocketAddr],
    listeners: &'l [(SocketAddr, Place)],
) -> Option<(SocketAddr, &'l (SocketAddr, Place))> {
    addresses.iter().find_map(|address| {
        let ip = address.ip().to_canonical();
        let meets = |(listener, _): &&(SocketAddr, Place)| {
            let on = listener.ip().to_canonical();
            let all = on.is_unspecified() && on.is_ipv4() == ip.is_ipv4() && machine.is_own(ip);
            listener.port() == address.port() && (on == ip || all)
        };
        listeners.iter().find(meets).map(|listener| (*address, listener))
    })
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refuses connections: nothing listens on that port".to_owned(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            format!(
                "does not answer within {} seconds: it is down, or a firewall is between",
                CONNECT_TIMEOUT.as_secs()
            )
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "cannot be reached: there is no route".to_owned()
        }
        _ => format!("fails: {error}"),
    }
}
