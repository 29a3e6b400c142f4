//! What a decision costs: `cargo xtask bench policy`. Figures, not tests.

#![expect(clippy::print_stdout, reason = "a benchmark's figures go to the terminal")]

mod signatures;

use std::hint::black_box;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use floodwall_model::{Prefix, Timestamp};
use floodwall_policy::{
    Binding, ClientFingerprint, CrawlerCheckSettings, CrawlerChecks, Decided, Decision, Difficulty, Gate,
    GateFacts, GateSettings, Keyring, Outcome, PrefixMap, ProofKind, ReferenceKey, RefusalNote, RequestKind,
    Rung, Secret, SiteTag, Standing, Ticket, TokenClaims, TokenId, WorkKind,
};

const ROUNDS: usize = 5;
const NOON_UNIX_MICROS: i64 = 1_667_916_000_000_000;

fn at(nanos: u64) -> Timestamp {
    Timestamp::new(Duration::from_nanos(1_000_000_000 + nanos), NOON_UNIX_MICROS)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time; nothing decides on it")]
fn clock() -> Instant {
    Instant::now()
}

/// Nanoseconds each, the least of some rounds.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn measure(name: &str, count: u64, mut run: impl FnMut(u64)) {
    let rounds = (0..ROUNDS).map(|_| {
        let start = clock();
        (0..count).for_each(&mut run);
        start.elapsed().as_nanos() as f64 / count as f64
    });
    let nanos = rounds.fold(f64::INFINITY, f64::min);
    println!("{name:64} {nanos:8.0} ns {:12.0} /s", 1e9 / nanos);
}

fn credentials() {
    let ring = Keyring::new(&Secret::new([42; 32]), at(0));
    let binding = Binding { site: SiteTag(5), fingerprint: ClientFingerprint(6), generation: 1 };
    let claims = TokenClaims {
        site: binding.site,
        fingerprint: binding.fingerprint,
        proof: ProofKind::Work,
        generation: 1,
        issued_unix_s: 1_667_916_000,
        lifetime_s: 1_800,
        id: TokenId(7),
    };
    let token = ring.issue_token(&claims);
    let stranger = Keyring::new(&Secret::new([1; 32]), at(0)).issue_token(&claims);
    let elsewhere = ring.issue_token(&TokenClaims { site: SiteTag(4), ..claims });
    let verify =
        |text: &str| black_box(ring.verify_token(black_box(text.as_bytes()), &binding, at(0))).is_ok();
    assert!(verify(token.as_str()) && !verify(stranger.as_str()));
    measure("token, valid", 500_000, |_| _ = verify(token.as_str()));
    measure("token, forged, all but the tag fits", 500_000, |_| _ = verify(stranger.as_str()));
    measure("token, of another site", 500_000, |_| _ = verify(elsewhere.as_str()));
    measure("token, not one of ours at all", 500_000, |_| _ = verify("sid=0123456789abcdef"));
    measure("token, issued", 200_000, |_| _ = black_box(ring.issue_token(black_box(&claims))));
    let ticket = ring.issue_ticket(&Ticket::take(&binding, 9, at(0)));
    measure("ticket, valid", 500_000, |_| {
        _ = black_box(ring.verify_ticket(ticket.as_str().as_bytes(), &binding, at(0)));
    });
    measure("challenge, issued", 100_000, |random| {
        _ = black_box(ring.issue_challenge(&binding, Difficulty::MIN, random, at(0)));
    });
    let challenge = ring.issue_challenge(&binding, Difficulty::MIN, 3, at(0));
    let answer = |number: u32| {
        let json = serde_json::json!({
            "algorithm": challenge.algorithm,
            "challenge": challenge.challenge,
            "number": number,
            "salt": challenge.salt,
            "signature": challenge.signature,
        });
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, json.to_string())
    };
    let lifetime = Duration::from_secs(1_800);
    let redeem = |text: &str| ring.redeem_solution(text.as_bytes(), &binding, lifetime, at(0)).is_ok();
    let solution = (0..=challenge.number_max).map(answer).find(|text| redeem(text));
    let solution = solution.unwrap_or_default();
    measure("solution, right", 200_000, |_| _ = black_box(redeem(&solution)));
    let wrong = answer(u32::MAX);
    measure("solution, wrong", 200_000, |_| _ = black_box(redeem(&wrong)));
}

fn facts(source: u64, token: Option<(TokenId, ProofKind)>) -> GateFacts {
    // Spread over all of the address space, none twice.
    let address = u32::try_from(source & 0xFFFF_FFFF).unwrap_or(0).wrapping_mul(2_654_435_761);
    GateFacts {
        client: IpAddr::V4(address.into()),
        fingerprint: ClientFingerprint(u32::try_from(source % 7).unwrap_or(0)),
        system: None,
        token,
        standing: Standing::Unknown,
        kind: RequestKind::Page,
        keeps_no_cookies: false,
    }
}

