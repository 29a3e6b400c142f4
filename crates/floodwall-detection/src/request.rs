//! What detection sees of one answered request: a few numbers, no texts.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use floodwall_model::Prefix;
use foldhash::quality::FixedState;

/// Facts of one request, fed to [`Sketches`](crate::Sketches) once it is answered (or refused). Small and `Copy`;
/// texts are hashed with a secret seed ([`RequestReader`]), so that nobody can choose values that
/// collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSeen {
    /// [`Prefix::client_key`] of the client's prefix.
    pub source: u64,
    /// [`Prefix::client_key`] of the client's network (/24, /48).
    pub network: u64,
    /// Number of the autonomous system; 0 where it is not known.
    pub asn: u32,
    /// Which part of the site, as the operator divides it: 0 to 7.
    pub path_class: PathClass,
    /// What kind of thing was asked for.
    pub kind: ContentKind,
    /// Hash of the path without its query.
    pub path: u64,
    /// Hash of the query; `None` where there is none.
    pub query: Option<u64>,
    /// Hash of the user agent; `None` where it sent none, or the log has none.
    pub agent: Option<u64>,
    /// What the agent says it is.
    pub agent_kind: AgentKind,
    /// Hash of the TLS or HTTP/2 fingerprint; `None` where there is none.
    pub fingerprint: Option<u64>,
    /// Method.
    pub method: MethodClass,
    /// Status of the answer.
    pub status: u16,
    /// How the cache took part.
    pub cache: CachePart,
    /// Where the visitor came from.
    pub referrer: Referrer,
    /// The token the visitor carried.
    pub token: TokenSeen,
    /// What admission decided.
    pub admission: AdmissionSeen,
}

/// A part of the site, 0 to 7; what is above counts as 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathClass(u8);

impl PathClass {
    /// How many there are.
    pub const COUNT: usize = 8;

    /// The class of that number.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self(number.min(7))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> usize {
        usize::from(self.0)
    }
}

/// What kind of thing is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// A page people read.
    Page,
    /// What a page needs: style sheets, scripts, pictures, fonts.
    Asset,
    /// An answer made for one visitor: look-up, search, form, API.
    Data,
    /// Feeds, downloads, `robots.txt` and the like.
    Other,
}

/// What a user agent says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentKind {
    /// A browser.
    Browser,
    /// A crawler, monitor or feed reader that says so.
    DeclaredBot,
    /// A tool or library for programs.
    Tool,
    /// None was sent, or none is known.
    Absent,
}

impl AgentKind {
    /// What an agent says it is. Reads the whole text several times (some microseconds for a long one):
    /// whoever sees many requests keeps what it said of an agent.
    #[must_use]
    pub fn of(agent: Option<&str>) -> Self {
        agent_kind(agent)
    }
}

/// Methods, as far as they differ for detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodClass {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// Any other.
    Other,
}

/// How the cache took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachePart {
    /// It answered.
    Answered,
    /// The request went to the origin, or would have had to.
    OriginBound,
    /// Not known (a log that does not say).
    Unknown,
}

/// Where a visitor came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrer {
    /// Named no page.
    Absent,
    /// A page of the same site.
    Own,
    /// Another site.
    Elsewhere,
    /// Not known (a log that does not say).
    Unknown,
}

/// The token a visitor carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenSeen {
    /// None.
    Absent,
    /// One that counts.
    Valid,
    /// One that does not.
    Invalid,
}

/// What admission decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionSeen {
    /// Let in at once.
    Admitted,
    /// Let in after waiting.
    Waited,
    /// Answered with a challenge.
    Challenged,
    /// Refused.
    Refused,
}

/// A request as a log or an edge has it: texts.
#[derive(Clone, Copy, Debug)]
pub struct RequestText<'a> {
    /// The visitor's address.
    pub client: IpAddr,
    /// Method as sent.
    pub method: &'a str,
    /// Path and query as sent.
    pub target: &'a str,
    /// `Referer` as sent; `None` where none was sent.
    pub referer: Option<&'a str>,
    /// `User-Agent` as sent; `None` where none was sent.
    pub user_agent: Option<&'a str>,
    /// Status of the answer.
    pub status: u16,
}

