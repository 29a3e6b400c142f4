//! `floodwall claim`: what somebody claims, kept apart from what was observed, and tested against it.
//!
//! Claims are a file in the state directory that only these commands write. Their fingerprints go into the
//! evidence log: by way of a folder that the running server empties, for the log is its own alone.

mod add;
mod command;
mod import;
mod inbox;
mod kept;
mod list;
mod made;
mod observed;
mod reachability;
mod table;
mod test_command;
#[cfg(test)]
mod tests;

pub(crate) use command::{ClaimArguments, run};
pub(crate) use inbox::ClaimInbox;
pub(crate) use list::claims_that_name;
pub(crate) use observed::{Observed, incident_fact, recorded_up_to};
pub(crate) use reachability::{Reached, of_rows};

/// The directory of claims below the state directory.
const DIRECTORY: &str = "claims";
