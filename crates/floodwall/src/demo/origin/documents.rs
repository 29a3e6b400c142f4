//! The documents that do not change while the site runs: pages, style, seal, robots, sitemap.
//!
//! They are compiled in and found in an exact table, so no request path ever reaches a file
//! system.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderValue;
use http::header::InvalidHeaderValue;

use super::layout::{self, Language, Page};
use super::lookup_form::{self, Form};
use super::stable_hash::stable_hash;

/// When the texts were last revised (IMF-fixdate, RFC 9110 section 5.6.7): to be moved on with
/// them. Caches ask by `ETag` first, which follows the content by itself.
pub(crate) const LAST_MODIFIED: &str = "Mon, 05 Jan 2026 09:00:00 GMT";

pub(crate) const HTML: &str = "text/html; charset=utf-8";
/// A minute is short enough for a correction and long enough to carry a rush; when the server is
/// down, a day-old page is better than none.
const PAGE_CACHING: &str = "public, max-age=60, stale-if-error=86400";
const ASSET_CACHING: &str = "public, max-age=3600, stale-if-error=86400";

/// One document ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) content_type: &'static str,
    pub(crate) cache_control: &'static str,
    /// Strong: a hash of the body (RFC 9110 section 8.8.3).
    pub(crate) etag: HeaderValue,
    pub(crate) body: Bytes,
}

/// Title, description and inside of one page.
struct Source {
    path: &'static str,
    title: &'static str,
    description: &'static str,
    main: &'static str,
}

const PAGES: [Source; 5] = [
    Source {
        path: "/",
        title: "Vote in the State of Example",
        description: "How, when and where to vote in the State of Example. A sample site, not a real office.",
        main: include_str!("../site/home.html"),
    },
    Source {
        path: "/register",
        title: "Register to vote",
        description: "Who can register to vote, how to do it, and what you need.",
        main: include_str!("../site/register.html"),
    },
    Source {
        path: "/deadlines",
        title: "Deadlines",
        description: "Every deadline for the general election on November 7, 2028, in one table.",
        main: include_str!("../site/deadlines.html"),
    },
    Source {
        path: "/voting-by-mail",
        title: "Vote by mail",
        description: "How to ask for a mail ballot, fill it in, and return it on time.",
        main: include_str!("../site/voting-by-mail.html"),
    },
    Source {
        path: "/accessibility",
        title: "Accessible voting",
        description: "Help at the polling place, from your car, at home, and in your language.",
        main: include_str!("../site/accessibility.html"),
    },
];

/// All documents by their exact path.
#[derive(Clone, Debug)]
pub(crate) struct Documents {
    by_path: BTreeMap<&'static str, Document>,
}

impl Documents {
    /// Puts every page into its frame.
    ///
    /// # Errors
    /// An `ETag` that is no header value; it is made of hex digits, so this does not happen.
    pub(crate) fn load() -> Result<Self, InvalidHeaderValue> {
        let mut by_path = BTreeMap::new();
        for Source { path, title, description, main } in PAGES {
            let page = Page { language: Language::English, path, title, description, main };
            by_path.insert(path, document(HTML, PAGE_CACHING, layout::render(&page))?);
        }
        let form = Page {
            language: Language::English,
            path: "/polling-place",
            title: "Find your polling place",
            description: "Enter your address or ZIP code and see where to vote.",
            main: &lookup_form::render(&Form::default()),
        };
        by_path.insert("/polling-place", document(HTML, PAGE_CACHING, layout::render(&form))?);
        let spanish = Page {
            language: Language::Spanish,
            path: "/es/",
            title: "Vote en el Estado de Example",
            description: "Cómo, cuándo y dónde votar en el Estado de Example. Un sitio de muestra.",
            main: include_str!("../site/home.es.html"),
        };
        by_path.insert("/es/", document(HTML, PAGE_CACHING, layout::render(&spanish))?);

        let robots = document("text/plain; charset=utf-8", PAGE_CACHING, include_str!("../site/robots.txt"))?;
        by_path.insert("/robots.txt", robots);
        let sitemap = document("application/xml", PAGE_CACHING, include_str!("../site/sitemap.xml"))?;
        by_path.insert("/sitemap.xml", sitemap);
        let style =
            document("text/css; charset=utf-8", ASSET_CACHING, include_str!("../site/assets/site.css"))?;
        by_path.insert("/assets/site.css", style);
        let seal = document("image/svg+xml", ASSET_CACHING, include_str!("../site/assets/seal.svg"))?;
        by_path.insert("/assets/seal.svg", seal);
        let icon: &[u8] = include_bytes!("../site/assets/favicon.ico");
        by_path.insert("/favicon.ico", document("image/x-icon", ASSET_CACHING, icon)?);
        Ok(Self { by_path })
    }

    /// The document at exactly `path`.
    pub(crate) fn get(&self, path: &str) -> Option<&Document> {
        self.by_path.get(path)
    }

    /// The path of the document that differs from `path` by a final slash only.
    pub(crate) fn beside_slash(&self, path: &str) -> Option<&'static str> {
        let (without, with) = (path.strip_suffix('/').unwrap_or(path), format!("{path}/"));
        let found = self.by_path.get_key_value(without).or_else(|| self.by_path.get_key_value(with.as_str()));
        found.map(|(path, _)| *path)
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Document)> {
        self.by_path.iter().map(|(path, document)| (*path, document))
    }
}

fn document(
    content_type: &'static str,
    cache_control: &'static str,
    body: impl Into<Bytes>,
) -> Result<Document, InvalidHeaderValue> {
    let body = body.into();
    let etag = HeaderValue::try_from(format!("\"{:016x}\"", stable_hash(&body)))?;
    Ok(Document { content_type, cache_control, etag, body })
}
