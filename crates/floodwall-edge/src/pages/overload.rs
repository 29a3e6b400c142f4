//! What people meet while more want to reach an origin than it can carry.
//!
//! They are written in the middle of a flood: one allocation of the right size, constant parts copied,
//! no more. Each is one answer without anything to load afterwards.
//!
//! Without JavaScript the browser asks again by a `<meta>` in `<noscript>`; with it by [`LINE`], which
//! asks in the background and changes only the words, so that nobody who listens to the page is thrown
//! back to its beginning. They may be shown in frames: county sites embed a state's forms, and there is
//! nothing on them that a click could be stolen for.

use std::time::Duration;

use floodwall_model::ReferenceId;
use floodwall_policy::{RefusalReason, WaitingRoom, WorkChallenge};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::Language;
use super::document::{self, Addressee, Document};
use super::script::{LINE, Script, WORK};
use super::target::{SafeTarget, ampersands_escaped};
use super::texts::Texts;
use crate::body::Payload;

/// The report of a person who cannot get in is sent there by POST, with `?reference=7F3K-9QWX-02MB`.
pub(crate) const PERSON_PATH: &str = "/.well-known/floodwall/person";

/// The request field by which the script of [`choice`] and [`waiting`] asks for the place in line: a
/// GET for [`OverloadPage::target`] that must not reach an origin. It is answered with [`place`] while
/// the visitor waits; with anything but 429 and 5xx, such as the redirect or 204, when he may come in.
pub(crate) static ASKS_FOR_PLACE: HeaderName = HeaderName::from_static("floodwall-place");

/// Where the script says what has happened; `#heard`, which is not seen, takes what a screen reader is to
/// say of the place in line.
const SAID: &str = "<p id=\"said\" role=\"status\"></p>\n";

/// A page that asks again for what must pass the gate does so at most this often.
const BUSY_AGAIN_MIN_S: u64 = 5;

/// What every one of these pages is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverloadPage<'a> {
    /// Whose words it speaks.
    pub(crate) language: Language,
    /// What the visitor may quote.
    pub(crate) reference: ReferenceId,
    /// The path and query to ask for again, as they came; where no cookie is kept, with the ticket in
    /// the query. It is escaped here.
    pub(crate) target: &'a str,
    /// `Retry-After`: rounded up to whole seconds, at least one.
    pub(crate) retry_after: Duration,
}

/// Where somebody stands in the waiting room: [`Turn::Wait`](floodwall_policy::Turn::Wait).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceInLine {
    /// Tickets before his.
    pub(crate) ahead: u64,
    /// How long that will take.
    pub(crate) expected: Duration,
    /// After how long to ask again.
    pub(crate) refresh: Duration,
}

/// 503: the browser works, or the visitor waits; his choice, and both have begun. `place` is that of
/// the ticket he came with, or of none yet.
pub(crate) fn choice(
    page: &OverloadPage<'_>,
    challenge: &WorkChallenge,
    place: Option<&PlaceInLine>,
) -> Response<Payload> {
    let texts = page.texts();
    let words = &texts.overload;
    let refresh = place.map_or(WaitingRoom::REFRESH, |place| place.refresh);
    let target = SafeTarget::new(page.target);
    let mut document = page.open(words.choice_title, Some(refresh), &target, &WORK);
    write_main(&mut document, refresh, Some(challenge), texts);
    document.element("h1", words.choice_title).element("p", words.why).element("p", words.no_fault);
    // The script fills it: text browsers know nothing of `hidden`.
    document.markup("<section id=\"work\"></section>\n");
    document.markup(SAID).element("h2", words.wait_heading);
    write_line(&mut document, place, refresh, &target, texts);
    page.finish(document, StatusCode::SERVICE_UNAVAILABLE, Some(&WORK))
}

