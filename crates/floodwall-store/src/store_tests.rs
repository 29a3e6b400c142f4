use std::fs;

use floodwall_model::{AdmissionCounts, TrafficCounts};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::Blame;

fn record(site: &str, minute: i64, requests: u64) -> MinuteTraffic {
    // Every figure another one, so that none can take another's place.
    let counts = TrafficCounts {
        requests,
        responses_2xx: requests + 1,
        responses_3xx: requests + 2,
        responses_4xx: requests + 3,
        responses_5xx: requests + 4,
        cache_hits: requests + 5,
        cache_stale: requests + 6,
        cache_misses: requests + 7,
        refused_prefix_rate: requests + 8,
        origin_requests: requests + 9,
        origin_errors: requests + 10,
        origin_5xx: requests + 11,
        origin_wait_us: requests + 12,
        request_body_bytes: requests + 13,
        response_body_bytes: requests + 14,
    };
    let admission = AdmissionCounts {
        admitted: requests + 15,
        waited: requests + 16,
        abandoned: requests + 17,
        over_share: requests + 18,
        refused_no_room: requests + 19,
        refused_over_share: requests + 20,
        refused_displaced: requests + 21,
        refused_waited_out: requests + 22,
        challenged_redirect: requests + 23,
        challenged_choice: requests + 24,
        challenged_waiting_room: requests + 25,
        sources_forgotten: requests + 26,
        tickets_uncounted: requests + 27,
    };
    MinuteTraffic { site: site.into(), minute_unix_seconds: minute * 60, counts, admission }
}

/// A directory of its own and the path of a store in it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("traffic.db");
    (directory, path)
}

/// The error of opening `path`, with the directory's name taken out, for a snapshot.
fn refusal(path: &Path) -> (StoreError, String) {
    let error = Store::open(path).expect_err("must not open");
    let directory = path.parent().unwrap().to_str().unwrap();
    let text = error.to_string().replace(directory, "STATE");
    (error, text)
}

fn minutes(store: &Store, site: &str) -> Vec<(i64, u64)> {
    let rows = store.traffic(site, i64::MIN, i64::MAX).unwrap();
    rows.iter().map(|row| (row.minute_unix_seconds / 60, row.counts.requests)).collect()
}

#[test]
fn figures_come_back_as_they_went_in_and_survive_reopening() {
    let (_directory, path) = place();
    let written = [record("county", 7, 100), record("sos", 7, 200), record("sos", 9, 300)];
    let mut store = Store::open(&path).unwrap();
    store.add_traffic(&written).unwrap();
    store.close().unwrap();
    let store = Store::open(&path).unwrap();
    assert_eq!(store.sites().unwrap(), ["county".into(), "sos".into()]);
    assert_eq!(store.traffic("county", 0, i64::MAX).unwrap(), written[..1]);
    assert_eq!(store.traffic("sos", 0, i64::MAX).unwrap(), written[1..]);
    assert_eq!(store.traffic("sos", 7 * 60, 9 * 60).unwrap(), written[1..2], "the end is not included");
    assert_eq!(store.traffic("none", 0, i64::MAX).unwrap(), []);
    store.check_integrity().unwrap();
}

#[test]
fn figures_of_one_minute_add_up() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    let (mut counts, mut admission) = (TrafficCounts::default(), AdmissionCounts::default());
    for requests in [5, 70, 900] {
        let mut part = record("sos", 3, requests);
        part.minute_unix_seconds += 41;
        store.add_traffic(&[part.clone(), part.clone()]).unwrap();
        counts = counts.plus(&part.counts).plus(&part.counts);
        admission = admission.plus(&part.admission).plus(&part.admission);
    }
    let rows = store.traffic("sos", 0, i64::MAX).unwrap();
    assert_eq!(rows, [MinuteTraffic { site: "sos".into(), minute_unix_seconds: 180, counts, admission }]);
}

