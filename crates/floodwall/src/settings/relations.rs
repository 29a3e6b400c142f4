//! Faults that show only when settings are compared with one another.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::draft::{Draft, ServerDraft, SiteDraft, elements};
use super::quantity::format_size;
use super::section::Log;
use super::{AnyHost, Cleartext, HostPattern};

/// Adds every such fault to the log.
pub(super) fn check(draft: &Draft, any_host: AnyHost, log: &mut Log) {
    listeners(draft, log);
    server(draft, log);
    names(draft, log);
    hosts(draft, any_host, log);
    certificates(draft, log);
    for site in &draft.sites {
        origins(draft, site, log);
        limits(site, log);
        query(site, log);
        admission(site, log);
        cleartext(draft, site, log);
    }
    let names = draft.sites.iter().filter_map(|site| site.name.as_ref());
    let names: Vec<_> = names.map(|name| name.value.as_str()).collect();
    for day in &draft.calendar {
        day.check(&names, log);
    }
    let hosts = draft.sites.iter().flat_map(|site| elements(site.hosts.as_ref()));
    let hosts = hosts.filter(|host| matches!(host.value, HostPattern::Exact(_))).count();
    draft.watch.check(&names, hosts, log);
}

/// Whether both cannot be listened on at once. IPv6 listeners take IPv6 only, so the families do
/// not meet; port 0 is a new port each time.
pub(super) fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let (ip_a, ip_b) = (a.ip().to_canonical(), b.ip().to_canonical());
    a.port() == b.port()
        && a.port() != 0
        && ip_a.is_ipv4() == ip_b.is_ipv4()
        && (ip_a == ip_b || ip_a.is_unspecified() || ip_b.is_unspecified())
}

fn listeners(draft: &Draft, log: &mut Log) {
    let all: Vec<_> = draft.server.listeners().collect();
    let lost = log.lost.contains("http") || log.lost.contains("https") || log.lost.contains("server");
    let is_listener = |key: &str| matches!(key, "server.http" | "server.https");
    let faulty = log.faults.iter().any(|fault| is_listener(&fault.key));
    if all.iter().all(|(key, _)| *key == "server.admin") && !lost && !faulty {
        let at = draft.server.http.as_ref().and_then(|l| l.at.as_ref()).or(draft.server.at.as_ref());
        log.error(at, "server.http", "there is no listener", "write http = [\"0.0.0.0:80\"]");
    }
    for (index, (key, listener)) in all.iter().enumerate() {
        let mine = listener.value;
        let earlier = all.iter().take(index).find(|(_, other)| collide(other.value, mine));
        if let Some((other_key, other)) = earlier {
            let place = log.place_in_words(other.at.as_ref());
            let (at, key) = if listener.at.is_some() { (&listener.at, key) } else { (&other.at, other_key) };
            let (problem, fix) = if other.value == mine {
                (
                    format!("{mine} is given twice: also as {other_key}{place}"),
                    "take one of them out, or change its port",
                )
            } else {
                (
                    format!("{mine} conflicts with {} of {other_key}{place}", other.value),
                    if *key == "server.admin" || *other_key == "server.admin" {
                        "change the port of one of them"
                    } else {
                        "keep the one that stands for every address, or change a port"
                    },
                )
            };
            log.error(at.as_ref(), key, problem, fix);
        }
        if mine.port() == 0 && listener.at.is_some() {
            let fix = "write the port you want, unless this is a test";
            log.warning(
                listener.at.as_ref(),
                key,
                "port 0 lets the system choose another port at every start",
                fix,
            );
        }
    }
}

