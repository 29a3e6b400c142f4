//! Records that wait to be written, merged by minute and site and bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

use floodwall_model::{AdmissionCounts, MinuteTraffic, TrafficCounts};

use crate::traffic::minute_start;

/// What waits for one minute of one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waiting {
    counts: TrafficCounts,
    admission: AdmissionCounts,
    /// How many records were merged into it.
    records: u64,
}

/// Rows on their way to the store. What came first stays when there is no more room: the beginning
/// of an incident is worth more than its repetition.
#[derive(Debug)]
pub(crate) struct Backlog {
    rows: BTreeMap<(i64, Arc<str>), Waiting>,
    rows_max: usize,
    records_dropped: u64,
}

/// Rows taken out of a [`Backlog`] to be written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    rows: Vec<((i64, Arc<str>), Waiting)>,
}

impl Backlog {
    pub(crate) fn new(rows_max: usize) -> Self {
        Self { rows: BTreeMap::new(), rows_max, records_dropped: 0 }
    }

    /// Adds a record to what waits for its minute; counts it as dropped when there is no room.
    pub(crate) fn add(&mut self, record: &MinuteTraffic) {
        let key = (minute_start(record.minute_unix_seconds), record.site.clone());
        let (counts, admission) = (record.counts, record.admission);
        self.merge(key, Waiting { counts, admission, records: 1 });
    }

    /// Counts records as dropped without looking at them.
    pub(crate) fn drop_records(&mut self, records: u64) {
        self.records_dropped = self.records_dropped.saturating_add(records);
    }

    /// Takes the oldest rows, at most `rows_max`.
    pub(crate) fn take(&mut self, rows_max: usize) -> Batch {
        Batch { rows: std::iter::from_fn(|| self.rows.pop_first()).take(rows_max).collect() }
    }

    /// Takes rows back that could not be written. They are the older ones: where there is no room
    /// for both, what came since is dropped.
    pub(crate) fn put_back(&mut self, batch: Batch) {
        let newer = std::mem::replace(&mut self.rows, batch.rows.into_iter().collect());
        for (key, waiting) in newer {
            self.merge(key, waiting);
        }
    }

    /// Records that wait.
    pub(crate) fn records(&self) -> u64 {
        self.rows.values().map(|waiting| waiting.records).sum()
    }

    /// Records dropped since the start.
    pub(crate) fn records_dropped(&self) -> u64 {
        self.records_dropped
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn merge(&mut self, key: (i64, Arc<str>), added: Waiting) {
        if let Some(waiting) = self.rows.get_mut(&key) {
            waiting.counts = waiting.counts.plus(&added.counts);
            waiting.admission = waiting.admission.plus(&added.admission);
            waiting.records = waiting.records.saturating_add(added.records);
        } else if self.rows.len() < self.rows_max {
            self.rows.insert(key, added);
        } else {
            self.drop_records(added.records);
        }
    }
}

impl Batch {
    /// Records that were merged into these rows.
    pub(crate) fn records(&self) -> u64 {
        self.rows.iter().map(|(_, waiting)| waiting.records).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows as the store takes them.
    pub(crate) fn to_traffic(&self) -> Vec<MinuteTraffic> {
        let row = |((minute, site), waiting): &((i64, Arc<str>), Waiting)| MinuteTraffic {
            site: site.clone(),
            minute_unix_seconds: *minute,
            counts: waiting.counts,
            admission: waiting.admission,
        };
        self.rows.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(site: &str, minute: i64, requests: u64) -> MinuteTraffic {
        let counts = TrafficCounts { requests, ..TrafficCounts::default() };
        let admission = AdmissionCounts { admitted: requests, ..AdmissionCounts::default() };
        MinuteTraffic { site: site.into(), minute_unix_seconds: minute * 60 + 7, counts, admission }
    }

    #[test]
    fn what_came_first_stays() {
        let mut backlog = Backlog::new(2);
        backlog.add(&record("a", 1, 1));
        backlog.add(&record("b", 1, 1));
        let taken = backlog.take(9);
        for minute in 1..=3 {
            backlog.add(&record("a", minute, 10));
        }
        assert_eq!((backlog.records(), backlog.records_dropped()), (2, 1), "minute 3 has no room");
        backlog.put_back(taken);
        assert_eq!((backlog.records(), backlog.records_dropped()), (3, 2), "minute 2 has no room either");
        let rows = backlog.take(9).to_traffic();
        let rows: Vec<_> = rows.iter().map(|r| (r.counts.requests, r.admission.admitted)).collect();
        assert_eq!(rows, [(11, 11), (1, 1)]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add { site: u8, minute: i64 },
        TakeAndLose { rows: usize },
        TakeAndPutBack { rows: usize, meanwhile: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..3_u8, 0..6_i64).prop_map(|(site, minute)| Step::Add { site, minute }),
            1 => (0..9_usize).prop_map(|rows| Step::TakeAndLose { rows }),
            2 => (0..9_usize, 0..6_i64).prop_map(|(rows, meanwhile)| Step::TakeAndPutBack { rows, meanwhile }),
        ]
    }

    proptest! {
        #[test]
        fn every_record_waits_was_taken_or_is_counted_as_dropped(
            steps in proptest::collection::vec(step(), 0..200),
            rows_max in 0..8_usize,
        ) {
            let mut backlog = Backlog::new(rows_max);
            let (mut added, mut written) = (0, 0);
            for step in steps {
                match step {
                    Step::Add { site, minute } => {
                        added += 1;
                        backlog.add(&record(&site.to_string(), minute, 1));
                    }
                    Step::TakeAndLose { rows } => written += backlog.take(rows).records(),
                    Step::TakeAndPutBack { rows, meanwhile } => {
                        let batch = backlog.take(rows);
                        added += 1;
                        backlog.add(&record("0", meanwhile, 1));
                        backlog.put_back(batch);
                    }
                }
                prop_assert_eq!(backlog.records() + written + backlog.records_dropped(), added);
                prop_assert!(backlog.rows.len() <= rows_max);
                let requests: u64 = backlog.rows.values().map(|waiting| waiting.counts.requests).sum();
                prop_assert_eq!(requests, backlog.records(), "merging adds up");
            }
        }
    }
}
