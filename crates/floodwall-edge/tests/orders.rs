//! What an operator orders of addresses holds from the next request on.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use floodwall_model::Timestamp;
use floodwall_policy::{Order, OrderBook, OrderEffect, RateLimit, SitePolicy};
use support::origin::page;
use support::{Origin, config, get, start};

const PRIVATE: (&str, &str) = ("cache-control", "no-store");

fn book(effect: OrderEffect) -> Arc<OrderBook> {
    let order = Order {
        prefix: "127.0.0.0/24".parse().unwrap(),
        effect,
        since_unix_s: 0,
        until_unix_s: None,
        why: String::new(),
    };
    Arc::new(OrderBook::default().with(order, Timestamp::new(Duration::ZERO, 0)).unwrap())
}

#[test]
fn who_is_blocked_gets_nothing_not_even_from_the_cache_until_it_is_lifted() {
    let origin = Origin::start(|_| page("x", &[("cache-control", "public, max-age=60")]));
    let edge = start(config(&[origin.address]));
    assert_eq!(get(&edge, "/").status, 200);
    edge.accounts().put_orders(book(OrderEffect::Block));
    for path in ["/", "/robots.txt", "/.well-known/floodwall/person"] {
        let answer = get(&edge, path);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("have blocked the internet address"), "{}", answer.text());
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert_eq!((edge.counts().blocked_requests, origin.count()), (3, 1));
    edge.accounts().put_orders(Arc::default());
    assert_eq!(get(&edge, "/").status, 200);
}

#[test]
fn who_is_allowed_meets_no_limit() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let mut config = config(&[origin.address]);
    let limit = RateLimit::from_numbers(1, 1).ok();
    config.sites[0].policy = SitePolicy { origin_limit: limit, request_limit: limit };
    let edge = start(config);
    let statuses = || (0..20).map(|_| get(&edge, "/").status).collect::<Vec<_>>();
    assert!(statuses().contains(&429));
    edge.accounts().put_orders(book(OrderEffect::Allow));
    assert_eq!(statuses(), [200; 20]);
}
