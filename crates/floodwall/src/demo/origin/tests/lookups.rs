//! The look-up: what it says, what it costs, and what it does when too many come. Time is paused
//! and moves only when all wait, so nothing here depends on the machine's speed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use proptest::prelude::*;
use tokio::task::JoinSet;

use super::super::database::{SERVED_MAX, WAITING_MAX, cost};
use super::super::lookup_form;
use super::super::places::{self, PLACES};
use super::super::site::Site;
use super::{get, header, site, text};

async fn look_up(site: Arc<Site>, number: usize) -> (u16, String) {
    let answer = get(&site, &format!("/polling-place/lookup?address={number}+Main+Street")).await;
    (answer.status().as_u16(), header(&answer, "retry-after").to_owned())
}

async fn look_up_at_once(site: &Arc<Site>, count: usize) -> Vec<(u16, String)> {
    let mut asked: JoinSet<_> = (1..=count).map(|number| look_up(Arc::clone(site), number)).collect();
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        answers.push(answer.unwrap());
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn at_most_twenty_are_served_at_a_time() {
    let site = site();
    let answers = look_up_at_once(&site, 300).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(site.counters.lookups.load(Relaxed), 300);
    assert_eq!(site.counters.lookups_in_progress_max.load(Relaxed), 20);
    assert_eq!(site.counters.lookups_in_progress.load(Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_the_line_full_is_told_when_to_come_back() {
    let site = site();
    let answers = look_up_at_once(&site, SERVED_MAX + WAITING_MAX + 7).await;
    let refused: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
    assert_eq!(refused.len(), 7);
    assert!(refused.iter().all(|answer| **answer == (503, "5".to_owned())), "{refused:?}");
    assert_eq!(site.counters.lookups_refused.load(Relaxed), 7);
    assert_eq!(look_up(site, 1).await.0, 200, "and the line is open again");
}

#[tokio::test(start_paused = true)]
async fn waiting_has_an_end_when_the_database_hangs() {
    let site = site();
    let hang = site.database.served.acquire_many(20).await.unwrap();
    assert_eq!(look_up(Arc::clone(&site), 1).await, (503, "5".to_owned()));
    drop(hang);
    assert_eq!(look_up(site, 1).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn visitors_who_leave_free_their_places() {
    let site = site();
    let gone =
        tokio::time::timeout(Duration::from_millis(1), look_up_at_once(&site, SERVED_MAX + WAITING_MAX))
            .await;
    assert!(gone.is_err());
    // Dropped tasks end when they are next scheduled.
    tokio::task::yield_now().await;
    assert_eq!(site.counters.lookups_in_progress.load(Relaxed), 0);
    let answers = look_up_at_once(&site, SERVED_MAX + WAITING_MAX).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
}

#[test]
fn a_look_up_costs_50_to_100_ms_and_the_same_each_time() {
    let costs: BTreeSet<_> = (0..2000).map(|number| cost(&format!("{number} main street|"))).collect();
    let every: BTreeSet<_> = (50..=100).map(Duration::from_millis).collect();
    assert_eq!(costs, every);
    assert_eq!(cost("1 main street|"), cost("1 main street|"));
}

#[test]
fn every_polling_place_is_somebodys() {
    let used: BTreeSet<_> =
        (0..2000).map(|number| places::assign(&format!("{number} main street|")).0.name).collect();
    assert_eq!(used.len(), PLACES.len());
}

#[tokio::test(start_paused = true)]
async fn the_same_address_has_the_same_polling_place() {
    let site = site();
    let place = |page: String| {
        page.split_once("<h2 id=\"place\">").unwrap().1.split_once("</section>").unwrap().0.to_owned()
    };
    let first = place(text(get(&site, "/polling-place/lookup?address=120+Main+Street").await).await);
    for written in
        ["120%20MAIN%20street", "++120++main+street+", "120+Main+Street&zip=", "120+Main+Street&utm_source=x"]
    {
        let again = place(text(get(&site, &format!("/polling-place/lookup?address={written}")).await).await);
        assert_eq!(first, again, "{written}");
    }
    insta::assert_snapshot!(first, @r#"
    Port Sample Maritime Museum</h2>
    <address>5 Dock Road<br>Port Sample, EX</address>
    <dl>
    <div><dt>Open</dt><dd>7 a.m. to 8 p.m. on <time datetime="2028-11-07">Tuesday, November 7, 2028</time></dd></div>
    <div><dt>Way in</dt><dd>Step-free at the main door. Marked parking in front.</dd></div>
    <div><dt>Your precinct</dt><dd>11-286</dd></div>
    </dl>
    "#);
}

#[tokio::test(start_paused = true)]
async fn faults_are_named_beside_the_field_and_above_the_form() {
    let page = text(get(&site(), "/polling-place/lookup?address=Main+%3Cb%3EStreet&zip=123").await).await;
    assert!(page.contains("<title>Error: Find your polling place |"));
    let main = page.split_once("tabindex=\"-1\">").unwrap().1.split_once("<section").unwrap().0.trim();
    insta::assert_snapshot!(main, @r##"
    <div class="faults" role="alert" aria-labelledby="faults">
    <h2 id="faults">There is a problem</h2>
    <ul>
    <li><a href="#address">Start with your house number, for example: 120 Main Street.</a></li>
    <li><a href="#zip">Enter a ZIP code of 5 digits, for example: 00112.</a></li>
    </ul>
    </div>
    <h1>Find your polling place</h1>
    <p class="lead">Enter your house number and street, or your ZIP code.</p>
    <form action="/polling-place/lookup" method="get" novalidate>
    <div class="field">
    <label for="address">House number and street</label>
    <span class="hint" id="address-hint">For example: 120 Main Street</span>
    <span class="fault" id="address-fault">Error: Start with your house number, for example: 120 Main Street.</span>
    <input id="address" name="address" value="Main &lt;b&gt;Street" autocomplete="street-address" maxlength="120" aria-describedby="address-hint address-fault" aria-invalid="true">
    </div>
    <p class="or">or</p>
    <div class="field">
    <label for="zip">ZIP code</label>
    <span class="hint" id="zip-hint">5 digits, for example: 00112</span>
    <span class="fault" id="zip-fault">Error: Enter a ZIP code of 5 digits, for example: 00112.</span>
    <input class="short" id="zip" name="zip" value="123" autocomplete="postal-code" inputmode="numeric" maxlength="10" aria-describedby="zip-hint zip-fault" aria-invalid="true">
    </div>
    <button>Find my polling place</button>
    </form>
    "##);
}

#[test]
fn what_is_wrong_is_said_plainly() {
    let long = format!("address=1+{}", "a".repeat(119));
    let huge = format!("zip=00112&other={}", "a".repeat(2048));
    let nothing = Some("Enter your house number and street, or your ZIP code.");
    let no_number = Some("Start with your house number, for example: 120 Main Street.");
    let unreadable = Some("We could not read this. Please type it again.");
    let twice = Some("This was sent twice. Please enter it once.");
    let too_long = Some("Use 120 characters or fewer. We need only the house number and street.");
    let not_a_zip = Some("Enter a ZIP code of 5 digits, for example: 00112.");
    let rows: [(&str, Option<&str>, Option<&str>); 19] = [
        ("", nothing, None),
        ("address=&zip=", nothing, None),
        ("address=+++", nothing, None),
        ("address=Main+Street", no_number, None),
        ("address=120", Some("Add your street, for example: 120 Main Street."), None),
        ("address=%zz", unreadable, None),
        ("address=1+Main%", unreadable, None),
        ("address=1+Main%ff", unreadable, None),
        ("address=1+Main%00", unreadable, None),
        ("address=1+A&address=2+B", twice, None),
        (&long, too_long, None),
        (&huge, too_long, None),
        ("zip=1234", None, not_a_zip),
        ("zip=123456", None, not_a_zip),
        ("zip=abcde", None, not_a_zip),
        ("zip=00112-", None, not_a_zip),
        ("zip=%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5", None, not_a_zip),
        ("zip=00112&zip=00113", None, twice),
        ("address=Main&zip=1", no_number, not_a_zip),
    ];
    for (query, address, zip) in rows {
        let form = lookup_form::read(query).unwrap_err();
        assert_eq!((form.address.fault, form.zip.fault), (address, zip), "{query}");
    }
    let accepted = [
        ("zip=00112", None, Some("00112")),
        ("zip=00112-0034", None, Some("00112")),
        ("zip=00112+0034", None, Some("00112")),
        ("address=5+%C3%A9t%C3%A9", Some("5 été"), None),
        ("address=1+A&zip=00112", Some("1 A"), Some("00112")),
    ];
    for (query, address, zip) in accepted {
        let look_up = lookup_form::read(query).unwrap();
        assert_eq!((look_up.address.as_deref(), look_up.zip.as_deref()), (address, zip), "{query}");
    }
}

proptest! {
    #[test]
    fn what_a_visitor_types_never_becomes_markup(typed in "[0-9]{0,3}[ -~]{0,60}") {
        let encoded: String = typed.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let tags = |page: &str| page.matches('<').count();
        let plain = runtime.block_on(async { text(get(&site(), "/polling-place/lookup?address=1+Main&zip=x").await).await });
        let target = format!("/polling-place/lookup?zip=x&address={encoded}");
        let page = runtime.block_on(async { text(get(&site(), &target).await).await });
        // One more fault is at most two more list entries and spans; never what was typed.
        prop_assert!(tags(&page) - tags(&plain) <= 6);
        prop_assert_eq!(page.matches('"').count() % 2, 0);
    }

    #[test]
    fn any_query_is_read_or_refused(query in "\\PC{0,200}") {
        match lookup_form::read(&query) {
            Ok(look_up) => prop_assert!(look_up.address.is_some() || look_up.zip.is_some()),
            Err(form) => prop_assert!(form.address.fault.is_some() || form.zip.fault.is_some()),
        }
    }
}