/// Turns texts into [`RequestSeen`]. What kinds the agents seen last are of is kept (8 kB, shared with
/// clones): to tell it takes longer than all the rest.
#[derive(Clone, Debug)]
pub struct RequestReader {
    hasher: FixedState,
    hosts: Vec<String>,
    kinds: Arc<KnownKinds>,
}

/// Kinds of agents by their hashes: a place for each, taken by whoever came last. Each place is one
/// number, so that threads need not wait for each other and nobody reads half of another's entry.
#[derive(Debug)]
struct KnownKinds([AtomicU64; KnownKinds::PLACES]);

impl KnownKinds {
    const PLACES: usize = 1_024;
    /// Bits of an entry that say the kind, or nothing where they are all 0; the others are the hash's.
    const KIND: u64 = 7;

    fn get(&self, hash: u64, look: impl FnOnce() -> AgentKind) -> AgentKind {
        let place = usize::try_from(hash >> 3).unwrap_or(0) & (Self::PLACES - 1);
        let Some(place) = self.0.get(place) else { return look() };
        let entry = place.load(Relaxed);
        if entry & !Self::KIND == hash & !Self::KIND {
            match entry & Self::KIND {
                1 => return AgentKind::Browser,
                2 => return AgentKind::DeclaredBot,
                3 => return AgentKind::Tool,
                4 => return AgentKind::Absent,
                _ => {}
            }
        }
        let kind = look();
        let number = match kind {
            AgentKind::Browser => 1,
            AgentKind::DeclaredBot => 2,
            AgentKind::Tool => 3,
            AgentKind::Absent => 4,
        };
        place.store((hash & !Self::KIND) | number, Relaxed);
        kind
    }
}

impl RequestReader {
    /// A reader with a secret seed. `hosts` are the site's own names, by which referrers are told
    /// apart; where it is empty, a referrer counts as the site's own when `own_referrer` of a log is
    /// not known, that is never.
    #[must_use]
    pub fn new(seed: u64, hosts: &[&str]) -> Self {
        let hosts = hosts.iter().map(|host| host.trim_start_matches("www.").to_ascii_lowercase()).collect();
        let kinds = Arc::new(KnownKinds([const { AtomicU64::new(0) }; KnownKinds::PLACES]));
        Self { hasher: FixedState::with_seed(seed), hosts, kinds }
    }

    /// The facts of a request. What a text cannot say (cache, token, admission, fingerprint, network
    /// operator) is left at "not known" and can be set by the caller.
    #[must_use]
    pub fn read(&self, text: &RequestText<'_>) -> RequestSeen {
        let (path, query) = match text.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text.target, None),
        };
        let method = match text.method {
            "GET" => MethodClass::Get,
            "HEAD" => MethodClass::Head,
            "POST" => MethodClass::Post,
            _ => MethodClass::Other,
        };
        let agent = text.user_agent.map(|agent| self.hasher.hash_one(agent.as_bytes()));
        RequestSeen {
            source: Prefix::of_client(text.client).client_key(),
            network: Prefix::of_network(text.client).client_key(),
            asn: 0,
            path_class: PathClass::default(),
            kind: kind_of(path, query, method),
            path: self.hasher.hash_one(path.as_bytes()),
            query: query.map(|query| self.hasher.hash_one(query.as_bytes())),
            agent,
            agent_kind: agent
                .map_or(AgentKind::Absent, |hash| self.kinds.get(hash, || agent_kind(text.user_agent))),
            fingerprint: None,
            method,
            status: text.status,
            cache: CachePart::Unknown,
            referrer: self.referrer(text.referer),
            token: TokenSeen::Absent,
            admission: if matches!(text.status, 429) {
                AdmissionSeen::Refused
            } else {
                AdmissionSeen::Admitted
            },
        }
    }

    /// The hash of an agent, as [`Self::read`] makes it: for whoever knows already what the agent is.
    #[must_use]
    pub fn hash_agent(&self, agent: &[u8]) -> u64 {
        self.hasher.hash_one(agent)
    }

    fn referrer(&self, referer: Option<&str>) -> Referrer {
        let Some(referer) = referer.filter(|text| !text.is_empty() && *text != "-") else {
            return Referrer::Absent;
        };
        let Some((_, rest)) = referer.split_once("://") else { return Referrer::Elsewhere };
        let host = rest.split(['/', '?', '#', ':']).next().unwrap_or("");
        let host = host.strip_prefix("www.").unwrap_or(host);
        let own = self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host));
        if own { Referrer::Own } else { Referrer::Elsewhere }
    }
}

