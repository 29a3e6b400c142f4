use super::*;

#[test]
fn a_namespace_with_any_other_link_is_not_ours() {
    let head = "Inter-|   Receive\n face |bytes    packets\n";
    for (devices, ours) in [
        ("    lo: 0 0\nfwdrill: 0 0\n", true),
        ("    lo: 0 0\nfwdrill1: 0 0\nfwdrill2: 0 0\n", true),
        ("    lo: 0 0\n", false),
        ("    lo: 0 0\nfwdrill: 0 0\n  eth0: 0 0\n", false),
        ("", false),
    ] {
        assert_eq!(is_drill_namespace(&format!("{head}{devices}")), ours, "{devices}");
    }
}

#[test]
fn every_address_is_of_a_network_set_aside_or_loopback() {
    for network in [Network::Namespaces, Network::Loopback] {
        for host in Host::ALL {
            let own = OwnHost { network, host };
            let sources = [Source::V4(0), Source::V4(u16::MAX)].map(|source| own.source(source));
            let servers = [false, true].map(|v6| network.address(host, v6, 80).socket().ip());
            for address in sources.into_iter().chain(servers) {
                let text = address.to_string();
                let set_aside = ["192.0.2.", "198.18.", "198.19.", "2001:db8:"];
                assert!(
                    address.is_loopback() || set_aside.iter().any(|start| text.starts_with(start)),
                    "{network:?} {host:?} {text}"
                );
            }
        }
    }
}
