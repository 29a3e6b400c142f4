//! Lines of a log as detection takes them: texts hashed, agents told apart, the site's own pages
//! known among the referrers.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;

use floodwall_detection::{AgentKind, CachePart, RequestReader, RequestSeen, RequestText};
use floodwall_exchange::access_log::{Line, LogReader, LogRecord, OriginUse};
use foldhash::fast::FixedState;

use super::event::{SEED, is_part};

/// User agents whose kind is remembered; when there are more, all are looked at anew.
const AGENTS_MAX: usize = 16_384;
/// The part of the referrers of style sheets and the like that name a host before it counts as the
/// site's own: one in so many.
const OWN_ONE_IN: usize = 10;

/// Reads requests of one log.
pub(crate) struct RequestReading {
    reader: RequestReader,
    hasher: FixedState,
    agents: HashMap<u64, (Option<u64>, AgentKind)>,
    target: String,
}

impl RequestReading {
    /// `own_hosts` are the site's own names.
    pub(crate) fn new(own_hosts: &[String]) -> Self {
        let hosts: Vec<_> = own_hosts.iter().map(String::as_str).collect();
        Self {
            reader: RequestReader::new(SEED, &hosts),
            hasher: FixedState::with_seed(SEED),
            agents: HashMap::new(),
            target: String::new(),
        }
    }

    /// The facts of one request; `client` is the visitor.
    pub(crate) fn read(&mut self, record: &LogRecord<'_>, client: IpAddr) -> RequestSeen {
        self.target.clear();
        push_lossy(&mut self.target, record.path);
        if let Some(query) = record.query {
            self.target.push('?');
            push_lossy(&mut self.target, query);
        }
        let referer = record.referer.map(String::from_utf8_lossy);
        let method = match record.method {
            b"GET" => "GET",
            b"HEAD" => "HEAD",
            b"POST" => "POST",
            _ => "",
        };
        let text = RequestText {
            client,
            method,
            target: &self.target,
            referer: referer.as_deref(),
            user_agent: None,
            status: record.status.unwrap_or(0),
        };
        let mut seen = self.reader.read(&text);
        (seen.agent, seen.agent_kind) = self.agent(record.user_agent, client);
        seen.cache = match record.origin {
            OriginUse::NotAsked => CachePart::Answered,
            OriginUse::Asked => CachePart::OriginBound,
            OriginUse::Unknown => CachePart::Unknown,
        };
        seen
    }

    /// What an agent is takes long to tell, and a log has few of them.
    fn agent(&mut self, agent: Option<&[u8]>, client: IpAddr) -> (Option<u64>, AgentKind) {
        let Some(agent) = agent else { return (None, AgentKind::Absent) };
        let key = self.hasher.hash_one(agent);
        if let Some(known) = self.agents.get(&key) {
            return *known;
        }
        let agent = String::from_utf8_lossy(agent);
        let user_agent = Some(agent.as_ref());
        let text = RequestText { client, method: "GET", target: "/", referer: None, user_agent, status: 200 };
        let seen = self.reader.read(&text);
        if self.agents.len() >= AGENTS_MAX {
            self.agents.clear();
        }
        self.agents.insert(key, (seen.agent, seen.agent_kind));
        (seen.agent, seen.agent_kind)
    }
}

fn push_lossy(text: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(valid) => text.push_str(valid),
        Err(_) => text.push_str(&String::from_utf8_lossy(bytes)),
    }
}

/// The hosts whose pages the parts of pages are asked for from: they are the site's own.
pub(crate) fn own_hosts(beginning: &[u8], mut reader: LogReader) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut all = 0;
    for line in beginning.split(|byte| *byte == b'\n') {
        let Line::Request(record) = reader.read(line) else { continue };
        if !is_part(record.path) {
            continue;
        }
        let Some(host) = record.referer.and_then(host_of) else { continue };
        all += 1;
        *counts.entry(host).or_default() += 1;
    }
    let mut hosts: Vec<_> =
        counts.into_iter().filter(|(_, count)| count * OWN_ONE_IN >= all).map(|(host, _)| host).collect();
    hosts.sort();
    hosts
}

/// The host of `https://www.example.gov:8443/page`.
fn host_of(url: &[u8]) -> Option<String> {
    let url = std::str::from_utf8(url).ok()?;
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use floodwall_exchange::access_log::LogFormat;

    use super::*;

    #[test]
    fn a_sites_own_hosts_are_those_whose_pages_ask_for_parts() {
        let line = |path: &str, referer: &str| {
            format!(
                "192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] \"GET {path} HTTP/1.1\" 200 5 \"{referer}\" \"x\"\n"
            )
        };
        let own = (0..30).map(|_| line("/site.css", "https://www.Example.gov/a")).collect::<String>();
        let other = line("/logo.png", "http://elsewhere.example/") + &line("/", "http://search.example/");
        let hosts = own_hosts((own + &other).as_bytes(), LogReader::new(LogFormat::Combined, 0));
        assert_eq!(hosts, ["www.example.gov"]);
    }
}
