//! Waiting-room tickets: a place in line that the visitor carries, so that nothing is stored for him.
//!
//! The place is the time of issue. A visitor without JavaScript presents the ticket again and again
//! through the answer's `Refresh` field (`WaitingRoom::present`) and is let in when those before him
//! have been.
//!
//! A ticket can be presented by many tabs at once and redeemed any number of times: the token it is
//! redeemed for has an identifier and a lifetime that follow from the ticket alone, so it is always
//! the same token with the same one budget. Nothing is gained by it and no tab is sent back to the
//! start.

use std::time::Duration;

use floodwall_model::Timestamp;

use crate::sealed::{FieldReader, FieldWriter, PAYLOAD_BYTES, SealedText, Unverified, seal};
use crate::secret::{Keyring, Purpose};
use crate::token::{
    Binding, ClientFingerprint, CredentialFault, ProofKind, SiteTag, TokenClaims, TokenId, within,
};

const VERSION: u8 = 1;

/// How long a ticket keeps its place.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(2 * 3600);

/// A place in the waiting room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The site it is for.
    pub site: SiteTag,
    /// The kind of client it was given to.
    pub fingerprint: ClientFingerprint,
    /// The site's generation of credentials when it was issued.
    pub generation: u16,
    /// When, in milliseconds since 1970: the place in line.
    pub issued_unix_ms: u64,
    /// How often it was presented; stops at the most there can be.
    pub returns: u16,
    /// Its own identifier: random.
    pub id: u64,
}

impl Ticket {
    /// A ticket for the place at the end of the line. `random` is fresh for each.
    #[must_use]
    pub fn take(binding: &Binding, random: u64, now: Timestamp) -> Self {
        Self {
            site: binding.site,
            fingerprint: binding.fingerprint,
            generation: binding.generation,
            issued_unix_ms: unix_millis(now),
            returns: 0,
            id: random,
        }
    }
}

impl Keyring {
    /// Signs a ticket.
    #[must_use]
    pub fn issue_ticket(&self, ticket: &Ticket) -> SealedText {
        let mut payload = [0; PAYLOAD_BYTES];
        let [b0, b1, b2, b3, b4, b5, _, _] = ticket.issued_unix_ms.to_le_bytes();
        FieldWriter::new(&mut payload)
            .put([VERSION, 0])
            .put(ticket.generation.to_le_bytes())
            .put(self.epoch().to_le_bytes())
            .put(ticket.site.0.to_le_bytes())
            .put(ticket.fingerprint.0.to_le_bytes())
            .put([b0, b1, b2, b3, b4, b5])
            .put(ticket.returns.to_le_bytes())
            .put(ticket.id.to_le_bytes());
        seal(self.signing_key(Purpose::Ticket), &payload)
    }

    /// Reads and verifies a ticket. Allocates nothing.
    ///
    /// # Errors
    /// It does not count; its bearer may take another.
    pub fn verify_ticket(
        &self,
        text: &[u8],
        binding: &Binding,
        now: Timestamp,
    ) -> Result<Ticket, CredentialFault> {
        let unverified = Unverified::decode(text).ok_or(CredentialFault::Malformed)?;
        let mut fields = FieldReader::new(unverified.payload());
        if fields.take() != [VERSION, 0] {
            return Err(CredentialFault::Malformed);
        }
        let generation = u16::from_le_bytes(fields.take());
        let epoch = u32::from_le_bytes(fields.take());
        let site = SiteTag(u64::from_le_bytes(fields.take()));
        let fingerprint = ClientFingerprint(u32::from_le_bytes(fields.take()));
        let [b0, b1, b2, b3, b4, b5] = fields.take();
        let issued_unix_ms = u64::from_le_bytes([b0, b1, b2, b3, b4, b5, 0, 0]);
        let returns = u16::from_le_bytes(fields.take());
        let id = u64::from_le_bytes(fields.take());
        let key = self.key(Purpose::Ticket, epoch).ok_or(CredentialFault::UnknownEpoch)?;
        binding.admits(site, fingerprint, generation)?;
        let issued_unix_s = i64::try_from(issued_unix_ms / 1_000).unwrap_or(i64::MAX);
        within(issued_unix_s, TICKET_LIFETIME.as_secs().cast_signed(), now)?;
        if !unverified.is_tagged_by(key) {
            return Err(CredentialFault::Forged);
        }
        Ok(Ticket { site, fingerprint, generation, issued_unix_ms, returns, id })
    }

