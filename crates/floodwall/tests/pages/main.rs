//! The pages voters meet, in a real browser: the sample site behind a running Floodwall, and the
//! pages Floodwall itself answers with. Accessible (WCAG 2.2 A and AA) in light and dark, without
//! sideways scrolling at 320 px, complete without a script.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends with the first thing that is not as it should be"
)]

mod running;

use fantoccini::Locator;
use fantoccini::key::Key;
use floodwall_browser::{Browser, in_browser};
use serde_json::json;

use running::{Running, exchange};

/// Opens the page at every width and in both schemes, and judges it.
async fn judge(browser: &Browser, name: &str, url: &str, heading: &str) {
    for (width, scheme) in [(1280, "light"), (320, "light"), (320, "dark")] {
        browser.set_viewport(width, 800).await;
        browser.set_color_scheme(scheme).await;
        browser.client.goto(url).await.unwrap();
        let place = format!("{name} at {width} px, {scheme}");
        let found = browser.client.find(Locator::Css("h1")).await.unwrap().text().await.unwrap();
        assert_eq!(found, heading, "{place}");
        browser.picture(&format!("{name}-{scheme}-{width}"), width).await;
        browser.run("document.querySelectorAll('details').forEach((it) => { it.open = true; })").await;
        assert_eq!(browser.axe_violations().await, "", "{place}");
        assert_eq!(browser.sideways_px().await, 0, "{place}: scrolls sideways");
        assert_eq!(browser.run("return document.scripts.length").await, json!(0), "{place}: has a script");
        let scheme_shown = "return getComputedStyle(document.body).backgroundColor";
        let ground = browser.run(scheme_shown).await;
        assert_eq!(ground == json!("rgb(255, 255, 255)"), scheme == "light", "{place}: ground is {ground}");
    }
}

#[tokio::test]
async fn the_sample_site_is_accessible() {
    in_browser(|browser| async move {
        let running = Running::start().await;
        for (name, path, heading) in [
            ("home", "/", "Vote in the State of Example"),
            ("home-es", "/es/", "Vote en el Estado de Example"),
            ("register", "/register", "Register to vote"),
            ("by-mail", "/voting-by-mail", "Vote by mail"),
            ("deadlines", "/deadlines", "Deadlines"),
            ("accessibility", "/accessibility", "Accessible voting"),
            ("polling-place", "/polling-place", "Find your polling place"),
            ("found", "/polling-place/lookup?zip=00042", "Your polling place"),
            ("not-found-zip", "/polling-place/lookup?zip=1", "Find your polling place"),
            ("not-found", "/nowhere", "Page not found"),
        ] {
            judge(&browser, name, &running.url("sample", path), heading).await;
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_the_edge_are_accessible() {
    in_browser(|browser| async move {
        let running = Running::start().await;
        for (name, host, heading) in [
            ("edge-421", "unheard-of", "No such site here"),
            ("edge-502", "down", "This page cannot be shown right now"),
        ] {
            judge(&browser, name, &running.url(host, "/"), heading).await;
        }
    })
    .await;
}

/// What no browser sends, or what is answered so only once, is asked for by hand; the answer is shown
/// in the browser.
#[tokio::test]
async fn refusals_are_accessible() {
    in_browser(|browser| async move {
        let running = Running::start().await;
        let long =
            format!("GET / HTTP/1.1\r\nhost: sample.localhost\r\ncookie: {}\r\n\r\n", "a".repeat(70_000));
        let limited = "GET / HTTP/1.1\r\nhost: limited.localhost\r\n\r\n";
        assert_eq!(exchange(running.edge, limited).status, "200");
        let silent = "GET / HTTP/1.1\r\nhost: silent.localhost\r\n\r\n";
        let malformed = "The request could not be understood";
        for (name, request, status, heading) in [
            ("edge-429", limited, "429", "Please wait a moment"),
            // Only the first to wait for a silent origin meets this; then it is known to be down.
            ("edge-504", silent, "504", "This page is taking too long"),
            ("edge-400", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400", malformed),
            ("edge-431", &long, "431", malformed),
        ] {
            // One request a second is let through: among many, one is not, however slow the machine.
            let answers = (0..1000).map(|_| exchange(running.edge, request));
            let answer = answers.into_iter().find(|answer| answer.status == status).unwrap();
            let page = running.folder.path().join(format!("{name}.html"));
            std::fs::write(&page, answer.body).unwrap();
            let url = format!("file://{}", page.display());
            judge(&browser, name, &url, heading).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_polling_place_is_found_by_keyboard_alone() {
    in_browser(|browser| async move {
        let running = Running::start().await;
        browser.client.goto(&running.url("sample", "/polling-place")).await.unwrap();
        // As a screen reader's user: past the navigation by the skip link, then to the field.
        let focused = |id: &'static str| format!("return document.activeElement.id === '{id}'");
        let press = async |key: Key| {
            let at = browser.client.active_element().await.unwrap();
            at.send_keys(&char::from(key).to_string()).await.unwrap();
        };
        press(Key::Tab).await;
        let skip = browser.run("return document.activeElement.className").await;
        assert_eq!(skip, json!("skip"), "the first stop is the skip link");
        press(Key::Enter).await;
        assert_eq!(browser.run(&focused("main")).await, json!(true), "it leads to the page's own text");
        for _ in 0..8 {
            press(Key::Tab).await;
            if browser.run("return document.activeElement.name").await == json!("zip") {
                break;
            }
        }
        let field = browser.client.active_element().await.unwrap();
        assert_eq!(field.attr("name").await.unwrap().as_deref(), Some("zip"));
        field.send_keys("00042").await.unwrap();
        press(Key::Enter).await;
        browser.wait_for("//h1[.='Your polling place']").await;
        let title = browser.client.title().await.unwrap();
        assert!(title.starts_with("Your polling place"), "the title says what was found: {title}");
    })
    .await;
}
