use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use floodwall_model::{Protocol, ReferenceId, Timestamp};
use proptest::prelude::*;

use super::*;

/// Long enough for any machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// The record of the request for `/number`.
fn record(number: usize) -> AccessRecord {
    AccessRecord {
        received: Timestamp::new(Duration::ZERO, 1_667_916_127_125_000),
        client: "203.0.113.9".parse().unwrap(),
        site: Some("sos".into()),
        method: "GET".to_owned(),
        target: format!("/{number}"),
        host: "www.sos.example.gov".to_owned(),
        protocol: Protocol::Http11,
        status: 200,
        body_bytes: 1,
        duration: Duration::from_micros(5),
        referer: None,
        user_agent: None,
        cache: None,
        reference: ReferenceId::from_random(7),
    }
}

/// The numbers in lines of the combined format; fails where a line is not whole.
fn numbers(text: &str) -> Vec<usize> {
    assert!(text.is_empty() || text.ends_with('\n'), "whole lines only: {text:?}");
    let number = |line: &str| {
        let rest = line.strip_prefix("203.0.113.9 - - [08/Nov/2022:14:02:07 +0000] \"GET /").expect(line);
        rest.strip_suffix(" HTTP/1.1\" 200 1 \"-\" \"-\"").expect(line).parse().expect(line)
    };
    text.lines().map(number).collect()
}

fn numbers_in(path: &Path) -> Vec<usize> {
    numbers(&fs::read_to_string(path).unwrap())
}

fn start(path: &Path, rotate_bytes: u64, keep_files: u32) -> AccessLogHandle {
    let format = AccessLogFormat::Combined;
    AccessLog::start(&settings::AccessLog { path: path.to_owned(), format, rotate_bytes, keep_files })
        .unwrap()
}

/// What a disk does with one write.
#[derive(Clone, Debug)]
enum Deed {
    Take(usize),
    Refuse,
}

/// A disk that follows a script, then takes everything.
#[derive(Clone, Debug, Default)]
struct Disk {
    script: Arc<Mutex<VecDeque<Deed>>>,
    /// Files in the order they were opened.
    files: Arc<Mutex<Vec<Vec<u8>>>>,
    fails_to_rename: Arc<AtomicBool>,
}

impl Disk {
    fn texts(&self) -> Vec<String> {
        self.files.lock().unwrap().iter().map(|file| String::from_utf8(file.clone()).unwrap()).collect()
    }
}

impl Files for Disk {
    type File = Self;

    fn open(&mut self) -> io::Result<(Self, u64)> {
        self.files.lock().unwrap().push(Vec::new());
        Ok((self.clone(), 0))
    }