    /// What a ticket whose turn has come is redeemed for: always the same token, valid for
    /// `lifetime` from `called`, when its turn came. Sign it with [`Keyring::issue_token`].
    #[must_use]
    pub fn redeem_ticket(&self, ticket: &Ticket, called_unix_s: u32, lifetime: Duration) -> TokenClaims {
        TokenClaims {
            site: ticket.site,
            fingerprint: ticket.fingerprint,
            proof: ProofKind::WaitingRoom,
            generation: ticket.generation,
            issued_unix_s: called_unix_s,
            lifetime_s: u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
            id: TokenId(self.identity(Purpose::Ticket, ticket.id)),
        }
    }
}

/// Milliseconds since 1970, as they stand in tickets (48 bits: 8,900 years).
pub(crate) fn unix_millis(now: Timestamp) -> u64 {
    u64::try_from(now.wall_unix_micros().div_euclid(1_000)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;

    const NOON: i64 = 1_667_916_000;

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::new(Duration::from_secs(1), unix_s * 1_000_000)
    }

    fn ring() -> Keyring {
        Keyring::new(&Secret::new([42; 32]), at(NOON))
    }

    fn binding() -> Binding {
        Binding { site: SiteTag(5), fingerprint: ClientFingerprint(6), generation: 1 }
    }

    #[test]
    fn keeps_its_place_for_two_hours() {
        let ring = ring();
        let ticket = Ticket::take(&binding(), 7, at(NOON));
        let text = ring.issue_ticket(&ticket);
        let other_site = Binding { site: SiteTag(4), ..binding() };
        let revoked = Binding { generation: 2, ..binding() };
        for (case, binding, unix_s, expected) in [
            ("at once", binding(), NOON, Ok(ticket)),
            ("late", binding(), NOON + 7_199, Ok(ticket)),
            ("too late", binding(), NOON + 7_200, Err(CredentialFault::Expired)),
            ("from the future", binding(), NOON - 61, Err(CredentialFault::NotYetValid)),
            ("elsewhere", other_site, NOON, Err(CredentialFault::OtherSite)),
            ("revoked", revoked, NOON, Err(CredentialFault::Revoked)),
        ] {
            let verdict = ring.verify_ticket(text.as_str().as_bytes(), &binding, at(unix_s));
            assert_eq!(verdict, expected, "{case}");
        }
        let as_token = ring.verify_token(text.as_str().as_bytes(), &binding(), at(NOON));
        assert!(as_token.is_err(), "a ticket is no token");
    }

    #[test]
    fn redeemed_by_many_tabs_it_is_one_token() {
        let ring = ring();
        let ticket = Ticket::take(&binding(), 7, at(NOON));
        let lifetime = Duration::from_secs(1_800);
        let first = ring.redeem_ticket(&ticket, 1_667_916_010, lifetime);
        let again = ring.redeem_ticket(&Ticket { returns: 9, ..ticket }, 1_667_916_010, lifetime);
        assert_eq!(first, again);
        let other = ring.redeem_ticket(&Ticket { id: 8, ..ticket }, 1_667_916_010, lifetime);
        assert_ne!(first.id, other.id);
        let text = ring.issue_token(&first);
        let verified = ring.verify_token(text.as_str().as_bytes(), &binding(), at(NOON + 60));
        assert_eq!(verified, Ok(first));
    }

    proptest! {
        #[test]
        fn comes_back_as_it_was_given(
            site: u64, fingerprint: u32, generation: u16, returns: u16, id: u64, millis in 0_u64..1 << 40,
        ) {
            let ticket = Ticket {
                site: SiteTag(site),
                fingerprint: ClientFingerprint(fingerprint),
                generation,
                issued_unix_ms: millis,
                returns,
                id,
            };
            let now = at(i64::try_from(millis / 1_000).unwrap());
            let ring = Keyring::new(&Secret::new([1; 32]), now);
            let binding = Binding { site: ticket.site, fingerprint: ticket.fingerprint, generation };
            let text = ring.issue_ticket(&ticket);
            prop_assert_eq!(ring.verify_ticket(text.as_str().as_bytes(), &binding, now), Ok(ticket));
        }

        #[test]
        fn any_flipped_bit_is_refused(byte in 0..SealedText::LENGTH, bit in 0..8_u32) {
            let ring = ring();
            let mut text = *ring.issue_ticket(&Ticket::take(&binding(), 7, at(NOON))).as_str().as_bytes().first_chunk::<72>().unwrap();
            text[byte] ^= 1_u8 << bit;
            prop_assert!(ring.verify_ticket(&text, &binding(), at(NOON)).is_err());
        }
    }
}
