//! What visitors and flooders carry from answer to answer, sealed by the policy's own keys.

use floodwall_policy::{Binding, ClientFingerprint, SealedText, SiteTag, TokenClaims};

/// What one of them carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bag {
    /// How it calls itself, as the edge knows it again.
    pub(super) fingerprint: ClientFingerprint,
    pub(super) keeps_cookies: bool,
    pub(super) is_slow_device: bool,
    pub(super) token: Option<SealedText>,
    pub(super) ticket: Option<SealedText>,
    /// An answer to a proof of work, to be brought back. What is left out is the hashing alone.
    pub(super) work: Option<TokenClaims>,
    pub(super) mark: Mark,
}

/// What the address says that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Redirected,
    Ticket(SealedText),
}

impl Bag {
    /// An empty one.
    pub(super) fn of(user_agent: &str, keeps_cookies: bool) -> Self {
        // FNV-1a, as the edge does it.
        let hash = user_agent
            .bytes()
            .fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Self {
            fingerprint: ClientFingerprint(hash),
            keeps_cookies,
            is_slow_device: user_agent.contains("Mobi") || user_agent.contains("Android"),
            token: None,
            ticket: None,
            work: None,
            mark: Mark::None,
        }
    }

    /// What a credential of its bearer must fit.
    pub(super) fn binding(&self) -> Binding {
        Binding { site: SiteTag(1), fingerprint: self.fingerprint, generation: 0 }
    }

    /// Takes a ticket: into the jar, or into the address that is asked for next.
    pub(super) fn take_ticket(&mut self, ticket: SealedText) {
        if self.keeps_cookies {
            (self.ticket, self.mark) = (Some(ticket), Mark::None);
        } else {
            self.mark = Mark::Ticket(ticket);
        }
    }

    /// The ticket, wherever it is.
    pub(super) fn shown_ticket(&self) -> Option<SealedText> {
        match self.mark {
            Mark::Ticket(ticket) => self.ticket.or(Some(ticket)),
            Mark::None | Mark::Redirected => self.ticket,
        }
    }
}
