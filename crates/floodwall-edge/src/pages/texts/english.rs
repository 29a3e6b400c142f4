//! English.

use std::time::Duration;

use super::{Estimate, OverloadTexts, PersonTexts, RefusalTexts, Texts, Words, grouped, rounded};

const TRY_AGAIN: &str = "Please try again in a few seconds. The site's other pages may answer at once.";

pub(super) const TEXTS: Texts = Texts {
    reference: "If you need help, quote this reference:",
    kept_label: "About this page",
    kept_copy,
    refusals: RefusalTexts {
        too_many: Words {
            title: "Please wait a moment",
            what: "This site has received very many requests from your network in a short time.",
            advice: "",
        },
        too_many_advice,
        unknown_host: Words {
            title: "No such site here",
            what: "This server does not answer for the address that was asked for.",
            advice: "Check the address in your browser. If a link brought you here, please tell the office that published it.",
        },
        undeclared_path: Words {
            title: "No such page here",
            what: "This site has no page at the address that was asked for.",
            advice: "Check the address in your browser, or begin at the site's home page.",
        },
        method: Words {
            title: "This kind of request is not accepted",
            what: "The request used a method that this site does not accept.",
            advice: "Open the page with an ordinary web browser.",
        },
        blocked: Words {
            title: "Requests from your network are not accepted here now",
            what: "The people who run this site have blocked the internet address that you come from.",
            advice: "Many people can share one address, so this may not be about you. Try another connection, such as a telephone's, or call the office, and tell it the reference below.",
        },
        malformed: Words {
            title: "The request could not be understood",
            what: "",
            advice: "Load the page again. If that does not help, delete this site's cookies in your browser, or try another browser.",
        },
        header_too_large: "The request's header is larger than 64 KiB or has more than 128 fields.",
        moved_to_https: Words {
            title: "This site is read over a secure connection",
            what: "Your browser is being sent to the secure address of this page.",
            advice: "If nothing happens, write https:// in front of the address in your browser.",
        },
        loop_detected: Words {
            title: "This page cannot be shown",
            what: "The request came back to the server that had passed it on: its origin points to itself.",
            advice: "If you run this site, run `floodwall check` and mend the site's origin.",
        },
        not_cached: Words {
            title: "No kept copy of this page",
            what: "The request asked for a kept copy only, and there is none.",
            advice: "Load the page again.",
        },
        origin_busy: Words {
            title: "This page is busy",
            what: "Very many people are asking for this page now.",
            advice: TRY_AGAIN,
        },
        visitor_broke_off: Words {
            title: "Your request did not arrive whole",
            what: "The form or file you sent broke off on its way.",
            advice: "Please go back and send it again.",
        },
        origin_slow: Words {
            title: "This page is taking too long",
            what: "The server behind this site did not answer in time.",
            advice: TRY_AGAIN,
        },
        origin_down: Words {
            title: "This page cannot be shown right now",
            what: "The server behind this site does not answer at the moment.",
            advice: TRY_AGAIN,
        },
    },
    overload: OverloadTexts {
        choice_title: "One moment, please",
        waiting_title: "You are in line",
        why: "This site works. Right now very many people or programs are asking for this page, more than it can answer at once.",
        no_fault: "You have done nothing wrong. This check stores nothing about you.",
        work_heading: "The fast way in: a short calculation",
        work_what: "It helps us tell your browser from programs that flood the site. It takes a few seconds, and then your page opens.",
        work_bar: "Calculation",
        work_share: "# percent of the possible answers tried",
        work_stop: "Stop it and just wait in line",
        work_start: "Start the calculation",
        work_solved: "Done. Your page is opening.",
        work_stopped: "The calculation is stopped. You are still in line.",
        work_failed: "The calculation does not work in this browser. You are still in line.",
        work_no_cookie: "This browser keeps no cookies for this site, so a calculation would not help. You are still in line.",
        work_in_vain: "The calculation was done several times, and this page came back each time. It does not start by itself any more. You are still in line.",
        wait_heading: "Your place in line",
        place_new: "You are now in line.",
        place,
        wait_what,
        ask_again: "Ask again now",
        turn: "It is your turn. Your page is opening.",
        no_room: Words {
            title: "No room at the moment",
            what: "This site works. Right now so many people or programs are asking for this page that it could not answer you in time.",
            advice: "You have done nothing wrong. The site's other pages may open at once.",
        },
        over_share: Words {
            title: "Too many requests from your network",
            what: "This site works, but it is very busy, and very many requests are coming from your network.",
            advice: "You may have done nothing wrong: in an office, a library or on a mobile network, many people share one address. If waiting does not help, try another connection, for example mobile data in place of Wi-Fi.",
        },
        busy_again,
        busy_form,
    },
    person: PersonTexts {
        what: "Are you a person, and this does not let you in? Tell those who run this site.",
        button: "I am a person and cannot get in",
        thanks: Words {
            title: "Thank you for telling us",
            what: "Your report was counted. Those who run this site are shown how many people report this.",
            advice: "Your place in line, if you have one, is not lost. If it is urgent, call the office that runs this site and quote the reference.",
        },
        back: "Back to the page",
    },
};

fn seconds(count: u64) -> String {
    if count == 1 { "1 second".to_owned() } else { format!("{count} seconds") }
}

fn too_many_advice(wait: u64) -> String {
    format!(
        "Please wait {}, then load the page again. You have done nothing wrong: other people or programs on your \
         network may be using this site too.",
        seconds(wait)
    )
}

fn place(ahead: u64, expected: Duration) -> String {
    let before = match ahead {
        0 => "Nobody is before you.".to_owned(),
        1 => "One person is before you.".to_owned(),
        2..=10 => format!("{ahead} people are before you."),
        _ => format!("About {} people are before you.", grouped(rounded(ahead))),
    };
    let takes = match Estimate::of(expected) {
        Estimate::FewSeconds => "It will take a few seconds.".to_owned(),
        Estimate::Seconds(seconds) => format!("It will take about {seconds} seconds."),
        Estimate::Minutes(1) => "It will take about a minute.".to_owned(),
        Estimate::Minutes(minutes) => format!("It will take about {minutes} minutes."),
        Estimate::Hours(1) => "It will take about an hour.".to_owned(),
        Estimate::Hours(hours) => format!("It will take up to {hours} hours."),
        Estimate::Long => "It will take more than 2 hours. You may want to come back later.".to_owned(),
    };
    format!("{before} {takes}")
}

fn wait_what(refresh: u64) -> String {
    let each = if refresh == 1 { "second".to_owned() } else { seconds(refresh) };
    format!(
        "Leave this page open. It asks again by itself every {each}, and opens your page when it is your turn."
    )
}

fn busy_again(wait: u64) -> String {
    format!("This page asks again by itself in {}.", seconds(wait))
}

fn busy_form(wait: u64) -> String {
    format!(
        "What you sent did not go through. Wait {}, then go back in your browser and send it again.",
        seconds(wait)
    )
}

fn kept_copy(time: &str, age_s: i64) -> String {
    let (minutes, hours) = (age_s / 60, age_s / 3_600);
    let when = match minutes {
        ..2 => format!("from {time}, a moment ago"),
        2..120 => format!("from {time}, {minutes} minutes ago"),
        120..2_880 => format!("from {time}, {hours} hours ago"),
        _ => format!("from {} days ago", hours / 24),
    };
    format!(
        "This page is a kept copy {when}. The server of this site does not answer at the moment, so something may \
         have changed since."
    )
}
