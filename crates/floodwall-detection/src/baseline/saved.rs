//! Baselines as bytes and back: a format of our own with a version, JSON, so that people can look.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Baselines, Profile};
use crate::figure::{Figure, Row};

/// The version written.
const VERSION: u32 = 1;

/// Longest text that is read.
const TEXT_MAX: usize = 8 << 20;

/// Baselines as they are saved. Made by [`SavedBaselines::of`], read by [`SavedBaselines::restore`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedBaselines {
    format: String,
    version: u32,
    learned: u32,
    profiles: BTreeMap<String, Profile>,
}

/// Why saved baselines cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Not what was saved.
    #[error("these are no saved baselines: {0}; delete the file, and they are learned anew")]
    Syntax(#[from] serde_json::Error),
    /// Too long to be baselines.
    #[error("saved baselines of {0} bytes are too long; delete the file, and they are learned anew")]
    TooLong(usize),
    /// A version we do not know.
    #[error(
        "saved baselines of version {0}, but this program reads version {VERSION}; use the newer program, or delete the file"
    )]
    Version(u32),
    /// Values that cannot be.
    #[error("the saved baseline of `{0}` is damaged; delete the file, and they are learned anew")]
    Damaged(String),
}

const FORMAT: &str = "floodwall baselines";

impl SavedBaselines {
    /// What is to be saved.
    #[must_use]
    pub fn of(baselines: &Baselines) -> Self {
        let profiles = Figure::ALL
            .iter()
            .zip(&baselines.profiles)
            .map(|(figure, profile)| (figure.as_str().to_owned(), profile.clone()))
            .collect();
        Self { format: FORMAT.to_owned(), version: VERSION, learned: baselines.learned, profiles }
    }

    /// As JSON.
    ///
    /// # Errors
    /// What the library says; it does not happen with baselines that this crate made.
    pub fn to_json(&self) -> Result<String, RestoreError> {
        Ok(serde_json::to_string(self)?)
    }

    /// From JSON.
    ///
    /// # Errors
    /// Where the text is something else, of a later version, or damaged.
    pub fn from_json(text: &str) -> Result<Self, RestoreError> {
        if text.len() > TEXT_MAX {
            return Err(RestoreError::TooLong(text.len()));
        }
        let saved: Self = serde_json::from_str(text)?;
        if saved.version != VERSION || saved.format != FORMAT {
            return Err(RestoreError::Version(saved.version));
        }
        match saved.profiles.iter().find(|(_, profile)| !profile.is_sound()) {
            Some((name, _)) => Err(RestoreError::Damaged(name.clone())),
            None => Ok(saved),
        }
    }

    /// The baselines. Figures that were not saved begin anew; figures of other versions are left out.
    #[must_use]
    pub fn restore(&self) -> Baselines {
        let profiles = Figure::ALL
            .iter()
            .map(|figure| self.profiles.get(figure.as_str()).cloned().unwrap_or_default())
            .collect();
        Baselines { profiles, sums: Row::default(), seconds: 0.0, quarter: None, learned: self.learned }
    }
}
