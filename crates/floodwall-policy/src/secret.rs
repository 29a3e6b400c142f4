//! Keys for what visitors carry: tokens, tickets and challenges.
//!
//! All keys come from one secret of 32 bytes and the number of an epoch (RFC 5869's idea of one key
//! for each purpose, with HMAC-SHA256 as the pseudo-random function). Edges that share the secret
//! accept what the others issued, without talking to one another, and nothing is stored.
//!
//! The keys change with every epoch of [`KEY_EPOCH`]. A [`Keyring`] holds those of the current epoch,
//! of the one before, so that nobody is thrown out at the change, and of the next, so that edges
//! whose clocks differ agree around it. What a lost secret can do ends with the secret: give a new
//! one, and everything older is void.
//!
//! HMAC-SHA256 rather than keyed BLAKE3 or SipHash: the challenges' protocol needs SHA-256 anyway, a
//! message of 36 bytes is two compressions either way, and it is the one of the three that auditors
//! and standards (RFC 2104, FIPS 198-1) take without a word. SipHash's usual 64 bits are few for what
//! a stranger may try for hours.

use std::fmt;
use std::time::Duration;

use floodwall_model::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long keys are current; they are accepted for as long again.
pub const KEY_EPOCH: Duration = Duration::from_secs(12 * 3600);

/// The secret all keys are derived from. Never printed.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes 32 random bytes: from the operator's file, or drawn at the start.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// A key that is the same in every epoch, for what must be read for longer than keys last.
    pub(crate) fn lasting_key(&self, label: &[u8]) -> [u8; 32] {
        MacKey::new(&self.0).tag(&[&[0; 4], label])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// What a key is for. A tag made for one purpose means nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Token,
    Ticket,
    Challenge,
    /// Identifiers of tokens, from those of what they were given for.
    Identity,
    /// What a monitoring probe shows.
    Probe,
}

/// What the key of reference IDs is derived with: it is no key of a ring.
pub(crate) const REFERENCE_LABEL: &[u8] = b"floodwall reference v1";

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Token => b"floodwall token v1",
            Self::Ticket => b"floodwall ticket v1",
            Self::Challenge => b"floodwall challenge v1",
            Self::Identity => b"floodwall identity v1",
            Self::Probe => b"floodwall probe v1",
        }
    }
}

/// An HMAC-SHA256 key with its two key blocks already compressed: a short message costs two more.
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    fn new(key: &[u8; 32]) -> Self {
        // A key of 32 bytes is padded to a block, as HMAC itself pads it.
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&block))
    }

    /// The tag of a message given in parts. Only the lengths of the last part may vary, or two
    /// messages could read the same.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// Whether `tag` is the message's tag or its beginning, compared in constant time.
    pub(crate) fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.verify_truncated_left(tag).is_ok()
    }

    /// 64 bits that only the holder of the key can tell from random.
    pub(crate) fn number(&self, parts: &[&[u8]]) -> u64 {
        let tag = self.tag(parts);
        u64::from_le_bytes(*tag.first_chunk().unwrap_or(&[0; 8]))
    }
}

/// The keys of one epoch.
#[derive(Clone)]
struct EpochKeys {
    token: MacKey,
    ticket: MacKey,
    challenge: MacKey,
}

impl EpochKeys {
    fn derive(secret: &MacKey, epoch: u32) -> Self {
        let key = |purpose: Purpose| MacKey::new(&secret.tag(&[&epoch.to_le_bytes(), purpose.label()]));
        Self { token: key(Purpose::Token), ticket: key(Purpose::Ticket), challenge: key(Purpose::Challenge) }
    }
}

/// The keys in force: an immutable value, replaced as a whole when [`Keyring::is_for`] says so.
#[derive(Clone)]
pub struct Keyring {
    epoch: u32,
    /// Of the epoch before, this one and the next.
    epochs: [EpochKeys; 3],
    /// The same in every epoch: what is redeemed again after a change of keys is still the same.
    identity: MacKey,
    /// The same in every epoch: a probe's credential stands in a monitor's settings for a year.
    probe: MacKey,
}

impl Keyring {
    /// Derives the keys in force at `now`; about ten microseconds.
    #[must_use]
    pub fn new(secret: &Secret, now: Timestamp) -> Self {
        let epoch = epoch_of(now);
        let root = MacKey::new(&secret.0);
        let near = [epoch.wrapping_sub(1), epoch, epoch.wrapping_add(1)];
        Self {
            epoch,
            epochs: near.map(|epoch| EpochKeys::derive(&root, epoch)),
            identity: MacKey::new(&secret.lasting_key(Purpose::Identity.label())),
            probe: MacKey::new(&secret.lasting_key(Purpose::Probe.label())),
        }
    }

