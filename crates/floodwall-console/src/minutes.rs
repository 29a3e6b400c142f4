//! Past minutes of a site: read from the history within bounds, and drawn as a chart and a table.

use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{MinuteTraffic, TrafficCounts};
use tokio::sync::Semaphore;

use crate::format;
use crate::snapshot::{History, HistoryError};
use crate::view::from_cache;

/// Reads of the history at once; further readers wait within [`READ_TIME_MAX`].
const READS_MAX: usize = 4;
/// A page is shown without its past minutes rather than later than this.
const READ_TIME_MAX: Duration = Duration::from_secs(3);
/// Height of the chart in its own units.
const CHART_HEIGHT: u64 = 100;

/// The start of minutes `from..to`, in seconds since 1970, both multiples of 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from_unix_seconds: i64,
    pub(crate) to_unix_seconds: i64,
}

impl Window {
    /// The last `minutes` whole minutes before the minute that began at `minute_unix_seconds`.
    pub(crate) fn before(minute_unix_seconds: i64, minutes: u16) -> Self {
        let length = i64::from(minutes) * 60;
        Self {
            from_unix_seconds: minute_unix_seconds.saturating_sub(length),
            to_unix_seconds: minute_unix_seconds,
        }
    }

    fn starts(self) -> impl DoubleEndedIterator<Item = i64> {
        let minutes = (self.to_unix_seconds - self.from_unix_seconds) / 60;
        (0..minutes).map(move |minute| self.from_unix_seconds + minute * 60)
    }
}

/// The history behind its bounds.
pub(crate) struct Reader {
    history: Arc<dyn History>,
    places: Arc<Semaphore>,
}

impl Reader {
    pub(crate) fn new(history: Arc<dyn History>) -> Self {
        Self { history, places: Arc::new(Semaphore::new(READS_MAX)) }
    }

    /// The minutes of each of `sites` within `window`, in the order of `sites`.
    pub(crate) async fn read(
        &self,
        sites: Vec<Arc<str>>,
        window: Window,
    ) -> Result<Vec<Vec<MinuteTraffic>>, HistoryError> {
        self.ask(move |history| sites.iter().map(|site| read_site(history, site, window)).collect()).await
    }

    /// Asks the history on a thread where it may block, within the bounds.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn History) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let late = |_| HistoryError("the store did not answer in time".to_owned());
        tokio::time::timeout(READ_TIME_MAX, self.ask_unhurried(question)).await.map_err(late)?
    }

    async fn ask_unhurried<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn History) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let closed = |_| HistoryError("the server is stopping".to_owned());
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(closed)?;
        let history = Arc::clone(&self.history);
        let read = tokio::task::spawn_blocking(move || {
            // Held by the thread: a read that nobody waits for any more still takes its place.
            let _place = place;
            question(&*history)
        });
        read.await.map_err(|_| HistoryError("reading the store failed unexpectedly".to_owned()))?
    }
}

/// Keeps to the window even where the history does not, so that no answer grows beyond it.
fn read_site(history: &dyn History, site: &str, window: Window) -> Result<Vec<MinuteTraffic>, HistoryError> {
    let mut minutes = history.traffic(site, window.from_unix_seconds, window.to_unix_seconds)?;
    let wanted = window.from_unix_seconds..window.to_unix_seconds;
    minutes.retain(|minute| wanted.contains(&minute.minute_unix_seconds));
    minutes.sort_by_key(|minute| minute.minute_unix_seconds);
    minutes.dedup_by_key(|minute| minute.minute_unix_seconds);
    Ok(minutes)
}

/// Headings of the table's columns after the minute itself.
pub(crate) const COLUMNS: [&str; 10] = [
    "Requests",
    "From the cache",
    "Of these stale",
    "Refused",
    "To the origin",
    "Not answered by origin",
    "Server errors (5xx)",
    "Waited for the origin",
    "Asked for something first",
    "Refused: no room",
];

