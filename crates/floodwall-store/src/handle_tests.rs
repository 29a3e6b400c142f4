use std::path::PathBuf;

use floodwall_model::{AdmissionCounts, TrafficCounts};
use tempfile::TempDir;

use super::*;
use crate::thread::Next;

/// Long enough for any machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

fn record(site: &str, minute: i64, requests: u64) -> MinuteTraffic {
    let counts = TrafficCounts { requests, ..TrafficCounts::default() };
    let admission = AdmissionCounts::default();
    MinuteTraffic { site: site.into(), minute_unix_seconds: minute * 60, counts, admission }
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("traffic.db");
    (directory, path)
}

fn settings(backlog_rows_max: usize) -> HandleSettings {
    HandleSettings { backlog_rows_max, answer_wait_max: PATIENCE }
}

/// A handle whose thread is the test's own: it takes a turn when the test says so.
fn by_hand(path: &std::path::Path, backlog_rows_max: usize) -> (StoreHandle, Worker) {
    let shared = Arc::new(Shared::new(backlog_rows_max));
    let worker = Worker { store: Store::open(path).unwrap(), shared: shared.clone() };
    let owner = Arc::new(Owner { shared, answer_wait_max: Duration::ZERO });
    (StoreHandle { owner }, worker)
}

fn requests(store: &Store, site: &str) -> Vec<u64> {
    store.traffic(site, i64::MIN, i64::MAX).unwrap().iter().map(|row| row.counts.requests).collect()
}

#[test]
fn closing_writes_everything_that_was_handed_in() {
    let (_directory, path) = place();
    let handle = StoreHandle::start(Store::open(&path).unwrap(), settings(100_000)).unwrap();
    std::thread::scope(|scope| {
        for site in ["a", "b", "c"] {
            let handle = &handle;
            scope.spawn(move || (0..3000).for_each(|n| handle.add_traffic(&[record(site, n % 1000, 1)])));
        }
    });
    handle.flush_and_close(PATIENCE).unwrap();
    handle.flush_and_close(PATIENCE).unwrap();
    assert_eq!(handle.figures(), StoreFigures::default());
    handle.add_traffic(&[record("late", 1, 1), record("late", 2, 1)]);
    assert_eq!(handle.figures().records_dropped, 2, "after the end nothing is taken in silence");
    assert_eq!(handle.history("a", 0, 60), Err(StoreError::Closed));

    assert!(!path.with_extension("db-wal").exists(), "closed in good order");
    let store = Store::open(&path).unwrap();
    for site in ["a", "b", "c"] {
        assert_eq!(requests(&store, site), vec![3; 1000]);
    }
}

#[test]
fn dropping_the_last_handle_writes_what_waits() {
    let (_directory, path) = place();
    let handle = StoreHandle::start(Store::open(&path).unwrap(), settings(10)).unwrap();
    let shared = handle.owner.shared.clone();
    handle.clone().add_traffic(&[record("a", 1, 5)]);
    drop(handle);
    let mut inbox = shared.inbox.lock();
    let waited = shared.ended.wait_while_for(&mut inbox, |inbox| inbox.ended.is_none(), PATIENCE);
    assert!(!waited.timed_out());
    assert_eq!(requests(&Store::open(&path).unwrap(), "a"), [5]);
}

#[test]
fn history_is_answered_while_records_come_in() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    store.add_traffic(&[record("a", 1, 5), record("a", 2, 6), record("b", 1, 7)]).unwrap();
    let handle = StoreHandle::start(store, settings(10)).unwrap();
    handle.add_traffic(&[record("c", 1, 1)]);
    assert_eq!(handle.history("a", 60, 120).unwrap(), [record("a", 1, 5)]);
    handle.flush_and_close(PATIENCE).unwrap();
}

#[test]
fn a_store_that_does_not_answer_holds_nobody_for_long() {
    let (_directory, path) = place();
    let (handle, mut worker) = by_hand(&path, 10);
    for _ in 0..QUESTIONS_MAX {
        assert_eq!(handle.history("a", 0, 60), Err(StoreError::Slow), "no answer in time");
    }
    assert_eq!(handle.history("a", 0, 60), Err(StoreError::Slow), "too many wait");
    assert_eq!(handle.owner.shared.inbox.lock().questions.len(), QUESTIONS_MAX);
    assert_eq!(worker.turn(), Next::Wait);
    assert_eq!(handle.owner.shared.inbox.lock().questions.len(), 0);
}

#[test]
fn a_full_disk_keeps_records_waiting_and_room_takes_them() {
    let (_directory, path) = place();
    let (handle, mut worker) = by_hand(&path, 300);
    worker.store.limit_pages(worker.store.pages());
    let minutes: Vec<_> = (0..300).map(|minute| record("a", minute, 1)).collect();
    for _ in 0..3 {
        handle.add_traffic(&minutes);
        assert_eq!(worker.turn(), Next::Wait, "no busy loop against a full disk");
    }
    handle.add_traffic(&[record("a", 300, 1), record("b", 0, 1)]);
    let full = handle.figures();
    assert_eq!((full.backlog_records, full.records_dropped, full.writes_failed), (900, 2, 3));
    assert_eq!(full.failing, Some(StoreError::Full { path: path.clone() }));

    worker.store.limit_pages(1_000_000);
    assert_eq!(worker.turn(), Next::Wait);
    let figures = handle.figures();
    assert_eq!((figures.backlog_records, figures.failing), (0, None));
    assert_eq!(requests(&worker.store, "a"), vec![3; 300]);
}