    fn put_aside(&mut self) -> io::Result<()> {
        if self.fails_to_rename.load(Ordering::SeqCst) {
            Err(io::ErrorKind::PermissionDenied.into())
        } else {
            Ok(())
        }
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match self.script.lock().unwrap().pop_front() {
            Some(Deed::Take(most)) => most.min(bytes.len()),
            Some(Deed::Refuse) => return Err(io::ErrorKind::StorageFull.into()),
            None => bytes.len(),
        };
        self.files.lock().unwrap().last_mut().unwrap().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn by_hand(disk: &Disk, rotate_bytes: u64, limits: Limits) -> AccessLog<Disk> {
    AccessLog::open(disk.clone(), AccessLogFormat::Combined, rotate_bytes, limits, Arc::default()).unwrap()
}

fn dropped(log: &AccessLog<Disk>) -> u64 {
    log.shared.records_dropped.load(Ordering::SeqCst)
}

/// A disk whose writes wait until the test lets them go on, and say that they wait.
#[derive(Debug)]
struct SlowDisk {
    waits: SyncSender<()>,
    go_on: Receiver<()>,
    written: Arc<Mutex<Vec<u8>>>,
}

/// The thread's end of the disk: made once, moved into the one file.
#[derive(Debug)]
struct SlowFiles(Option<SlowDisk>);

impl Files for SlowFiles {
    type File = SlowDisk;

    fn open(&mut self) -> io::Result<(SlowDisk, u64)> {
        self.0.take().map(|disk| (disk, 0)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for SlowDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waits.try_send(()).ok();
        self.go_on.recv().ok();
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Slow {
    handle: AccessLogHandle,
    waits: Receiver<()>,
    go_on: SyncSender<()>,
    written: Arc<Mutex<Vec<u8>>>,
}

fn start_slow(limits: Limits) -> Slow {
    let (waits_told, waits) = sync_channel(1);
    let (go_on, go_on_told) = sync_channel(1);
    let written = Arc::<Mutex<Vec<u8>>>::default();
    let disk = SlowDisk { waits: waits_told, go_on: go_on_told, written: written.clone() };
    let files = SlowFiles(Some(disk));
    let format = AccessLogFormat::Combined;
    let handle = AccessLog::start_with(files, format, u64::MAX, limits, AccessLogError::Thread).unwrap();
    Slow { handle, waits, go_on, written }
}

#[test]
fn a_slow_disk_makes_nobody_wait_and_drops_are_counted_exactly() {
    let slow = start_slow(Limits { queue_records_max: 100, ..LIMITS });
    slow.handle.record(record(0));
    slow.waits.recv_timeout(PATIENCE).unwrap();
    for number in 1..=137 {
        slow.handle.record(record(number));
    }
    assert_eq!(slow.handle.dropped(), 37);
    assert_eq!(
        slow.handle.close(Duration::ZERO),
        Err(Unwritten { records: 101 }),
        "closing has its limit too"
    );
    drop(slow.go_on);
    assert_eq!(slow.handle.close(PATIENCE), Ok(()));
    let text = String::from_utf8(slow.written.lock().unwrap().clone()).unwrap();
    assert_eq!(numbers(&text), (0..=100).collect::<Vec<_>>());
    slow.handle.record(record(0));
    assert_eq!(slow.handle.dropped(), 38, "after the end nothing is taken in silence");
}

#[test]
fn long_records_do_not_fill_the_memory() {
    let slow = start_slow(Limits { queue_bytes_max: 100_000, ..LIMITS });
    slow.handle.record(record(0));
    slow.waits.recv_timeout(PATIENCE).unwrap();
    for _ in 0..10 {
        slow.handle.record(AccessRecord { user_agent: Some("x".repeat(30_000)), ..record(1) });
    }
    slow.handle.record(record(2));
    assert_eq!(slow.handle.dropped(), 7, "three of 30 kB fit, and a short one");
    drop(slow.go_on);
    assert_eq!(slow.handle.close(PATIENCE), Ok(()));
}

#[test]
fn lines_of_many_threads_are_each_written_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let handle = start(&path, u64::MAX, 1);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let handle = handle.clone();
            scope.spawn(move || (0..1000).for_each(|number| handle.record(record(thread * 1000 + number))));
        }
    });
    assert_eq!(handle.close(PATIENCE), Ok(()));
    let mut written = numbers_in(&path);
    written.sort_unstable();
    assert_eq!((written, handle.dropped()), ((0..4000).collect(), 0), "the queue holds as many");
}

#[test]
fn the_file_is_for_owner_and_group_and_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    for number in 0..2 {
        let handle = start(&path, u64::MAX, 1);
        handle.record(record(number));
        assert_eq!(handle.close(PATIENCE), Ok(()));
    }
    assert_eq!(numbers_in(&path), [0, 1]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !0o640, 0);
}

#[test]
fn json_is_written_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let format = AccessLogFormat::Json;
    let settings = settings::AccessLog { path: path.clone(), format, rotate_bytes: u64::MAX, keep_files: 1 };
    let handle = AccessLog::start(&settings).unwrap();
    handle.record(record(5));
    drop(handle.clone());
    assert_eq!(handle.close(PATIENCE), Ok(()));
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(json["target"], "/5");
}

