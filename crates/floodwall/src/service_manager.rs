//! What the service manager (systemd) is told, where one started the server: `sd_notify(3)`.

use std::time::Duration;

use sd_notify::NotifyState;

/// Time beyond the drain that writing the last records may take.
const AFTER_DRAIN: Duration = Duration::from_secs(15);

/// The service manager, or nobody.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    /// It ends a server from which it hears nothing for as long as it wishes.
    watches: bool,
}

impl ServiceManager {
    /// Looks whether somebody is to be told.
    pub(crate) fn find() -> Self {
        Self { watches: sd_notify::watchdog_enabled().is_some() }
    }

    /// Everything listens.
    pub(crate) fn ready(&self) {
        tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }

    /// A second has passed, and every worker still runs.
    pub(crate) fn alive(&self) {
        if self.watches {
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// Requests in progress have so long to finish.
    pub(crate) fn stopping(&self, drain: Duration) {
        let most = drain.saturating_add(AFTER_DRAIN);
        let micros = u32::try_from(most.as_micros()).unwrap_or(u32::MAX);
        let status = NotifyState::Status("stopping: requests in progress may finish");
        tell(&[NotifyState::Stopping, status, NotifyState::ExtendTimeoutUsec(micros)]);
    }
}

/// Nothing comes of it where nobody listens.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
