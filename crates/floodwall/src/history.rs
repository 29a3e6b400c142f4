//! Past traffic for the console, from the store.

use floodwall_console::{History, HistoryError};
use floodwall_model::MinuteTraffic;
use floodwall_store::StoreHandle;

/// See the module's head.
#[derive(Clone, Debug)]
pub(crate) struct StoreHistory(StoreHandle);

impl StoreHistory {
    pub(crate) fn new(store: StoreHandle) -> Self {
        Self(store)
    }
}

impl History for StoreHistory {
    fn traffic(
        &self,
        site: &str,
        from_unix_seconds: i64,
        to_unix_seconds: i64,
    ) -> Result<Vec<MinuteTraffic>, HistoryError> {
        self.0
            .history(site, from_unix_seconds, to_unix_seconds)
            .map_err(|error| HistoryError(error.to_string()))
    }
}
