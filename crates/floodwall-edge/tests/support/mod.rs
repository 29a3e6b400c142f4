//! A real edge between a real visitor and a real origin, all on loopback.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(unreachable_pub, reason = "a test's own modules")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "test support")]

pub mod origin;
pub mod raw_origin;
pub mod secure;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use floodwall_edge::{
    AccessSink, BoundEdge, CacheSettings, ClientRegister, EdgeConfig, EdgeHandle, OriginConfig, QueryRules,
    SiteAdmission, SiteConfig, Timeouts,
};
use floodwall_model::{AccessRecord, Clock, Timestamp};
use floodwall_policy::{BudgetSettings, HandshakeLimits, Secret, SitePolicy};

pub use origin::Origin;

/// The operating system's clock, for tests; it can be put forward.
pub struct TestClock(Instant, AtomicU64, AtomicBool);

impl TestClock {
    #[expect(clippy::disallowed_methods, reason = "a test's clock module")]
    pub fn start() -> Arc<Self> {
        Arc::new(Self(Instant::now(), AtomicU64::new(0), AtomicBool::new(false)))
    }

    /// A clock that stands still until it is put forward.
    pub fn standing() -> Arc<Self> {
        let clock = Self::start();
        clock.2.store(true, Ordering::SeqCst);
        clock.skip(Duration::from_secs(1));
        clock
    }

    /// Puts the clock forward.
    pub fn skip(&self, span: Duration) {
        self.1.fetch_add(u64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let runs = if self.2.load(Ordering::SeqCst) { Duration::ZERO } else { self.0.elapsed() };
        let elapsed = runs + Duration::from_micros(self.1.load(Ordering::SeqCst));
        Timestamp::new(elapsed, 1_790_000_000_000_000 + i64::try_from(elapsed.as_micros()).unwrap())
    }
}

/// An access log in memory.
#[derive(Default)]
pub struct Records(pub Mutex<Vec<AccessRecord>>);

impl AccessSink for Records {
    fn record(&self, record: AccessRecord) {
        self.0.lock().unwrap().push(record);
    }
}

pub fn config(origins: &[SocketAddr]) -> EdgeConfig {
    EdgeConfig {
        http: vec!["127.0.0.1:0".parse().unwrap()],
        https: Vec::new(),
        certificates: Vec::new(),
        sites: vec![site("sos", &["a.test"], origins)],
        trusted_proxies: Vec::new(),
        proxy_protocol: Vec::new(),
        workers: 2,
        connections_max: 1000,
        tracked_prefixes: 4096,
        handshakes: HandshakeLimits::default(),
        // Tests of origins that are gone are not to wait for them, save those that are about that.
        timeouts: Timeouts { origin_return: Duration::ZERO, ..Timeouts::default() },
        cache: CacheSettings::default(),
        kept: None,
    }
}

pub fn site(name: &str, hosts: &[&str], origins: &[SocketAddr]) -> SiteConfig {
    SiteConfig {
        name: name.into(),
        hosts: hosts.iter().map(|h| (*h).into()).collect(),
        role: None,
        origins: origins
            .iter()
            .map(|o| OriginConfig { host: o.ip().to_string(), port: o.port(), requests_max: 256 })
            .collect(),
        policy: SitePolicy::default(),
        paths: Vec::new(),
        kept_banner: false,
        out_of_reach: Vec::new(),
        stale_if_error: None,
        https_only: false,
        hsts: None,
        // Tests of other things are not about who gets in.
        admission: SiteAdmission {
            budget: BudgetSettings::new(256, 256).unwrap(),
            ..SiteAdmission::default()
        },
        query: QueryRules::default(),
    }
}

pub fn start(config: EdgeConfig) -> EdgeHandle {
    BoundEdge::bind(config, TestClock::start(), None).unwrap().start().unwrap()
}

pub fn start_with_clock(config: EdgeConfig) -> (EdgeHandle, Arc<TestClock>) {
    let clock = TestClock::standing();
    (BoundEdge::bind(config, clock.clone(), None).unwrap().start().unwrap(), clock)
}

pub fn start_with(config: EdgeConfig, clock: Arc<TestClock>) -> EdgeHandle {
    BoundEdge::bind(config, clock, None).unwrap().start().unwrap()
}

/// With a clock that stands still, this secret, and this register of clients.
pub fn start_with_secret(
    config: EdgeConfig,
    secret: &Secret,
    register: Arc<dyn ClientRegister>,
) -> (EdgeHandle, Arc<TestClock>) {
    let clock = TestClock::standing();
    let bound = BoundEdge::bind(config, clock.clone(), None).unwrap();
    bound.use_secret(secret);
    bound.use_register(register);
    (bound.start().unwrap(), clock)
}

pub fn start_with_log(config: EdgeConfig) -> (EdgeHandle, Arc<Records>) {
    let records = Arc::new(Records::default());
    let edge = BoundEdge::bind(config, TestClock::start(), Some(records.clone())).unwrap().start().unwrap();
    (edge, records)
}

/// Waits for a condition that is about to hold; fails after a generous while.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = TestClock::start();
    while !holds() {
        assert!(waited.0.elapsed() < Duration::from_secs(20), "did not come true: {what}");
        std::thread::yield_now();
    }
}

/// A visitor's HTTP/1.1 connection, by hand.
pub struct Visitor {
    pub stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Visitor {
    pub fn connect(edge: &EdgeHandle) -> Self {
        let stream = TcpStream::connect(edge.addresses().http[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    /// `fields`: lines, each with its CRLF.
    pub fn get_with(&mut self, path: &str, fields: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n").as_bytes());
        self.read_answer(false)
    }

    pub fn read_answer(&mut self, head_only: bool) -> Answer {
        self.try_read_answer(head_only).expect("an answer")
    }

    /// `None` when the connection was closed instead.
    pub fn try_read_answer(&mut self, head_only: bool) -> Option<Answer> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if !head_only && !matches!(status, 204 | 304) {
            answer.body = self.read_body(&answer)?;
        }
        Some(answer)
    }

    fn read_body(&mut self, answer: &Answer) -> Option<Vec<u8>> {
        if answer.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            loop {
                let mut size = String::new();
                self.stream.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).ok()?;
                if size == 0 {
                    return Some(body);
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        let mut body = Vec::new();
        match answer.header("content-length") {
            Some(length) => {
                body.resize(length.parse().ok()?, 0);
                self.stream.read_exact(&mut body).ok()?;
            }
            None => {
                self.stream.read_to_end(&mut body).ok()?;
            }
        }
        Some(body)
    }

    /// Whether the edge closes the connection (waits for it).
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

pub fn get(edge: &EdgeHandle, path: &str) -> Answer {
    Visitor::connect(edge).get(path)
}
