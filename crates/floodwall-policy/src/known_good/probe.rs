//! What a monitoring probe shows, in the header `Floodwall-Probe`, so that measuring a site in trouble
//! shows what the site does and not what the gate does.
//!
//! A [sealed](crate::SealedText) payload as tokens are, but with a key that lasts: it stands in a
//! monitor's settings for months. It says for which site, until when, and whose it is.
//!
//! Limits: it is no more than a password. Whoever sees it can use it until it expires or its
//! generation is revoked; send it over HTTPS or from the same host. That a copy does not let a flood in is for the
//! caller to see to: meter requests by [`ProbeClaims::name`], and let only a few a second count.

use std::fmt;
use std::time::Duration;

use floodwall_model::Timestamp;

use crate::sealed::{FieldReader, FieldWriter, PAYLOAD_BYTES, SealedText, Unverified, seal};
use crate::secret::{Keyring, Purpose};
use crate::token::{CLOCK_SKEW, CredentialFault, SiteTag};

const VERSION: u8 = 1;
/// The longest a probe's credential is valid.
pub const PROBE_LIFETIME_MAX: Duration = Duration::from_secs(400 * 86_400);

/// A probe's name: up to 16 letters, digits, `-`, `_` and `.`, for records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeName([u8; 16]);

/// A text that is no probe's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a probe's name has 1 to 16 letters, digits, `-`, `_` and `.`")]
pub struct ProbeNameError;

impl ProbeName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        self.0.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).ok()?.parse().ok().filter(|name: &Self| name.0 == bytes)
    }
}

impl std::str::FromStr for ProbeName {
    type Err = ProbeNameError;

    fn from_str(text: &str) -> Result<Self, ProbeNameError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let mut name = [0; 16];
        if text.is_empty() || text.len() > name.len() || !text.bytes().all(fits) {
            return Err(ProbeNameError);
        }
        name.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Ok(Self(name))
    }
}

impl fmt::Debug for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProbeName({})", self.as_str())
    }
}

impl fmt::Display for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a probe's credential says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeClaims {
    /// The site it is for; `None` for all of them.
    pub site: Option<SiteTag>,
    /// Whose it is.
    pub name: ProbeName,
    /// What is of an earlier generation than the server's was revoked.
    pub generation: u16,
    /// When it was issued, in seconds since 1970.
    pub issued_unix_s: u32,
    /// For how long from then, in seconds; at most [`PROBE_LIFETIME_MAX`] counts.
    pub lifetime_s: u32,
}

impl Keyring {
    /// Signs a probe's credential.
    #[must_use]
    pub fn issue_probe(&self, claims: &ProbeClaims) -> SealedText {
        let mut payload = [0; PAYLOAD_BYTES];
        FieldWriter::new(&mut payload)
            .put([VERSION, u8::from(claims.site.is_some())])
            .put(claims.generation.to_le_bytes())
            .put(claims.site.map_or(0, |site| site.0).to_le_bytes())
            .put(claims.issued_unix_s.to_le_bytes())
            .put(claims.lifetime_s.to_le_bytes())
            .put(claims.name.0);
        seal(self.signing_key(Purpose::Probe), &payload)
    }

    /// Reads and verifies what came in the header. Allocates nothing.
    ///
    /// # Errors
    /// It does not count; its bearer is a visitor as any other.
    pub fn verify_probe(
        &self,
        text: &[u8],
        site: SiteTag,
        generation: u16,
        now: Timestamp,
    ) -> Result<ProbeClaims, CredentialFault> {
        let unverified = Unverified::decode(text).ok_or(CredentialFault::Malformed)?;
        let mut fields = FieldReader::new(unverified.payload());
        let [version, has_site] = fields.take();
        if version != VERSION || has_site > 1 {
            return Err(CredentialFault::Malformed);
        }
        let of_generation = u16::from_le_bytes(fields.take());
        let tag = SiteTag(u64::from_le_bytes(fields.take()));
        let issued_unix_s = u32::from_le_bytes(fields.take());
        let lifetime_s = u32::from_le_bytes(fields.take());
        let name = ProbeName::from_bytes(fields.take()).ok_or(CredentialFault::Malformed)?;
        let claims = ProbeClaims {
            site: (has_site == 1).then_some(tag),
            name,
            generation: of_generation,
            issued_unix_s,
            lifetime_s,
        };
        if claims.site.is_some_and(|of| of != site) {
            return Err(CredentialFault::OtherSite);
        }
        if claims.generation < generation {
            return Err(CredentialFault::Revoked);
        }
        claims.is_within(now)?;
        let is_ours = unverified.is_tagged_by(self.signing_key(Purpose::Probe));
        if is_ours { Ok(claims) } else { Err(CredentialFault::Forged) }
    }
}