fn server(draft: &Draft, log: &mut Log) {
    let server = &draft.server;
    if let Some(admin) = &server.admin
        && !admin.value.ip().to_canonical().is_loopback()
    {
        log.warning(
            admin.at.as_ref(),
            "server.admin",
            format!("{} can be reached from other machines, and asks nobody for a password", admin.value),
            "write \"127.0.0.1:9800\", or see that a firewall lets only operators through",
        );
    }
    if let Some(interface) = &server.interface {
        log.warning(
            interface.at.as_ref(),
            "server.interface",
            "the packet filter is not part of this version: nothing is attached to the interface",
            "leave the key for a later version, or take it out",
        );
    }
    for proxy in &server.trusted_proxies {
        if proxy.value.length_bits() == 0 {
            let problem =
                format!("{} lets every visitor choose the address it is counted under", proxy.value);
            log.warning(
                proxy.at.as_ref(),
                "server.trusted_proxies",
                problem,
                "write the prefixes of your own proxies only",
            );
        }
    }
    proxy_protocol(server, log);
    if let (Some(object), Some(memory)) = (&server.object_max, &server.cache_memory)
        && object.value > memory.value
    {
        let at = object.at.as_ref().or(memory.at.as_ref());
        let key = if object.at.is_some() { "server.cache.object_max" } else { "server.cache.memory" };
        let (object, memory) = (format_size(object.value), format_size(memory.value));
        let problem = format!("`object_max` ({object}) is larger than the whole cache (`memory`, {memory})");
        log.error(at, key, problem, format!("write object_max = \"{memory}\" or less, or a larger `memory`"));
    }
}

fn names(draft: &Draft, log: &mut Log) {
    let mut seen = HashMap::new();
    for site in &draft.sites {
        let Some(name) = &site.name else { continue };
        if let Some(first) = seen.get(&name.value) {
            let problem = format!("another site is named `{}` too{}", name.value, log.place_in_words(*first));
            log.error(
                name.at.as_ref(),
                &format!("{}.name", site.path),
                problem,
                "give each site a name of its own",
            );
        } else {
            seen.insert(name.value.clone(), name.at.as_ref());
        }
    }
}

fn hosts(draft: &Draft, any_host: AnyHost, log: &mut Log) {
    let mut seen: HashMap<&HostPattern, (usize, Option<&super::definition::Span>)> = HashMap::new();
    for (index, site) in draft.sites.iter().enumerate() {
        let key = format!("{}.hosts", site.path);
        if let Some(list) = &site.hosts
            && list.value.is_empty()
            && log.faults.iter().all(|fault| fault.key != key)
        {
            log.error(
                list.at.as_ref(),
                &key,
                "the site has no host",
                "write for example hosts = [\"www.example.gov\"]",
            );
        }
        for host in elements(site.hosts.as_ref()) {
            if host.value == HostPattern::Any && any_host == AnyHost::Refused {
                let problem = "`*` for every host is only for a single site given by --listen and --origin";
                let fix = "write the site's host names, so that a flood to the bare address never reaches its origin";
                log.error(host.at.as_ref(), &key, problem, fix);
                continue;
            }
            let Some((other, first)) = seen.get(&host.value) else {
                seen.insert(&host.value, (index, host.at.as_ref()));
                continue;
            };
            let place = log.place_in_words(*first);
            let (problem, fix) = if *other == index {
                (format!("`{}` is given twice for this site{place}", host.value), "take one of them out")
            } else {
                let name = site_label(draft, *other);
                (
                    format!("`{}` already belongs to {name}{place}", host.value),
                    "leave it with the site that is to answer it",
                )
            };
            log.error(host.at.as_ref(), &key, problem, fix);
        }
    }
}

/// `site "sos"`, or its number where the name cannot be read.
fn site_label(draft: &Draft, index: usize) -> String {
    match draft.sites.get(index).and_then(|site| site.name.as_ref()) {
        Some(name) => format!("site \"{}\"", name.value),
        None => format!("site[{index}]"),
    }
}

