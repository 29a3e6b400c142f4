use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

const GOOGLEBOT: &[u8] = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
const BINGBOT: &[u8] = b"Mozilla/5.0 (compatible; bingbot/2.0)";
const HOST: &str = "crawl-1.googlebot.com.";

fn at(seconds: u64) -> Timestamp {
    Timestamp::new(Duration::ZERO, 0).plus(Duration::from_secs(seconds))
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from(0x4000_0000 + number).into()
}

fn checks() -> CrawlerChecks {
    CrawlerChecks::new(CrawlerCheckSettings::default())
}

fn names(of: u32) -> Option<NextLookUp> {
    Some(NextLookUp { address: address(of), look_up: LookUp::Names })
}

fn addresses(of: u32, name: &str) -> Option<NextLookUp> {
    Some(NextLookUp { address: address(of), look_up: LookUp::Addresses(name.to_owned()) })
}

fn stands(checks: &mut CrawlerChecks, of: u32, agent: &[u8], now: u64) -> CrawlerStanding {
    checks.standing(address(of), agent, at(now)).0
}

/// Asks about address 1 and answers as told; how it stands then.
fn check(
    of_address: Result<&[&str], LookUpFault>,
    of_names: &[(&str, Result<&[IpAddr], LookUpFault>)],
    expected: CrawlerStanding,
) {
    let mut checks = checks();
    assert_eq!(checks.standing(address(1), GOOGLEBOT, at(0)), (CrawlerStanding::Unknown, names(1)));
    assert_eq!(checks.standing(address(1), GOOGLEBOT, at(0)), (CrawlerStanding::Unknown, None), "asked once");
    let mut next = checks.on_names(address(1), of_address, at(1));
    for (name, answer) in of_names {
        assert_eq!(next, addresses(1, name));
        next = checks.on_addresses(address(1), *answer, at(1));
    }
    assert_eq!(next, None);
    assert_eq!(stands(&mut checks, 1, GOOGLEBOT, 2), expected, "{of_address:?} {of_names:?}");
}

#[test]
fn only_a_name_of_the_crawlers_that_leads_back_verifies() {
    use CrawlerStanding::{Refused, Unknown, Verified};
    let (own, other) = ([address(9), address(1)], [address(9)]);
    check(Ok(&[HOST]), &[(HOST, Ok(&own))], Verified);
    check(Ok(&[HOST]), &[(HOST, Ok(&other))], Refused);
    check(Ok(&[HOST]), &[(HOST, Ok(&[]))], Refused);
    check(Ok(&[HOST]), &[(HOST, Err(LookUpFault::NotFound))], Refused);
    check(Ok(&[HOST]), &[(HOST, Err(LookUpFault::Failed))], Unknown);
    check(Ok(&["crawl-1.googlebot.com.evil.example."]), &[], Refused);
    check(Ok(&["googlebot.com."]), &[], Refused);
    check(Ok(&[]), &[], Refused);
    check(Err(LookUpFault::NotFound), &[], Refused);
    check(Err(LookUpFault::Failed), &[], Unknown);
    check(
        Ok(&["x.example.", HOST, "crawl-2.google.com."]),
        &[(HOST, Ok(&other)), ("crawl-2.google.com.", Ok(&own))],
        Verified,
    );
    let many = ["a.google.com.", "b.google.com.", "c.google.com.", "d.google.com."];
    let none = ["a.google.com.", "b.google.com.", "c.google.com."].map(|name| (name, Ok(&other[..])));
    check(Ok(&many), &none, Refused);
}

fn verified(checks: &mut CrawlerChecks, of: u32, now: u64) {
    let (_, next) = checks.standing(address(of), GOOGLEBOT, at(now));
    assert_eq!(next, names(of));
    checks.on_names(address(of), Ok(&[HOST]), at(now));
    assert_eq!(checks.on_addresses(address(of), Ok(&[address(of)]), at(now)), None);
}

