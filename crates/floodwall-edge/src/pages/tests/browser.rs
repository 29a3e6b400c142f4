//! The pages in a real browser: with and without JavaScript, with and without cookies, by keyboard,
//! at every width, in both colour schemes.

use fantoccini::Locator;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use floodwall_browser::{Browser, in_browser};
use floodwall_policy::{Difficulty, ProofKind};
use serde_json::json;

use super::edge::{Edge, Situation};
use crate::pages::script::SOLVER;

/// Nobody is let in, and no work is ever done.
fn standstill() -> Situation {
    Situation { let_in: 0.0, redeems: false, ..Situation::default() }
}

#[tokio::test]
async fn a_browser_that_works_comes_in() {
    in_browser(|browser| async move {
        for difficulty in [Difficulty::SLOW_DEVICE, Difficulty::MIN, Difficulty::MAX] {
            let edge = Edge::start(Situation { difficulty, let_in: 0.0, ..Situation::default() }).await;
            browser.client.goto(&edge.url("/choice?17#hours")).await.unwrap();
            browser.wait_for("//h1[.='Your polling place']").await;
            let seen = edge.seen();
            assert_eq!(seen.came_in, Some(ProofKind::Work), "{seen:?}");
            assert_eq!((seen.pages, seen.solutions, seen.redeemed), (1, 1, 1), "{seen:?}");
            let address = browser.client.current_url().await.unwrap();
            assert_eq!(address.as_str(), edge.url("/choice?17#hours"));
            browser.client.delete_all_cookies().await.unwrap();
        }
    })
    .await;
}
