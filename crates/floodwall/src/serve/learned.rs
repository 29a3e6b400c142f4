//! What detection begins with, and what of it is saved.

use std::path::Path;
use std::sync::Arc;

use floodwall_detection::Baselines;

use super::ServeError;
use crate::baselines_file;
use crate::control::{Detection, SiteToWatch};
use crate::settings::Settings;

/// What detection begins with: what was learned before, the calendar, the sites' own time.
pub(super) fn detection(settings: &Settings) -> Result<Detection, ServeError> {
    let mut learned = baselines_file::read_at_start(&settings.server.state);
    let mut sites = Vec::new();
    for site in &settings.sites {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| ServeError::Entropy(error.to_string()))?;
        sites.push(SiteToWatch {
            name: site.name.as_str().into(),
            calendar: settings.calendar_of(site),
            zone: site.zone.0.clone(),
            baselines: learned.remove(&site.name),
            seed: u64::from_le_bytes(seed),
        });
    }
    Ok(Detection::new(sites))
}

/// That it cannot be saved costs days of learning at the next start, and no visitor anything.
pub(super) fn save_baselines(path: &Path, learned: &[(Arc<str>, Baselines)]) {
    let sites = learned.iter().map(|(site, baselines)| (&**site, baselines));
    if let Err(error) = baselines_file::write(path, sites) {
        tracing::warn!("what was learned of calm times is not saved: {error}");
    }
}