/// Offers of so many sources, at a million a second; what is admitted ends at once.
fn calm(sources: u64, proof: Option<ProofKind>) {
    let mut gate = Gate::new(GateSettings::default(), 7, at(0));
    let name = if proof.is_some() { "proven" } else { "unproven" };
    measure(&format!("offer and release, calm, {name}, {sources} sources"), 2_000_000, |step| {
        let source = step.wrapping_mul(0x9E37_79B9) % sources;
        let now = at(step * 1_000);
        let token = proof.map(|proof| (TokenId(source), proof));
        if gate.offer(&facts(source, token), now) == Decision::Admit {
            gate.on_release(
                Outcome::Answered(Duration::from_millis(75), WorkKind::of("GET", "/look-up")),
                now,
            );
        }
        while gate.next_wake(now).is_some() {}
    });
}

/// The same while nothing leaves the origin: challenges, waits and refusals.
fn flooded(sources: u64, rung: Rung, proof: Option<ProofKind>) {
    let mut gate = Gate::new(GateSettings::default(), 7, at(0));
    let mut step = 0;
    while gate.rung() < rung {
        step += 1;
        _ = gate.offer(&facts(step % sources, proof.map(|proof| (TokenId(step % sources), proof))), at(0));
        if step % 10_000 == 0 {
            gate.tick(at(step));
        }
    }
    let reached = gate.rung().number();
    let name = if proof.is_some() { "proven" } else { "unproven" };
    measure(&format!("offer, flood, rung {reached}, {name}, {sources} sources"), 2_000_000, |step| {
        let source = step.wrapping_mul(0x9E37_79B9) % sources;
        let now = at(step * 1_000);
        _ = black_box(gate.offer(&facts(source, proof.map(|proof| (TokenId(source), proof))), now));
        while gate.next_wake(now).is_some() {}
    });
}

fn references() {
    let key = ReferenceKey::new(&Secret::new([42; 32]));
    let client = Prefix::of_client(IpAddr::V4(0xC000_0207.into()));
    let note = |counter: u64| RefusalNote {
        at_unix_s: 1_793_966_400,
        decided: Decided::NoRoom,
        rung: Rung::Redirect,
        site: Some(0),
        client: key.client_tag(client),
        counter: counter.to_le_bytes()[0],
    };
    measure("reference ID, sealed, the client's hash included", 500_000, |step| {
        _ = black_box(key.seal(&note(step)));
    });
    let id = key.seal(&note(1));
    measure("reference ID, opened", 500_000, |_| _ = black_box(key.open(black_box(id), 1, at(0))));
}

fn known_good() {
    let networks = (0..4_096_u32).map(|number| {
        let address = std::net::Ipv4Addr::from(number.wrapping_mul(2_654_435_761));
        (Prefix::of_network(address.into()), number)
    });
    let map = PrefixMap::new(networks);
    measure("prefix of 4,096 that holds an address", 2_000_000, |step| {
        let address = u32::try_from(step & 0xFFFF_FFFF).unwrap_or(0).wrapping_mul(2_654_435_761);
        _ = black_box(map.get(IpAddr::V4(address.into())));
    });
    let mut checks = CrawlerChecks::new(CrawlerCheckSettings::default());
    let agents: [(&str, &[u8]); 2] = [
        ("a browser", b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36"),
        ("claimed, none known", b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ];
    for (name, agent) in agents {
        measure(&format!("crawler, {name}"), 200_000, |step| {
            let address = u32::try_from(step & 0xFFFF_FFFF).unwrap_or(0);
            _ = black_box(checks.standing(IpAddr::V4(address.into()), agent, at(step * 1_000)));
        });
    }
}

fn main() {
    // `cargo test --benches` only wants to see it start.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("least of {ROUNDS} rounds, one thread\n");
    credentials();
    references();
    known_good();
    signatures::run();
    let gate = Gate::new(GateSettings::default(), 7, at(0));
    println!("\ngate: {} KiB of memory at most, however many sources come", gate.memory_bytes_max() / 1024);
    for sources in [1_000, 1_000_000, 10_000_000] {
        calm(sources, None);
        calm(sources, Some(ProofKind::Redirect));
    }
    for sources in [1_000, 1_000_000, 10_000_000] {
        flooded(sources, Rung::Redirect, None);
        flooded(sources, Rung::Choice, Some(ProofKind::Work));
    }
}
