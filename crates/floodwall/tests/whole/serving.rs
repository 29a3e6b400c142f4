//! `floodwall serve`, with a file and without: it says where it is and shows what it did.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Origin, Page, Program, Server, get};

fn origin() -> Origin {
    Origin::start(|path| Page::new(format!("the page {path}"), "max-age=60"))
}

/// One figure of the console page, by its key.
fn figure<'a>(page: &'a str, key: &str) -> &'a str {
    let mark = format!("data-figure=\"{key}\">");
    let start = page.find(&mark).unwrap_or_else(|| panic!("no figure {key} in\n{page}")) + mark.len();
    page[start..].split('<').next().unwrap()
}

#[test]
fn without_a_file_it_says_where_it_listens_and_shows_what_was_asked() {
    let origin = origin();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://{}", origin.address);
    let listen = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let arguments = [&["serve"][..], &listen, &["--origin", &url]].concat();
    let mut server = Server::ready(Program::start(directory.path(), &arguments), directory);

    for (path, cache) in [("/", "fwd=uri-miss"), ("/register", "fwd=uri-miss"), ("/", "hit")] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.text()), (200, format!("the page {path}")));
        assert!(answer.header("cache-status").unwrap().contains(cache), "{answer:?}");
    }
    assert_eq!(server.ask_console("/healthz").status, 200);
    assert_eq!(server.ask_console("/readyz").status, 200);
    server.until_metric("floodwall_requests_total{site=\"site\"}", |requests| requests == 3);
    assert_eq!(server.metric("floodwall_cache_answers_total{site=\"site\",kind=\"fresh\"}"), 1);
    assert_eq!(server.metric("floodwall_origin_requests_total{site=\"site\"}"), 2);
    assert_eq!(server.metric("floodwall_responses_total{site=\"site\",class=\"2xx\"}"), 3);

    let page = server.ask_console("/").text();
    assert_eq!(figure(&page, "site.0.requests.total"), "3");
    assert_eq!(figure(&page, "site.0.from_cache.total"), "1 (33.3\u{a0}%)");
    assert_eq!(figure(&page, "site.0.origin.0.words"), "Up: it answers");
    assert_eq!(figure(&page, "server.listeners"), format!("http://{}", server.http));

    let sites: Value = serde_json::from_slice(&server.ask_console("/api/v1/sites").body).unwrap();
    assert_eq!(sites["sites"][0]["since_start"]["requests"], 3);
    assert_eq!(sites["sites"][0]["origins"][0]["url"], url);
    assert_eq!(sites["sites"][0]["origins"][0]["health"], "up");
    assert_eq!(sites["server"]["ready"], true);

    let kept = server.directory.path().read_dir().unwrap().count();
    assert_eq!(kept, 1, "without --state the store is in a temporary directory");
    server.program.signal(Signal::TERM);
    server.ends_with(0);
    assert_eq!(server.program.stdout.end(), "");
    assert_eq!(server.directory.path().read_dir().unwrap().count(), 0, "which is removed at the end");
}

#[test]
fn with_a_file_it_serves_the_hosts_of_its_site_and_keeps_its_state() {
    let origin = origin();
    let mut server = Server::start(origin.address, "", "role = \"public\"");
    let mut visitor = crate::support::Visitor::of_site(server.http);
    assert_eq!(visitor.get("/x").text(), "the page /x");
    assert_eq!(get(server.http, "/x").status, 421, "the bare address is no site of ours");
    server.until_metric("floodwall_requests_total{site=\"sos\"}", |requests| requests == 1);
    let sites: Value = serde_json::from_slice(&server.ask_console("/api/v1/sites").body).unwrap();
    assert_eq!(sites["sites"][0]["name"], "sos");
    assert_eq!(sites["sites"][0]["hosts"][0], "a.test");
    assert_eq!(sites["sites"][0]["role"], "public");

    server.program.signal(Signal::INT);
    server.ends_with(0);
    assert_eq!(server.stored_requests(), 1);
    let mut server = server.again();
    assert_eq!(crate::support::Visitor::of_site(server.http).get("/x").status, 200);
    server.program.signal(Signal::TERM);
    server.ends_with(0);
    assert_eq!(server.stored_requests(), 2, "what is added to the store of an earlier run");
}
