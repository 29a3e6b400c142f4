//! Past traffic and incidents for the console, from the store.

use floodwall_console::{History, HistoryError, IncidentDocument};
use floodwall_model::MinuteTraffic;
use floodwall_outage::OutageRecord;
use floodwall_store::StoreHandle;

use crate::incident::IncidentArchive;
use crate::outage;

/// See the module's head.
#[derive(Clone, Debug)]
pub(crate) struct StoreHistory {
    store: StoreHandle,
    incidents: IncidentArchive,
}

impl StoreHistory {
    pub(crate) fn new(store: StoreHandle, incidents: IncidentArchive) -> Self {
        Self { store, incidents }
    }
}

impl History for StoreHistory {
    fn traffic(
        &self,
        site: &str,
        from_unix_seconds: i64,
        to_unix_seconds: i64,
    ) -> Result<Vec<MinuteTraffic>, HistoryError> {
        self.store
            .history(site, from_unix_seconds, to_unix_seconds)
            .map_err(|error| HistoryError(error.to_string()))
    }

    fn incidents(&self, max: usize) -> Result<Vec<IncidentDocument>, HistoryError> {
        self.incidents.newest(max).map_err(|error| HistoryError(error.to_string()))
    }

    fn incident(&self, id: &str) -> Result<Option<IncidentDocument>, HistoryError> {
        self.incidents.one(id).map_err(|error| HistoryError(error.to_string()))
    }

    fn outages(&self, max: usize) -> Result<Vec<OutageRecord>, HistoryError> {
        let stored = self.store.outages(max).map_err(|error| HistoryError(error.to_string()))?;
        Ok(stored.iter().filter_map(outage::outage).collect())
    }
}