fn cells(minute: &MinuteTraffic) -> Vec<String> {
    let (counts, admission) = (&minute.counts, &minute.admission);
    vec![
        format::count(counts.requests),
        format::count_with_share(from_cache(counts), counts.requests),
        format::count(counts.cache_stale),
        format::count(counts.refused_prefix_rate),
        format::count(counts.origin_requests),
        format::count(counts.origin_errors),
        format::count(counts.responses_5xx),
        format::count(admission.waited),
        format::count(admission.challenged()),
        format::count(admission.refused()),
    ]
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct MinuteRow {
    /// `14:02`.
    pub(crate) minute: String,
    /// In the order of [`COLUMNS`]; `None` where there is no record.
    pub(crate) cells: Option<Vec<String>>,
}

/// One bar of the chart, in its own units: 10 wide, 100 high, from the top left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: usize,
    pub(crate) total_y: u64,
    pub(crate) total_height: u64,
    pub(crate) cached_y: u64,
    pub(crate) cached_height: u64,
}

/// Past minutes of one site, ready to be shown.
#[derive(Debug)]
pub(crate) struct MinutesView {
    /// Newest first.
    pub(crate) rows: Vec<MinuteRow>,
    /// Oldest first; minutes without a record are gaps.
    pub(crate) bars: Vec<Bar>,
    /// What the chart shows, in words.
    pub(crate) summary: String,
    /// Scale of the chart: its highest minute's requests.
    pub(crate) requests_max: String,
    pub(crate) first_minute: String,
    pub(crate) last_minute: String,
}

impl MinutesView {
    /// `minutes` are those of one site within `window`, oldest first. The newest minute is left out
    /// while it has no record: it is about to be written.
    pub(crate) fn new(minutes: &[MinuteTraffic], window: Window) -> Self {
        let mut starts: Vec<i64> = window.starts().collect();
        let record_of = |start: i64| {
            let place = minutes.binary_search_by_key(&start, |minute| minute.minute_unix_seconds).ok()?;
            minutes.get(place)
        };
        if starts.last().is_some_and(|newest| record_of(*newest).is_none()) {
            starts.pop();
        }
        let recorded: Vec<(i64, Option<&MinuteTraffic>)> =
            starts.into_iter().map(|start| (start, record_of(start))).collect();
        let max = minutes.iter().map(|minute| minute.counts.requests).max().unwrap_or(0);
        let edge =
            |place: Option<&(i64, _)>| place.map(|(start, _)| format::minute(*start)).unwrap_or_default();
        Self {
            bars: bars(&recorded, max),
            summary: summary(&recorded, minutes),
            requests_max: format::count(max),
            first_minute: edge(recorded.first()),
            last_minute: edge(recorded.last()),
            rows: recorded
                .iter()
                .rev()
                .map(|(start, record)| MinuteRow { minute: format::minute(*start), cells: record.map(cells) })
                .collect(),
        }
    }
}

fn bars(recorded: &[(i64, Option<&MinuteTraffic>)], max: u64) -> Vec<Bar> {
    let scale = |figure: u64| {
        let height = u128::from(figure.min(max)) * u128::from(CHART_HEIGHT) / u128::from(max.max(1));
        u64::try_from(height).unwrap_or(CHART_HEIGHT)
    };
    let bar = |(place, (_, record)): (usize, &(i64, Option<&MinuteTraffic>))| {
        let counts = &record.as_ref()?.counts;
        let total_height = scale(counts.requests);
        let cached_height = scale(from_cache(counts)).min(total_height);
        Some(Bar {
            x: place * 10,
            total_y: CHART_HEIGHT - total_height,
            total_height,
            cached_y: CHART_HEIGHT - cached_height,
            cached_height,
        })
    };
    recorded.iter().enumerate().filter_map(bar).collect()
}

