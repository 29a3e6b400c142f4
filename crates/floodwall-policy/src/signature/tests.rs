use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use floodwall_model::Protocol;
use proptest::prelude::*;

use super::calm::{CalmBaseline, REQUESTS_MAX};
use super::*;

const CHROME: &[u8] = b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36";
const FIREFOX: &[u8] = b"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";
const SAFARI: &[u8] = b"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
const CHROME_ORDER: &[&str] = &["host", "user-agent", "accept", "accept-encoding", "accept-language"];
const FIREFOX_ORDER: &[&str] = &["host", "user-agent", "accept", "accept-language", "accept-encoding"];
const BOT_ORDER: &[&str] = &["host", "accept", "user-agent", "accept-encoding", "accept-language"];
const PAGES: [&str; 4] = ["/", "/polling-place", "/results", "/news/17"];

type Request = (RequestShape<'static>, &'static [&'static str]);

/// Number `visitor` of the people who always come.
fn person(visitor: u32) -> Request {
    let (user_agent, order, protocol) = match visitor % 10 {
        0..5 => (CHROME, CHROME_ORDER, Protocol::Http2),
        5 => (CHROME, CHROME_ORDER, Protocol::Http11),
        6..8 => (FIREFOX, FIREFOX_ORDER, Protocol::Http2),
        _ => (SAFARI, FIREFOX_ORDER, Protocol::Http2),
    };
    let shape = RequestShape {
        client: Ipv4Addr::from(0x1800_0000 + visitor * 977).into(),
        method: "GET",
        path: PAGES[visitor as usize / 10 % 4],
        query: (visitor / 10 % 4 == 1).then_some("zip=1"),
        user_agent: Some(user_agent),
        referrer: if visitor.is_multiple_of(3) { Referrer::None } else { Referrer::SameSite },
        protocol,
        asks_for_language: true,
        fingerprint: None,
        http2_settings: None,
        system: None,
    };
    (shape, order)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::new(Duration::from_secs(seconds), 1_667_916_000_000_000).plus(Duration::ZERO)
}

const NOON: u64 = 12 * 3_600;

struct Site {
    watch: SignatureWatch,
    now: u64,
}

impl Site {
    /// After a morning with so many visitors.
    fn after_calm(visitors: u32) -> Self {
        let mut site = Self { watch: SignatureWatch::new(SignatureSettings::default(), 9), now: NOON };
        for visitor in 0..visitors {
            let (shape, order) = person(visitor);
            site.note_calm(&shape, order);
        }
        assert!(site.watch.tick(false, at(NOON)).is_none(), "in calm times nothing is searched for");
        site
    }

    fn note_calm(&mut self, shape: &RequestShape<'_>, order: &[&str]) {
        let traits = self.watch.keys().traits(shape, order.iter().copied());
        let now = at(NOON * (self.watch.calm_visitors() as u64 % 10) / 10);
        self.watch.note_calm(Prefix::of_client(shape.client), &traits, now);
    }

    /// One request while the gate is over its capacity; whether a rule acts on it.
    fn ask(&mut self, (shape, order): &Request, is_person: bool) -> bool {
        let traits = self.watch.keys().traits(shape, order.iter().copied());
        let acting = self.watch.observe(Prefix::of_client(shape.client), &traits, is_person, at(self.now));
        if !is_person {
            self.watch.note_surplus(&traits, shape, order.iter().copied(), at(self.now));
        }
        acting.is_some()
    }

    /// A second in which these come; how many of them a rule acted on.
    fn second(&mut self, requests: impl Iterator<Item = Request>) -> usize {
        let hit = requests.filter(|request| self.ask(request, false)).count();
        self.now += 1;
        if let Some(search) = self.watch.tick(true, at(self.now)) {
            let findings = search.run();
            assert_eq!(findings, search.run(), "the same again");
            self.watch.conclude(&findings, at(self.now));
        }
        hit
    }

    fn live(&self) -> Vec<String> {
        self.watch.live().map(|record| format!("{} {}", record.stage.as_str(), record.words)).collect()
    }
}

/// A bot that does as `like` and differs in what `but` makes of it.
fn bot(number: u32, but: impl Fn(Request) -> Request) -> Request {
    let (shape, order) = person(number * 7);
    but((RequestShape { client: Ipv4Addr::from(0x4000_0000 + number * 7_919).into(), ..shape }, order))
}

/// Nine bots to each person, for a while; the live rules, and what part of each was hit in the end.
fn flooded(site: &mut Site, but: impl Fn(Request) -> Request) -> (Vec<String>, f64, f64) {
    let (mut bots_hit, mut people_hit) = (0, 0);
    for second in 0..40 {
        let bots = (0..1_800).map(|number| bot(second * 1_800 + number, &but));
        let people = (0..200).map(|number| person(1_000_000 + second * 200 + number));
        bots_hit = site.second(bots);
        people_hit = site.second(people);
    }
    (site.live(), bots_hit as f64 / 1_800.0, people_hit as f64 / 200.0)
}

#[test]
fn one_odd_field_is_found_and_people_are_not_hit() {
    type But = fn(Request) -> Request;
    let rows: [(But, &str); 5] = [
        (
            |(shape, _)| (shape, BOT_ORDER),
            "acting header fields in the order host, accept, user-agent, accept-encoding, accept-language",
        ),
        (
            |(shape, order)| (RequestShape { asks_for_language: false, ..shape }, order),
            "acting no Accept-Language",
        ),
        (|(shape, order)| (RequestShape { user_agent: None, ..shape }, order), "acting no User-Agent"),
        (
            |(shape, order)| {
                (RequestShape { fingerprint: Some(Mark { number: 77, words: "t13d1516h2" }), ..shape }, order)
            },
            "acting TLS fingerprint t13d1516h2",
        ),
        (
            // Each of the two is common among people; the two together are not.
            |(shape, _)| {
                (RequestShape { user_agent: Some(CHROME), protocol: Protocol::Http2, ..shape }, FIREFOX_ORDER)
            },
            "acting header fields in the order host, user-agent, accept, accept-language, accept-encoding; User-Agent of Chrome on Windows",
        ),
    ];
    for (but, expected) in rows {
        let mut site = Site::after_calm(5_000);
        let (live, bots, people) = flooded(&mut site, but);
        assert_eq!(live, [expected]);
        assert!(bots >= 1.0 && people <= 0.0, "{expected}: {bots} {people}");
    }
}

#[test]
fn bots_that_look_as_people_give_no_rule() {
    let mut site = Site::after_calm(5_000);
    let (live, bots, people) = flooded(&mut site, |request| request);
    assert_eq!((live.len(), bots, people), (0, 0.0, 0.0));
    let refused = site.watch.refused().unwrap();
    assert!(!matches!(refused.why, NotProposed::SmallSample { .. }), "{refused:?}");
}

#[test]
fn a_crowd_to_a_new_page_from_a_new_link_gives_no_rule() {
    let mut site = Site::after_calm(5_000);
    for second in 0..40 {
        let crowd = (0..2_000).map(|number| {
            let (shape, order) = person(1_000_000 + second * 2_000 + number);
            let referrer = Referrer::Elsewhere;
            (
                RequestShape { path: "/election-night", query: Some("utm_source=news"), referrer, ..shape },
                order,
            )
        });
        assert_eq!(site.second(crowd), 0);
    }
    assert_eq!(site.live(), [""; 0]);
    assert_eq!(site.watch.refused().unwrap().why, NotProposed::NotOfProgram);
}

/// The calm sample knows of an office what it knows of one visitor.
#[test]
fn a_crowd_behind_one_address_gives_no_rule() {
    let mut site = Site::after_calm(5_000);
    for second in 0..40 {
        let crowd = (0..2_000).map(|number| {
            let (shape, order) = person(1_000_000 + second * 2_000 + number);
            let client =
                if number.is_multiple_of(2) { "198.51.100.7".parse().unwrap() } else { shape.client };
            (RequestShape { client, ..shape }, order)
        });
        assert_eq!(site.second(crowd), 0);
    }
    assert_eq!(site.live(), [""; 0]);
}

#[test]
fn a_small_calm_sample_proves_nothing_and_that_is_said() {
    let mut site = Site::after_calm(2_000);
    let (live, ..) = flooded(&mut site, |(shape, _)| (shape, BOT_ORDER));
    assert_eq!(live, [""; 0]);
    let refused = site.watch.refused().unwrap();
    assert_eq!(refused.why, NotProposed::SmallSample { visitors_needed: 2_995 });
    assert_eq!(refused.evidence.calm_visitors, 2_000);
}

#[test]
fn what_is_asked_for_narrows_a_rule_where_enough_calm_visitors_asked_the_same() {
    let script = |path, number: u32| {
        let (shape, _) = person(number);
        let client = IpAddr::from(Ipv4Addr::from(0x5000_0000 + number * 7_919));
        (
            RequestShape { path, query: None, client, user_agent: Some(b"python-requests/2"), ..shape },
            BOT_ORDER,
        )
    };
    // One calm visitor in a hundred is somebody's script that reads the results.
    let mut site = Site::after_calm(5_000);
    for number in 0..50 {
        let (shape, order) = script("/results", number);
        site.note_calm(&shape, order);
    }
    site.now += 60;
    assert!(site.watch.tick(false, at(site.now)).is_none());
    let (live, bots, people) = flooded(&mut site, |(shape, _)| {
        (RequestShape { client: shape.client, ..script("/polling-place", 0).0 }, BOT_ORDER)
    });
    assert_eq!(live.len(), 1, "{live:?}");
    assert!(live[0].contains("path /polling-place; "), "{live:?}");
    assert!(bots >= 1.0 && people <= 0.0);
    assert!(!site.ask(&script("/results", 5), false), "the scripts that always came");
}

/// A set with one rule, on everything.
fn set_with_a_rule(settings: SignatureSettings) -> SignatureSet {
    let mut set = SignatureSet::new(settings);
    let surplus = vec![ClientTraits::default(); 200];
    let calm = CalmBaseline { requests: vec![ClientTraits::default().with(TraitField::Agent, 1); 4 * 3_000] };
    let search = SignatureSearch { surplus, calm: calm.into(), cap: 0.001 };
    let findings = search.run();
    assert_eq!(findings.proposed.len(), 1);
    set.propose(&findings.proposed[0], "everything".to_owned(), at(0));
    set
}

fn stages(set: &SignatureSet) -> Vec<&'static str> {
    set.live().chain(set.ended()).map(|record| record.stage.as_str()).collect()
}

#[test]
fn a_rule_is_on_trial_acts_and_ends_when_idle() {
    let mut set = set_with_a_rule(SignatureSettings::default());
    for second in 0..29 {
        for _ in 0..10 {
            assert_eq!(set.observe(&ClientTraits::default(), None, at(second)), None);
        }
        set.tick(at(second + 1));
        assert_eq!(stages(&set), ["trial"], "nobody is known here: it takes three times as long");
    }
    set.observe(&ClientTraits::default(), None, at(29));
    set.tick(at(30));
    assert_eq!(stages(&set), ["acting"]);
    assert_eq!(set.observe(&ClientTraits::default(), None, at(31)), Some(SignatureId(1)));
    set.tick(at(150));
    assert_eq!(stages(&set), ["acting"]);
    set.tick(at(151));
    assert_eq!(stages(&set), ["ended_idle"]);
    let record = set.ended().next().unwrap();
    assert_eq!((record.matched_on_trial, record.matched_acting), (291, 1));
    assert_eq!((record.acting_since, record.until), (Some(at(30)), at(151)));
}

#[test]
fn people_among_its_matches_end_it_and_it_is_not_proposed_again_at_once() {
    for acting in [false, true] {
        let mut set = set_with_a_rule(SignatureSettings::default());
        let people = |set: &mut SignatureSet, from: u64, to: u64, traits: &ClientTraits, now| {
            for person in from..to {
                set.observe(traits, Some(person.wrapping_mul(0x9E37_79B9_7F4A_7C15)), now);
            }
        };
        let elsewhere = ClientTraits::default().with(TraitField::Agent, 1);
        people(&mut set, 0, 100, &elsewhere, at(0));
        (0..50).for_each(|_| _ = set.observe(&ClientTraits::default(), None, at(0)));
        set.tick(at(if acting { 10 } else { 1 }));
        assert_eq!(stages(&set), [if acting { "acting" } else { "trial" }], "100 people are enough");
        // One person, however often, is one in a hundred: that may be chance.
        (0..100).for_each(|_| people(&mut set, 100, 101, &ClientTraits::default(), at(11)));
        set.tick(at(12));
        assert_eq!(stages(&set), ["acting"]);
        people(&mut set, 101, 105, &ClientTraits::default(), at(13));
        set.tick(at(14));
        assert_eq!(stages(&set), ["ended_hit_people"]);
        let record = set.ended().next().unwrap().clone();
        assert!((4..=6).contains(&record.people_matched) && (95..110).contains(&record.people_seen));
        let again = Proposed { conjunction: record.conjunction, evidence: record.evidence };
        set.propose(&again, String::new(), at(600));
        assert_eq!(set.live().count(), 0);
        set.propose(&again, String::new(), at(614));
        assert_eq!(set.live().count(), 1);
    }
}

#[test]
fn a_rule_lives_no_longer_than_it_may_and_there_are_no_more_than_so_many() {
    let mut set =
        set_with_a_rule(SignatureSettings { lifetime_max: Duration::from_secs(50), ..Default::default() });
    let first = set.live().next().unwrap().clone();
    for second in 0..50 {
        assert_eq!(set.live().count(), 1);
        set.observe(&ClientTraits::default(), None, at(second));
        set.tick(at(second + 1));
    }
    assert_eq!(stages(&set), ["ended_lifetime"]);
    for value in 0..100 {
        let traits = ClientTraits::default().with(TraitField::Agent, value);
        let surplus = vec![traits; 200];
        let calm = vec![ClientTraits::default().with(TraitField::Agent, 1_000); 12_000];
        let search = SignatureSearch { surplus, calm: CalmBaseline { requests: calm }.into(), cap: 0.001 };
        let findings = search.run();
        set.propose(&Proposed { evidence: first.evidence, ..findings.proposed[0] }, String::new(), at(60));
    }
    assert_eq!((set.live().count(), set.overflowed), (64, 36));
}

/// Requests of few kinds, so that conjunctions are frequent.
fn requests(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<ClientTraits>> {
    let one = proptest::array::uniform12(0_u32..4).prop_map(ClientTraits);
    proptest::collection::vec(one, count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the samples, nothing is proposed that would have hit more than it may, every rule has
    /// a field of the client, and the figures are true.
    #[test]
    fn nothing_is_proposed_over_the_cap(
        surplus in requests(1..300),
        calm in requests(1..600),
        cap in 0.005_f64..0.5,
        rare in 1_usize..100,
    ) {
        // Visitors of few kinds and some of many, as they are.
        let mut kinds = calm.clone();
        kinds.sort_unstable();
        let visitors: Vec<_> = calm
            .chunks(REQUESTS_MAX)
            .filter(|chunk| chunk.len() == REQUESTS_MAX)
            .enumerate()
            .map(|(place, chunk)| if place % 100 < rare { [kinds[0]; 4] } else { chunk.try_into().unwrap() })
            .collect();
        let baseline = CalmBaseline { requests: visitors.concat() };
        let search = SignatureSearch { surplus: surplus.clone(), calm: baseline.into(), cap };
        let findings = search.run();
        prop_assert_eq!(&findings, &search.run());
        for Proposed { conjunction, evidence } in &findings.proposed {
            let hit = visitors.iter().filter(|requests| requests.iter().any(|traits| conjunction.matches(traits)));
            let hit = hit.count();
            let figures = (evidence.calm_hit as usize, evidence.calm_visitors as usize);
            prop_assert_eq!((hit, visitors.len()), figures);
            prop_assert!((hit as f64) < cap * visitors.len() as f64, "{} of {}", hit, visitors.len());
            let matched = surplus.iter().filter(|traits| conjunction.matches(traits)).count();
            prop_assert_eq!(matched, evidence.surplus_matched as usize);
            prop_assert!(matched * 20 >= surplus.len());
            prop_assert!(conjunction.conditions().iter().any(|condition| condition.field.is_of_program()));
        }
    }
}