/// What a path asks for, told by its name's ending.
fn kind_of(path: &str, query: Option<&str>, method: MethodClass) -> ContentKind {
    match kind_of_ending(path.as_bytes()) {
        Some(ContentKind::Asset) => ContentKind::Asset,
        _ if method == MethodClass::Post || path.starts_with("/api/") => ContentKind::Data,
        Some(kind) => kind,
        None if query.is_some_and(|query| !query.is_empty()) => ContentKind::Data,
        None => ContentKind::Page,
    }
}

/// What is known of the ending of a path's last name. Most paths have none: looked for from the end,
/// it costs no more than the longest of those that are known.
fn kind_of_ending(path: &[u8]) -> Option<ContentKind> {
    const LONGEST: usize = 5;
    let mut ending = [0_u8; LONGEST];
    let mut free = LONGEST;
    let mut bytes = path.iter().rev();
    loop {
        match *bytes.next()? {
            b'.' => break,
            b'/' => return None,
            byte => {
                free = free.checked_sub(1)?;
                *ending.get_mut(free)? = byte.to_ascii_lowercase();
            }
        }
    }
    match ending.get(free..)? {
        b"css" | b"js" | b"mjs" | b"map" | b"png" | b"jpg" | b"jpeg" | b"gif" | b"svg" | b"webp"
        | b"avif" | b"ico" | b"woff" | b"woff2" | b"ttf" | b"otf" | b"eot" | b"mp4" | b"webm" | b"wasm" => {
            Some(ContentKind::Asset)
        }
        b"xml" | b"txt" | b"rss" | b"atom" | b"pdf" | b"zip" | b"gz" | b"tgz" | b"deb" | b"json" => {
            Some(ContentKind::Other)
        }
        _ => None,
    }
}

fn agent_kind(agent: Option<&str>) -> AgentKind {
    let Some(agent) = agent.filter(|text| !text.is_empty() && *text != "-") else { return AgentKind::Absent };
    let (mut is_tool, mut rest) = (false, agent.as_bytes());
    while let Some(first) = rest.first() {
        let (bots, tools) = words(first.to_ascii_lowercase());
        let begins = |word: &&str| {
            rest.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
        };
        if bots.iter().any(begins) {
            return AgentKind::DeclaredBot;
        }
        is_tool = is_tool || tools.iter().any(begins);
        rest = rest.get(1..).unwrap_or(&[]);
    }
    if is_tool { AgentKind::Tool } else { AgentKind::Browser }
}

