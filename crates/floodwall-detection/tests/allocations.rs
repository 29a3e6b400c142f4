//! What must not allocate does not.

use allocation_counter::measure;
use floodwall_detection::{RequestReader, RequestSeen, RequestText, Sketches};

fn seen(reader: &RequestReader, number: u32) -> RequestSeen {
    reader.read(&RequestText {
        client: std::net::Ipv4Addr::from(number.wrapping_mul(2_654_435_761)).into(),
        method: "GET",
        target: &format!("/page-{}?q={number}", number % 50),
        referer: None,
        user_agent: Some("Mozilla/5.0"),
        status: 200,
    })
}

/// Counting requests of any number of sources, queries and paths, and merging two workers' counts.
#[test]
fn counting_a_request() {
    let reader = RequestReader::new(1, &[]);
    let requests: Vec<_> = (0..50_000).map(|number| seen(&reader, number)).collect();
    let (mut one, mut two) = (Sketches::new(1), Sketches::new(1));
    let allocations = measure(|| {
        requests.iter().for_each(|request| one.observe(request));
        requests.iter().rev().for_each(|request| two.observe(request));
        one.merge(&two);
    });
    assert_eq!(allocations.count_total, 0);
}
