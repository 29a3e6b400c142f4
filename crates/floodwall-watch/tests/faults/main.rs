//! Faults made with real sockets, real TLS and a real name server, and what each is taken for.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]
#![expect(clippy::indexing_slicing, reason = "as above")]

mod clock;
mod connections;
mod names;
mod pages;
mod servers;
mod tls;
mod watching;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floodwall_watch::{AddressRule, Check, Failure, ProbeTarget, Prober, Report, Resolver};
use rustls_pki_types::CertificateDer;

use clock::TestClock;

/// Long enough for whatever answers on loopback; what never answers costs a test this much.
const TIMEOUT: Duration = Duration::from_millis(400);

fn resolver(servers: &[SocketAddr]) -> Resolver {
    Resolver { servers: servers.to_vec(), patience: Duration::from_millis(300) }
}

/// Probes `target`, names by `names`, trusting `roots` besides the system's.
async fn probe_with(
    check: Check,
    names: &[SocketAddr],
    roots: &[CertificateDer<'static>],
    rule: AddressRule,
) -> Report {
    let prober = Prober::new(Arc::new(TestClock::start()), resolver(names), roots).unwrap();
    prober.probe(&ProbeTarget { check, timeout: TIMEOUT, addresses: rule }).await
}

async fn probe(target: &str) -> Report {
    probe_with(target.parse().unwrap(), &[], &[], AddressRule::Any).await
}

/// What a failed report must have, whatever it failed by.
fn check_failed(report: &Report, expected: Failure) {
    assert_eq!(report.outcome(), Err(expected), "{report:#?}");
    assert!(report.finished >= report.started);
    for attempt in report.attempts.iter().filter(|attempt| attempt.result.is_err()) {
        let evidence = attempt.evidence.as_ref().unwrap();
        assert!(evidence.body.len() <= floodwall_watch::EVIDENCE_BODY_BYTES);
    }
}
