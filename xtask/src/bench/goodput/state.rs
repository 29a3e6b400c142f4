//! Runs that have ended, one file each, so that nothing measured is lost.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

const ABOUT: &str = "about.json";

/// One run of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub(super) scenario: String,
    pub(super) edge: String,
    pub(super) seed: u64,
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} / {} seed {}", self.scenario, self.edge, self.seed)
    }
}

impl Run {
    fn file(&self) -> String {
        format!("{}.{}.{}.json", self.scenario, self.edge, self.seed)
    }
}

/// What all runs of one table have in common: the build and the length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// Seconds that each scenario was shortened to.
    pub(super) seconds: Option<u32>,
    /// Of the program: size and time of its making, seconds since 1970.
    program_bytes: u64,
    program_made_s: u64,
}

impl About {
    pub(super) fn of(floodwall: &Path, seconds: Option<u32>) -> Result<Self, String> {
        let told = fs::metadata(floodwall).map_err(|error| format!("{}: {error}", floodwall.display()))?;
        let made = told.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        Ok(Self {
            seconds,
            program_bytes: told.len(),
            program_made_s: made.map_or(0, |since| since.as_secs()),
        })
    }
}

/// The directory of runs.
#[derive(Debug)]
pub(super) struct State {
    directory: PathBuf,
    about: About,
}

impl State {
    /// Opens what is there where it is of the same build and length, or makes it.
    pub(super) fn open(directory: &Path, about: &About, fresh: bool) -> Result<Self, String> {
        let failed = |error: io::Error| format!("{}: {error}", directory.display());
        if fresh && directory.exists() {
            fs::remove_dir_all(directory).map_err(failed)?;
        }
        match read_about(directory) {
            Some(there) if there != *about => {
                return Err(format!(
                    "{} holds runs of another build or length ({}, now {}); --fresh throws them away, \
                     --document writes the table from them",
                    directory.display(),
                    length(there.seconds),
                    length(about.seconds),
                ));
            }
            Some(_) => {}
            None => {
                fs::create_dir_all(directory).map_err(failed)?;
                write(&directory.join(ABOUT), about)?;
            }
        }
        Ok(Self { directory: directory.to_owned(), about: about.clone() })
    }

    /// Opens what is there, whatever it is of.
    pub(super) fn open_as_it_is(directory: &Path) -> Result<Self, String> {
        let about = read_about(directory).ok_or_else(|| format!("no runs in {}", directory.display()))?;
        Ok(Self { directory: directory.to_owned(), about })
    }

    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// Whether the run is there. With `again`, one that was void or failed is not.
    pub(super) fn has(&self, run: &Run, again: bool) -> bool {
        self.read(run).is_some_and(|said| !again || !did_not_count(&said))
    }

    /// What the run gave, if it is there and can be read.
    pub(super) fn read(&self, run: &Run) -> Option<Value> {
        let text = fs::read_to_string(self.directory.join(run.file())).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps a run.
    pub(super) fn keep(&self, run: &Run, said: &Value) -> Result<(), String> {
        write(&self.directory.join(run.file()), said)
    }
}

fn did_not_count(said: &Value) -> bool {
    said.get("failed").is_some()
        || ["void", "not_comparable"]
            .iter()
            .any(|key| said.pointer(&format!("/drills/0/{key}")).is_some_and(|why| !why.is_null()))
}

fn length(seconds: Option<u32>) -> String {
    seconds.map_or("full length".to_owned(), |seconds| format!("{seconds} s"))
}

fn read_about(directory: &Path) -> Option<About> {
    serde_json::from_str(&fs::read_to_string(directory.join(ABOUT)).ok()?).ok()
}

/// Whole or not at all, whenever it is interrupted.
fn write(path: &Path, what: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string(what).map_err(|error| error.to_string())?;
    let draft = path.with_extension("draft");
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_there_again_and_of_another_build_it_is_not_mixed() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("goodput");
        let about = |program_bytes| About { seconds: Some(12), program_bytes, program_made_s: 1 };
        let run = |seed| Run { scenario: "calm".to_owned(), edge: "nginx".to_owned(), seed };
        assert!(State::open_as_it_is(&directory).is_err());
        let state = State::open(&directory, &about(1), false).unwrap();
        state.keep(&run(1), &serde_json::json!({ "drills": [{ "void": null }] })).unwrap();
        state.keep(&run(2), &serde_json::json!({ "drills": [{ "void": "late" }] })).unwrap();
        state.keep(&run(3), &serde_json::json!({ "failed": "the drill's edge ended by itself" })).unwrap();
        let again = State::open(&directory, &about(1), false).unwrap();
        for (seed, has, counts) in [(1, true, true), (2, true, false), (3, true, false), (4, false, false)] {
            assert_eq!((again.has(&run(seed), false), again.has(&run(seed), true)), (has, counts), "{seed}");
        }
        let refused = State::open(&directory, &about(2), false).unwrap_err();
        assert!(refused.contains("another build or length") && refused.contains("--fresh"), "{refused}");
        assert!(State::open_as_it_is(&directory).unwrap().has(&run(1), false));
        assert!(!State::open(&directory, &about(2), true).unwrap().has(&run(1), false));
    }
}