/// 503: the place in line.
pub(crate) fn waiting(page: &OverloadPage<'_>, place: &PlaceInLine) -> Response<Payload> {
    let texts = page.texts();
    let words = &texts.overload;
    let target = SafeTarget::new(page.target);
    let mut document = page.open(words.waiting_title, Some(place.refresh), &target, &LINE);
    write_main(&mut document, place.refresh, None, texts);
    document.element("h1", words.waiting_title);
    write_line(&mut document, Some(place), place.refresh, &target, texts);
    document.markup(SAID).element("p", words.why).element("p", words.no_fault);
    page.finish(document, StatusCode::SERVICE_UNAVAILABLE, Some(&LINE))
}

/// 503: the place in line in words only, for a request with [`ASKS_FOR_PLACE`]; `Refresh` says when and
/// where to ask again, as it does on the page for browsers without JavaScript.
pub(crate) fn place(page: &OverloadPage<'_>, place: &PlaceInLine) -> Response<Payload> {
    let words = (page.texts().overload.place)(place.ahead, place.expected);
    let mut response =
        document::response(StatusCode::SERVICE_UNAVAILABLE, words, &LINE.policy, page.addressee());
    page.set_retry_after(&mut response);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let target = SafeTarget::new(page.target);
    let seconds = document::whole_seconds(place.refresh);
    if let Ok(refresh) = HeaderValue::from_str(&format!("{seconds}; url={}", target.as_str())) {
        headers.insert(header::REFRESH, refresh);
    }
    response
}

/// 503, or 429 for a source over its share: there is no room within the bound on waiting. A form that
/// was sent (a method other than GET and HEAD) is not asked for again by itself.
pub(crate) fn busy(page: &OverloadPage<'_>, reason: RefusalReason, sent_form: bool) -> Response<Payload> {
    let texts = page.texts();
    let (status, words) = match reason {
        RefusalReason::NoRoom | RefusalReason::Displaced | RefusalReason::WaitedOut => {
            (StatusCode::SERVICE_UNAVAILABLE, texts.overload.no_room)
        }
        RefusalReason::OverShare => (StatusCode::TOO_MANY_REQUESTS, texts.overload.over_share),
    };
    let target = SafeTarget::new(page.target);
    let seconds = document::whole_seconds(page.retry_after);
    let again = seconds.max(BUSY_AGAIN_MIN_S);
    let refresh = (!sent_form).then_some(Duration::from_secs(again));
    let mut document = page.open(words.title, refresh, &target, &LINE);
    match refresh {
        Some(_) => document.written(format_args!("<main data-again=\"{again}\">\n")),
        None => document.markup("<main>\n"),
    };
    document.element("h1", words.title).element("p", words.what);
    if sent_form {
        document.element("p", &(texts.overload.busy_form)(seconds));
    } else {
        document.element("p", &(texts.overload.busy_again)(again));
        write_link(&mut document, &target, texts.overload.ask_again);
    }
    document.element("p", words.advice);
    page.finish(document, status, (!sent_form).then_some(&*LINE))
}

/// 200: thanks for the report sent to [`PERSON_PATH`]. [`OverloadPage::target`] is where he came from,
/// if known, else `/`; the reference is the one that was reported.
pub(crate) fn person_reported(page: &OverloadPage<'_>) -> Response<Payload> {
    let texts = &page.texts().person;
    let target = SafeTarget::new(page.target);
    let mut document = Document::open(page.addressee(), texts.thanks.title, 4_096, "");
    document.markup("<main>\n").element("h1", texts.thanks.title);
    document.element("p", texts.thanks.what).element("p", texts.thanks.advice);
    write_link(&mut document, &target, texts.back);
    document::response(StatusCode::OK, document.close(None), &LINE.policy, page.addressee())
}