#[test]
fn sums_saturate_and_do_not_block_what_comes_after() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    let most = u64::try_from(i64::MAX).unwrap();
    let mut huge = record("sos", 3, 1);
    huge.counts.requests = u64::MAX;
    huge.counts.cache_hits = most - 1;
    store.add_traffic(&[huge.clone()]).unwrap();
    store.add_traffic(&[huge, record("sos", 4, 1)]).unwrap();
    let rows = store.traffic("sos", 0, i64::MAX).unwrap();
    assert_eq!((rows[0].counts.requests, rows[0].counts.cache_hits), (most, most));
    assert_eq!(rows[1].counts.requests, 1);
}

#[test]
fn pruning_goes_in_batches_and_leaves_what_is_younger() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    let all: Vec<_> = (0..10).flat_map(|minute| [record("a", minute, 1), record("b", minute, 1)]).collect();
    store.add_traffic(&all).unwrap();
    let batches: Vec<_> = (0..5).map(|_| store.prune_batch(8 * 60, 5).unwrap()).collect();
    assert_eq!(batches, [5, 5, 5, 1, 0]);
    assert_eq!(minutes(&store, "a"), [(8, 1), (9, 1)]);
    assert_eq!(minutes(&store, "b"), [(8, 1), (9, 1)]);
    assert_eq!(store.prune(i64::MAX).unwrap(), 4);
    assert_eq!(store.sites().unwrap(), [] as [Arc<str>; 0]);
}

#[test]
fn a_month_of_minutes_is_the_most_one_call_gives() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    let rows = i64::try_from(TRAFFIC_ROWS_MAX).unwrap() + 10;
    let all: Vec<_> = (0..rows).map(|minute| record("a", minute, 1)).collect();
    store.add_traffic(&all).unwrap();
    let first = store.traffic("a", 0, i64::MAX).unwrap();
    assert_eq!(first.len(), TRAFFIC_ROWS_MAX);
    let rest = store.traffic("a", first.last().unwrap().minute_unix_seconds + 60, i64::MAX).unwrap();
    assert_eq!(rest.len(), 10);
}

#[test]
fn a_store_of_the_first_format_opens_with_its_rows() {
    let (_directory, path) = place();
    let first = Connection::open(&path).unwrap();
    first.execute_batch(include_str!("../tests/formats/1.sql")).unwrap();
    drop(first);
    let mut store = Store::open(&path).unwrap();
    assert_eq!(minutes(&store, "sos"), [(27_798_602, 1000), (27_798_603, 300)]);
    let added = record("county", 27_798_602, 5);
    store.add_traffic(std::slice::from_ref(&added)).unwrap();
    assert_eq!(minutes(&store, "county"), [(27_798_602, 15)]);
    let county = store.traffic("county", 0, i64::MAX).unwrap();
    assert_eq!(county[0].admission, added.admission, "before, there were no gates");
    store.check_integrity().unwrap();
}