fn certificates(draft: &Draft, log: &mut Log) {
    let https = elements(draft.server.https.as_ref()).next();
    let any = draft.sites.iter().any(|site| site.certificate.is_some() || site.key.is_some());
    let lost = log.lost.contains("certificate") || log.lost.contains("key") || log.lost.contains("site");
    if let Some(listener) = https
        && !any
        && !lost
        && !draft.sites.is_empty()
    {
        log.error(
            listener.at.as_ref(),
            "server.https",
            "there is an HTTPS listener, but no site has a certificate",
            "write certificate = \"site.pem\" and key = \"site.key\" below [[site]], or https = []",
        );
    }
    let faulty_https =
        log.lost.contains("https") || log.faults.iter().any(|fault| fault.key == "server.https");
    for site in &draft.sites {
        let pair = [
            ("certificate", &site.certificate, "key", &site.key),
            ("key", &site.key, "certificate", &site.certificate),
        ];
        for (key, given, other, missing) in pair {
            if let (Some(given), None) = (given, missing)
                && !log.lost.contains(other)
                && log.faults.iter().all(|fault| fault.key != format!("{}.{other}", site.path))
            {
                let fix = format!("write {other} = \"PATH\" beside it");
                log.error(
                    given.at.as_ref(),
                    &format!("{}.{key}", site.path),
                    format!("`{key}` is given without `{other}`"),
                    fix,
                );
            }
        }
        let site_key = format!("{}.certificate", site.path);
        match (&site.certificate, https) {
            (Some(certificate), None) if !faulty_https => {
                let problem = "the certificate is never used: there is no HTTPS listener";
                log.warning(
                    certificate.at.as_ref(),
                    &site_key,
                    problem,
                    "write https = [\"0.0.0.0:443\"] below [server]",
                );
            }
            (None, Some(_)) if any && site.key.is_none() && !lost => {
                let problem = "the site has no certificate of its own: by HTTPS its visitors are shown another site's, and warned";
                log.warning(
                    site.at.as_ref(),
                    &site_key,
                    problem,
                    "write certificate = \"PATH\" and key = \"PATH\"",
                );
            }
            _ => {}
        }
    }
}

fn origins(draft: &Draft, site: &SiteDraft, log: &mut Log) {
    let key = format!("{}.origin", site.path);
    if let Some(list) = &site.origins
        && list.value.is_empty()
        && log.faults.iter().all(|fault| fault.key != key)
    {
        let fix = "write for example origin = [\"http://10.0.0.5:8080\"]";
        log.error(list.at.as_ref(), &key, "the site has no origin", fix);
    }
    let mut seen = HashMap::new();
    for origin in elements(site.origins.as_ref()) {
        if let Some(first) = seen.insert(&origin.value, origin.at.as_ref()) {
            let problem = format!("{} is given twice{}", origin.value, log.place_in_words(first));
            log.error(origin.at.as_ref(), &key, problem, "take one of them out");
        }
        let Some(address) = origin.value.literal_address() else { continue };
        let internal = draft.server.internal.iter().find(|prefix| prefix.contains(address.ip()));
        if let Some(prefix) = internal.filter(|_| !site.may_reach_internal) {
            let problem = format!(
                "{} is in {prefix}, which server.internal keeps out of the public's reach",
                origin.value
            );
            let fix = "write the address of a server for the public; or, if the site is none for the public, role = \"internal\"";
            log.error(origin.at.as_ref(), &key, problem, fix);
        }
        let ours = draft.server.listeners().find(|(_, listener)| reaches(address, listener.value));
        if let Some((listener_key, listener)) = ours {
            let problem =
                format!("the origin is Floodwall itself: {listener_key} listens on {}", listener.value);
            log.error(
                origin.at.as_ref(),
                &key,
                problem,
                "write the address of the web server that is to be protected",
            );
        }
    }
}

/// Whether connecting to `target` from this machine meets `listener`, as far as the addresses tell.
pub(super) fn reaches(target: SocketAddr, listener: SocketAddr) -> bool {
    let (to, on) = (target.ip().to_canonical(), listener.ip().to_canonical());
    target.port() == listener.port()
        && (to == on || (on.is_unspecified() && to.is_loopback() && same_family(to, on)))
}

fn same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

