//! Reference IDs that say for themselves what was decided, to whoever has the secret.
//!
//! A visitor quotes the ID on his page hours or weeks later; `floodwall explain` opens it and says
//! what was decided then, at what site, on which rung, and whether it was given to a certain address.
//! The edge remembers nothing for it. To everybody else an ID is as good as random.
//!
//! | Bits | What |
//! |---|---|
//! | 28 | when, in seconds since 2024, modulo eight and a half years |
//! | 5 | [`Decided`] |
//! | 3 | the rung |
//! | 8 | the site's place in the settings; 255 for none and for all from there on |
//! | 8 | a keyed hash of the client's prefix |
//! | 8 | a counter, so that requests of the same second differ |
//!
//! These 60 bits are enciphered by a keyed permutation: a balanced Feistel network (Luby and Rackoff
//! 1988) of ten rounds, as FF1 has (NIST SP 800-38G), whose round function is SipHash-2-4 instead of
//! AES: what an ID protects is how loaded a site was in which second, and it is made for every
//! answer. Its key is the same in every epoch and ends with the secret.
//!
//! Limits: an ID is no proof. Sixty bits leave no room for a tag, so one made up passes for real
//! where what it deciphers to is plausible: with one site, for one in 5,000 ([`AGE_MAX`] of the
//! time's range, 20 of 32 decisions, 5 of 8 rungs, 1 of 256 sites), with ten sites for one in 500; and
//! another address passes for the client's for one in 256. Where the settings' sites were reordered,
//! old IDs name the wrong one. Two requests of the same second, decision, site and client may have the
//! same ID.

use std::time::Duration;

use floodwall_model::{Prefix, ReferenceId, Timestamp};

use crate::gate::{Challenge, RefusalReason};
use crate::ladder::Rung;
use crate::prefix_limiter::hash_words;
use crate::secret::{REFERENCE_LABEL, Secret};

/// IDs that are older are not opened.
pub const AGE_MAX: Duration = Duration::from_secs(400 * 86_400);

const TIME_BITS: u32 = 28;
const HALF_BITS: u32 = 30;
const HALF: u64 = (1 << HALF_BITS) - 1;
const ROUNDS: u64 = 10;
/// 2024-01-01T00:00:00Z.
const EPOCH_UNIX_S: i64 = 1_704_067_200;
/// How far another edge's clock may be ahead.
const SKEW_S: i64 = 60;
/// No site, or one that is beyond what fits.
const NO_SITE: u8 = u8::MAX;

/// What was decided on a request. One closed list; a code is never given to anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decided {
    /// Answered, from the cache or by the origin.
    Answered,
    /// Refused: the client's prefix is over a limit of the settings.
    PrefixRate,
    /// Refused: no room at the origin.
    NoRoom,
    /// Refused: no room, and the source asked for more than its share.
    OverShare,
    /// Refused after a wait: somebody better proven took the place.
    Displaced,
    /// Refused after the longest wait.
    WaitedOut,
    /// Asked to follow a redirect.
    Redirect,
    /// Shown the page with the choice.
    Choice,
    /// Sent to the waiting room.
    WaitingRoom,
    /// Given a token for what was proven.
    TokenGiven,
    /// Refused: the operator blocked the address.
    Blocked,
    /// Ended for what its connection did.
    Connection,
    /// No declared site has the host.
    UnknownHost,
    /// Malformed, ambiguous or too large.
    Malformed,
    /// A method that is not accepted.
    MethodNotAllowed,
    /// Sent to HTTPS.
    MovedToHttps,
    /// Came back to the edge that sent it.
    Loop,
    /// A copy only was asked for, and there was none.
    NotCached,
    /// The origin had no turn free.
    OriginBusy,
    /// The origin did not answer, or not well.
    OriginFailed,
    /// The site declares which paths it has, and not this one.
    UndeclaredPath,
}

impl Decided {
    /// All there are.
    pub const ALL: [Self; 21] = [
        Self::Answered,
        Self::PrefixRate,
        Self::NoRoom,
        Self::OverShare,
        Self::Displaced,
        Self::WaitedOut,
        Self::Redirect,
        Self::Choice,
        Self::WaitingRoom,
        Self::TokenGiven,
        Self::Blocked,
        Self::Connection,
        Self::UnknownHost,
        Self::Malformed,
        Self::MethodNotAllowed,
        Self::MovedToHttps,
        Self::Loop,
        Self::NotCached,
        Self::OriginBusy,
        Self::OriginFailed,
        Self::UndeclaredPath,
    ];

    /// Its code in IDs: 1 to 31.
    fn code(self) -> u8 {
        match self {
            Self::Answered => 1,
            Self::PrefixRate => 2,
            Self::NoRoom => 3,
            Self::OverShare => 4,
            Self::Displaced => 5,
            Self::WaitedOut => 6,
            Self::Redirect => 7,
            Self::Choice => 8,
            Self::WaitingRoom => 9,
            Self::TokenGiven => 10,
            Self::Blocked => 11,
            Self::Connection => 12,
            Self::UnknownHost => 13,
            Self::Malformed => 14,
            Self::MethodNotAllowed => 15,
            Self::MovedToHttps => 16,
            Self::Loop => 17,
            Self::NotCached => 18,
            Self::OriginBusy => 19,
            Self::OriginFailed => 20,
            Self::UndeclaredPath => 21,
        }
    }