#[test]
fn what_is_known_lasts_and_is_renewed_before_it_ends() {
    let mut checks = checks();
    verified(&mut checks, 1, 0);
    assert_eq!(checks.verified_host(address(1), at(1)), Some(HOST));
    for (agent, expected) in [
        (GOOGLEBOT, CrawlerStanding::Verified),
        (BINGBOT, CrawlerStanding::Refused),
        (b"Mozilla/5.0 Firefox/130.0", CrawlerStanding::NotClaimed),
        (b"", CrawlerStanding::NotClaimed),
    ] {
        assert_eq!(checks.standing(address(1), agent, at(40_000)), (expected, None));
    }
    // Half a day later it is asked about again, and stands meanwhile, and if DNS fails too.
    assert_eq!(checks.standing(address(1), GOOGLEBOT, at(43_200)), (CrawlerStanding::Verified, names(1)));
    assert_eq!(checks.standing(address(1), GOOGLEBOT, at(43_201)), (CrawlerStanding::Verified, None));
    checks.on_names(address(1), Err(LookUpFault::Failed), at(43_202));
    assert_eq!(checks.standing(address(1), GOOGLEBOT, at(43_261)), (CrawlerStanding::Verified, None));
    assert_eq!(checks.standing(address(1), GOOGLEBOT, at(43_263)), (CrawlerStanding::Verified, names(1)));
    checks.on_names(address(1), Ok(&[]), at(43_264));
    assert_eq!(stands(&mut checks, 1, GOOGLEBOT, 43_265), CrawlerStanding::Refused, "it changed hands");
    assert_eq!(
        checks.standing(address(1), GOOGLEBOT, at(43_264 + 3_600)),
        (CrawlerStanding::Unknown, names(1))
    );
    // An answer that is lost is asked for again.
    assert_eq!(checks.standing(address(1), GOOGLEBOT, at(43_264 + 3_629)).1, None);
    assert_eq!(checks.standing(address(1), GOOGLEBOT, at(43_264 + 3_630)).1, names(1));
}

#[test]
fn a_flood_that_calls_itself_a_crawler_asks_little_and_takes_no_room() {
    let mut checks = checks();
    verified(&mut checks, 1, 0);
    let mut asked = Vec::new();
    for second in 1..=100 {
        for source in 0..1_000 {
            let (standing, next) =
                checks.standing(address(1_000 * second + source), GOOGLEBOT, at(second.into()));
            assert_eq!(standing, CrawlerStanding::Unknown);
            asked.extend(next);
        }
        // DNS answers none of them.
        assert!(checks.entries.values().filter(|entry| entry.is_asked(at(second.into()))).count() <= 16);
    }
    assert!(asked.len() <= 80, "{}", asked.len());
    assert_eq!(checks.not_asked() + asked.len() as u64, 100_000);
    let mut small =
        CrawlerChecks::new(CrawlerCheckSettings { addresses_max: 50, ..CrawlerCheckSettings::default() });
    verified(&mut small, 1, 0);
    for source in 100..600 {
        let now = u64::from(source) / 5;
        small.standing(address(source), GOOGLEBOT, at(now));
        small.on_names(address(source), Ok(&[]), at(now));
        assert!(small.len() <= 50);
    }
    assert_eq!(stands(&mut small, 1, GOOGLEBOT, 130), CrawlerStanding::Verified, "who is verified stays");
    assert_eq!(small.on_names(address(7_777), Ok(&[HOST]), at(130)), None, "an answer nobody asked for");
}

proptest! {
    /// Whatever answers come in whatever order: nobody is verified without an answer that names him.
    #[test]
    fn nobody_is_verified_by_anything_else(steps in proptest::collection::vec((0_u8..6, 0_u32..4, 0_u64..40), 0..200)) {
        let mut checks = checks();
        let mut now = 0;
        for (step, of, passes) in steps {
            now += passes;
            let next = match step {
                0 | 1 => checks.standing(address(of), if step == 0 { GOOGLEBOT } else { BINGBOT }, at(now)).1,
                2 => checks.on_names(address(of), Ok(&[HOST, "x.search.msn.com"]), at(now)),
                3 => checks.on_names(address(of), Err(LookUpFault::Failed), at(now)),
                4 => checks.on_addresses(address(of), Ok(&[address(of + 1)]), at(now)),
                _ => checks.on_addresses(address(of), Err(LookUpFault::NotFound), at(now)),
            };
            prop_assert!(next.is_none_or(|next| next.address == address(of)));
            for agent in [GOOGLEBOT, BINGBOT] {
                prop_assert_ne!(stands(&mut checks, of, agent, now), CrawlerStanding::Verified);
            }
        }
    }
}