#[test]
fn closing_on_a_full_disk_says_what_is_lost() {
    let (_directory, path) = place();
    let (handle, worker) = by_hand(&path, 1000);
    worker.store.limit_pages(worker.store.pages());
    let minutes: Vec<_> = (0..500).map(|minute| record("a", minute, 1)).collect();
    handle.add_traffic(&minutes);
    handle.owner.shared.begin_closing();
    worker.run();
    let unwritten = handle.flush_and_close(Duration::ZERO).unwrap_err();
    assert_eq!(unwritten, Unwritten { records: 500, error: StoreError::Full { path: path.clone() } });
    Store::open(&path).unwrap().check_integrity().unwrap();
}

#[test]
fn closing_does_not_wait_for_a_store_that_hangs() {
    let (_directory, path) = place();
    let (handle, _worker) = by_hand(&path, 10);
    handle.add_traffic(&[record("a", 1, 1)]);
    let unwritten = handle.flush_and_close(Duration::ZERO).unwrap_err();
    assert_eq!(unwritten, Unwritten { records: 1, error: StoreError::Slow });
}

#[test]
fn pruning_leaves_room_for_records_between_its_batches() {
    let (_directory, path) = place();
    let (handle, mut worker) = by_hand(&path, 10);
    let old: Vec<_> = (0..2500).map(|minute| record("a", minute, 1)).collect();
    worker.store.add_traffic(&old).unwrap();
    handle.prune(2500 * 60);
    handle.prune(10);
    assert_eq!(worker.turn(), Next::Go);
    handle.add_traffic(&[record("a", 9000, 7)]);
    assert_eq!(worker.turn(), Next::Go);
    assert_eq!(requests(&worker.store, "a").last(), Some(&7), "written before pruning was done");
    assert_eq!(worker.turn(), Next::Wait);
    assert_eq!(requests(&worker.store, "a"), [7]);
}

#[test]
fn a_long_backlog_is_written_in_pieces() {
    let (_directory, path) = place();
    let (handle, mut worker) = by_hand(&path, 10_000);
    let minutes: Vec<_> = (0..4001).map(|minute| record("a", minute, 1)).collect();
    handle.add_traffic(&minutes);
    let turns: Vec<_> = (0..3).map(|_| worker.turn()).collect();
    assert_eq!(turns, [Next::Go, Next::Go, Next::Wait]);
    assert_eq!(requests(&worker.store, "a").len(), 4001);
}

fn watch_rows(key: &str, end: Option<i64>) -> WatchRows {
    let outage = StoredOutage {
        key: key.to_owned(),
        target: "home".to_owned(),
        site: None,
        vantage: "here".to_owned(),
        family: "ipv4".to_owned(),
        start_earliest_unix_micros: None,
        start_latest_unix_micros: 10,
        end_earliest_unix_micros: None,
        end_latest_unix_micros: end,
        unknown_micros: 0,
        causes: String::new(),
    };
    WatchRows { outages: vec![outage], ..WatchRows::default() }
}

#[test]
fn whoever_asks_for_outages_gets_what_was_handed_over_before() {
    let (_directory, path) = place();
    let handle = StoreHandle::start(Store::open(&path).unwrap(), settings(100)).unwrap();
    for end in [None, Some(20)] {
        assert!(handle.put_watch(watch_rows("a", end)));
        assert_eq!(handle.outages(9).unwrap(), watch_rows("a", end).outages);
        assert_eq!(handle.watch_since(0).unwrap(), watch_rows("a", end));
    }
    assert!(handle.put_watch(watch_rows("b", None)));
    handle.flush_and_close(PATIENCE).unwrap();
    assert!(!handle.put_watch(watch_rows("c", None)), "after the end nothing is taken in silence");
    assert_eq!(Store::open(&path).unwrap().outages(9).unwrap().len(), 2);
}

#[test]
fn what_the_watch_saw_waits_while_the_disk_is_full_and_no_longer_than_there_is_room() {
    let (_directory, path) = place();
    let (handle, mut worker) = by_hand(&path, 100);
    worker.store.limit_pages(worker.store.pages());
    let mut taken = 0;
    while handle.put_watch(watch_rows(&format!("outage {taken}"), None)) {
        taken += 1;
    }
    assert_eq!(taken, WATCH_ROWS_WAITING_MAX);
    worker.turn();
    assert!(!handle.put_watch(watch_rows("one more", None)), "nothing of it was lost");
    worker.store.limit_pages(1 << 20);
    worker.turn();
    assert_eq!(worker.store.outages(usize::MAX).unwrap().len(), WATCH_ROWS_WAITING_MAX);
}