    fn from_code(code: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|decided| u64::from(decided.code()) == code)
    }

    /// A short name for records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::PrefixRate => "prefix_rate",
            Self::NoRoom => "no_room",
            Self::OverShare => "over_share",
            Self::Displaced => "displaced",
            Self::WaitedOut => "waited_out",
            Self::Redirect => "redirect",
            Self::Choice => "choice",
            Self::WaitingRoom => "waiting_room",
            Self::TokenGiven => "token_given",
            Self::Blocked => "blocked",
            Self::Connection => "connection",
            Self::UnknownHost => "unknown_host",
            Self::Malformed => "malformed",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MovedToHttps => "moved_to_https",
            Self::Loop => "loop",
            Self::NotCached => "not_cached",
            Self::OriginBusy => "origin_busy",
            Self::OriginFailed => "origin_failed",
            Self::UndeclaredPath => "undeclared_path",
        }
    }
}

impl From<RefusalReason> for Decided {
    fn from(reason: RefusalReason) -> Self {
        match reason {
            RefusalReason::NoRoom => Self::NoRoom,
            RefusalReason::OverShare => Self::OverShare,
            RefusalReason::Displaced => Self::Displaced,
            RefusalReason::WaitedOut => Self::WaitedOut,
        }
    }
}

impl From<Challenge> for Decided {
    fn from(challenge: Challenge) -> Self {
        match challenge {
            Challenge::Redirect => Self::Redirect,
            Challenge::Choice => Self::Choice,
            Challenge::WaitingRoom => Self::WaitingRoom,
        }
    }
}

impl From<floodwall_model::Reason> for Decided {
    fn from(reason: floodwall_model::Reason) -> Self {
        match reason {
            floodwall_model::Reason::PrefixRate => Self::PrefixRate,
        }
    }
}

/// What a reference ID says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalNote {
    /// When, in seconds since 1970.
    pub at_unix_s: i64,
    /// What was decided.
    pub decided: Decided,
    /// The rung the site's gate stood on.
    pub rung: Rung,
    /// The site's place in the settings; `None` for no site, or one from the 256th on.
    pub site: Option<u8>,
    /// A keyed hash of the client's prefix ([`ReferenceKey::client_tag`]).
    pub client: u8,
    /// Tells requests of the same second apart.
    pub counter: u8,
}

/// Seals and opens reference IDs.
#[derive(Clone, Copy)]
pub struct ReferenceKey {
    rounds: (u64, u64),
    clients: (u64, u64),
}

impl ReferenceKey {
    /// The key that comes of a secret: the same on every edge that has it.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let key = secret.lasting_key(REFERENCE_LABEL);
        let mut words = key.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or(0);
        Self { rounds: (next(), next()), clients: (next(), next()) }
    }

    /// The hash of a client's prefix that a note carries.
    #[must_use]
    pub fn client_tag(&self, client: Prefix) -> u8 {
        let hash = hash_words(self.clients, client.client_key(), u64::from(client.length_bits()));
        let [tag, ..] = hash.to_le_bytes();
        tag
    }

    /// Makes the ID that says so. Allocates nothing; some 250 ns, with the client's hash.
    #[must_use]
    pub fn seal(&self, note: &RefusalNote) -> ReferenceId {
        let since = note.at_unix_s.wrapping_sub(EPOCH_UNIX_S).cast_unsigned() & ((1 << TIME_BITS) - 1);
        let bits = [
            (u64::from(note.decided.code()), 5),
            (u64::from(note.rung.number()), 3),
            (u64::from(note.site.unwrap_or(NO_SITE)), 8),
            (u64::from(note.client), 8),
            (u64::from(note.counter), 8),
        ];
        let plain = bits.into_iter().fold(since, |plain, (value, width)| plain << width | value);
        ReferenceId::from_random(self.encipher(plain))
    }

    /// What an ID says, if it can be one of ours: not from the future, not older than [`AGE_MAX`], of a
    /// decision and rung there are, and of one of the first `sites` sites or none.
    #[must_use]
    pub fn open(&self, id: ReferenceId, sites: usize, now: Timestamp) -> Option<RefusalNote> {
        let mut plain = self.decipher(id.bits());
        let mut take = |width: u32| {
            let value = plain & ((1 << width) - 1);
            plain >>= width;
            value
        };
        let counter = u8::try_from(take(8)).ok()?;
        let client = u8::try_from(take(8)).ok()?;
        let site = u8::try_from(take(8)).ok()?;
        let rung = *Rung::ALL.get(usize::try_from(take(3)).ok()?)?;
        let decided = Decided::from_code(take(5))?;
        let since = plain.cast_signed();
        if site != NO_SITE && usize::from(site) >= sites {
            return None;
        }
        let latest = now.wall_unix_seconds().saturating_add(SKEW_S);
        let age = latest.wrapping_sub(EPOCH_UNIX_S).wrapping_sub(since) & ((1 << TIME_BITS) - 1);
        let at_unix_s = latest.saturating_sub(age);
        let age_max = i64::try_from(AGE_MAX.as_secs()).unwrap_or(i64::MAX);
        let plausible = age <= age_max;
        let site = (site != NO_SITE).then_some(site);
        plausible.then_some(RefusalNote { at_unix_s, decided, rung, site, client, counter })
    }

    fn round(&self, round: u64, half: u64) -> u64 {
        hash_words(self.rounds, half, round) & HALF
    }

    fn encipher(&self, plain: u64) -> u64 {
        let halves = (plain >> HALF_BITS & HALF, plain & HALF);
        let (left, right) =
            (0..ROUNDS).fold(halves, |(left, right), round| (right, left ^ self.round(round, right)));
        left << HALF_BITS | right
    }

    fn decipher(&self, sealed: u64) -> u64 {
        let halves = (sealed >> HALF_BITS & HALF, sealed & HALF);
        let (left, right) =
            (0..ROUNDS).rev().fold(halves, |(left, right), round| (right ^ self.round(round, left), left));
        left << HALF_BITS | right
    }
}

