//! What detection is told of requests: everything that was answered, and what was not.

mod support;

use floodwall_detection::{Figure, SecondSummary};
use floodwall_edge::EdgeHandle;
use http::Response;
use http_body_util::Full;
use support::origin::page;
use support::{Origin, Visitor, config, site, start, until};

/// The seconds of the first site, added up until they have so many requests.
fn seen(edge: &mut EdgeHandle, requests: f64) -> impl Fn(Figure) -> f64 + use<> {
    let mut seconds: Vec<SecondSummary> = Vec::new();
    until("detection is told of all requests", || {
        seconds.extend(edge.take_seconds().into_iter().next());
        seconds.iter().map(|second| second.figure(Figure::Requests)).sum::<f64>() >= requests
    });
    move |figure| seconds.iter().map(|second| second.figure(figure)).sum()
}

#[test]
fn every_answer_is_seen_from_the_cache_too() {
    let origin = Origin::start(|asked| match asked.uri().path() {
        "/missing" => Response::builder().status(404).body(Full::default()).unwrap(),
        _ => page("page", &[("cache-control", "public, max-age=60")]),
    });
    let mut edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    let firefox = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0\r\n";
    visitor.get_with("/", firefox);
    for _ in 0..3 {
        visitor.get_with("/", firefox);
    }
    visitor.get_with("/style.css", &format!("{firefox}Referer: http://a.test/\r\n"));
    visitor.get_with("/look-up?a=1", "User-Agent: curl/8.0\r\n");
    visitor.get_with("/missing", "");
    let sum = seen(&mut edge, 7.0);
    for (figure, number) in [
        (Figure::Requests, 7.0),
        (Figure::Pages, 5.0),
        (Figure::Assets, 1.0),
        (Figure::Data, 1.0),
        (Figure::Queries, 1.0),
        (Figure::Status2xx, 6.0),
        (Figure::NotFound, 1.0),
        (Figure::OriginBound, 4.0),
        (Figure::CacheKnown, 7.0),
        (Figure::Tools, 2.0),
        (Figure::Refused, 0.0),
        (Figure::Challenged, 0.0),
    ] {
        assert_eq!(sum(figure), number, "{figure:?}");
    }
}

#[test]
fn who_goes_away_before_the_answer_is_seen_too() {
    let origin = Origin::start(|_| page("page", &[("cache-control", "no-store")]));
    origin.close_gate();
    let mut edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the origin is asked", || origin.count() == 1);
    drop(visitor);
    let sum = seen(&mut edge, 1.0);
    assert_eq!(sum(Figure::Status4xx), 1.0);
    origin.open_gate();
}

#[test]
fn sites_are_told_apart_and_what_belongs_to_none_is_not_seen() {
    let origin = Origin::start(|_| page("page", &[]));
    let mut settings = config(&[origin.address]);
    settings.sites =
        vec![site("one", &["one.test"], &[origin.address]), site("two", &["two.test"], &[origin.address])];
    let mut edge = start(settings);
    for host in ["two.test", "nobody.test", "two.test"] {
        let mut visitor = Visitor::connect(&edge);
        visitor.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        visitor.read_answer(false);
    }
    let (mut one, mut two) = (0.0, 0.0);
    until("both requests are seen", || {
        let seconds = edge.take_seconds();
        one += seconds[0].figure(Figure::Requests);
        two += seconds[1].figure(Figure::Requests);
        two >= 2.0
    });
    assert_eq!((one, two), (0.0, 2.0));
}
