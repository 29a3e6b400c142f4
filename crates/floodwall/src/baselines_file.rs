//! What was learned of calm times, in one file of the state directory, by site.
//!
//! Written whole or not at all. What cannot be used of it is set aside and said: a site without a baseline
//! learns anew, which takes days but harms nobody.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use floodwall_detection::{Baselines, SavedBaselines};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The file in the state directory.
pub(crate) const FILE: &str = "baselines.json";
/// Where one is put that cannot be used, beside it.
const ASIDE: &str = "baselines.json.damaged";

const FORMAT: &str = "floodwall baselines by site";
const VERSION: u32 = 1;
/// Largest file that is read; a site takes about half of a megabyte.
const BYTES_MAX: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    sites: BTreeMap<String, Box<RawValue>>,
}

/// What a file held.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    pub(crate) sites: BTreeMap<String, Baselines>,
    /// What could not be used, in words.
    pub(crate) faults: Vec<String>,
}

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaselinesError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {why}", path.display())]
    Foreign { path: PathBuf, why: String },
}

/// Reads a file. Sites whose baseline cannot be used are named in [`Learned::faults`].
///
/// # Errors
/// When it cannot be read, or is not such a file.
pub(crate) fn read(path: &Path) -> Result<Learned, BaselinesError> {
    let io = |source| BaselinesError::Io { path: path.to_owned(), source };
    let foreign = |why: String| BaselinesError::Foreign { path: path.to_owned(), why };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(io)?;
    let bytes = file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(io)?;
    if u64::try_from(bytes).unwrap_or(u64::MAX) > BYTES_MAX {
        return Err(foreign("too long to be baselines".to_owned()));
    }
    let document: Document = serde_json::from_str(&text)
        .map_err(|error| foreign(format!("these are no saved baselines: {error}")))?;
    if document.format != FORMAT || document.version != VERSION {
        return Err(foreign(format!(
            "baselines of form {:?}, version {}; this program reads {FORMAT:?}, version {VERSION}",
            document.format, document.version
        )));
    }
    let mut learned = Learned::default();
    for (site, saved) in document.sites {
        match SavedBaselines::from_json(saved.get()) {
            Ok(saved) => {
                learned.sites.insert(site, saved.restore());
            }
            Err(error) => learned.faults.push(format!("site {site}: {error}")),
        }
    }
    Ok(learned)
}

/// Writes a file: beside it first, then in its place.
///
/// # Errors
/// What the operating system says.
pub(crate) fn write<'a>(
    path: &Path,
    sites: impl IntoIterator<Item = (&'a str, &'a Baselines)>,
) -> Result<(), BaselinesError> {
    let io = |source| BaselinesError::Io { path: path.to_owned(), source };
    let mut saved = BTreeMap::new();
    for (site, baselines) in sites {
        let json = SavedBaselines::of(baselines).to_json().map_err(|error| io(io::Error::other(error)))?;
        let json = RawValue::from_string(json).map_err(|error| io(error.into()))?;
        saved.insert(site.to_owned(), json);
    }
    let document = Document { format: FORMAT.to_owned(), version: VERSION, sites: saved };
    let text = serde_json::to_string(&document).map_err(|error| io(error.into()))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut new = tempfile::Builder::new().prefix(".baselines-").tempfile_in(directory).map_err(io)?;
    new.write_all(text.as_bytes()).map_err(io)?;
    new.as_file().sync_data().map_err(io)?;
    new.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// What the server begins with. A file that cannot be used is set aside, and the operator told.
pub(crate) fn read_at_start(state: &Path) -> BTreeMap<String, Baselines> {
    let path = state.join(FILE);
    let (sites, faults) = match read(&path) {
        Ok(learned) => (learned.sites, learned.faults),
        Err(BaselinesError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return BTreeMap::new();
        }
        Err(error) => (BTreeMap::new(), vec![error.to_string()]),
    };
    if faults.is_empty() {
        return sites;
    }
    let aside = state.join(ASIDE);
    let kept = match fs::copy(&path, &aside) {
        Ok(_) => format!("a copy is kept as {}", aside.display()),
        Err(error) => format!("no copy of it could be kept: {error}"),
    };
    for fault in faults {
        tracing::warn!("what was learned of calm times cannot be used, and is learned anew: {fault}; {kept}");
    }
    sites
}

#[cfg(test)]
mod tests {
    use floodwall_detection::{Figure, Row};

    use super::*;

    fn learned(rate: f64) -> Baselines {
        let mut baselines = Baselines::default();
        let mut minute = Row::default();
        minute.set(Figure::Requests, rate * 60.0);
        for number in 0..24 * 60 {
            baselines.learn(1_667_865_600 + number * 60, 60.0, &minute, 0);
        }
        baselines
    }

    fn expected(baselines: &Baselines) -> f64 {
        baselines.expected(Figure::Requests, 1_667_952_000, 0).unwrap().middle
    }

    #[test]
    fn what_was_learned_of_each_site_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        write(&path, [("sos", &learned(5.0)), ("results / live", &learned(50.0))]).unwrap();
        let back = read_at_start(directory.path());
        let rates: Vec<_> = back.iter().map(|(site, it)| (site.as_str(), expected(it).round())).collect();
        assert_eq!(rates, [("results / live", 50.0), ("sos", 5.0)]);
        let files: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, [FILE], "nothing else is left");
    }

    #[test]
    fn damage_is_set_aside_and_harms_no_other_site() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        assert!(read_at_start(directory.path()).is_empty());
        write(&path, [("sos", &learned(5.0)), ("county", &learned(2.0))]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let damaged = text.replacen("\"learned\":", "\"learnt\":", 1);
        for (written, sites) in [(damaged.as_str(), 1), (&text[..text.len() / 2], 0), ("", 0), ("[]", 0)] {
            fs::write(&path, written).unwrap();
            assert_eq!(read_at_start(directory.path()).len(), sites, "{written:.40}");
            assert_eq!(fs::read_to_string(directory.path().join(ASIDE)).unwrap(), written);
        }
    }
}
