//! A person with a browser, and an edge whose origin has room for one.

use std::time::Duration;

use crate::support::origin::page;
use crate::support::start_with_clock;
use crate::support::{Answer, Origin, Visitor, config, until};
use floodwall_edge::{EdgeConfig, EdgeHandle};
use floodwall_model::GateStatus;
use floodwall_policy::BudgetSettings;

const PRIVATE: (&str, &str) = ("cache-control", "no-store");

/// An edge whose clock stands still, so that a line stays as long as it is.
pub(crate) fn start(config: EdgeConfig) -> EdgeHandle {
    start_with_clock(config).0
}

/// An origin that answers one at a time.
pub(crate) fn one_at_a_time(origin: &Origin) -> EdgeConfig {
    let mut config = config(&[origin.address]);
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let admission = &mut config.sites[0].admission;
    admission.budget = BudgetSettings::new(1, 1).unwrap();
    // One waits, at the ten a second that are believed in at first; of further ones something is asked.
    admission.wait_max = Duration::from_millis(100);
    config
}

pub(crate) fn look_up() -> Origin {
    Origin::start(|asked| page(asked.uri().path(), &[PRIVATE]))
}

pub(crate) fn gate(edge: &EdgeHandle) -> GateStatus {
    edge.sites()[0].gates[0].clone()
}

/// A person with a browser that keeps cookies, behind an address of their own.
pub(crate) struct Person {
    pub(crate) address: String,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) keeps_cookies: bool,
    pub(crate) fields: &'static str,
}

pub(crate) const BROWSER: &str = "User-Agent: Browser/1 Mobile\r\nAccept: text/html\r\n";

impl Person {
    pub(crate) fn new(number: u32) -> Self {
        let address = std::net::Ipv4Addr::from(0xC633_6400 + number * 257).to_string();
        Self { address, cookies: Vec::new(), keeps_cookies: true, fields: BROWSER }
    }

    pub(crate) fn send(&self, edge: &EdgeHandle, target: &str) -> Visitor {
        let mut visitor = Visitor::connect(edge);
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies =
            if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let (address, fields) = (&self.address, self.fields);
        visitor.send(
            format!(
                "GET {target} HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: {address}\r\n{fields}{cookies}\r\n"
            )
            .as_bytes(),
        );
        visitor
    }

    pub(crate) fn take_cookies(&mut self, answer: &Answer) {
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if self.keeps_cookies && !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Asks once.
    pub(crate) fn ask(&mut self, edge: &EdgeHandle, target: &str) -> Answer {
        let answer = self.send(edge, target).read_answer(false);
        self.take_cookies(&answer);
        answer
    }

    /// Asks and follows redirects as a browser does; the last answer, and where it was asked for.
    pub(crate) fn browse(&mut self, edge: &EdgeHandle, target: &str) -> (Answer, String) {
        let mut target = target.to_owned();
        for _ in 0..10 {
            let answer = self.ask(edge, &target);
            match (answer.status, answer.header("location")) {
                (307, Some(location)) => target = location.to_owned(),
                _ => return (answer, target),
            }
        }
        panic!("redirected in a circle at {target}");
    }
}

/// Fills the only place at the origin, and the only one in line.
pub(crate) fn fill(edge: &EdgeHandle, origin: &Origin) -> Vec<Visitor> {
    origin.close_gate();
    let before = origin.count();
    let first = Person::new(1_000).send(edge, "/held-1");
    until("the place is taken", || origin.count() > before);
    let second = Person::new(1_001).send(edge, "/held-2");
    until("one waits", || gate(edge).waiting == 1);
    vec![first, second]
}
