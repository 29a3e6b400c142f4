use std::time::Duration;

use super::*;

/// Holds what it was told, as the edge does.
#[derive(Default)]
struct Taken(Mutex<Arc<OrderBook>>);

impl OrderTaker for Taken {
    fn put(&self, book: Arc<OrderBook>) {
        *self.0.lock() = book;
    }
}

impl Taken {
    fn of(&self, address: &str, unix_s: i64) -> Option<OrderEffect> {
        self.0.lock().get(address.parse().unwrap(), at(unix_s)).map(|order| order.effect)
    }
}

fn at(unix_s: i64) -> Timestamp {
    Timestamp::new(Duration::from_secs(1), unix_s * 1_000_000)
}

fn request(effect: Effect, prefix: &str, for_s: Option<u64>) -> OrderRequest {
    OrderRequest { effect, prefix: prefix.to_owned(), lift: false, for_s, why: "a \u{fc}bung".to_owned() }
}

#[test]
fn orders_hold_at_once_outlive_a_restart_and_end_by_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let taken = Arc::new(Taken::default());
    let orders = OperatorOrders::start(directory.path(), taken.clone(), at(1_000));
    let done = orders.carry_out(&request(Effect::Block, "192.0.2.7/32", Some(60)), at(1_000)).unwrap();
    assert_eq!((done.order.until_unix_s, done.lifted, done.warning), (Some(1_060), false, None));
    assert_eq!(taken.of("192.0.2.7", 1_000), Some(OrderEffect::Block));
    orders.carry_out(&request(Effect::Allow, "2001:db8::/48", None), at(1_001)).unwrap();

    let again = Arc::new(Taken::default());
    let orders = OperatorOrders::start(directory.path(), again.clone(), at(1_030));
    assert_eq!(again.of("192.0.2.7", 1_030), Some(OrderEffect::Block));
    assert_eq!(again.of("2001:db8::9", 1_030), Some(OrderEffect::Allow));
    let words = orders.of("192.0.2.7".parse().unwrap(), at(1_030)).unwrap().words();
    assert_eq!(
        words,
        "an operator ordered it for 192.0.2.7/32 at 1970-01-01T00:16:40Z, until 1970-01-01T00:17:40Z (\"a \u{fc}bung\")"
    );
    orders.second(at(1_060));
    assert_eq!(again.0.lock().orders().len(), 1);
    assert_eq!(orders.list(at(1_060)).len(), 1);
}

#[test]
fn lifting_what_is_not_there_and_blocking_what_is_allowed_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let taken = Arc::new(Taken::default());
    let orders = OperatorOrders::start(directory.path(), taken.clone(), at(1_000));
    orders.carry_out(&request(Effect::Allow, "192.0.2.0/24", None), at(1_000)).unwrap();
    let done = orders.carry_out(&request(Effect::Block, "192.0.2.7/32", None), at(1_000)).unwrap();
    assert_eq!(
        done.warning.as_deref(),
        Some(
            "192.0.2.0/24 is allowed, which holds all the same: lift that first (floodwall allow --lift 192.0.2.0/24)"
        )
    );
    let lift = |effect, prefix| OrderRequest { lift: true, ..request(effect, prefix, None) };
    let lifted = orders.carry_out(&lift(Effect::Allow, "192.0.2.0/24"), at(1_000)).unwrap();
    assert_eq!((lifted.lifted, lifted.warning), (true, None));
    assert_eq!(taken.of("192.0.2.7", 1_000), Some(OrderEffect::Block));
    for (request, words) in [
        (lift(Effect::Allow, "192.0.2.0/24"), "192.0.2.0/24 is not allowed"),
        (
            request(Effect::Block, "0.0.0.0/0", None),
            "0.0.0.0/0 holds 4294967296 addresses; at the largest a /16 is blocked or allowed at once",
        ),
        (
            request(Effect::Block, "192.0.2.7/24", None),
            "`192.0.2.7/24` has bits set beyond its length; write 192.0.2.0/24",
        ),
        (
            request(Effect::Block, "192.0.2.9/32", Some(u64::MAX)),
            "a time of 18446744073709551615 s is too long",
        ),
    ] {
        assert_eq!(orders.carry_out(&request, at(1_000)).unwrap_err().to_string(), words);
    }
    let news: Vec<_> = orders.second(at(1_000)).into();
    assert_eq!(
        news,
        [
            "192.0.2.0/24, all or part of it: allowed until it is lifted",
            "192.0.2.0/24, all or part of it: blocked until it is lifted",
            "192.0.2.0/24, all or part of it: no longer allowed",
        ]
    );
}

#[test]
fn a_damaged_file_is_set_aside_and_the_server_starts() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("orders.json"), "{ not orders").unwrap();
    let taken = Arc::new(Taken::default());
    let orders = OperatorOrders::start(directory.path(), taken, at(1_000));
    orders.carry_out(&request(Effect::Block, "192.0.2.7/32", None), at(1_000)).unwrap();
    let aside = std::fs::read_to_string(directory.path().join("orders.json.damaged")).unwrap();
    assert_eq!(aside, "{ not orders");
    assert!(std::fs::read_to_string(directory.path().join("orders.json")).unwrap().contains("192.0.2.7/32"));
}
