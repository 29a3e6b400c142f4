//! The watch as a whole, over real sockets: outages, and the prober's own trouble.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floodwall_outage::{Cause, Change, Seen, State, TargetSettings, UnknownCause};
use floodwall_watch::{AddressRule, Judged, ProbeTarget, Prober, WatchSettings, Watched, watch};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::clock::TestClock;
use crate::servers::V4;
use crate::{TIMEOUT, resolver};

fn target(address: SocketAddr) -> ProbeTarget {
    let check = format!("tcp://{address}").parse().unwrap();
    ProbeTarget { check, timeout: TIMEOUT, addresses: AddressRule::Any }
}

fn watched(address: SocketAddr) -> Watched {
    let quick = Duration::from_millis(50);
    let settings = TargetSettings {
        interval: quick,
        confirm_every: quick,
        silent_after: Duration::from_secs(60),
        confirm: 3,
    };
    Watched { name: address.to_string().into(), target: target(address), settings, records: Vec::new() }
}

fn start(targets: Vec<Watched>, references: Vec<ProbeTarget>) -> mpsc::Receiver<Judged> {
    let clock = Arc::new(TestClock::start());
    let prober = Prober::new(clock.clone(), resolver(&[]), &[]).unwrap();
    let (results, judged) = mpsc::channel(64);
    let settings =
        WatchSettings { references, lag_max: Duration::from_secs(3600), ..WatchSettings::default() };
    tokio::spawn(watch(prober, clock, settings, targets, results));
    judged
}

async fn nobody() -> SocketAddr {
    TcpListener::bind((V4, 0)).await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn an_outage_is_opened_and_closed_by_three_samples_each() {
    let listener = TcpListener::bind((V4, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let other = TcpListener::bind((V4, 0)).await.unwrap();
    let mut judged = start(vec![watched(address)], vec![target(other.local_addr().unwrap())]);
    assert_eq!(judged.recv().await.unwrap().families[0].state, State::Up);
    drop(listener);
    let mut listener = None;
    let mut outages = Vec::new();
    let mut known = Vec::new();
    while outages.len() < 2 {
        let told = judged.recv().await.unwrap().families.remove(0);
        known.push(told.sample.seen);
        for change in told.changes {
            match change {
                Change::Opened(outage) => {
                    outages.push(outage);
                    listener = Some(TcpListener::bind(address).await.unwrap());
                }
                Change::Closed(outage) => outages.push(outage),
                Change::Unknown(..) => panic!("nothing is unknown here"),
            }
        }
    }
    assert!(listener.is_some());
    assert_eq!(outages[0].cause(), Some(Cause::ConnectRefused));
    assert_eq!(outages[0].start, outages[1].start);
    assert!(outages[1].end.unwrap().latest_unix_micros > outages[1].start.latest_unix_micros);
    let downs = known.iter().filter(|seen| **seen == Seen::Down(Cause::ConnectRefused)).count();
    assert!(downs >= 3, "{known:?}");
}

#[tokio::test]
async fn a_prober_that_reaches_nothing_says_that_it_does_not_know() {
    let gone = nobody().await;
    let mut judged = start(vec![watched(nobody().await), watched(nobody().await)], vec![target(gone)]);
    for _ in 0..12 {
        let told = judged.recv().await.unwrap().families.remove(0);
        assert_eq!(told.sample.seen, Seen::Unknown(UnknownCause::EgressGone));
        assert_eq!(told.changes, []);
        assert_eq!(told.state, State::Unknown(UnknownCause::EgressGone));
    }
}

/// As many targets as probes that have a place, all of which hang, hold up nobody beyond their time:
/// each has one probe at a time, and all come round.
#[tokio::test]
async fn targets_that_hang_come_round_all_the_same() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((V4, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    for _ in 0..4 {
        let connecting = tokio::net::TcpStream::connect(address);
        fillers.push(tokio::time::timeout(Duration::from_millis(100), connecting).await);
    }
    let targets: Vec<_> = (0..40)
        .map(|number| Watched { name: format!("hanging {number}").into(), ..watched(address) })
        .collect();
    let mut judged = start(targets, Vec::new());
    let mut rounds = std::collections::BTreeMap::<Arc<str>, u32>::new();
    while rounds.len() < 40 || rounds.values().any(|count| *count < 2) {
        let told = judged.recv().await.unwrap();
        assert_eq!(told.families[0].sample.seen, Seen::Down(Cause::ConnectTimeout));
        *rounds.entry(told.name).or_default() += 1;
    }
}