impl std::fmt::Debug for ReferenceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReferenceKey(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> ReferenceKey {
        ReferenceKey::new(&Secret::new([42; 32]))
    }

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::new(Duration::from_secs(1), unix_s * 1_000_000)
    }

    const NOON: i64 = 1_793_966_400;

    fn note(at_unix_s: i64) -> RefusalNote {
        let (decided, rung) = (Decided::Choice, Rung::Choice);
        RefusalNote { at_unix_s, decided, rung, site: Some(1), client: 7, counter: 9 }
    }

    #[test]
    fn codes_are_each_ones_own_and_fit() {
        let mut codes: Vec<_> = Decided::ALL.iter().map(|decided| decided.code()).collect();
        assert!(codes.iter().all(|code| (1..32).contains(code)));
        codes.dedup();
        assert_eq!(codes.len(), Decided::ALL.len());
        let names: std::collections::BTreeSet<_> =
            Decided::ALL.iter().map(|decided| decided.as_str()).collect();
        assert_eq!(names.len(), Decided::ALL.len());
    }

    #[test]
    fn times_are_those_before_now() {
        for (at_unix_s, now, readable) in [
            (NOON, NOON, true),
            (NOON + 59, NOON, true),
            (NOON + 62, NOON, false),
            (NOON - 399 * 86_400, NOON, true),
            (NOON - 401 * 86_400, NOON, false),
            // Across the end of the 28 bits, in July 2032.
            (EPOCH_UNIX_S + (1 << 28) - 5, EPOCH_UNIX_S + (1 << 28) + 5, true),
            (EPOCH_UNIX_S + (1 << 28) + 5, EPOCH_UNIX_S + (1 << 28) + 9, true),
        ] {
            let opened = key().open(key().seal(&note(at_unix_s)), 2, at(now));
            assert_eq!(opened, readable.then_some(note(at_unix_s)), "{at_unix_s} at {now}");
        }
    }

    #[test]
    fn of_those_made_up_few_pass_and_with_another_secret_none_says_the_same() {
        let pass = |sites| {
            let made_up = (0..100_000_u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let opened =
                made_up.filter_map(|bits| key().open(ReferenceId::from_random(bits), sites, at(NOON)));
            opened.count()
        };
        // One site and none; ten and none.
        assert!((20..60).contains(&pass(1)), "{}", pass(1));
        assert!((170..270).contains(&pass(10)), "{}", pass(10));
        let other = ReferenceKey::new(&Secret::new([43; 32]));
        assert_ne!(other.open(key().seal(&note(NOON)), 2, at(NOON)), Some(note(NOON)));
        assert_ne!(
            key().client_tag("192.0.2.1".parse().unwrap()),
            other.client_tag("192.0.2.1".parse().unwrap())
        );
    }

    #[test]
    fn a_changed_bit_changes_half_of_the_others() {
        let changed = (0..60).map(|bit| {
            let plain = 0x0012_3456_789A_BCDE;
            (key().encipher(plain) ^ key().encipher(plain ^ 1 << bit)).count_ones()
        });
        let mean = f64::from(changed.sum::<u32>()) / 60.0;
        assert!((28.0..32.0).contains(&mean), "{mean}");
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_read_again(
            bits in any::<u64>(),
            ago in 0_i64..34_000_000,
            decided in 0_usize..20,
            rung in 0_usize..5,
            site in proptest::option::of(0_u8..255),
            client in any::<u8>(),
            counter in any::<u8>(),
        ) {
            let bits = bits & ((1 << 60) - 1);
            prop_assert_eq!(key().decipher(key().encipher(bits)), bits);
            let rung = Rung::ALL[rung];
            let decided = Decided::ALL[decided];
            let note = RefusalNote { at_unix_s: NOON - ago, decided, rung, site, client, counter };
            let id = key().seal(&note);
            let spoken: ReferenceId = id.to_string().parse().unwrap();
            prop_assert_eq!(key().open(spoken, 255, at(NOON)), Some(note));
        }
    }
}
