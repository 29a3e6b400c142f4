use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;

use proptest::prelude::*;

use crate::rate_limit::Conformance;

use super::*;

const SITE: SiteId = SiteId(0);
const SECOND: u64 = 1_000_000_000;

fn limit(rate: u32, burst: u32) -> RateLimit {
    RateLimit::from_numbers(rate, burst).unwrap()
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::new(Duration::from_nanos(nanos), 0)
}

fn v4(number: u32) -> Prefix {
    Prefix::of_client(IpAddr::V4(Ipv4Addr::from(number)))
}

fn v6(number: u64) -> Prefix {
    Prefix::of_client(IpAddr::V6(Ipv6Addr::from(u128::from(number) << 64)))
}

fn conforms(limiter: &PrefixLimiter, prefix: Prefix, limit: RateLimit, nanos: u64) -> bool {
    limiter.check(Meter::OriginBound, SITE, prefix, limit, at(nanos)).is_ok()
}

/// A seeded generator (SplitMix64) for simulations too long for proptest.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
}

/// Times between requests: mostly none or short, now and then a long rest.
fn gaps() -> impl Strategy<Value = Vec<u64>> {
    let gap =
        prop_oneof![Just(0), 0..50_000_000_u64, 0..2 * SECOND, Just(30 * SECOND), Just(40 * 86_400 * SECOND)];
    prop::collection::vec(gap, 1..120)
}

proptest! {
    /// In no window, between any two admitted requests, are there more than the burst and what is
    /// earned back meanwhile.
    #[test]
    fn never_admits_more_than_the_limit_in_any_window(rate in 1_u32..2_000, burst in 1_u32..40, gaps in gaps()) {
        let (limiter, limit) = (PrefixLimiter::new(64, 7), limit(rate, burst));
        let mut now = SECOND;
        let mut admitted = Vec::new();
        for gap in gaps {
            now += gap;
            if conforms(&limiter, v4(1), limit, now) {
                admitted.push(now);
            }
        }
        for (first, from) in admitted.iter().enumerate() {
            for (last, to) in admitted.iter().enumerate().skip(first) {
                let most = u64::from(burst) + (to - from) / limit.interval_nanos();
                prop_assert!((last - first + 1) as u64 <= most, "{} in {} ns", last - first + 1, to - from);
            }
        }
    }

    /// As long as sets have room, every prefix is judged exactly as if it had a table of its own.
    #[test]
    fn agrees_with_one_account_per_prefix(
        seed: u64,
        rate in 1_u32..200,
        burst in 1_u32..10,
        steps in prop::collection::vec((0_u32..40, any::<bool>(), 0..100_000_000_u64), 1..300),
    ) {
        let (limiter, limit) = (PrefixLimiter::new(16_384, seed), limit(rate, burst));
        let mut accounts: HashMap<Prefix, u64> = HashMap::new();
        let mut now = SECOND;
        for (number, is_v4, gap) in steps {
            now += gap;
            let prefix = if is_v4 { v4(number) } else { v6(u64::from(number) << 20) };
            let tat = accounts.entry(prefix).or_default();
            let expected = match limit.judge(*tat, now) {
                Conformance::Conforms { tat_nanos } => {
                    *tat = tat_nanos;
                    Ok(())
                }
                Conformance::Exceeds { wait_nanos } => Err(Duration::from_nanos(wait_nanos)),
                // One limit and one clock leave nothing over: any answer of the table is a fault.
                Conformance::Leftover { .. } => Err(Duration::MAX),
            };
            prop_assert_eq!(limiter.check(Meter::OriginBound, SITE, prefix, limit, at(now)), expected);
        }
        prop_assert_eq!(limiter.evictions(), 0);
        prop_assert_eq!(limiter.tracked(at(now)), accounts.values().filter(|tat| **tat > now).count() as u64);
    }

    /// However full the table: a prefix that keeps to its limit is never refused, and none is told
    /// to wait longer than for one request.
    #[test]
    fn refuses_nobody_who_conforms_however_full(seed: u64, steps in prop::collection::vec((0_u32..2_000, 0..5_000_000_u64), 1..2_000)) {
        let (limiter, limit) = (PrefixLimiter::new(64, seed), limit(10, 3));
        let mut accounts: HashMap<u32, u64> = HashMap::new();
        let mut now = SECOND;
        for (number, gap) in steps {
            now += gap;
            // The account of one who was never forgotten: charged for what was admitted.
            let tat = accounts.entry(number % 500).or_default();
            let fitting = matches!(limit.judge(*tat, now), Conformance::Conforms { .. });
            match limiter.check(Meter::OriginBound, SITE, v4(number % 500), limit, at(now)) {
                Ok(()) => *tat = (*tat).max(now) + limit.interval_nanos(),
                Err(wait) => {
                    prop_assert!(!fitting, "refused though it conforms");
                    prop_assert!(wait <= Duration::from_nanos(limit.interval_nanos()));
                }
            }
        }
    }

    /// The wait is exact: a nanosecond sooner is refused, then is admitted.
    #[test]
    fn the_wait_is_exact(rate in 1_u32..100_000, burst in 1_u32..50, late in 0..SECOND) {
        let (limiter, limit) = (PrefixLimiter::new(64, 7), limit(rate, burst));
        while conforms(&limiter, v4(1), limit, SECOND) {}
        let now = SECOND + late % limit.interval_nanos();
        let wait = limiter.check(Meter::OriginBound, SITE, v4(1), limit, at(now)).unwrap_err();
        let due = now + u64::try_from(wait.as_nanos()).unwrap();
        prop_assert!(!conforms(&limiter, v4(1), limit, due - 1));
        prop_assert!(conforms(&limiter, v4(1), limit, due));
    }
}

