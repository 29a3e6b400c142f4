//! The public status page: one page in English and one in Spanish, a feed in each, and the same as JSON.
//!
//! Files are a pure function of [`Facts`], the moment among them: nothing here reads a clock, a disk or a
//! socket. Whoever has the facts writes the files wherever people can read them, away from what may be
//! down. There is no script in them and nothing is loaded from elsewhere.
//!
//! Bounds: a page has [`PAGE_BYTES_MAX`]; what is left out is said, and is in the JSON.

mod facts;
mod feed;
mod figures;
mod json;
mod page;
mod text;

pub use facts::{Facts, Incident, IncidentKind, Service, ServiceState, Site, Wording};
pub use figures::DAYS;
pub use page::PAGE_BYTES_MAX;

/// One file of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name in the page's directory.
    pub name: &'static str,
    /// What is in it.
    pub content: String,
}

/// The names of all files that there can be.
pub const FILE_NAMES: [&str; 5] = ["index.html", "es.html", "status.json", "feed.atom", "feed.es.atom"];

/// Why the files cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the status page cannot be put together: {0}")]
pub struct StatusError(#[from] askama::Error);

/// Every file of the page.
///
/// # Errors
/// When a template fails, which is a fault of ours.
pub fn files(facts: &Facts) -> Result<Vec<File>, StatusError> {
    use text::Language::{English, Spanish};
    let mut files = vec![
        File { name: "index.html", content: page::page(facts, English)? },
        File { name: "es.html", content: page::page(facts, Spanish)? },
        File { name: "status.json", content: json::document(facts) },
    ];
    if let Some(url) = &facts.url {
        files.push(File { name: "feed.atom", content: feed::feed(facts, url, English)? });
        files.push(File { name: "feed.es.atom", content: feed::feed(facts, url, Spanish)? });
    }
    Ok(files)
}