#[test]
fn a_newer_store_is_refused_and_left_as_it_is() {
    let (_directory, path) = place();
    drop(Store::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let before = fs::read(&path).unwrap();
    let (error, text) = refusal(&path);
    assert!(!error.retryable() && error.blame() == Blame::Operator);
    insta::assert_snapshot!(text, @"the store STATE/traffic.db was written by a newer Floodwall (its format is 7, this one knows up to 4); it was left as it is. Run the newer Floodwall, or give this one another `state` directory");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn garbage_is_refused_and_left_as_it_is() {
    let mut sqlite_with_garbage = b"SQLite format 3\0".to_vec();
    sqlite_with_garbage.extend([0xA5; 5000]);
    for garbage in [b"no store".to_vec(), vec![0x5A; 8192], sqlite_with_garbage] {
        let (_directory, path) = place();
        fs::write(&path, &garbage).unwrap();
        let (error, text) = refusal(&path);
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(!error.retryable() && error.blame() == Blame::Host);
        insta::allow_duplicates! { insta::assert_snapshot!(text, @"the store STATE/traffic.db is damaged (file is not a database); it was left as it is. To go on with an empty store, move it aside together with STATE/traffic.db-wal and STATE/traffic.db-shm where these exist, and start again; `sqlite3 FILE .recover` can get records out of what was moved"); }
        assert_eq!(fs::read(&path).unwrap(), garbage, "nothing is destroyed");
    }
}

#[test]
fn a_store_overwritten_in_the_middle_is_found_out() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    let all: Vec<_> = (0..2000).map(|minute| record("a", minute, 1)).collect();
    store.add_traffic(&all).unwrap();
    store.close().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 8192].fill(0xEE);
    fs::write(&path, &bytes).unwrap();
    let store = Store::open(&path).unwrap();
    assert!(matches!(store.traffic("a", 0, i64::MAX), Err(StoreError::Damaged { .. })));
    assert!(matches!(store.check_integrity(), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let (_directory, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let before = fs::read(&path).unwrap();
    let (error, text) = refusal(&path);
    assert!(!error.retryable() && error.blame() == Blame::Operator);
    insta::assert_snapshot!(text, @"STATE/traffic.db is an SQLite file of another program; it was left as it is. Move it elsewhere, or give Floodwall another `state` directory");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let (_directory, path) = place();
    let first = Store::open(&path).unwrap();
    let (error, text) = refusal(&path);
    assert!(error.retryable() && error.blame() == Blame::Operator);
    insta::assert_snapshot!(text, @"the store STATE/traffic.db is in use by another floodwall process; stop that one, or give this one a `state` directory of its own");
    drop(first);
    Store::open(&path).unwrap();
}

#[test]
fn another_program_reads_while_the_store_is_written() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    store.add_traffic(&[record("sos", 1, 5)]).unwrap();
    let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let read =
        || -> i64 { reader.query_row("SELECT sum(requests) FROM traffic", [], |row| row.get(0)).unwrap() };
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(read(), 5);
    store.add_traffic(&[record("sos", 1, 6)]).unwrap();
    assert_eq!(read(), 5, "within its transaction the reader sees one state");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(read(), 11);
}

#[test]
fn a_lock_held_by_another_program_is_told_and_passes() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    store.connection.busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.add_traffic(&[record("sos", 1, 5)]).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }) && error.retryable());
    assert_eq!(store.traffic("sos", 0, i64::MAX).unwrap(), [], "reading goes on meanwhile");
    other.execute_batch("ROLLBACK").unwrap();
    store.add_traffic(&[record("sos", 1, 5)]).unwrap();
}

#[test]
fn a_missing_directory_is_the_operators_to_make() {
    let (_directory, path) = place();
    let (error, text) = refusal(&path.parent().unwrap().join("none").join("traffic.db"));
    assert_eq!((error.retryable(), error.blame()), (false, Blame::Operator));
    assert!(text.ends_with("its directory must exist and be writable"), "{text}");
}

#[test]
fn a_directory_in_its_place_is_refused() {
    let (_directory, path) = place();
    fs::create_dir(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Unopenable { .. })));
}

#[test]
fn a_full_disk_takes_all_of_a_transaction_or_nothing() {
    let (_directory, path) = place();
    let mut store = Store::open(&path).unwrap();
    store.add_traffic(&[record("a", 1, 1)]).unwrap();
    store.limit_pages(store.pages() + 1);
    let many: Vec<_> = (0..2000).map(|minute| record("a", minute, 10)).collect();
    let error = store.add_traffic(&many).unwrap_err();
    assert_eq!(error, StoreError::Full { path: path.clone() });
    assert!(error.retryable() && error.blame() == Blame::Host);
    assert_eq!(minutes(&store, "a"), [(1, 1)]);
    store.limit_pages(1_000_000);
    store.add_traffic(&many).unwrap();
    assert_eq!((minutes(&store, "a").len(), minutes(&store, "a")[1]), (2000, (1, 11)));
}

#[test]
fn others_cannot_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (_directory, path) = place();
    let _store = Store::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o007, 0);
}