#[test]
fn full_files_are_put_aside_and_the_oldest_goes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let mut line = Vec::new();
    push_combined(&mut line, &record(10));
    let rotate_bytes = 2 * u64::try_from(line.len()).unwrap() + 1;
    let files = LogFiles::new(path.clone(), 3);
    let format = AccessLogFormat::Combined;
    let mut log = AccessLog::open(files, format, rotate_bytes, LIMITS, Arc::default()).unwrap();
    for number in 10..20 {
        log.add(&record(number));
        log.flush();
    }
    assert_eq!(numbers_in(&path), [18, 19]);
    for (number, kept) in [(1, [16, 17]), (2, [14, 15]), (3, [12, 13])] {
        assert_eq!(numbers_in(&path.with_extension(format!("log.{number}"))), kept);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4);
}

#[test]
fn a_rotation_that_keeps_failing_pushes_no_file_off_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let aside = |number: u32| path.with_extension(format!("log.{number}"));
    let mut files = LogFiles::new(path.clone(), 3);
    // A directory that is not empty cannot be replaced by a file.
    fs::create_dir_all(aside(2).join("in-the-way")).unwrap();
    fs::write(aside(1), "one").unwrap();
    fs::write(aside(3), "three").unwrap();
    for _ in 0..3 {
        assert!(files.put_aside().is_err());
    }
    assert_eq!(fs::read_to_string(aside(3)).unwrap(), "three");
    fs::remove_dir_all(aside(2)).unwrap();
    files.put_aside().unwrap();
    assert_eq!(fs::read_to_string(aside(2)).unwrap(), "one", "the gap takes it");
    assert_eq!(fs::read_to_string(aside(3)).unwrap(), "three");
}

#[test]
fn a_renamed_file_is_let_go_when_reopened() {
    let directory = tempfile::tempdir().unwrap();
    let (path, renamed) = (directory.path().join("access.log"), directory.path().join("old.log"));
    let files = LogFiles::new(path.clone(), 1);
    let mut log =
        AccessLog::open(files, AccessLogFormat::Combined, u64::MAX, LIMITS, Arc::default()).unwrap();
    log.add(&record(1));
    fs::rename(&path, &renamed).unwrap();
    log.add(&record(2));
    log.reopen();
    assert_eq!((numbers_in(&renamed), numbers_in(&path)), (vec![1, 2], vec![]));
    log.add(&record(3));
    log.flush();
    assert_eq!((numbers_in(&renamed), numbers_in(&path)), (vec![1, 2], vec![3]));
}

#[test]
fn reopening_is_done_also_when_no_records_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let handle = start(&path, u64::MAX, 1);
    fs::remove_file(&path).unwrap();
    handle.reopen();
    assert_eq!(handle.close(PATIENCE), Ok(()));
    assert!(path.exists());
}

#[test]
fn half_a_line_of_a_killed_process_stays_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    fs::write(&path, "203.0.113.9 - - [08/No").unwrap();
    let handle = start(&path, u64::MAX, 1);
    handle.record(record(1));
    assert_eq!(handle.close(PATIENCE), Ok(()));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(numbers(text.split_once('\n').unwrap().1), [1]);
}

#[test]
fn what_cannot_be_opened_is_said_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let format = AccessLogFormat::Combined;
    let fault = |path: &Path| {
        let settings = settings::AccessLog { path: path.to_owned(), format, rotate_bytes: 1, keep_files: 1 };
        let text = AccessLog::start(&settings).unwrap_err().to_string();
        text.replace(directory.path().to_str().unwrap(), "LOGS")
    };
    insta::assert_snapshot!(fault(&directory.path().join("none/access.log")), @"cannot write the access log LOGS/none/access.log: No such file or directory (os error 2); its directory must exist and be writable");
    insta::assert_snapshot!(fault(directory.path()), @"the access log LOGS is not a regular file; name one that can be renamed when it is full");
}

