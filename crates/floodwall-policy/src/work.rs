//! Proof-of-work challenges, in the protocol of ALTCHA's widgets 1 and 2 ("PoW v1").
//!
//! The server draws a number below a bound, publishes SHA-256(salt ‖ number) and an HMAC of it, and
//! the browser counts until it has found the number. The salt carries everything that must be known
//! to redeem it, so nothing is stored. Counting to a bound has a worst case, which a slow phone can
//! be promised; leading-zero puzzles have none.
//!
//! The protocol's Rust crates (`altcha`, `altcha-lib-rs`) read clocks and draw random numbers, which
//! nothing in this crate may; what is left to do without them is two hashes. Version 2 of the
//! protocol is not used: verifying costs the server the key derivation it costs the browser, or
//! milliseconds, and a stranger decides how often. The salt ends with a delimiter, and what follows
//! it can only be the number (CVE-2025-68113: without one, digits can be moved from the number into
//! the expiry).
//!
//! Proof of work is a cost, not a wall: a native solver is ten thousand times as fast as a phone. It
//! is there to make sources dearer, and it is never the only way in.
//!
//! **A solution redeemed a thousand times is one token**: identifier, issue and expiry of the token
//! follow from the challenge alone, so all of its copies share one rate budget and end together.
//! Hence no list of what was redeemed is kept: none that could fill up, fail open or closed, be lost
//! at a restart or have to be shared between edges; and tabs that solve in parallel never loop.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use floodwall_model::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::secret::{Keyring, Purpose};
use crate::token::{
    Binding, ClientFingerprint, CredentialFault, ProofKind, SiteTag, TokenClaims, TokenId, unix_seconds,
    within,
};

const ALGORITHM: &str = "SHA-256";

/// How long a challenge may take to be solved and sent back.
pub const CHALLENGE_LIFETIME: Duration = Duration::from_secs(600);

/// The longest answer that is read: base64 of a JSON object of at most 768 bytes.
pub const SOLUTION_BYTES_MAX: usize = 1024;
const JSON_BYTES_MAX: usize = SOLUTION_BYTES_MAX / 4 * 3;

/// How many numbers the browser may have to try: at most this many, half of it on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difficulty(u32);

impl Difficulty {
    /// For phones that say they are slow: at most 0.6 s at 50,000 hashes a second, whatever the load.
    pub const SLOW_DEVICE: Self = Self(30_000);
    /// The easiest for others.
    pub const MIN: Self = Self(50_000);
    /// The hardest: at most 2.7 s at a phone's 150,000 hashes a second.
    pub const MAX: Self = Self(400_000);

    /// As hard as the load demands: in proportion to how many times its capacity the origin is asked
    /// for, from [`Self::MIN`] at once to [`Self::MAX`] at eight times and more.
    #[must_use]
    pub fn by_load(load: f64) -> Self {
        let easiest = f64::from(Self::MIN.0);
        let number = (easiest * load).clamp(easiest, f64::from(Self::MAX.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped just above")]
        Self(if number.is_finite() { number as u32 } else { Self::MAX.0 })
    }

    /// The largest number there is to try.
    #[must_use]
    pub fn number_max(self) -> u32 {
        self.0
    }
}

/// A challenge as the browser is given it: the fields of ALTCHA's JSON object.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WorkChallenge {
    /// `SHA-256`.
    pub algorithm: &'static str,
    /// SHA-256 of salt and number, in hexadecimal digits.
    pub challenge: String,
    /// The largest number there is to try.
    #[serde(rename = "maxnumber")]
    pub number_max: u32,
    /// What the number is appended to.
    pub salt: String,
    /// HMAC of the challenge, in hexadecimal digits.
    pub signature: String,
}

/// An answer as the browser sends it; further fields (`took`) do not matter.
#[derive(serde::Deserialize)]
struct Solution<'a> {
    algorithm: &'a str,
    challenge: &'a str,
    number: u32,
    salt: &'a str,
    signature: &'a str,
}

/// What the salt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SaltFields {
    id: u64,
    expires_unix_s: u32,
    epoch: u32,
    site: SiteTag,
    fingerprint: ClientFingerprint,
    generation: u16,
}

impl Keyring {
    /// Makes a challenge. `random` is fresh for each. A dozen small allocations: a page is about to
    /// be written with it.
    #[must_use]
    pub fn issue_challenge(
        &self,
        binding: &Binding,
        difficulty: Difficulty,
        random: u64,
        now: Timestamp,
    ) -> WorkChallenge {
        let lifetime = u32::try_from(CHALLENGE_LIFETIME.as_secs()).unwrap_or(u32::MAX);
        let fields = SaltFields {
            id: random,
            expires_unix_s: unix_seconds(now).saturating_add(lifetime),
            epoch: self.epoch(),
            site: binding.site,
            fingerprint: binding.fingerprint,
            generation: binding.generation,
        };
        let salt = fields.print();
        let key = self.signing_key(Purpose::Challenge);
        let bound = u64::from(difficulty.number_max()) + 1;
        // Drawn by the key: whoever knows `random`, which the salt shows, does not know the number.
        let number = key.number(&[b"number of ", &random.to_le_bytes()]) % bound;
        let challenge = hexadecimal(&digest(&salt, u32::try_from(number).unwrap_or(0)));
        let signature = hexadecimal(&key.tag(&[challenge.as_bytes()]));
        WorkChallenge {
            algorithm: ALGORITHM,
            challenge,
            number_max: difficulty.number_max(),
            salt,
            signature,
        }
    }