#[test]
fn time_may_stand_still_or_jump() {
    let (limiter, limit) = (PrefixLimiter::new(64, 7), limit(10, 5));
    for (case, nanos, admitted) in [
        ("the clock's first moment", 0, 5),
        ("standing still", 0, 0),
        ("a tenth of a second on", SECOND / 10, 1),
        ("a year on", 365 * 86_400 * SECOND, 5),
        // A monotonic clock does not; should one, the wait is short all the same.
        ("back to the start", SECOND, 0),
        ("a tenth of a second after that", SECOND + SECOND / 10, 1),
        ("beyond what a slot can hold", u64::MAX, 50),
    ] {
        let count = (0..50).filter(|_| conforms(&limiter, v4(1), limit, nanos)).count();
        assert_eq!(count, admitted, "{case}");
    }
}

#[test]
fn accounts_are_apart_by_meter_site_and_prefix() {
    let (limiter, limit) = (PrefixLimiter::new(64, 7), limit(1, 1));
    let rows = [
        (Meter::OriginBound, 0, v4(1)),
        (Meter::AllRequests, 0, v4(1)),
        (Meter::OriginBound, 1, v4(1)),
        (Meter::OriginBound, 0, v4(2)),
        (Meter::OriginBound, 0, v6(1)),
        (Meter::OriginBound, 0, "0.0.0.0/24".parse().unwrap()),
    ];
    for round in [true, false] {
        for (meter, site, prefix) in rows {
            let ok = limiter.check(meter, SiteId(site), prefix, limit, at(SECOND)).is_ok();
            assert_eq!(ok, round, "{meter:?} {site} {prefix}");
        }
    }
}

#[test]
fn capacity_is_bounded_and_memory_is_as_stated() {
    for (asked, capacity) in [(0, 64), (64, 64), (65, 128), (100_000, 131_072), (1_048_576, 1_048_576)] {
        let limiter = PrefixLimiter::new(asked, 7);
        assert_eq!(limiter.capacity_prefixes(), capacity, "{asked}");
        let head = size_of::<PrefixLimiter>() as u64;
        assert_eq!(limiter.memory_bytes_max(), capacity as u64 * 16 + head, "{asked}");
        assert!(head <= 256);
    }
}

/// An hour, a million sources that each come once or a few times, a visitor who keeps to the limit
/// and one source that floods: the flood is held to its limit, the visitor is never refused, and
/// memory stays what it was.
#[test]
fn an_hour_of_a_million_churning_sources() {
    let (limiter, limit) = (PrefixLimiter::new(16_384, 0x000F_100D), limit(2, 10));
    let bytes = limiter.memory_bytes_max();
    let (visitor, flooder) = (v4(0xC000_0201), v4(0xC633_6401));
    let mut random = Random(2);
    let mut flood_admitted = 0_u64;
    for source in 0..1_000_000_u64 {
        let now = SECOND + source * 3_600_000;
        let stranger = if source % 2 == 0 { v4(u32::try_from(source).unwrap()) } else { v6(random.next()) };
        assert!(conforms(&limiter, stranger, limit, now), "a stranger was refused");
        if source % 200 == 0 {
            assert!(conforms(&limiter, visitor, limit, now), "a visitor within the limit was refused");
        }
        if source % 4 == 0 {
            flood_admitted += u64::from(conforms(&limiter, flooder, limit, now));
        }
    }
    assert_eq!(limiter.memory_bytes_max(), bytes);
    assert_eq!(flood_admitted, 10 + 2 * 3_600 - 1);
    assert_eq!(limiter.evictions(), 0, "some 140 sources owe time at once: there is room");
}

