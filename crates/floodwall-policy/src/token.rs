//! Admission tokens: what a visitor carries to be known as proven, without anything being stored.
//!
//! A token is a [sealed](SealedText) payload of fixed size, kept in a cookie. It says for which site
//! and what coarse kind of client it was given, what was proven, when, until when, and an identifier
//! of its own, to which a rate budget is charged: handing one token to a thousand machines gives
//! them one visitor's share together. It is not bound to the address, so that a phone keeps it from
//! the wireless network to the mobile one, and it says nothing of who the visitor is.
//!
//! Verifying is a pure function of the text, the [`Keyring`] and `now`: no lock, no table, no
//! allocation. What can be refused by reading is refused before anything is computed; the tag is
//! compared in constant time. Until the tag is verified a fault other than [`CredentialFault::Forged`]
//! is only what the text claims, good for counting and for nothing else.
//!
//! Times are wall-clock times, as tokens outlive the process. A clock stepped back voids what was
//! issued more than [`CLOCK_SKEW`] in its future; the visitor proves himself once more.

use std::time::Duration;

use floodwall_model::Timestamp;

use crate::sealed::{FieldReader, FieldWriter, PAYLOAD_BYTES, SealedText, Unverified, seal};
use crate::secret::{KEY_EPOCH, Keyring, Purpose};

const VERSION: u8 = 1;

/// The longest a token can be valid: as long as its key is.
pub const TOKEN_LIFETIME_MAX: Duration = KEY_EPOCH;

/// How far another edge's clock may be ahead.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Which site a token is for. Not the site's place in the settings, which changes when they do:
/// a hash of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiteTag(pub u64);

impl SiteTag {
    /// The tag of the site of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        use sha2::Digest as _;
        let digest: [u8; 32] = sha2::Sha256::digest(name.as_bytes()).into();
        Self(u64::from_le_bytes(*digest.first_chunk().unwrap_or(&[0; 8])))
    }
}

/// A coarse fingerprint of the client, the same for many: browser family and TLS hello, say. Never
/// the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientFingerprint(pub u32);

/// What a visitor did to be given a token, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProofKind {
    /// Followed a redirect and brought a cookie back: rung 2.
    Redirect,
    /// Waited in the waiting room until his turn: rungs 3 and 4.
    WaitingRoom,
    /// Solved a proof of work: rung 3.
    Work,
}

impl ProofKind {
    fn code(self) -> u8 {
        match self {
            Self::Redirect => 1,
            Self::WaitingRoom => 2,
            Self::Work => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Redirect, Self::WaitingRoom, Self::Work].into_iter().find(|kind| kind.code() == code)
    }
}

/// A token's own identifier: random, and what its rate budget is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u64);

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// The site it is for.
    pub site: SiteTag,
    /// The kind of client it was given to.
    pub fingerprint: ClientFingerprint,
    /// What was proven.
    pub proof: ProofKind,
    /// The site's generation of tokens when it was issued.
    pub generation: u16,
    /// When, in seconds since 1970.
    pub issued_unix_s: u32,
    /// For how long from then, in seconds; at most [`TOKEN_LIFETIME_MAX`] counts.
    pub lifetime_s: u32,
    /// Its own identifier.
    pub id: TokenId,
}

/// What a credential (token, ticket or solved challenge) must fit to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The site the request is for.
    pub site: SiteTag,
    /// The client's coarse fingerprint.
    pub fingerprint: ClientFingerprint,
    /// What is of an earlier generation was revoked. The operator raises it.
    pub generation: u16,
}

/// Why a token, ticket or solved challenge does not count. None of them refuses anybody: its bearer
/// is unproven, no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CredentialFault {
    /// Not the length, alphabet, version or kind of what we issue.
    #[error("nothing we issue looks like it")]
    Malformed,
    /// Signed with keys that are no longer, or not yet, in force.
    #[error("signed with keys that are not in force")]
    UnknownEpoch,
    /// Given for another site.
    #[error("given for another site")]
    OtherSite,
    /// Given to another kind of client.
    #[error("given to another kind of client")]
    OtherClient,
    /// Of a generation that the operator revoked.
    #[error("revoked")]
    Revoked,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// Issued in the future, by more than clocks may differ.
    #[error("issued in the future")]
    NotYetValid,
    /// The number is not the challenge's answer.
    #[error("not the answer")]
    Unsolved,
    /// The tag is not ours.
    #[error("not signed by us")]
    Forged,
}

