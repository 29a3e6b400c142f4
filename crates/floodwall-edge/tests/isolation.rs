//! What is declared is all that can be reached.

mod support;

use floodwall_edge::PathPattern;
use support::origin::page;
use support::{Origin, config, get, start};

const CACHEABLE: (&str, &str) = ("cache-control", "public, max-age=60");
const PRIVATE: (&str, &str) = ("cache-control", "no-store");

#[test]
fn what_a_site_does_not_declare_never_reaches_an_origin() {
    let origin = Origin::start(|asked| page(asked.uri().path(), &[CACHEABLE]));
    let mut config = config(&[origin.address]);
    config.sites[0].paths = vec![PathPattern::Exact("/".into()), PathPattern::Below("/news/".into())];
    let edge = start(config);
    for (path, status) in [
        ("/", 200),
        ("/news/", 200),
        ("/news/%32026?page=2", 200),
        ("/news", 404),
        ("/internal/voters", 404),
        ("/news/../internal/voters", 404),
        ("/news/%2e%2e/internal/voters", 404),
        ("/news//internal", 404),
    ] {
        assert_eq!(get(&edge, path).status, status, "{path}");
    }
    assert_eq!((edge.counts().undeclared_paths, origin.count()), (5, 3));
    assert!(get(&edge, "/internal").text().contains("No such page here"));
}

#[test]
fn an_origin_out_of_reach_is_not_connected_to_whatever_its_name() {
    for host in ["127.0.0.1", "localhost"] {
        let origin = Origin::start(|_| page("x", &[PRIVATE]));
        let mut config = config(&[origin.address]);
        config.sites[0].origins[0].host = host.to_owned();
        config.sites[0].out_of_reach = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let edge = start(config);
        assert_eq!(get(&edge, "/").status, 502, "{host}");
        assert_eq!(origin.count(), 0, "{host}");
        let failure = edge.sites()[0].origins[0].last_failure.clone().unwrap_or_default();
        assert!(failure.contains("server.internal keeps out of reach"), "{host}: {failure}");
    }
}
