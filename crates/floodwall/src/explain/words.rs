//! What was decided, in words for whoever sits at the telephone.

use floodwall_policy::{Decided, Rung};

/// What happened to the request, and what the visitor can be told.
pub(crate) struct Words {
    pub(crate) happened: &'static str,
    pub(crate) advice: &'static str,
}

const COME_BACK: &str = "Nothing is held against the visitor: loading the page again later is enough.";
const NOT_OURS: &str = "Nobody was refused: no rule of Floodwall's had a part in it.";

const UNKNOWN_HOST: (&str, &str) = (
    "The request was refused (421): no site of the settings has the host it asked for.",
    "See the link the visitor followed, and `hosts` of the site.",
);
const UNDECLARED_PATH: (&str, &str) = (
    "The request was refused (404): the site's settings name the paths it has, and not this one.",
    "See the link the visitor followed, and `paths` of the site.",
);

/// The one place that says what each decision means.
pub(crate) fn words(decided: Decided) -> Words {
    let (happened, advice) = match decided {
        Decided::Answered => ("The request was answered, from the cache or by the origin.", NOT_OURS),
        Decided::PrefixRate => (
            "The request was refused (429): its address was over a limit of the settings, [site.limits].",
            "The limit forgets within seconds of quiet. If an office or a library shares the address, raise the limit or allow it.",
        ),
        Decided::NoRoom => (
            "The request was refused (503): more was asked of the origin than it can answer, and the wait would have been too long.",
            COME_BACK,
        ),
        Decided::OverShare => (
            "The request was refused (503): more was asked of the origin than it can answer, and this address or its network asked for more than its share.",
            "Who proves himself on the page with the choice, or waits in line, goes before the rest of his network. An office can be allowed in the settings.",
        ),
        Decided::Displaced => (
            "The request was refused (503) after a wait: visitors who had proven more took its place.",
            COME_BACK,
        ),
        Decided::WaitedOut => ("The request was refused (503) after the longest wait there is.", COME_BACK),
        Decided::Redirect => (
            "The visitor was sent to the same page once more (307), with a cookie to bring back.",
            "Every browser does that unseen. A program must follow redirects and keep cookies.",
        ),
        Decided::Choice => (
            "The visitor was shown the page with the choice (503): let the browser work for a moment, or wait in line.",
            "The page goes on by itself. Without JavaScript the visitor waits in line; the page says how long.",
        ),
        Decided::WaitingRoom => (
            "The visitor was shown the waiting room (503), with a place in line.",
            "The page loads itself anew and goes on when it is the visitor's turn. Closing it keeps the place for a while.",
        ),
        Decided::TokenGiven => {
            ("The visitor was given a token for what was proven, and sent on to the page (307).", NOT_OURS)
        }
        Decided::Blocked => (
            "The request was refused: an operator blocked the address.",
            "The operator who blocked it can lift it.",
        ),
        Decided::Connection => (
            "The connection was ended for what it did, such as frames without end or an answer it did not take.",
            "No browser does that. If it is a program of your own, see what it was sending.",
        ),
        Decided::UnknownHost => UNKNOWN_HOST,
        Decided::UndeclaredPath => UNDECLARED_PATH,
        Decided::Malformed => (
            "The request was refused (400 or 431): it was malformed, or its header was too large.",
            "In a browser it is mostly cookies that have grown too large: deleting the site's cookies helps.",
        ),
        Decided::MethodNotAllowed => (
            "The request was refused (405): its method is not accepted.",
            "Browsers use none of these methods.",
        ),
        Decided::MovedToHttps => ("The visitor was sent to the same page over HTTPS (308).", NOT_OURS),
        Decided::Loop => (
            "The request came back to the server that had passed it on (508): the site's origin points to Floodwall.",
            "Run `floodwall check` and mend the site's origin.",
        ),
        Decided::NotCached => ("The request asked for a kept copy only (504), and there was none.", NOT_OURS),
        Decided::OriginBusy => (
            "The request was refused (503): every turn at the origin was taken, and none came free in time.",
            COME_BACK,
        ),
        Decided::OriginFailed => (
            "The origin did not answer, or not well, and there was no kept copy to show.",
            "No rule of Floodwall's had a part in it. See the origin's own log at this time.",
        ),
    };
    Words { happened, advice }
}

/// What a rung asks of visitors.
pub(crate) fn rung_words(rung: Rung) -> &'static str {
    match rung {
        Rung::Open => "nothing is asked of visitors",
        Rung::Collapse => "nothing is asked of visitors, and the cache works harder",
        Rung::Redirect => "new visitors go through a redirect that nobody sees",
        Rung::Choice => "new visitors are shown the page with the choice",
        Rung::WaitingRoom => "all who have proven nothing wait in line",
    }
}

/// A short name for records.
pub(crate) fn rung_name(rung: Rung) -> &'static str {
    match rung {
        Rung::Open => "open",
        Rung::Collapse => "collapse",
        Rung::Redirect => "redirect",
        Rung::Choice => "choice",
        Rung::WaitingRoom => "waiting_room",
    }
}
