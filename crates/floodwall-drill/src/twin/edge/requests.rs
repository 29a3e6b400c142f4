//! The requests in progress.

use std::net::IpAddr;

use floodwall_model::Prefix;
use floodwall_policy::WaitId;

use super::{Asker, Target};

/// Which request: its slot, and how often the slot was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct RequestId {
    slot: usize,
    use_number: u32,
}

/// Who asks, as policy sees them.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Client {
    pub(in super::super) address: IpAddr,
    pub(in super::super) prefix: Prefix,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Request {
    pub(in super::super) asker: Asker,
    pub(in super::super) client: Client,
    pub(in super::super) target: Target,
    pub(in super::super) state: State,
    /// Counts up with each state, so that timers of an earlier one are void.
    pub(super) leg: u32,
    pub(super) rounds: u8,
    /// Others wait for what it fetches.
    pub(super) leads: bool,
    /// There is a stale copy that may stand in.
    pub(in super::super) copy: bool,
    /// The gate counts it among those at the origin.
    pub(in super::super) pass: bool,
    pub(in super::super) sent_us: u64,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum State {
    AtEdge,
    Follows,
    WaitsAtGate(WaitId),
    WaitsForTurn,
    AtOrigin(Stage),
}

/// Where it is at the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Stage {
    /// On its way, or held by a slow site.
    Arriving,
    InLine,
    Served,
    /// Nothing holds it but the way back.
    Leaving,
}

impl Request {
    pub(in super::super) fn new(asker: Asker, client: Client, target: Target) -> Self {
        Self {
            asker,
            client,
            target,
            state: State::AtEdge,
            leg: 0,
            rounds: 0,
            leads: false,
            copy: false,
            pass: false,
            sent_us: 0,
        }
    }

    /// Enters a state; timers of the one before are void.
    pub(in super::super) fn go_on(&mut self, state: State) {
        self.state = state;
        self.leg = self.leg.wrapping_add(1);
    }
}

/// Slots, used again and again.
#[derive(Debug, Default)]
pub(in super::super) struct Requests {
    slots: Vec<(u32, Option<Request>)>,
    free: Vec<usize>,
}

impl Requests {
    pub(in super::super) fn add(&mut self, request: Request) -> RequestId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            self.slots.len() - 1
        });
        let Some((use_number, place)) = self.slots.get_mut(slot) else {
            // A free slot is always one of ours.
            return RequestId { slot, use_number: 0 };
        };
        *use_number = use_number.wrapping_add(1);
        *place = Some(request);
        RequestId { slot, use_number: *use_number }
    }

    pub(in super::super) fn get(&self, id: RequestId) -> Option<&Request> {
        let (use_number, request) = self.slots.get(id.slot)?;
        request.as_ref().filter(|_| *use_number == id.use_number)
    }

    pub(in super::super) fn get_mut(&mut self, id: RequestId) -> Option<&mut Request> {
        let (use_number, request) = self.slots.get_mut(id.slot)?;
        request.as_mut().filter(|_| *use_number == id.use_number)
    }

    pub(in super::super) fn remove(&mut self, id: RequestId) -> Option<Request> {
        let (use_number, request) = self.slots.get_mut(id.slot)?;
        let removed = if *use_number == id.use_number { request.take() } else { None };
        if removed.is_some() {
            self.free.push(id.slot);
        }
        removed
    }

    /// All of which something holds, by slot.
    pub(in super::super) fn all_where(&self, holds: impl Fn(&Request) -> bool) -> Vec<RequestId> {
        let slots = self.slots.iter().enumerate();
        let found = slots.filter_map(|(slot, (use_number, request))| {
            request.as_ref().filter(|request| holds(request))?;
            Some(RequestId { slot, use_number: *use_number })
        });
        found.collect()
    }
}