    /// Reads and verifies an answer: base64 of ALTCHA's JSON object, as its widgets put it into a
    /// form. Gives the token it is redeemed for, always the same one, valid for `token_lifetime` from
    /// the challenge's issue. Sign it with [`Keyring::issue_token`].
    ///
    /// # Errors
    /// It does not count; the visitor may be given another challenge.
    pub fn redeem_solution(
        &self,
        text: &[u8],
        binding: &Binding,
        token_lifetime: Duration,
        now: Timestamp,
    ) -> Result<TokenClaims, CredentialFault> {
        if text.len() > SOLUTION_BYTES_MAX {
            return Err(CredentialFault::Malformed);
        }
        let mut json = [0; JSON_BYTES_MAX];
        let length = STANDARD.decode_slice(text, &mut json).map_err(|_| CredentialFault::Malformed)?;
        let json = json.get(..length).ok_or(CredentialFault::Malformed)?;
        let solution: Solution<'_> = serde_json::from_slice(json).map_err(|_| CredentialFault::Malformed)?;
        if solution.algorithm != ALGORITHM {
            return Err(CredentialFault::Malformed);
        }
        let fields = SaltFields::parse(solution.salt).ok_or(CredentialFault::Malformed)?;
        let signature = bytes_of(solution.signature).ok_or(CredentialFault::Malformed)?;
        let key = self.key(Purpose::Challenge, fields.epoch).ok_or(CredentialFault::UnknownEpoch)?;
        binding.admits(fields.site, fields.fingerprint, fields.generation)?;
        let lifetime_s = CHALLENGE_LIFETIME.as_secs().cast_signed();
        let issued_unix_s = i64::from(fields.expires_unix_s) - lifetime_s;
        within(issued_unix_s, lifetime_s, now)?;
        let answer = hex_digits(&digest(solution.salt, solution.number));
        if solution.challenge.as_bytes() != answer {
            return Err(CredentialFault::Unsolved);
        }
        if !key.verifies(&answer, &signature) {
            return Err(CredentialFault::Forged);
        }
        Ok(TokenClaims {
            site: fields.site,
            fingerprint: fields.fingerprint,
            proof: ProofKind::Work,
            generation: fields.generation,
            issued_unix_s: u32::try_from(issued_unix_s).unwrap_or(0),
            lifetime_s: u32::try_from(token_lifetime.as_secs()).unwrap_or(u32::MAX),
            id: TokenId(self.identity(Purpose::Challenge, fields.id)),
        })
    }
}

impl SaltFields {
    fn print(self) -> String {
        let Self { id, expires_unix_s, epoch, site, fingerprint, generation } = self;
        format!(
            "{id:016x}?expires={expires_unix_s}&epoch={epoch}&site={:016x}&client={:08x}&generation={generation}&",
            site.0, fingerprint.0
        )
    }

    /// Reads what [`Self::print`] writes. Laxer spellings of a number do no harm: the salt's every
    /// byte is under the signature.
    fn parse(salt: &str) -> Option<Self> {
        let (id, rest) = salt.split_once("?expires=")?;
        let (expires, rest) = rest.split_once("&epoch=")?;
        let (epoch, rest) = rest.split_once("&site=")?;
        let (site, rest) = rest.split_once("&client=")?;
        let (client, rest) = rest.split_once("&generation=")?;
        let generation = rest.strip_suffix('&')?;
        Some(Self {
            id: u64::from_str_radix(id, 16).ok()?,
            expires_unix_s: expires.parse().ok()?,
            epoch: epoch.parse().ok()?,
            site: SiteTag(u64::from_str_radix(site, 16).ok()?),
            fingerprint: ClientFingerprint(u32::from_str_radix(client, 16).ok()?),
            generation: generation.parse().ok()?,
        })
    }
}

/// SHA-256 of the salt and the number's decimal digits.
fn digest(salt: &str, number: u32) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(salt);
    let mut digits = [0; 10];
    hasher.update(decimal(number, &mut digits));
    hasher.finalize().into()
}

/// A number's decimal digits, in place of a `String` for each.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

fn hex_digits(bytes: &[u8; 32]) -> [u8; 64] {
    let mut digits = [0; 64];
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (digit, half) in digits.iter_mut().zip(halves) {
        *digit = if half < 10 { b'0' + half } else { b'a' + half - 10 };
    }
    digits
}

fn hexadecimal(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes_of(hexadecimal: &str) -> Option<[u8; 32]> {
    // Lower case only: one spelling for each signature.
    if hexadecimal.len() != 64 || !hexadecimal.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hexadecimal.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