impl OverloadPage<'_> {
    fn addressee(&self) -> Addressee {
        Addressee { language: self.language, reference: self.reference }
    }

    fn texts(&self) -> &'static Texts {
        self.language.texts()
    }

    /// Opens the document; without JavaScript it is loaded again after `refresh`.
    fn open(&self, title: &str, refresh: Option<Duration>, target: &SafeTarget, script: &Script) -> Document {
        let refresh = refresh.map(|refresh| {
            let seconds = document::whole_seconds(refresh);
            // Without an address it is that of the page.
            let url = if target.as_str().is_empty() { "" } else { "; url=" };
            format!(
                "<noscript><meta http-equiv=\"refresh\" content=\"{seconds}{url}{}\"></noscript>\n",
                target.in_markup()
            )
        });
        let capacity = 5_120 + script.code.len();
        Document::open(self.addressee(), title, capacity, refresh.as_deref().unwrap_or_default())
    }

    /// Writes what every page ends with, and makes the answer.
    fn finish(
        &self,
        mut document: Document,
        status: StatusCode,
        script: Option<&Script>,
    ) -> Response<Payload> {
        let person = &self.texts().person;
        document.written(format_args!(
            "<form method=\"post\" action=\"{PERSON_PATH}?reference={}\">\n<p>{}</p>\n<button>{}</button>\n</form>\n",
            self.reference, person.what, person.button
        ));
        let policy = &script.unwrap_or(&*LINE).policy;
        let mut response = document::response(
            status,
            document.close(script.map(|it| it.code.as_str())),
            policy,
            self.addressee(),
        );
        self.set_retry_after(&mut response);
        response
    }

    fn set_retry_after(&self, response: &mut Response<Payload>) {
        let seconds = document::whole_seconds(self.retry_after);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Opens `<main>` with all that the script has to know and say.
fn write_main(document: &mut Document, refresh: Duration, challenge: Option<&WorkChallenge>, texts: &Texts) {
    let words = &texts.overload;
    document.written(format_args!(
        "<main data-refresh=\"{}\" data-turn=\"{}\"",
        document::whole_seconds(refresh),
        words.turn
    ));
    if let Some(challenge) = challenge {
        let WorkChallenge { algorithm, challenge, number_max, salt, signature } = challenge;
        // All are ours, and letters, digits, hyphens; the salt has `?`, `=` and `&` besides.
        let salt = ampersands_escaped(salt);
        document.written(format_args!(
            " data-challenge='{{\"algorithm\":\"{algorithm}\",\"challenge\":\"{challenge}\",\
             \"maxnumber\":{number_max},\"salt\":\"{salt}\",\"signature\":\"{signature}\"}}' \
             data-heading=\"{}\" data-what=\"{}\" data-bar=\"{}\" data-share=\"{}\" data-stop=\"{}\" data-start=\"{}\" data-solved=\"{}\" data-stopped=\"{}\" \
             data-failed=\"{}\" data-no-cookie=\"{}\" data-in-vain=\"{}\"",
            words.work_heading,
            words.work_what,
            words.work_bar,
            words.work_share,
            words.work_stop,
            words.work_start,
            words.work_solved,
            words.work_stopped,
            words.work_failed,
            words.work_no_cookie,
            words.work_in_vain,
        ));
    }
    document.markup(">\n");
}

/// Writes the place in line and what happens next.
fn write_line(
    document: &mut Document,
    place: Option<&PlaceInLine>,
    refresh: Duration,
    target: &SafeTarget,
    texts: &Texts,
) {
    let words = &texts.overload;
    document.markup("<p id=\"place\"><strong>");
    match place {
        Some(place) => document.markup(&(words.place)(place.ahead, place.expected)),
        None => document.markup(words.place_new),
    };
    document.markup("</strong></p>\n");
    document.element("p", &(words.wait_what)(document::whole_seconds(refresh)));
    write_link(document, target, words.ask_again);
    document.markup("<p id=\"heard\" role=\"status\"></p>\n");
}

fn write_link(document: &mut Document, target: &SafeTarget, text: &str) {
    document.written(format_args!("<p><a id=\"again\" href=\"{}\">{text}</a></p>\n", target.in_markup()));
}
