//! What counting a request costs, and a second's summary: `cargo bench --package floodwall-detection`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use floodwall_detection::{Detector, RequestReader, RequestSeen, RequestText, Sketches, Surroundings};
use floodwall_model::{SiteId, Timestamp};

const ROUNDS: u32 = 7;

/// The least of several rounds: what the work costs when nothing else runs.
fn measure(name: &str, steps: u32, mut step: impl FnMut(u32)) {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        (0..steps).for_each(&mut step);
        least = least.min(begun.elapsed().as_secs_f64() * 1e9 / f64::from(steps));
    }
    println!("{name:<60} {least:>9.0} ns");
}

fn requests(reader: &RequestReader, sources: u32) -> Vec<RequestSeen> {
    (0..1 << 16)
        .map(|number: u32| {
            let source = number.wrapping_mul(40_503) % sources;
            reader.read(&RequestText {
                client: std::net::Ipv4Addr::from(source.wrapping_mul(2_654_435_761)).into(),
                method: "GET",
                target: &format!("/page-{}?q={number}", number % 50),
                referer: None,
                user_agent: Some(&format!("Mozilla/5.0 ({})", number % 40)),
                status: 200,
            })
        })
        .collect()
}

fn main() {
    // `cargo test --benches` only wants to see it start.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("least of {ROUNDS} rounds, one thread\n");
    println!("sketches of one worker and site: {} bytes", Sketches::BYTES);
    println!("detector of one site: at most {} bytes\n", Detector::BYTES);
    let reader = RequestReader::new(1, &["vote.example"]);
    for sources in [20, 1_000, 60_000] {
        let requests = requests(&reader, sources);
        let mut sketches = Sketches::new(1);
        let mut next = requests.iter().cycle();
        measure(&format!("observe a request, {sources} sources"), 2_000_000, |_| {
            if let Some(request) = next.next() {
                sketches.observe(black_box(request));
            }
        });
    }
    let text = RequestText {
        client: std::net::Ipv4Addr::from(7).into(),
        method: "GET",
        target: "/polling-place/lookup?address=1+Oak+Street",
        referer: Some("https://vote.example/polling-place"),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"),
        status: 200,
    };
    measure("read a request's texts, agent known", 500_000, |_| _ = black_box(reader.read(black_box(&text))));
    let agents: Vec<String> = (0..8_192)
        .map(|number| {
            format!("Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/20100101 Firefox/{number}.0")
        })
        .collect();
    let mut next = agents.iter().cycle();
    measure("read a request's texts, agent new", 200_000, |_| {
        let text = RequestText { user_agent: next.next().map(String::as_str), ..text };
        _ = black_box(reader.read(black_box(&text)));
    });
    let requests = requests(&reader, 60_000);
    quiet(&requests);
    let (mut sketches, mut other) = (Sketches::new(1), Sketches::new(1));
    let mut detector = Detector::new(SiteId(0), 1);
    measure("merge, summarise and tick a second of 1,000 requests", 300, |second| {
        let part = requests.iter().skip(usize::try_from(second).unwrap_or(0) * 200).take(500);
        part.for_each(|request| {
            sketches.observe(request);
            other.observe(request);
        });
        sketches.merge(&other);
        let now = Timestamp::new(Duration::from_secs(second.into()), i64::from(second) * 1_000_000);
        _ = black_box(detector.tick(&sketches.take_summary(), &Surroundings::default(), now));
        _ = other.take_summary();
    });
}

/// Seconds of a small site: what a replay of months of its log mostly does.
fn quiet(requests: &[RequestSeen]) {
    for each in [0, 2, 20] {
        let mut sketches = Sketches::new(1);
        let mut detector = Detector::new(SiteId(0), 1);
        let mut next = requests.iter().cycle();
        let mut second = 0_u32;
        measure(&format!("summarise and tick a second of {each} requests"), 20_000, |_| {
            next.by_ref().take(each).for_each(|request| sketches.observe(request));
            second += 1;
            let now = Timestamp::new(Duration::from_secs(second.into()), i64::from(second) * 1_000_000);
            _ = black_box(detector.tick(&sketches.take_summary(), &Surroundings::default(), now));
        });
    }
}