fn summary(recorded: &[(i64, Option<&MinuteTraffic>)], minutes: &[MinuteTraffic]) -> String {
    let Some(busiest) = minutes.iter().max_by_key(|minute| minute.counts.requests) else {
        return "No minute is on record yet.".to_owned();
    };
    let sum = minutes.iter().fold(TrafficCounts::default(), |sum, minute| sum.plus(&minute.counts));
    let missing = recorded.iter().filter(|(_, record)| record.is_none()).count();
    let mut text = format!(
        "{} in {} on record; {} of them answered from the cache. The busiest minute was {} UTC with {}.",
        format::counted(sum.requests, "request"),
        format::counted(u64::try_from(minutes.len()).unwrap_or(u64::MAX), "minute"),
        format::count_with_share(from_cache(&sum), sum.requests),
        format::minute(busiest.minute_unix_seconds),
        format::counted(busiest.counts.requests, "request"),
    );
    match missing {
        0 => {}
        1 => text.push_str(" 1 minute has no record."),
        _ => text.push_str(&format!(" {missing} minutes have no record.")),
    }
    text
}

#[cfg(test)]
mod tests {
    use floodwall_model::AdmissionCounts;

    use super::*;
    use crate::incident::IncidentDocument;

    fn minute(start: i64, requests: u64, cache_hits: u64) -> MinuteTraffic {
        let counts = TrafficCounts { requests, cache_hits, ..TrafficCounts::default() };
        let admission = AdmissionCounts { waited: requests / 2, ..AdmissionCounts::default() };
        MinuteTraffic { site: "sos".into(), minute_unix_seconds: start, counts, admission }
    }

    #[test]
    fn gaps_are_said_and_the_minute_being_written_is_left_out() {
        let window = Window::before(600, 5);
        let view = MinutesView::new(&[minute(360, 10, 5), minute(480, 40, 40)], window);
        let rows: Vec<_> = view.rows.iter().map(|row| (row.minute.as_str(), row.cells.is_some())).collect();
        assert_eq!(rows, [("00:08", true), ("00:07", false), ("00:06", true), ("00:05", false)]);
        insta::assert_snapshot!(view.summary.replace('\u{a0}', " "), @"50 requests in 2 minutes on record; 45 (90.0 %) of them answered from the cache. The busiest minute was 00:08 UTC with 40 requests. 2 minutes have no record.");
        assert_eq!(
            view.bars[0],
            Bar { x: 10, total_y: 75, total_height: 25, cached_y: 88, cached_height: 12 }
        );
    }

    struct Unbounded;
    impl History for Unbounded {
        fn traffic(&self, _: &str, _: i64, _: i64) -> Result<Vec<MinuteTraffic>, HistoryError> {
            Ok((0..10_000).rev().map(|place| minute(place * 60, 1, 0)).chain([minute(60, 9, 0)]).collect())
        }

        fn outages(&self, _: usize) -> Result<Vec<floodwall_outage::OutageRecord>, HistoryError> {
            Ok(Vec::new())
        }

        fn incidents(&self, _: usize) -> Result<Vec<IncidentDocument>, HistoryError> {
            Ok(Vec::new())
        }

        fn incident(&self, _: &str) -> Result<Option<IncidentDocument>, HistoryError> {
            Ok(None)
        }
    }

    #[test]
    fn a_history_that_answers_too_much_is_cut_to_the_window() {
        let minutes = read_site(&Unbounded, "sos", Window::before(600, 5)).unwrap();
        let starts: Vec<_> = minutes.iter().map(|minute| minute.minute_unix_seconds).collect();
        assert_eq!(starts, [300, 360, 420, 480, 540]);
    }

    proptest::proptest! {
        #[test]
        fn bars_stay_inside_the_chart(figures in proptest::collection::vec(proptest::prelude::any::<(u64, u64)>(), 0..60)) {
            let minutes: Vec<_> = (0_i64..).zip(figures).map(|(place, (all, hits))| minute(place * 60, all, hits)).collect();
            for bar in MinutesView::new(&minutes, Window::before(3600, 60)).bars {
                assert!(bar.total_y + bar.total_height == CHART_HEIGHT && bar.cached_y + bar.cached_height == CHART_HEIGHT);
                assert!(bar.cached_height <= bar.total_height && bar.x < 600);
            }
        }
    }
}
