//! The frame around every page: head, sample notice, navigation, footer.

use std::fmt::Write;

/// The language of a page's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Spanish,
}

/// One page before it is put into the frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page<'a> {
    pub(crate) language: Language,
    /// Its own path, to mark it in the navigation; empty where it is not listed there.
    pub(crate) path: &'a str,
    /// Text, not HTML.
    pub(crate) title: &'a str,
    /// Text, not HTML.
    pub(crate) description: &'a str,
    /// HTML for inside `<main>`; whatever a visitor typed has been through [`escape`].
    pub(crate) main: &'a str,
}

/// The parts of the frame that differ by language.
struct Words {
    code: &'static str,
    office: &'static str,
    skip: &'static str,
    navigation_name: &'static str,
    navigation: &'static [(&'static str, &'static str)],
    header: &'static str,
    footer: &'static str,
}

static ENGLISH: Words = Words {
    code: "en",
    office: "State of Example Office of Elections (sample)",
    skip: "Skip to main content",
    navigation_name: "Main",
    navigation: &[
        ("/", "Home"),
        ("/register", "Register"),
        ("/polling-place", "Polling place"),
        ("/voting-by-mail", "Vote by mail"),
        ("/deadlines", "Deadlines"),
        ("/accessibility", "Accessibility"),
    ],
    header: include_str!("../site/header.en.html"),
    footer: include_str!("../site/footer.en.html"),
};

static SPANISH: Words = Words {
    code: "es",
    office: "Oficina de Elecciones del Estado de Example (muestra)",
    skip: "Ir al contenido principal",
    navigation_name: "Principal",
    navigation: &[
        ("/es/", "Inicio"),
        ("/register", "Inscribirse (en inglés)"),
        ("/polling-place", "Centro de votación (en inglés)"),
        ("/deadlines", "Fechas (en inglés)"),
    ],
    header: include_str!("../site/header.es.html"),
    footer: include_str!("../site/footer.es.html"),
};

/// The whole document.
pub(crate) fn render(page: &Page<'_>) -> String {
    let words = match page.language {
        Language::English => &ENGLISH,
        Language::Spanish => &SPANISH,
    };
    format!(
        include_str!("../site/layout.html"),
        language = words.code,
        title = escape(page.title),
        office = words.office,
        description = escape(page.description),
        skip = words.skip,
        header = words.header.trim_end(),
        navigation_name = words.navigation_name,
        navigation = navigation(words.navigation, page.path),
        main = page.main,
        footer = words.footer.trim_end(),
    )
}

fn navigation(entries: &[(&str, &str)], here: &str) -> String {
    let mut list = String::new();
    for (path, name) in entries {
        let current = if *path == here { " aria-current=\"page\"" } else { "" };
        // Writing into a `String` cannot fail.
        let _ = writeln!(list, "<li><a href=\"{path}\"{current}>{name}</a></li>");
    }
    list
}

/// `text` for HTML element content and quoted attribute values.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
