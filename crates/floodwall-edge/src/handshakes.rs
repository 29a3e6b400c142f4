//! The budget for TLS handshakes as the workers share it. One short lock for each handshake, which takes
//! far longer.

use std::net::IpAddr;
use std::rc::Rc;

use floodwall_model::Prefix;
use floodwall_policy::{Handshake, HandshakeBudget, HandshakeEnd, HandshakeLimits, HandshakeRefusal};
use parking_lot::Mutex;

use crate::worker::Worker;

/// See the module's head.
pub(crate) struct Handshakes(Mutex<HandshakeBudget>);

impl Handshakes {
    pub(crate) fn new(limits: HandshakeLimits, hash_seed: u64) -> Self {
        Self(Mutex::new(HandshakeBudget::new(limits, hash_seed)))
    }

    pub(crate) fn in_progress(&self) -> u32 {
        self.0.lock().in_progress()
    }
}

/// A handshake that was begun; its place is given back however it ends.
pub(crate) struct Begun {
    worker: Rc<Worker>,
    handshake: Option<Handshake>,
}

impl Begun {
    /// Asks for a handshake with `peer`. Trusted proxies bring many people's connections and are bounded
    /// with all others only.
    pub(crate) fn ask(
        worker: &Rc<Worker>,
        peer: IpAddr,
        brings_ticket: bool,
    ) -> Result<Self, HandshakeRefusal> {
        let prefix = (!worker.is_trusted_proxy(peer)).then(|| Prefix::of_client(peer));
        let now = worker.now();
        let handshake = worker.shared.handshakes.0.lock().begin(prefix, brings_ticket, now)?;
        Ok(Self { worker: worker.clone(), handshake: Some(handshake) })
    }

    /// It is done, in full or by a ticket, and counted as such.
    pub(crate) fn done(mut self, resumed: bool) {
        let counters = &self.worker.counters.worker;
        let (counter, end) = if resumed {
            (&counters.tls_handshakes_resumed, HandshakeEnd::Resumed)
        } else {
            (&counters.tls_handshakes_full, HandshakeEnd::Full)
        };
        counter.add(1);
        self.give_back(end);
    }

    fn give_back(&mut self, end: HandshakeEnd) {
        if let Some(handshake) = self.handshake.take() {
            let now = self.worker.now();
            self.worker.shared.handshakes.0.lock().end(handshake, end, now);
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.give_back(HandshakeEnd::Failed);
    }
}
