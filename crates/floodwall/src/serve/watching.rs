//! The watch inside the server: a thread of its own, so that no probe holds up the control loop, and no
//! visitor. What its probes bring waits in a bounded queue; while that is full, probes wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{Clock, Timestamp};
use floodwall_outage::{
    Edge, Family, Outage, OutageRecord, Phase, ProbeFigures, Span, TargetRecord, UnknownCause, UnknownRecord,
    WatchRecord, WatchedRecord,
};
use floodwall_store::{Store, StoreError};
use floodwall_watch::{
    AddressRule, Attempt, Failure, Judged, ProbeTarget, Prober, Report, Resolver, WatchSettings, Watched,
};
use tokio::sync::mpsc;

use crate::control::{FamilyResult, Outages, ProbeResult, TargetToWatch};
use crate::outage::{from_rows, to_rows};
use crate::settings::{Settings, WATCHES_MAX, Watch};

/// Probes at once: as many as there are targets, for when all of them hang is when it counts.
const PROBES_MAX: usize = WATCHES_MAX;
/// Results that wait for the control loop.
const RESULTS_MAX: usize = 256;
/// Time that the probe of a reference has.
const REFERENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// The phases that take time.
const PHASES: [Phase; 6] =
    [Phase::Resolve, Phase::Connect, Phase::Tls, Phase::Request, Phase::FirstByte, Phase::Transfer];

/// What the watch begins with.
pub(super) struct WatchStart {
    targets: Vec<TargetToWatch>,
    watches: Vec<Watch>,
}

/// What is on record of every target, for one that goes on; outages of targets that are watched no longer
/// are ended where they were last known.
///
/// # Errors
/// When the store cannot be read or written.
pub(super) fn prepare(
    settings: &Settings,
    store: &mut Store,
    now: Timestamp,
) -> Result<WatchStart, StoreError> {
    let watches = settings.all_watches();
    let vantage: Arc<str> = settings.watcher.vantage.as_str().into();
    // Of the past, only what is open matters here.
    let record = from_rows(&store.watch_since(i64::MAX)?);
    let target = |watch: &Watch| TargetToWatch {
        name: watch.name.as_str().into(),
        site: watch.site.as_deref().map(Arc::from),
        vantage: vantage.clone(),
        silent_after: watch.judged.silent_after,
        before: before(&record, &watch.name, &vantage),
    };
    let targets: Vec<_> = watches.iter().map(target).collect();
    let ended = ended(&record, &targets, now.wall_unix_micros());
    if !ended.is_empty() {
        tracing::warn!(
            outages = ended.outages.len(),
            "outages of targets that are watched no longer are ended"
        );
        store.put_watch(&to_rows(&ended))?;
    }
    Ok(WatchStart { targets, watches })
}

/// The families of a target, and the outage that was open of each.
fn before(record: &WatchRecord, name: &str, vantage: &str) -> Vec<(WatchedRecord, Option<OutageRecord>)> {
    let own = record.watched.iter().filter(|row| &*row.target == name && &*row.vantage == vantage);
    own.map(|row| (row.clone(), open_of(record, row).cloned())).collect()
}

fn open_of<'r>(record: &'r WatchRecord, row: &WatchedRecord) -> Option<&'r OutageRecord> {
    record.outages.iter().find(|outage| {
        (&outage.target, &outage.vantage, outage.family) == (&row.target, &row.vantage, row.family)
            && outage.outage.end.is_none()
    })
}

/// Open outages that no target goes on with: they ended, or went on unseen, some time after they were
/// last known.
fn ended(record: &WatchRecord, targets: &[TargetToWatch], now_unix_micros: i64) -> WatchRecord {
    let goes_on = |outage: &OutageRecord| {
        let all = targets.iter().flat_map(|target| &target.before);
        all.filter_map(|(_, open)| open.as_ref()).any(|open| open.key == outage.key)
    };
    let mut done = WatchRecord::default();
    for outage in record.outages.iter().filter(|one| one.outage.end.is_none() && !goes_on(one)) {
        let row = record.watched.iter().find(|row| {
            (&outage.target, &outage.vantage, outage.family) == (&row.target, &row.vantage, row.family)
        });
        let known_until =
            row.map_or(outage.outage.start.latest_unix_micros, |row| row.known_until_unix_micros);
        let latest_unix_micros = now_unix_micros.max(known_until);
        let end = Some(Edge { earliest_unix_micros: Some(known_until), latest_unix_micros });
        done.outages.push(OutageRecord { outage: Outage { end, ..outage.outage.clone() }, ..outage.clone() });
        done.unknown.push(UnknownRecord {
            target: outage.target.clone(),
            vantage: outage.vantage.clone(),
            family: outage.family,
            span: Span { start_unix_micros: known_until, end_unix_micros: latest_unix_micros },
            cause: UnknownCause::Silent,
        });
    }
    done
}