impl CredentialFault {
    /// A short name for metrics labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownEpoch => "unknown_epoch",
            Self::OtherSite => "other_site",
            Self::OtherClient => "other_client",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Unsolved => "unsolved",
            Self::Forged => "forged",
        }
    }
}

impl Keyring {
    /// Signs a token.
    #[must_use]
    pub fn issue_token(&self, claims: &TokenClaims) -> SealedText {
        let mut payload = [0; PAYLOAD_BYTES];
        FieldWriter::new(&mut payload)
            .put([VERSION, claims.proof.code()])
            .put(claims.generation.to_le_bytes())
            .put(self.epoch().to_le_bytes())
            .put(claims.site.0.to_le_bytes())
            .put(claims.fingerprint.0.to_le_bytes())
            .put(claims.issued_unix_s.to_le_bytes())
            .put(claims.lifetime_s.to_le_bytes())
            .put(claims.id.0.to_le_bytes());
        seal(self.signing_key(Purpose::Token), &payload)
    }

    /// Reads and verifies a token as it came in the cookie. Allocates nothing.
    ///
    /// # Errors
    /// It does not count; the bearer is unproven.
    pub fn verify_token(
        &self,
        text: &[u8],
        binding: &Binding,
        now: Timestamp,
    ) -> Result<TokenClaims, CredentialFault> {
        let unverified = Unverified::decode(text).ok_or(CredentialFault::Malformed)?;
        let mut fields = FieldReader::new(unverified.payload());
        let [version, proof] = fields.take();
        let proof =
            ProofKind::from_code(proof).filter(|_| version == VERSION).ok_or(CredentialFault::Malformed)?;
        let generation = u16::from_le_bytes(fields.take());
        let epoch = u32::from_le_bytes(fields.take());
        let claims = TokenClaims {
            proof,
            generation,
            site: SiteTag(u64::from_le_bytes(fields.take())),
            fingerprint: ClientFingerprint(u32::from_le_bytes(fields.take())),
            issued_unix_s: u32::from_le_bytes(fields.take()),
            lifetime_s: u32::from_le_bytes(fields.take()),
            id: TokenId(u64::from_le_bytes(fields.take())),
        };
        let key = self.key(Purpose::Token, epoch).ok_or(CredentialFault::UnknownEpoch)?;
        claims.fits(binding, now)?;
        if unverified.is_tagged_by(key) { Ok(claims) } else { Err(CredentialFault::Forged) }
    }
}

impl TokenClaims {
    fn fits(&self, binding: &Binding, now: Timestamp) -> Result<(), CredentialFault> {
        binding.admits(self.site, self.fingerprint, self.generation)?;
        within(i64::from(self.issued_unix_s), i64::from(self.lifetime_s), now)
    }
}

impl Binding {
    /// Whether a credential given for these fits.
    pub(crate) fn admits(
        &self,
        site: SiteTag,
        fingerprint: ClientFingerprint,
        generation: u16,
    ) -> Result<(), CredentialFault> {
        if site != self.site {
            return Err(CredentialFault::OtherSite);
        }
        if fingerprint != self.fingerprint {
            return Err(CredentialFault::OtherClient);
        }
        if generation < self.generation {
            return Err(CredentialFault::Revoked);
        }
        Ok(())
    }
}

/// Whether something issued then, for so long, is valid at `now`.
pub(crate) fn within(issued_unix_s: i64, lifetime_s: i64, now: Timestamp) -> Result<(), CredentialFault> {
    let age = now.wall_unix_seconds().saturating_sub(issued_unix_s);
    let lifetime = lifetime_s.min(TOKEN_LIFETIME_MAX.as_secs().cast_signed());
    if age < -CLOCK_SKEW.as_secs().cast_signed() {
        Err(CredentialFault::NotYetValid)
    } else if age >= lifetime {
        Err(CredentialFault::Expired)
    } else {
        Ok(())
    }
}

/// Seconds since 1970 as they stand in tokens; good until 2106.
pub(crate) fn unix_seconds(now: Timestamp) -> u32 {
    u32::try_from(now.wall_unix_seconds().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
