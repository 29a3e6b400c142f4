//! Certificates that were renewed are taken up without a restart: their files are looked at every few
//! seconds, and at once when the operator asks (SIGHUP).

use std::sync::Arc;
use std::time::Duration;

use floodwall_edge::tls::{LiveCertificates, Reloaded};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks after the certificates until it is dropped.
#[derive(Debug)]
pub(crate) struct CertificateWatch {
    asked: Arc<Notify>,
    looking: JoinHandle<()>,
}

impl CertificateWatch {
    /// Begins to look, on the runtime this is called on.
    pub(crate) fn start(certificates: Arc<LiveCertificates>) -> Self {
        let asked = Arc::new(Notify::new());
        let looking = tokio::spawn(look_after(certificates, asked.clone()));
        Self { asked, looking }
    }

    /// Has the files read even if they are unchanged, and what came of it said.
    pub(crate) fn look_now(&self) {
        self.asked.notify_one();
    }
}

impl Drop for CertificateWatch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

async fn look_after(certificates: Arc<LiveCertificates>, asked: Arc<Notify>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let asked_for = tokio::select! {
            _ = looks.tick() => false,
            () = asked.notified() => true,
        };
        let certificates = certificates.clone();
        // Files may be slow to read; the control loop is not to wait for them.
        match tokio::task::spawn_blocking(move || certificates.reload(asked_for)).await {
            Ok(reloaded) => tell(&reloaded),
            Err(error) => tracing::error!(%error, "certificates could not be looked at"),
        }
    }
}

fn tell(reloaded: &Reloaded) {
    match reloaded {
        Reloaded::Unchanged => {}
        Reloaded::Loaded => tracing::info!("the certificates have been loaded anew"),
        Reloaded::Refused(errors) => {
            for error in errors {
                let (problem, fix) = (error.problem(), error.fix());
                tracing::warn!(problem, fix, "changed certificates are not used; the ones in use go on");
            }
        }
    }
}