/// Starts the watch, where there is something to watch: what the control loop is told, and where results
/// come from. That it cannot be started is no reason not to serve.
pub(super) fn start(
    start: WatchStart,
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> (Outages, Option<mpsc::Receiver<Judged>>) {
    let WatchStart { targets, watches } = start;
    if watches.is_empty() {
        return (Outages::default(), None);
    }
    let records = targets.iter().map(|target| (target.name.clone(), records(target)));
    let mut records: BTreeMap<_, _> = records.collect();
    let watched = watches.into_iter().map(|watch| {
        let name: Arc<str> = watch.name.into();
        let records = records.remove(&name).unwrap_or_default();
        Watched { name, target: watch.target, settings: watch.judged, records }
    });
    let watched = watched.collect();
    let reference = |check: &floodwall_watch::Check| ProbeTarget {
        check: check.clone(),
        timeout: REFERENCE_TIMEOUT,
        addresses: AddressRule::Any,
    };
    let how = WatchSettings {
        vantage: settings.watcher.vantage.clone(),
        probes_max: PROBES_MAX,
        references: settings.watcher.references.iter().map(reference).collect(),
        ..WatchSettings::default()
    };
    if how.references.is_empty() {
        tracing::warn!(
            "the watch has no watcher.references: trouble of this server's own network will look like its targets'"
        );
    }
    let (results, judged) = mpsc::channel(RESULTS_MAX);
    match run(clock.clone(), how, watched, results) {
        Ok(()) => (Outages::new(targets), Some(judged)),
        Err(error) => {
            tracing::error!("the watch does not run: {error}");
            (Outages::default(), None)
        }
    }
}

fn records(target: &TargetToWatch) -> Vec<(Option<Family>, TargetRecord)> {
    let record = |(row, open): &(WatchedRecord, Option<OutageRecord>)| {
        let outage = open.as_ref().map(|open| open.outage.clone());
        (row.family, TargetRecord { known_until_unix_micros: row.known_until_unix_micros, outage })
    };
    target.before.iter().map(record).collect()
}

fn run(
    clock: Arc<dyn Clock>,
    how: WatchSettings,
    targets: Vec<Watched>,
    results: mpsc::Sender<Judged>,
) -> Result<(), String> {
    let resolver = Resolver::of_system().unwrap_or_else(|error| {
        tracing::warn!("/etc/resolv.conf: {error}; the watch cannot resolve names");
        Resolver { servers: Vec::new(), patience: Duration::from_secs(2) }
    });
    let prober = Prober::new(clock.clone(), resolver, &[]).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no event loop: {error}"))?;
    // It ends when the control loop takes no more results.
    let run = move || runtime.block_on(floodwall_watch::watch(prober, clock, how, targets, results));
    std::thread::Builder::new().name("watch".to_owned()).spawn(run).map_err(|error| error.to_string())?;
    Ok(())
}

/// The next result; never where there is no watch.
pub(super) async fn next(judged: &mut Option<mpsc::Receiver<Judged>>) -> Judged {
    if let Some(receiver) = judged {
        if let Some(judged) = receiver.recv().await {
            return judged;
        }
        tracing::error!("the watch has ended by itself; nothing is probed until the server is started again");
        *judged = None;
    }
    std::future::pending().await
}

/// What came of a probe, as the control loop takes it.
pub(super) fn result(judged: Judged, now: Timestamp) -> ProbeResult {
    let Judged { name, report, late, families } = judged;
    let families = families
        .into_iter()
        .map(|judged| FamilyResult { figures: figures(&report, judged.family, late), judged });
    ProbeResult { now, target: name, families: families.collect() }
}

fn figures(report: &Report, family: Option<Family>, late: Duration) -> Option<ProbeFigures> {
    let own =
        || report.attempts.iter().filter(|attempt| attempt.family == family || attempt.family.is_none());
    let failed = |attempt: &&Attempt| matches!(attempt.result, Err(Failure::Target(_)));
    let attempt = own().find(failed).or_else(|| own().next())?;
    let phases = PHASES.into_iter().filter_map(|phase| {
        let length = attempt.stamps.get(phase).and_then(|span| span.length())?;
        Some((phase, length))
    });
    Some(ProbeFigures {
        finished_unix_micros: report.finished.wall_unix_micros(),
        duration: report.finished.since(report.started),
        phases: phases.collect(),
        failure: match attempt.result {
            Err(Failure::Target(cause)) => Some(cause),
            Ok(()) | Err(Failure::Own(_)) => None,
        },
        is_success: attempt.result.is_ok(),
        http_status: attempt.status,
        tls_version: attempt.tls_version,
        certificate_ends_unix_seconds: attempt
            .certificates
            .iter()
            .map(|certificate| certificate.not_after_unix_seconds)
            .min(),
        late,
    })
}
