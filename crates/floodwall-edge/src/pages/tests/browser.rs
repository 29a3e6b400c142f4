//! The pages in a real browser: with and without JavaScript, with and without cookies, by keyboard,
//! at every width, in both colour schemes.

use fantoccini::Locator;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use floodwall_browser::{Browser, in_browser};
use floodwall_policy::{Difficulty, ProofKind};
use serde_json::json;

use super::edge::{Edge, Situation};
use crate::pages::Language;
use crate::pages::script::SOLVER;

/// Nobody is let in, and no work is ever done.
fn standstill() -> Situation {
    Situation { let_in: 0.0, redeems: false, ..Situation::default() }
}

#[tokio::test]
async fn a_browser_that_works_comes_in() {
    in_browser(|browser| async move {
        for (difficulty, https) in
            [(Difficulty::SLOW_DEVICE, false), (Difficulty::MIN, true), (Difficulty::MAX, false)]
        {
            let edge =
                Edge::start(Situation { difficulty, https, let_in: 0.0, ..Situation::default() }).await;
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

#[tokio::test]
async fn without_javascript_the_page_asks_until_the_turn_has_come() {
    in_browser(|browser| async move {
        for (path, keeps_cookies) in
            [("/waiting", true), ("/choice", true), ("/waiting", false), ("/choice", false)]
        {
            let edge = Edge::start(Situation { keeps_cookies, ..Situation::default() }).await;
            browser.set_scripts(false).await;
            browser.client.goto(&edge.url(path)).await.unwrap();
            let seen = edge.until("came in", |seen| seen.came_in.is_some()).await;
            assert_eq!(seen.came_in, Some(ProofKind::WaitingRoom), "{path}: {seen:?}");
            assert!(seen.pages >= 2 && seen.asked == 0, "{path}: {seen:?}");
            // From here on only to read the page that came.
            browser.set_scripts(true).await;
            browser.wait_for("//h1[.='Your polling place']").await;
            browser.client.delete_all_cookies().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn with_javascript_only_the_words_change_until_the_turn_has_come() {
    in_browser(|browser| async move {
        for keeps_cookies in [true, false] {
            let edge = Edge::start(Situation { keeps_cookies, ..standstill() }).await;
            edge.crowd(30);
            browser.client.goto(&edge.url("/waiting?zip=00042")).await.unwrap();
            let place = |people: u32| {
                format!("//*[@id='place' and starts-with(., 'About {people} people are before you.')]")
            };
            browser.wait_for(&place(30)).await;
            browser.run("window.loaded = 'once'; document.activeElement.blur()").await;
            edge.set(|situation| situation.let_in = 1.0);
            browser.wait_for(&place(20)).await;
            assert_eq!(browser.run("return window.loaded").await, json!("once"), "the page was loaded anew");
            assert_eq!(read_out(&browser).await, "", "read out too often");
            edge.set(|situation| situation.let_in = 20.0);
            browser.wait_for("//h1[.='Your polling place']").await;
            let seen = edge.seen();
            assert_eq!((seen.pages, seen.came_in), (1, Some(ProofKind::WaitingRoom)), "{seen:?}");
            browser.client.delete_all_cookies().await.unwrap();
        }
    })
    .await;
}

/// What a screen reader was given to say.
async fn read_out(browser: &Browser) -> String {
    let script =
        "return [...document.querySelectorAll('[role=status]')].map((it) => it.textContent).join('')";
    browser.run(script).await.as_str().unwrap().to_owned()
}

async fn wait_for_words(browser: &Browser, words: &str) {
    browser.wait_for(&format!("//*[@id='said' and contains(., '{words}')]")).await;
}

#[tokio::test]
async fn work_that_does_not_help_is_not_done_for_ever() {
    in_browser(|browser| async move {
        for https in [true, false] {
            let edge = Edge::start(Situation { https, ..standstill() }).await;
            browser.client.goto(&edge.url("/choice")).await.unwrap();
            wait_for_words(&browser, "this page came back each time").await;
            let seen = edge.seen();
            assert_eq!((seen.solutions, seen.pages), (3, 4), "{seen:?}");
            let cookie = browser.client.get_named_cookie("floodwall_work").await.unwrap();
            assert_eq!((cookie.secure(), cookie.path()), (Some(https), Some("/")), "{cookie:?}");
            assert_eq!(cookie.same_site().unwrap().to_string(), "Lax", "{cookie:?}");
            assert_eq!(browser.axe_violations().await, "");
            try_once_more(&browser, &edge).await;
        }
    })
    .await;
}

/// Nobody is kept from trying once more.
async fn try_once_more(browser: &Browser, edge: &Edge) {
    edge.until("waited on", |seen| seen.asked >= 1).await;
    edge.set(|situation| situation.redeems = true);
    let start = Locator::XPath("//button[.='Start the calculation']");
    browser.client.find(start).await.unwrap().click().await.unwrap();
    browser.wait_for("//h1[.='Your polling place']").await;
    assert_eq!(edge.seen().came_in, Some(ProofKind::Work));
    browser.client.delete_all_cookies().await.unwrap();
}

#[tokio::test]
async fn where_work_is_not_possible_the_visitor_waits() {
    in_browser(|browser| async move {
        for (case, situation, cookies, words) in [
            ("no cookies", standstill(), false, "keeps no cookies"),
            ("no answer", Situation { unsolvable: Some(30_000), ..standstill() }, true, "does not work"),
        ] {
            browser.set_script_cookies(cookies).await;
            let edge = Edge::start(situation).await;
            browser.client.goto(&edge.url("/choice")).await.unwrap();
            wait_for_words(&browser, words).await;
            edge.set(|situation| situation.let_in = 5.0);
            browser.wait_for("//h1[.='Your polling place']").await;
            let seen = edge.seen();
            assert_eq!(seen.came_in, Some(ProofKind::WaitingRoom), "{case}: {seen:?}");
            assert_eq!((seen.pages, seen.solutions), (1, 0), "{case}: {seen:?}");
            browser.client.delete_all_cookies().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_worker_the_page_works_in_slices() {
    in_browser(|browser| async move {
        let edge = Edge::start(Situation { workers: false, let_in: 0.0, ..Situation::default() }).await;
        browser.client.goto(&edge.url("/choice")).await.unwrap();
        browser.wait_for("//h1[.='Your polling place']").await;
        let seen = edge.seen();
        assert_eq!((seen.came_in, seen.redeemed), (Some(ProofKind::Work), 1), "{seen:?}");

        // It can be stopped there too.
        edge.set(|situation| situation.unsolvable = Some(u32::MAX));
        browser.client.delete_all_cookies().await.unwrap();
        browser.client.goto(&edge.url("/choice")).await.unwrap();
        let stop = Locator::XPath("//button[.='Stop it and just wait in line']");
        browser.client.wait().for_element(stop).await.unwrap().click().await.unwrap();
        wait_for_words(&browser, "The calculation is stopped.").await;
    })
    .await;
}

/// Of salts of all lengths the answer is found: one block or two, whole blocks before or none.
#[tokio::test]
async fn the_solver_knows_sha_256() {
    in_browser(|browser| async move {
        let cases = (0..150_usize).map(|length| {
            let salt: String =
                "0123?expires=&epoch=f".chars().cycle().skip(length % 7).take(length).collect();
            let number = [0, 7, 42, 999, 65_536, 399_999][length % 6];
            let digest =
                aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{salt}{number}").as_bytes());
            let goal: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            json!([salt, goal, number])
        });
        let cases = json!(cases.collect::<Vec<_>>());
        let script = format!(
            "{SOLVER} return {cases}.filter(([salt, goal, number]) =>
               solver(salt, goal)(Math.max(0, number - 9), number + 9) !== number)"
        );
        browser.client.goto("about:blank").await.unwrap();
        assert_eq!(browser.run(&script).await, json!([]));
    })
    .await;
}

async fn press(browser: &Browser, key: impl Into<char>) {
    let value = key.into();
    let press =
        KeyActions::new("keyboard".to_owned()).then(KeyAction::Down { value }).then(KeyAction::Up { value });
    browser.client.perform_actions(press).await.unwrap();
}

#[tokio::test]
async fn everything_is_reached_and_done_by_keyboard() {
    in_browser(|browser| async move {
        let edge = Edge::start(Situation { unsolvable: Some(u32::MAX), ..standstill() }).await;
        browser.client.goto(&edge.url("/choice?zip=00042")).await.unwrap();
        browser.wait_for("//section[@id='work']/progress").await;
        let mut reached = Vec::new();
        for _ in 0..3 {
            press(&browser, Key::Tab).await;
            let focus = "const it = document.activeElement, box = it.getBoundingClientRect();
                return [it.textContent, getComputedStyle(it).outlineStyle !== 'none',
                    box.height >= 24 && box.width >= 24]";
            let focus = browser.run(focus).await;
            assert_eq!(
                (&focus[1], &focus[2]),
                (&json!(true), &json!(true)),
                "seen, and large enough: {focus}"
            );
            reached.push(focus[0].as_str().unwrap().to_owned());
        }
        let expected = ["Stop it and just wait in line", "Ask again now", "I am a person and cannot get in"];
        assert_eq!(reached, expected);

        press(&browser, Key::Enter).await;
        browser.wait_for("//h1[.='Thank you for telling us']").await;
        assert_eq!(edge.seen().persons, ["7F3K-9QWX-02MB"]);
        press(&browser, Key::Tab).await;
        press(&browser, Key::Enter).await;
        browser.wait_for("//h1[.='One moment, please']").await;
        assert!(browser.client.current_url().await.unwrap().as_str().ends_with("/choice?zip=00042"));

        press(&browser, Key::Tab).await;
        press(&browser, ' ').await;
        wait_for_words(&browser, "The calculation is stopped. You are still in line.").await;
        press(&browser, ' ').await;
        browser.wait_for("//section[@id='work']/button[starts-with(., 'Stop')]").await;
        assert_eq!(read_out(&browser).await, "", "what no longer holds is not said any more");
    })
    .await;
}

#[tokio::test]
async fn pages_are_accessible_at_every_width_and_in_both_schemes() {
    in_browser(|browser| async move {
        let edge = Edge::start(Situation { unsolvable: Some(40_000_000), ..standstill() }).await;
        edge.crowd(340);
        for (name, path, ready) in [
            ("choice", "/choice", "//section[@id='work']/progress"),
            ("waiting", "/waiting", "//*[@id='place']"),
            ("no-room", "/no-room", "//main[@data-again]"),
            ("form", "/form", "//main[not(@data-again)]"),
            ("over-share", "/over-share", "//main[@data-again]"),
        ] {
            for language in Language::ALL {
                edge.set(|situation| situation.language = language);
                let url = edge.url(path);
                judge(&browser, &format!("{name}-{}", language.tag()), &url, ready).await;
            }
        }
        edge.set(|situation| situation.language = Language::English);
        browser.client.find(Locator::Css("form button")).await.unwrap().click().await.unwrap();
        browser.wait_for("//h1[.='Thank you for telling us']").await;
        assert_eq!(browser.axe_violations().await, "");
    })
    .await;
}

/// Opens the page at each width, in each scheme, and judges it. 320 px are also what is left of 640 at
/// a zoom of 200 %; text alone can be made as large, too.
async fn judge(browser: &Browser, name: &str, url: &str, ready: &str) {
    for (width, scheme, text) in
        [(1280, "light", "100%"), (320, "light", "100%"), (320, "dark", "100%"), (640, "dark", "200%")]
    {
        browser.set_viewport(width, 800).await;
        browser.set_color_scheme(scheme).await;
        browser.client.goto(url).await.unwrap();
        browser.wait_for(ready).await;
        browser.run(&format!("document.documentElement.style.fontSize = '{text}'")).await;
        browser.picture(&format!("{name}-{scheme}-{width}"), width).await;
        let place = format!("{name} at {width} px, {scheme}, text at {text}");
        assert_eq!(browser.axe_violations().await, "", "{place}");
        assert_eq!(browser.sideways_px().await, 0, "{place}: scrolls sideways");
    }
}
