//! Writes the status page's files: at every change, and once a minute so that its age shows.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use floodwall_console::Snapshot;
use floodwall_model::Timestamp;
use floodwall_outage::State;
use floodwall_status::File;

use floodwall_store::StoreHandle;
use tokio::sync::watch;

use super::maker::StatusMaker;
use crate::incident::IncidentArchive;
use crate::settings::Settings;

/// Without a change.
const EVERY: Duration = Duration::from_secs(60);
/// From one writing to the next, whatever changes.
const LEAST: Duration = Duration::from_secs(2);
/// Everybody may read what is for the public.
const FILE_MODE: u32 = 0o644;

/// What makes the page; where the settings name a directory, it is written there from now on.
pub(crate) fn start(
    settings: &Settings,
    store: StoreHandle,
    incidents: IncidentArchive,
    snapshots: watch::Receiver<Arc<Snapshot>>,
) -> StatusMaker {
    let maker = StatusMaker::new(settings, store, incidents, snapshots);
    if let Some(page) = &settings.status {
        tokio::spawn(publish(maker.clone(), page.directory.clone()));
    }
    maker
}

/// Writes the page for as long as there are snapshots. Runs beside the control loop; what blocks, blocks a
/// thread for that.
async fn publish(maker: StatusMaker, directory: PathBuf) {
    let mut snapshots = maker.snapshots();
    let mut written: Option<(Timestamp, u64)> = None;
    let mut failing = None;
    while snapshots.changed().await.is_ok() {
        let (at, marker) = {
            let snapshot = snapshots.borrow_and_update();
            (snapshot.at, marker(&snapshot))
        };
        let due = written.is_none_or(|(before, known)| {
            let age = at.since(before);
            age >= EVERY || (known != marker && age >= LEAST)
        });
        if !due {
            continue;
        }
        written = Some((at, marker));
        let (maker, directory) = (maker.clone(), directory.clone());
        let writing = tokio::task::spawn_blocking(move || {
            write(&directory, &maker.files()?)
                .map_err(|error| format!("{error}; see `status.directory` ({})", directory.display()))
        });
        let result = writing.await.unwrap_or_else(|error| Err(error.to_string()));
        // Once for every new reason, not once a minute.
        match result {
            Ok(()) => {
                if failing.take().is_some() {
                    tracing::info!("the status page is written again");
                }
            }
            Err(error) => {
                if failing.as_ref() != Some(&error) {
                    tracing::warn!("the status page is not written: {error}");
                }
                failing = Some(error);
            }
        }
    }
}

/// Changes when anything does that people should learn at once.
fn marker(snapshot: &Snapshot) -> u64 {
    let mut hasher = DefaultHasher::new();
    for target in &snapshot.watched {
        for family in &target.families {
            let state = match family.state {
                State::Up => 0_u8,
                State::Down => 1,
                State::Unknown(_) => 2,
            };
            (&target.name, family.family, state).hash(&mut hasher);
        }
    }
    for record in &snapshot.incidents {
        let verdict = record.incident.judgement().map(|judgement| judgement.verdict);
        (&record.key, verdict).hash(&mut hasher);
    }
    hasher.finish()
}

/// Writes every file, each so that whoever reads it meets the old one or the new one, and never half of it.
///
/// # Errors
/// What the operating system says; files before it are written.
pub(super) fn write(directory: &Path, files: &[File]) -> io::Result<()> {
    for file in files {
        let mut new = tempfile::Builder::new().prefix(".status-").tempfile_in(directory)?;
        new.write_all(file.content.as_bytes())?;
        new.as_file().set_permissions(std::fs::Permissions::from_mode(FILE_MODE))?;
        new.as_file().sync_data()?;
        new.persist(directory.join(file.name)).map_err(|error| error.error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_whole_and_everybody_may_read_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = |content: &str| File { name: "index.html", content: content.to_owned() };
        write(directory.path(), &[file("old and longer")]).unwrap();
        write(directory.path(), &[file("new")]).unwrap();
        let path = directory.path().join("index.html");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, FILE_MODE);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left over");
        assert!(write(&directory.path().join("nowhere"), &[file("x")]).is_err());
    }
}