impl ProbeClaims {
    fn is_within(&self, now: Timestamp) -> Result<(), CredentialFault> {
        let age = now.wall_unix_seconds().saturating_sub(i64::from(self.issued_unix_s));
        let lifetime = i64::from(self.lifetime_s).min(PROBE_LIFETIME_MAX.as_secs().cast_signed());
        if age < -CLOCK_SKEW.as_secs().cast_signed() {
            Err(CredentialFault::NotYetValid)
        } else if age >= lifetime {
            Err(CredentialFault::Expired)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const NOON: u32 = 1_793_966_400;

    fn at(unix_s: u32) -> Timestamp {
        Timestamp::new(Duration::from_secs(1), i64::from(unix_s) * 1_000_000)
    }

    fn ring(secret: u8, unix_s: u32) -> Keyring {
        Keyring::new(&Secret::new([secret; 32]), at(unix_s))
    }

    fn claims() -> ProbeClaims {
        ProbeClaims {
            site: Some(SiteTag(5)),
            name: "uptime.example".parse().unwrap(),
            generation: 1,
            issued_unix_s: NOON,
            lifetime_s: 30 * 86_400,
        }
    }

    #[test]
    fn it_counts_for_its_site_until_its_end_whatever_the_epoch() {
        let text = ring(1, NOON).issue_probe(&claims());
        for (secret, site, generation, after_s, expected) in [
            (1, 5, 1, 0, Ok(claims())),
            (1, 5, 0, 29 * 86_400, Ok(claims())),
            (1, 5, 1, 30 * 86_400, Err(CredentialFault::Expired)),
            (1, 6, 1, 0, Err(CredentialFault::OtherSite)),
            (1, 5, 2, 0, Err(CredentialFault::Revoked)),
            (2, 5, 1, 0, Err(CredentialFault::Forged)),
        ] {
            let now = NOON + after_s;
            let verified =
                ring(secret, now).verify_probe(text.as_str().as_bytes(), SiteTag(site), generation, at(now));
            assert_eq!(verified, expected, "{secret} {site} {generation} {after_s}");
        }
        let everywhere = ring(1, NOON).issue_probe(&ProbeClaims { site: None, ..claims() });
        let verify = |text: &SealedText, now| {
            ring(1, NOON).verify_probe(text.as_str().as_bytes(), SiteTag(9), 0, at(now))
        };
        assert!(verify(&everywhere, NOON).is_ok());
        assert_eq!(verify(&everywhere, NOON - 61), Err(CredentialFault::NotYetValid));
        let forever =
            ring(1, NOON).issue_probe(&ProbeClaims { site: None, lifetime_s: u32::MAX, ..claims() });
        assert_eq!(verify(&forever, NOON + 400 * 86_400), Err(CredentialFault::Expired));
    }

    #[test]
    fn no_other_credential_is_one() {
        let ring = ring(1, NOON);
        let token = ring.issue_token(&crate::TokenClaims {
            site: SiteTag(5),
            fingerprint: crate::ClientFingerprint(0),
            proof: crate::ProofKind::Work,
            generation: 1,
            issued_unix_s: NOON,
            lifetime_s: 1_800,
            id: crate::TokenId(1),
        });
        assert!(ring.verify_probe(token.as_str().as_bytes(), SiteTag(5), 0, at(NOON)).is_err());
        let probe = ring.issue_probe(&claims());
        let binding =
            crate::Binding { site: SiteTag(5), fingerprint: crate::ClientFingerprint(0), generation: 0 };
        assert!(ring.verify_token(probe.as_str().as_bytes(), &binding, at(NOON)).is_err());
        let mut changed = probe.as_str().to_owned().into_bytes();
        changed[20] ^= 1;
        assert!(ring.verify_probe(&changed, SiteTag(5), 0, at(NOON)).is_err());
    }

    #[test]
    fn names() {
        for name in ["a", "uptime.example-1", "0123456789abcdef"] {
            assert_eq!(name.parse::<ProbeName>().unwrap().as_str(), name);
        }
        for name in ["", "0123456789abcdefg", "a b", "a\u{e4}"] {
            assert!(name.parse::<ProbeName>().is_err(), "{name}");
        }
    }
}