/// Words that begin with a letter and tell that a machine says it is one, and that it is a tool.
fn words(first: u8) -> (&'static [&'static str], &'static [&'static str]) {
    match first {
        b'a' => (&["archiver"], &["axios"]),
        b'b' => (&["bot", "blackbox"], &[]),
        b'c' => (&["crawl", "checker"], &["curl"]),
        b'f' => (&["feed", "facebookexternalhit"], &[]),
        b'g' => (&[], &["go-http"]),
        b'h' => (&[], &["httpclient"]),
        b'j' => (&[], &["java/"]),
        b'l' => (&[], &["libwww"]),
        b'm' => (&["monitor"], &[]),
        b'o' => (&[], &["okhttp"]),
        b'p' => (&["preview", "probe"], &["python", "perl"]),
        b'r' => (&["rss"], &["ruby"]),
        b's' => (&["spider", "slurp"], &["scrapy"]),
        b'u' => (&["uptime"], &[]),
        b'w' => (&[], &["wget"]),
        _ => (&[], &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(method: &'a str, target: &'a str, referer: &'a str, agent: &'a str) -> RequestText<'a> {
        RequestText {
            client: "192.0.2.7".parse().unwrap(),
            method,
            target,
            referer: (!referer.is_empty()).then_some(referer),
            user_agent: (!agent.is_empty()).then_some(agent),
            status: 200,
        }
    }

    #[test]
    fn kinds_agents_and_referrers_are_told_apart() {
        use AgentKind as A;
        use ContentKind as C;
        use Referrer as R;
        let reader = RequestReader::new(1, &["www.vote.example"]);
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0";
        let rows = [
            ("GET", "/", "", firefox, C::Page, A::Browser, R::Absent),
            ("GET", "/a/site.CSS?v=3", "https://vote.example/", firefox, C::Asset, A::Browser, R::Own),
            (
                "GET",
                "/lookup?address=1",
                "http://www.vote.example:80/x",
                "curl/8.0",
                C::Data,
                A::Tool,
                R::Own,
            ),
            ("POST", "/register", "https://vote.example.evil/", "", C::Data, A::Absent, R::Elsewhere),
            ("GET", "/feed.xml", "-", "Googlebot/2.1", C::Other, A::DeclaredBot, R::Absent),
            ("GET", "/page?", "nonsense", firefox, C::Page, A::Browser, R::Elsewhere),
        ];
        for (method, target, referer, agent, kind, agent_kind, referrer) in rows {
            let seen = reader.read(&text(method, target, referer, agent));
            assert_eq!((seen.kind, seen.agent_kind, seen.referrer), (kind, agent_kind, referrer), "{target}");
        }
    }

    #[test]
    fn endings_are_those_of_the_last_name() {
        use ContentKind as C;
        let rows = [
            ("/a.css", Some(C::Asset)),
            ("/a.tar.WOFF2", Some(C::Asset)),
            ("/.js", Some(C::Asset)),
            ("/a.pdf", Some(C::Other)),
            ("/a.b/css", None),
            ("/css", None),
            ("css", None),
            ("/a.css/", None),
            ("/a.", None),
            ("/a.stylesheet", None),
            ("/a.woff2x", None),
            ("*", None),
            ("", None),
        ];
        for (path, kind) in rows {
            assert_eq!(kind_of_ending(path.as_bytes()), kind, "{path}");
        }
    }

    #[test]
    fn a_known_agent_is_what_it_was_and_any_number_of_others_changes_nothing() {
        let reader = RequestReader::new(1, &[]);
        let kind = |agent: &str| reader.read(&text("GET", "/", "", agent)).agent_kind;
        for round in 0..3 {
            for number in 0..3_000 {
                let (name, expected) = match number % 4 {
                    0 => ("Mozilla/5.0 Firefox", AgentKind::Browser),
                    1 => ("some WGET", AgentKind::Tool),
                    2 => ("Mozilla/5.0 (compatible; python curl AhrefsBot)", AgentKind::DeclaredBot),
                    _ => ("roBOT", AgentKind::DeclaredBot),
                };
                assert_eq!(kind(&format!("{name}/{number}")), expected, "{name}, round {round}");
            }
        }
        assert_eq!(kind("-"), AgentKind::Absent);
        assert_eq!(kind("-"), AgentKind::Absent);
    }

    #[test]
    fn another_seed_gives_other_hashes() {
        let request = text("GET", "/a?b", "", "x");
        let (one, two) = (RequestReader::new(1, &[]), RequestReader::new(2, &[]));
        assert_eq!(one.read(&request), one.read(&request));
        assert_ne!(one.read(&request).path, two.read(&request).path);
    }
}
