//! The origin dies under load and comes back: cached pages go on, and nobody overruns it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Answer, Origin, Page, Server, Visitor};

const PAGES: usize = 8;
/// So that visitors from one address (they all are, on loopback) are not refused for being many.
const NO_LIMITS: &str = "limits = { origin_requests_per_second = 100000, origin_burst = 100000 }";
const STATE: &str = "floodwall_origin_state{site=\"sos\",origin=\"http://ORIGIN\",state=\"STATE\"}";

fn page(number: usize) -> String {
    format!("/page/{}", number % PAGES)
}

fn until_origin_is(server: &Server, origin: &Origin, state: &str) {
    let sample = STATE.replace("ORIGIN", &origin.address.to_string()).replace("STATE", state);
    server.until_metric(&sample, |value| value == 1);
}

/// Visitors, each on a connection of their own, ask `ask` again and again until it says enough.
fn crowd<T: Send>(
    size: usize,
    server: &Server,
    ask: impl Fn(&mut Visitor, usize) -> Option<T> + Sync,
    meanwhile: impl FnOnce(),
) -> Vec<T> {
    std::thread::scope(|scope| {
        let visit = |number| {
            let ask = &ask;
            move || {
                let mut visitor = Visitor::of_site(server.http);
                std::iter::repeat_with(|| ask(&mut visitor, number)).find_map(|enough| enough).unwrap()
            }
        };
        let visitors: Vec<_> = (0..size).map(|number| scope.spawn(visit(number))).collect();
        meanwhile();
        visitors.into_iter().map(|visitor| visitor.join().unwrap()).collect()
    })
}

/// Sees to it that a crowd does not ask for ever when something in between fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn assert_honest(answer: &Answer) {
    assert!([502, 503, 504].contains(&answer.status), "{answer:?}");
    let reference = answer.header("x-request-id").unwrap();
    assert!(answer.text().contains(reference), "{answer:?}");
    if answer.status == 503 {
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
}

#[test]
fn killed_under_load_cached_pages_go_on_and_others_get_an_honest_answer() {
    let mut origin = Origin::start(|path| Page::new(path, "max-age=1"));
    let server = Server::start(origin.address, "", NO_LIMITS);
    let mut first = Visitor::of_site(server.http);
    for number in 0..PAGES {
        assert_eq!(first.get(&page(number)).status, 200);
    }
    let enough = AtomicBool::new(false);
    let served = crowd(
        20,
        &server,
        |visitor, number| {
            let is_last = enough.load(Ordering::SeqCst);
            let answer = visitor.get(&page(number));
            assert_eq!((answer.status, answer.text()), (200, page(number)), "{answer:?}");
            is_last.then_some(answer)
        },
        || {
            let _enough = Enough(&enough);
            origin.kill();
            until_origin_is(&server, &origin, "down");
            server.until("every copy is stale", || {
                (0..PAGES).all(|number| first.get(&page(number)).is_stale())
            });
        },
    );
    for answer in served {
        assert!(answer.is_stale(), "{answer:?}");
        assert!(answer.header("age").unwrap().parse::<u64>().unwrap() >= 1, "{answer:?}");
    }
    for number in 0..6 {
        assert_honest(&first.get(&format!("/not-cached/{number}")));
    }
    server.until_metric("floodwall_cache_answers_total{site=\"sos\",kind=\"stale\"}", |stale| stale >= 20);
    let said = server.program.stderr.line("the origin is down");
    assert!(said.contains(&origin.address.to_string()), "{said}");
    assert_eq!(server.metric("floodwall_ready"), 1, "visitors can still be served");
}

#[test]
fn back_again_each_page_is_asked_for_once_while_two_hundred_wait() {
    let mut origin = Origin::start(|path| Page::new(format!("old {path}"), "max-age=1, stale-if-error=600"));
    let server = Server::start(origin.address, "", NO_LIMITS);
    let mut first = Visitor::of_site(server.http);
    for number in 0..PAGES {
        assert_eq!(first.get(&page(number)).status, 200);
    }
    origin.kill();
    // Three failures in a row and it counts as down; from then on only trials reach it.
    for number in 0..3 {
        assert_honest(&first.get(&format!("/not-cached/{number}")));
    }
    until_origin_is(&server, &origin, "down");
    server.until("every copy is stale", || (0..PAGES).all(|number| first.get(&page(number)).is_stale()));

    let mut returned = None;
    let address = origin.address;
    let served = crowd(
        200,
        &server,
        |visitor, number| {
            let answer = visitor.get(&page(number));
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.is_stale() || answer.text().starts_with("new"), "{answer:?}");
            answer.text().starts_with("new").then_some(answer)
        },
        || returned = Some(Origin::start_at(address, |path| Page::new(format!("new {path}"), "max-age=600"))),
    );
    assert_eq!(served.len(), 200);
    let origin = returned.unwrap();
    let asked = origin.asked();
    assert_eq!(asked.len(), PAGES, "{asked:?}");
    assert!(asked.values().all(|count| *count == 1), "each page once: {asked:?}");
    let said = server.program.stderr.line("the origin answers again");
    assert!(said.contains(&origin.address.to_string()), "{said}");
}

#[test]
fn pages_nobody_has_are_fetched_once_for_all_who_wait() {
    let origin = Origin::start(|path| Page::new(path, "max-age=600"));
    let server = Server::start(origin.address, "", NO_LIMITS);
    let mut visitors: Vec<_> = (0..200).map(|_| Visitor::of_site(server.http)).collect();
    origin.close_gate();
    for (visitor, number) in visitors.iter_mut().zip(0..) {
        visitor.send_get(&page(number));
    }
    origin.wait_in_progress(PAGES);
    origin.open_gate();
    for (visitor, number) in visitors.iter_mut().zip(0..) {
        assert_eq!(visitor.read_answer().text(), page(number));
    }
    let asked = origin.asked();
    assert!(asked.len() == PAGES && asked.values().all(|count| *count == 1), "each page once: {asked:?}");
}

#[test]
fn the_origin_never_has_more_requests_at_once_than_its_bound() {
    const BOUND: usize = 256;
    let origin = Origin::start(|path| Page::new(path, "no-store"));
    // All come from one address, which may have all of the origin only because it is named.
    let roomy = "allow = [\"127.0.0.0/8\"], wait_max = \"30s\"";
    let roomy = format!("{NO_LIMITS}\nadmission = {{ origin_requests_min = {BOUND}, {roomy} }}\n");
    let server = Server::start(origin.address, "", &roomy);
    let mut visitors: Vec<_> = (0..BOUND + 44).map(|_| Visitor::of_site(server.http)).collect();
    origin.close_gate();
    for (visitor, number) in visitors.iter_mut().zip(0..) {
        visitor.send_get(&format!("/look-up/{number}"));
    }
    origin.wait_in_progress(BOUND);
    let received = "floodwall_requests_total{site=\"sos\"}";
    server.until_metric(received, |requests| requests == u64::try_from(visitors.len()).unwrap());
    assert_eq!(origin.in_progress_max(), BOUND);
    origin.open_gate();
    for (visitor, number) in visitors.iter_mut().zip(0..) {
        assert_eq!(visitor.read_answer().text(), format!("/look-up/{number}"));
    }
    assert_eq!(origin.in_progress_max(), BOUND);
    assert_eq!(origin.asked().len(), visitors.len());
}