    /// Whether these are still the keys to use at `now`. Ask once a minute; build a new one if not.
    #[must_use]
    pub fn is_for(&self, now: Timestamp) -> bool {
        self.epoch == epoch_of(now)
    }

    /// The epoch whose keys sign now.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The key for `purpose` of `epoch`; `None` when that epoch is too far away.
    pub(crate) fn key(&self, purpose: Purpose, epoch: u32) -> Option<&MacKey> {
        let [before, current, next] = &self.epochs;
        let keys = match epoch.wrapping_sub(self.epoch) {
            0 => current,
            1 => next,
            u32::MAX => before,
            _ => return None,
        };
        Some(self.of_epoch(keys, purpose))
    }

    /// The key for `purpose` that signs now.
    pub(crate) fn signing_key(&self, purpose: Purpose) -> &MacKey {
        let [_, current, _] = &self.epochs;
        self.of_epoch(current, purpose)
    }

    fn of_epoch<'a>(&'a self, keys: &'a EpochKeys, purpose: Purpose) -> &'a MacKey {
        match purpose {
            Purpose::Token => &keys.token,
            Purpose::Ticket => &keys.ticket,
            Purpose::Challenge => &keys.challenge,
            Purpose::Identity => &self.identity,
            Purpose::Probe => &self.probe,
        }
    }

    /// An identifier for a token that is given for something with an identifier of its own: the same
    /// thing gives the same token, however often and to however many tabs it is redeemed.
    pub(crate) fn identity(&self, purpose: Purpose, id: u64) -> u64 {
        self.identity.number(&[&id.to_le_bytes(), purpose.label()])
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

fn epoch_of(now: Timestamp) -> u32 {
    let seconds = u64::try_from(now.wall_unix_seconds()).unwrap_or(0);
    u32::try_from(seconds / KEY_EPOCH.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_day(day: u64) -> Timestamp {
        Timestamp::new(Duration::ZERO, 0).plus(Duration::from_secs(day * 86_400))
    }

    #[test]
    fn the_mac_is_hmac_sha256() {
        // RFC 4231, test case 2, whose key is shorter than ours: HMAC pads both with zeros.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let tag = MacKey::new(&key).tag(&[b"what do ya want ", b"for nothing?"]);
        assert_eq!(tag.map(|byte| format!("{byte:02x}")).concat(), expected);
    }

    #[test]
    fn keys_differ_by_purpose_epoch_and_secret() {
        let ring = |secret: u8, day| Keyring::new(&Secret::new([secret; 32]), on_day(day));
        let mut tags = Vec::new();
        for (secret, day) in [(1, 10), (1, 20), (2, 10)] {
            let ring = ring(secret, day);
            for epoch in [ring.epoch() - 1, ring.epoch(), ring.epoch() + 1] {
                for purpose in [Purpose::Token, Purpose::Ticket, Purpose::Challenge] {
                    tags.push(ring.key(purpose, epoch).unwrap().tag(&[b"x"]));
                }
            }
        }
        let all = tags.len();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), all);
    }

    #[test]
    fn neighbours_in_time_agree_and_strangers_do_not() {
        let secret = Secret::new([7; 32]);
        let today = Keyring::new(&secret, on_day(10));
        let later = Keyring::new(&secret, on_day(10).plus(KEY_EPOCH));
        let epoch = today.epoch();
        let tag = |ring: &Keyring, epoch| ring.key(Purpose::Token, epoch).map(|key| key.tag(&[b"x"]));
        assert_eq!(tag(&today, epoch), tag(&later, epoch));
        assert_eq!(tag(&today, epoch + 1), tag(&later, epoch + 1));
        assert_eq!(tag(&today, epoch + 2), None);
        assert_eq!(tag(&later, epoch - 1), None);
        assert!(today.is_for(on_day(10).plus(Duration::from_secs(1))));
        assert!(!today.is_for(on_day(10).plus(KEY_EPOCH)));
        let id = |ring: &Keyring| ring.identity(Purpose::Ticket, 5);
        assert_eq!(id(&today), id(&later), "what a thing is redeemed for outlives the keys");
        assert!(!format!("{today:?}{secret:?}").contains('7'));
    }
}
