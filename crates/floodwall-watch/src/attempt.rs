//! What came of a probe.

use std::net::SocketAddr;

use floodwall_model::Timestamp;
use floodwall_outage::{Cause, Family, UnknownCause};

use crate::evidence::{CertificateFacts, Evidence};
use crate::resolve::Answer;
use crate::stamps::Stamps;

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// By the target, as far as can be seen from here.
    Target(Cause),
    /// By something on the prober's own host; of the target this says nothing.
    Own(UnknownCause),
}

/// One attempt at one address of a target, or at its name where no address came of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Which family it belongs to; `None` where the failure came before there was one.
    pub family: Option<Family>,
    /// The address that was tried.
    pub address: Option<SocketAddr>,
    /// When each phase began and ended. Of a probe that was redirected, those of the last request.
    pub stamps: Stamps,
    /// How it ended.
    pub result: Result<(), Failure>,
    /// The last answer's status.
    pub status: Option<u16>,
    /// The last answer's HTTP version.
    pub http_version: Option<http::Version>,
    /// The TLS version that was agreed on, as IANA numbers it: `0x0304` for 1.3.
    pub tls_version: Option<u16>,
    /// The certificates that the server showed, the server's own first.
    pub certificates: Vec<CertificateFacts>,
    /// Redirects that were followed.
    pub redirects: u8,
    /// Bytes of the last body.
    pub body_bytes: u64,
    /// SHA-256 of the last body, where it was read whole.
    pub body_sha256: Option<[u8; 32]>,
    /// What was seen when it failed.
    pub evidence: Option<Box<Evidence>>,
}

impl Attempt {
    pub(crate) fn new(address: Option<SocketAddr>) -> Self {
        Self {
            family: address.map(|address| if address.is_ipv4() { Family::V4 } else { Family::V6 }),
            address,
            stamps: Stamps::default(),
            result: Ok(()),
            status: None,
            http_version: None,
            tls_version: None,
            certificates: Vec::new(),
            redirects: 0,
            body_bytes: 0,
            body_sha256: None,
            evidence: None,
        }
    }
}

/// A probe's result: every attempt, none hiding another.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// What the resolvers said.
    pub answers: Vec<Answer>,
    /// At least one.
    pub attempts: Vec<Attempt>,
}

impl Report {
    /// What the probe says: the first failure that is the target's; else its success at any address;
    /// else the prober's own trouble.
    ///
    /// # Errors
    /// The failure.
    pub fn outcome(&self) -> Result<(), Failure> {
        self.outcome_of(|_| true)
    }

    /// The same of one family; `None` where it was not tried.
    #[must_use]
    pub fn outcome_by_family(&self, family: Family) -> Option<Result<(), Failure>> {
        let of = |attempt: &Attempt| attempt.family == Some(family);
        self.attempts.iter().any(of).then(|| self.outcome_of(of))
    }

    fn outcome_of(&self, of: impl Fn(&Attempt) -> bool) -> Result<(), Failure> {
        let results = || self.attempts.iter().filter(|attempt| of(attempt)).map(|attempt| attempt.result);
        if let Some(failed) = results().find(|result| matches!(result, Err(Failure::Target(_)))) {
            return failed;
        }
        if results().any(|result| result.is_ok()) {
            return Ok(());
        }
        results().next().unwrap_or(Err(Failure::Own(UnknownCause::ProberFailed)))
    }
}