/// Far more sources at once than slots: nobody new is refused, what was forgotten is counted, and
/// the one who sends most is remembered.
#[test]
fn an_overfull_table_forgives_the_light_and_remembers_the_heavy() {
    let (limiter, limit) = (PrefixLimiter::new(1_024, 7), limit(1, 20));
    let heavy = v4(1);
    let mut heavy_admitted = 0;
    for source in 0..100_000_u32 {
        let now = SECOND + u64::from(source) * 100_000;
        assert!(conforms(&limiter, v4(0x0A00_0000 + source), limit, now), "a stranger was refused");
        heavy_admitted += u32::from(conforms(&limiter, heavy, limit, now));
    }
    assert_eq!(heavy_admitted, 20 + 9, "its burst and one for each of ten seconds");
    assert_eq!(limiter.tracked(at(11 * SECOND - 1)), 1_024);
    assert!(limiter.evictions() > 80_000, "{}", limiter.evictions());
    assert_eq!(limiter.tracked(at(60 * SECOND)), 0, "all have earned back what they owed");
}

/// Threads that fight for the four slots of one set: each source keeps exactly to its limit, so a
/// single nanosecond taken from another's account would refuse it.
#[test]
fn threads_never_refuse_one_who_conforms() {
    const SOURCES_PER_THREAD: usize = 2;
    let limit = limit(1_000, 1);
    let limiter = PrefixLimiter::new(64, 7);
    let in_first_set =
        |prefix: &Prefix| limiter.key(Meter::OriginBound, SITE, *prefix) & limiter.set_mask == 0;
    let sources: Vec<_> = (0..).map(v4).filter(in_first_set).take(4 * SOURCES_PER_THREAD).collect();
    thread::scope(|scope| {
        for own in sources.chunks(SOURCES_PER_THREAD) {
            let limiter = &limiter;
            scope.spawn(move || {
                for turn in 0..50_000_u64 {
                    let now = SECOND + turn * limit.interval_nanos();
                    for source in own {
                        assert!(conforms(limiter, *source, limit, now), "{source}, turn {turn}");
                    }
                }
            });
        }
    });
    assert!(limiter.evictions() > 0, "the sources did not fight for slots");
}

/// Threads that serve one source at the same moment: its burst is admitted whole, and over it at
/// most what the race for its first slot lets through. Lost charges would show as hundreds more.
#[test]
fn threads_share_one_allowance() {
    const THREADS: usize = 4;
    for round in 0..50 {
        let (limiter, limit) = (PrefixLimiter::new(64, round), limit(1, 500));
        let admitted: usize = thread::scope(|scope| {
            let flood = || (0..1_000).filter(|_| conforms(&limiter, v4(1), limit, SECOND)).count();
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(flood)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let uncharged = usize::try_from(limiter.evictions()).unwrap();
        let most = 500 + 10 * THREADS + uncharged;
        assert!((500..=most).contains(&admitted), "round {round}: {admitted}");
    }
}

#[test]
fn the_hash_is_siphash_2_4_under_both_keys() {
    // From the test vectors published with SipHash: 16 bytes 00 to 0f under the key 00 to 0f.
    let (low, high) = (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908);
    let published = 0x3F2A_CC7F_57C2_9BDB;
    assert_eq!(hash_words((low, high), low, high), published);
    for keys in [(low, low), (high, high)] {
        assert_ne!(hash_words(keys, low, high), published);
    }
    let second_keys: HashSet<_> = (0..64).map(|bit| PrefixLimiter::new(64, 1 << bit).hash_keys.1).collect();
    assert_eq!(second_keys.len(), 64, "it depends on every bit of the seed");
}

#[test]
fn sources_spread_evenly_over_the_sets() {
    // Neighbouring addresses, as a botnet in one network has, half as many as there are slots. If
    // they fall at random (Poisson, mean 2 per set of 4), 0.0766 per set find theirs full: 1,255.
    let (limiter, limit) = (PrefixLimiter::new(65_536, 99), limit(1, 1));
    for source in 0..32_768 {
        assert!(conforms(&limiter, v4(0x0A00_0000 + source), limit, SECOND));
    }
    let evictions = limiter.evictions();
    assert!((1_100..1_400).contains(&evictions), "{evictions}");
    assert_eq!(limiter.tracked(at(SECOND)), 32_768 - evictions);
    let in_turns: Vec<u64> = (0..16).map(|_| limiter.tracked_in_turns(at(SECOND))).collect();
    assert!(in_turns.is_sorted() && in_turns[0] > 0);
    assert_eq!(in_turns[7..], [32_768 - evictions; 9], "once every part has been looked at");
}
