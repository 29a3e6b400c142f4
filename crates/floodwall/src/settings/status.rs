//! What the public is shown of the watch: `[status]`.

use std::path::{Path, PathBuf};

use floodwall_watch::Check;
use toml::de::DeTable;

use super::forms::{TextFault, TextForm, shorten};
use super::keys;
use super::section::{Log, Section};

/// What the page is called when nobody says.
pub(crate) const STATUS_TITLE: &str = "Status of our websites";

/// Whether unusual traffic is on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublishIncidents {
    On,
    Off,
}

impl PublishIncidents {
    pub(super) const WORDS: &[(&str, Self)] = &[("on", Self::On), ("off", Self::Off)];
}

impl Default for StatusPage {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            title: STATUS_TITLE.to_owned(),
            title_es: None,
            help: None,
            help_es: None,
            url: None,
            incidents: PublishIncidents::On,
        }
    }
}

/// `[status]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusPage {
    /// Where its files are written.
    pub(crate) directory: PathBuf,
    /// What it is called, in English and in Spanish.
    pub(crate) title: String,
    pub(crate) title_es: Option<String>,
    /// What people can do meanwhile, in English and in Spanish.
    pub(crate) help: Option<String>,
    pub(crate) help_es: Option<String>,
    /// Where it can be read.
    pub(crate) url: Option<String>,
    /// Whether it tells of unusual traffic.
    pub(crate) incidents: PublishIncidents,
}

/// Reads `[status]`: `Some(None)` where there is none, `None` where it is faulty.
pub(super) fn read_status(
    document: &DeTable<'_>,
    folder: &Path,
    log: &mut Log,
) -> Option<Option<StatusPage>> {
    let section = Section::open(log, Some(document), "status", "status".to_owned());
    if !section.is_given() {
        return Some(None);
    }
    section.report_unknown(log);
    let directory = section.value(log, &keys::STATUS_DIRECTORY);
    let title = section.value(log, &keys::STATUS_TITLE);
    let title_es = section.value(log, &keys::STATUS_TITLE_ES);
    let help = section.value(log, &keys::STATUS_HELP);
    let help_es = section.value(log, &keys::STATUS_HELP_ES);
    let url = section.value(log, &keys::STATUS_URL);
    let incidents = section.value(log, &keys::STATUS_INCIDENTS);
    Some(Some(StatusPage {
        directory: folder.join(directory?),
        title: title?,
        title_es,
        help,
        help_es,
        url,
        incidents: incidents?,
    }))
}

/// A public address of the page, ending in `/`.
pub(super) struct PageAddress;

impl TextForm for PageAddress {
    type Output = String;

    fn expected(&self) -> String {
        "an address that begins with `https://` or `http://` and ends with `/`".to_owned()
    }

    fn example(&self) -> &'static str {
        "https://status.example.gov/"
    }

    fn parse(&self, text: &str) -> Result<String, TextFault> {
        let is_address = matches!(text.parse::<Check>(), Ok(Check::Http(_)));
        if is_address && text.ends_with('/') && !text.contains(['?', '#', '"', '<', '>', ' ']) {
            return Ok(text.to_owned());
        }
        let problem = format!("`{}` is no address of a directory", shorten(text));
        Err(TextFault::new(problem, "write for example \"https://status.example.gov/\""))
    }
}
