//! What a drill needs of the machine, looked at before anything is made.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use crate::hosts::Network;

/// Programs that the drill runs, with Debian's package of each.
const ALWAYS: [(&str, &str); 2] = [("setpriv", "util-linux"), ("taskset", "util-linux")];
const FOR_NAMESPACES: [(&str, &str); 3] =
    [("ip", "iproute2"), ("nsenter", "util-linux"), ("unshare", "util-linux")];

/// What is missing. The messages say what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unmet {
    /// Programs are not installed.
    #[error(
        "the drill needs {}, not found in PATH; as root, run: apt-get install --no-install-recommends {}",
        .programs.join(", "), .packages.join(" ")
    )]
    Programs {
        /// Which.
        programs: Vec<&'static str>,
        /// What brings them.
        packages: Vec<&'static str>,
    },
    /// Something listens on a port of the loopback drill.
    #[error(
        "{address} cannot be used: {source}. Without root there can be one drill at a time: does another run? \
         `ss -ltnp` shows who listens there"
    )]
    Port {
        /// The address that the drill needs.
        address: SocketAddr,
        /// The operating system's word.
        source: std::io::Error,
    },
}

/// Makes sure that a drill on that network can begin, whose servers listen on `ports`.
pub(crate) fn check(network: Network, ports: &[SocketAddr]) -> Result<(), Unmet> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    programs(network, |program| places.iter().any(|place| place.join(program).is_file()))?;
    if network == Network::Loopback {
        for address in ports {
            // Closed again at once: it only has to be free.
            TcpListener::bind(address).map_err(|source| Unmet::Port { address: *address, source })?;
        }
    }
    Ok(())
}

fn programs(network: Network, is_there: impl Fn(&str) -> bool) -> Result<(), Unmet> {
    let more = if network == Network::Namespaces { &FOR_NAMESPACES[..] } else { &[] };
    let missing: Vec<_> = ALWAYS.iter().chain(more).filter(|(program, _)| !is_there(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    Err(Unmet::Programs { programs: missing.iter().map(|(program, _)| *program).collect(), packages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let said = |network, there: &[&str]| {
            programs(network, |program| there.contains(&program)).map_err(|unmet| unmet.to_string())
        };
        let all = ["setpriv", "taskset", "ip", "nsenter", "unshare"];
        assert_eq!(said(Network::Namespaces, &all), Ok(()));
        assert_eq!(said(Network::Loopback, &all[..2]), Ok(()));
        let without_ip =
            said(Network::Namespaces, &["setpriv", "taskset", "nsenter", "unshare"]).unwrap_err();
        assert!(without_ip.contains("needs ip,"), "{without_ip}");
        assert!(without_ip.ends_with("apt-get install --no-install-recommends iproute2"), "{without_ip}");
        let without_any = said(Network::Namespaces, &[]).unwrap_err();
        assert!(without_any.contains("setpriv, taskset, ip, nsenter, unshare,"), "{without_any}");
        assert!(without_any.ends_with(" iproute2 util-linux"), "{without_any}");
    }
}
