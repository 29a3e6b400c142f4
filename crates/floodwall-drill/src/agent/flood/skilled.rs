//! What flooders do who meet challenges as browsers do: keep cookies, follow redirects, solve proofs of
//! work at a bounded rate, and hand one token around.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};

use crate::agent::answer::{challenge, location};
use crate::agent::jar::Jar;
use crate::agent::work::{Challenge, Solver, WORK_COOKIE};
use crate::clock::Moment;
use crate::scenario::{Flood, Skill};

/// Redirects and proofs for one request.
pub(super) const FOLLOWED_MAX: u32 = 5;
/// The largest page in which a challenge is looked for.
pub(super) const BODY_BYTES_MAX: usize = 256 << 10;
/// A native solver is charged nothing but its own time.
const NO_CHARGE: u32 = u32::MAX;

/// Jars and solver of one flood.
#[derive(Debug)]
pub(super) struct Skilled {
    skill: Skill,
    solver: Option<Solver>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By source; of a token that is handed around, one jar for all. There are no more sources than the
    /// scenario's bound.
    jars: HashMap<Option<IpAddr>, Jar>,
    next_proof: Moment,
    pause_us: u64,
}

/// What one answer leads to.
pub(super) enum Next {
    /// Nothing: it stands as it is.
    Stands,
    /// To ask for that.
    Ask(String),
    /// To solve that first, and ask again.
    Solve(Box<Challenge>),
}

impl Skilled {
    pub(super) fn of(flood: &Flood) -> Self {
        let pause_s = if flood.proofs_per_second > 0.0 { 1.0 / flood.proofs_per_second } else { 0.0 };
        let state =
            State { jars: HashMap::new(), next_proof: Moment::now(), pause_us: crate::plan::micros(pause_s) };
        let solves = flood.skill.solves() && flood.proofs_per_second > 0.0;
        let solver = solves.then(Solver::start);
        Self { skill: flood.skill, solver, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, source: IpAddr) -> Option<IpAddr> {
        (self.skill != Skill::SharedToken).then_some(source)
    }

    /// Whether challenges are looked for in pages.
    pub(super) fn solves(&self) -> bool {
        self.solver.is_some()
    }

    /// What the source sends of cookies.
    pub(super) fn cookies(&self, source: IpAddr) -> Option<HeaderValue> {
        self.state().jars.get(&self.key(source))?.field()
    }

    /// Takes an answer to a request for `target` on `site` in, and says what comes of it.
    pub(super) fn take_in(
        &self,
        source: IpAddr,
        (site, target): (&str, &str),
        (status, headers, body): (StatusCode, &HeaderMap, &[u8]),
        secure: bool,
    ) -> Next {
        if self.skill == Skill::Plain {
            return Next::Stands;
        }
        let mut state = self.state();
        state.jars.entry(self.key(source)).or_default().take_in(headers, secure);
        if status.is_redirection() {
            return location(headers, site, target).map_or(Next::Stands, Next::Ask);
        }
        let now = Moment::now();
        if self.solver.is_none() || now < state.next_proof {
            return Next::Stands;
        }
        let Some(challenge) = challenge(status, body) else { return Next::Stands };
        state.next_proof = now.plus_us(state.pause_us);
        Next::Solve(Box::new(challenge))
    }

    /// Solves a challenge, and keeps the answer for the source's next request. Whether there is one.
    pub(super) async fn solve(&self, source: IpAddr, challenge: &Challenge) -> bool {
        let Some(solver) = &self.solver else { return false };
        let Some(answer) = solver.solve(challenge, NO_CHARGE).await else { return false };
        self.state().jars.entry(self.key(source)).or_default().put(WORK_COOKIE, &answer);
        true
    }
}
