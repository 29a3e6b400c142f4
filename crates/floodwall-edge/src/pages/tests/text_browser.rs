//! The pages in a text browser: what people read by Braille line, over a slow terminal or with w3m, and
//! how they come in by following a link.

use std::io::Write as _;
use std::process::Command;

use floodwall_policy::ProofKind;

use super::edge::{Edge, Situation};

/// What w3m shows of an address: the text, and its links by number. `None` where there is no w3m, unless
/// `FLOODWALL_REQUIRE_BROWSER=1` demands that nothing is skipped.
async fn read(url: String) -> Option<String> {
    let home = tempfile::TempDir::new().unwrap();
    let mut w3m = Command::new("w3m");
    w3m.env("HOME", home.path()).args(["-no-proxy", "-no-cookie", "-cols", "80", "-dump"]);
    w3m.args(["-o", "display_link_number=1", &url]);
    let ended = tokio::task::spawn_blocking(move || w3m.output()).await.unwrap();
    match ended {
        Ok(output) => Some(String::from_utf8(output.stdout).unwrap()),
        Err(fault) => {
            let required = std::env::var("FLOODWALL_REQUIRE_BROWSER").is_ok_and(|value| value == "1");
            assert!(!required, "a test in a text browser cannot run: w3m: {fault}");
            // Written directly, because the test runner would keep a print of a passing test.
            let text = format!("\nSKIPPED: a test in a text browser cannot run: w3m: {fault}\n");
            std::io::stderr().write_all(text.as_bytes()).unwrap();
            None
        }
    }
}

#[tokio::test]
async fn a_text_browser_shows_the_line_and_the_link_leads_in() {
    for path in ["/choice", "/waiting"] {
        let edge = Edge::start(Situation { let_in: 0.0, keeps_cookies: false, ..Situation::default() }).await;
        edge.crowd(3);
        let mut url = edge.url(path);
        let Some(mut shown) = read(url).await else { return };
        for words in ["3 people are before you.", "Ask again now", "I am a person and cannot get in"] {
            assert!(shown.contains(words), "`{words}` is missing: {shown}");
        }
        // What only a script can do is not promised to somebody without.
        assert!(!shown.contains("calculation"), "{shown}");
        edge.set(|situation| situation.let_in = 1.0);
        while !shown.contains("Your polling place") {
            assert!(edge.seen().pages < 20, "never came in: {shown}");
            url = shown.lines().find_map(|line| line.strip_prefix("[1] ")).unwrap().to_owned();
            shown = read(url).await.unwrap();
        }
        assert_eq!(edge.seen().came_in, Some(ProofKind::WaitingRoom));
    }
}