fn query(site: &SiteDraft, log: &mut Log) {
    let key = format!("{}.query.allow", site.path);
    let mut seen = HashMap::new();
    for rule in elements(site.query.as_ref()) {
        let paths = (rule.value.below, rule.value.path.as_str());
        let Some(first) = seen.insert(paths, rule.at.as_ref()) else { continue };
        let star = if rule.value.below { "*" } else { "" };
        let problem = format!("`{}{star}` has a rule already{}", rule.value.path, log.place_in_words(first));
        log.error(rule.at.as_ref(), &key, problem, "write all names of one path into one rule");
    }
}

fn admission(site: &SiteDraft, log: &mut Log) {
    let draft = &site.admission;
    let key = |key: &str| format!("{}.admission.{key}", site.path);
    let mut seen = HashMap::new();
    for class in elements(draft.classes.as_ref()) {
        let name = class.value.name.as_str();
        if let Some(first) = seen.insert(name, class.at.as_ref()) {
            let problem = format!("the class `{name}` is there already{}", log.place_in_words(first));
            log.error(class.at.as_ref(), &key("classes"), problem, "write all its paths behind one name");
        } else if name == "pages" {
            let problem = "`pages` is the class of what no other class names";
            log.error(class.at.as_ref(), &key("classes"), problem, "choose another name");
        }
    }
    if let (Some(least), Some(most)) = (&draft.origin_requests_min, &draft.origin_requests_max)
        && least.value > most.value
    {
        let (at, name) = if least.at.is_some() {
            (least.at.as_ref(), "origin_requests_min")
        } else {
            (most.at.as_ref(), "origin_requests_max")
        };
        let problem = format!("the least, {}, is more than the most, {}", least.value, most.value);
        log.error(at, &key(name), problem, format!("write {} or less as the least", most.value));
    }
}

/// A header is taken on listeners there are, and from proxies that are named.
fn proxy_protocol(server: &ServerDraft, log: &mut Log) {
    let (Some(http), Some(https)) = (&server.http, &server.https) else { return };
    let listeners = || elements(Some(http)).chain(elements(Some(https)));
    for expected in elements(server.proxy_protocol.as_ref()) {
        if !listeners().any(|listener| listener.value == expected.value) {
            log.error(
                expected.at.as_ref(),
                "server.proxy_protocol",
                format!("nothing listens on {}", expected.value),
                "write an address of `http` or `https` as it stands there",
            );
        } else if server.trusted_proxies.is_empty() && !log.lost.contains("trusted_proxies") {
            log.warning(
                expected.at.as_ref(),
                "server.proxy_protocol",
                "no proxy is trusted, so no header is ever taken",
                "write the proxies' addresses as `trusted_proxies`",
            );
        }
    }
}

/// A redirection must lead somewhere: to a listener of ours, or to a proxy in front of us.
fn cleartext(draft: &Draft, site: &SiteDraft, log: &mut Log) {
    let Some(cleartext) = &site.cleartext else { return };
    let has_certificate = site.certificate.is_some() || site.key.is_some();
    let has_proxy = !draft.server.trusted_proxies.is_empty() || log.lost.contains("trusted_proxies");
    if cleartext.value == Cleartext::Redirect && !has_certificate && !has_proxy {
        log.error(
            cleartext.at.as_ref(),
            &format!("{}.cleartext", site.path),
            "visitors would be sent to HTTPS, which nobody answers for this site",
            "write certificate = \"site.pem\" and key = \"site.key\" beside it, or take `cleartext` out",
        );
    }
}

fn limits(site: &SiteDraft, log: &mut Log) {
    let pairs = [
        ("burst", &site.burst, "requests_per_second", &site.rate),
        ("origin_burst", &site.origin_burst, "origin_requests_per_second", &site.origin_rate),
    ];
    for (burst_key, burst, rate_key, rate) in pairs {
        if let (Some(burst), Some(rate)) = (burst, rate)
            && burst.at.is_some()
            && rate.value == 0
        {
            let problem = format!("`{burst_key}` has no effect: `{rate_key}` is 0, so nothing is limited");
            let key = format!("{}.limits.{burst_key}", site.path);
            log.warning(
                burst.at.as_ref(),
                &key,
                problem,
                format!("write {rate_key} too, or take `{burst_key}` out"),
            );
        }
    }
}