#[test]
fn a_full_disk_keeps_lines_and_counts_what_there_is_no_room_for() {
    let disk = Disk::default();
    disk.script.lock().unwrap().extend([Deed::Refuse, Deed::Refuse]);
    let mut log = by_hand(&disk, u64::MAX, Limits { unwritten_bytes_max: 200, ..LIMITS });
    for number in 1..=5 {
        log.add(&record(number));
        if number == 1 {
            log.flush();
        }
    }
    log.flush();
    assert_eq!((dropped(&log), log.unwritten_records(), log.tries_failed), (2, 3, 2));
    assert_eq!(disk.texts(), [""]);
    log.flush();
    assert_eq!((log.unwritten_records(), log.tries_failed), (0, 0));
    assert_eq!(numbers(&disk.texts()[0]), [1, 2, 3]);
}

#[test]
fn a_disk_that_refuses_is_not_asked_for_every_record_of_a_flood() {
    let disk = Disk::default();
    disk.script.lock().unwrap().extend(vec![Deed::Refuse; 1000]);
    let mut log = by_hand(&disk, u64::MAX, Limits { write_bytes: 1, unwritten_bytes_max: 1000, ..LIMITS });
    (0..=10 * RETRY_RECORDS).for_each(|_| log.add(&record(1)));
    assert_eq!(log.tries_failed, 11);
}

#[test]
fn a_file_that_cannot_be_renamed_does_not_grow_beyond_its_bound() {
    let disk = Disk::default();
    disk.fails_to_rename.store(true, Ordering::SeqCst);
    let mut log = by_hand(&disk, 1000, Limits { unwritten_bytes_max: 500, ..LIMITS });
    for number in 0..100 {
        log.add(&record(number));
        log.flush();
    }
    assert!(disk.texts()[0].len() <= 1000);
    let kept =
        numbers(&disk.texts()[0]).len() + usize::try_from(log.unwritten_records() + dropped(&log)).unwrap();
    assert_eq!(kept, 100);
    disk.fails_to_rename.store(false, Ordering::SeqCst);
    log.flush();
    assert_eq!((log.unwritten_records(), disk.texts().len()), (0, 2));
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![3 => (1..400_usize).prop_map(Deed::Take), 1 => Just(Deed::Refuse)]
}

proptest! {
    #[test]
    fn whatever_the_disk_does_lines_are_whole_in_order_and_accounted_for(
        script in proptest::collection::vec(deed(), 0..60),
        flush_and_reopen in proptest::collection::vec(any::<(bool, bool)>(), 1..60),
        rotate_bytes in 1..1500_u64,
        unwritten_bytes_max in 1..800_usize,
    ) {
        let disk = Disk::default();
        disk.script.lock().unwrap().extend(script);
        let mut log = by_hand(&disk, rotate_bytes, Limits { unwritten_bytes_max, ..LIMITS });
        for (number, (flush, reopen)) in flush_and_reopen.iter().enumerate() {
            log.add(&record(number));
            if *flush { log.flush(); }
            if *flush && *reopen { log.reopen(); }
        }
        disk.script.lock().unwrap().clear();
        log.flush();
        prop_assert_eq!(log.unwritten_records(), 0);
        // A line cut off by reopening stays cut at the end of its file.
        let whole = |text: &String| text.rfind('\n').map(|end| text[..=end].to_owned()).unwrap_or_default();
        let written: Vec<usize> = disk.texts().iter().flat_map(|text| numbers(&whole(text))).collect();
        prop_assert!(written.is_sorted_by(|a, b| a < b), "{written:?}");
        let accounted = written.len() + usize::try_from(dropped(&log)).unwrap();
        prop_assert_eq!(accounted, flush_and_reopen.len());
    }
}
