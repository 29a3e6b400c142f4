//! Faults of connecting, on both families.

use floodwall_outage::{Cause, Phase};
use floodwall_watch::{AddressRule, Failure, Family};
use tokio::net::{TcpListener, TcpSocket};

use crate::servers::{V4, V6};
use crate::{check_failed, probe, probe_with};

#[tokio::test]
async fn nothing_listens() {
    for ip in [V4, V6] {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        for scheme in ["tcp", "tls", "http", "https"] {
            let report = probe(&format!("{scheme}://{address}")).await;
            check_failed(&report, Failure::Target(Cause::ConnectRefused));
            let connect = report.attempts[0].stamps.connect.unwrap();
            assert!(connect.done.is_none() && report.attempts[0].stamps.tls.is_none());
        }
    }
}

/// A listener whose queue is full lets further SYNs go unanswered.
#[tokio::test]
async fn nothing_comes_back_to_the_syn() {
    for ip in [V4, V6] {
        let socket = if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
        socket.bind((ip, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut fillers = Vec::new();
        for _ in 0..4 {
            let connecting = tokio::net::TcpStream::connect(address);
            fillers.push(tokio::time::timeout(std::time::Duration::from_millis(100), connecting).await);
        }
        let report = probe(&format!("tcp://{address}")).await;
        check_failed(&report, Failure::Target(Cause::ConnectTimeout));
        assert_eq!(report.attempts[0].stamps.get(Phase::Connect).unwrap().done, None);
    }
}

#[tokio::test]
async fn what_listens_is_up_on_either_family() {
    for (ip, family) in [(V4, Family::V4), (V6, Family::V6)] {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let report = probe(&format!("tcp://{}", listener.local_addr().unwrap())).await;
        assert_eq!(report.outcome(), Ok(()));
        assert_eq!(report.outcome_by_family(family), Some(Ok(())));
        assert!(report.attempts[0].stamps.connect.unwrap().length().is_some());
    }
}

#[tokio::test]
async fn addresses_inside_are_not_connected_to() {
    for ip in [V4, V6] {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let target = format!("http://{}/", listener.local_addr().unwrap());
        let report = probe_with(target.parse().unwrap(), &[], &[], AddressRule::PublicOnly).await;
        check_failed(&report, Failure::Target(Cause::AddressForbidden));
        assert!(report.attempts[0].stamps.connect.is_none());
    }
}
