//! A worker's connections to its origins.
//!
//! A connection is driven by whoever uses it, inside the request's own task, so that passing a
//! request on costs no second task and no wake-up between the two. While it lies in the pool nobody
//! drives it; that it was closed meanwhile is seen when it is taken out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use floodwall_model::Timestamp;
use tokio::net::TcpStream;

use super::connection::OriginConnection;
use super::{Origin, OriginFailure};
use crate::connection::CoarseTime;

/// Idle connections kept for one origin by one worker.
const IDLE_MAX: usize = 64;

#[derive(Debug)]
struct Idle {
    connection: Box<OriginConnection>,
    since: CoarseTime,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: RefCell<HashMap<usize, Vec<Idle>, foldhash::fast::RandomState>>,
}

impl Pool {
    /// The most recently used idle connection that is still open. For a request that can be sent
    /// only once, `surely`: the operating system is asked, which is one call more.
    pub(crate) fn take(&self, origin: &Origin, surely: bool) -> Option<Box<OriginConnection>> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&origin.number)?;
        while let Some(mut entry) = list.pop() {
            let connection = &entry.connection;
            let open = if surely { connection.is_surely_quiet() } else { connection.is_quiet() };
            if open {
                entry.connection.reused = true;
                return Some(entry.connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn give_back(&self, origin: &Origin, connection: Box<OriginConnection>, now: CoarseTime) {
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(origin.number).or_default();
        if list.len() < IDLE_MAX {
            list.push(Idle { connection, since: now });
        }
    }

    /// Closes connections that were idle for `idle_max` or that the origin closed.
    pub(crate) fn sweep(&self, now: CoarseTime, idle_max: Duration) {
        for list in self.idle.borrow_mut().values_mut() {
            list.retain(|entry| !now.reached(entry.since, idle_max) && entry.connection.is_quiet());
        }
    }
}

/// Opens a connection to an origin.
pub(crate) async fn connect(
    origin: &Origin,
    patience: Duration,
    now: Timestamp,
) -> Result<Box<OriginConnection>, OriginFailure> {
    let (host, port) = (origin.config.host.as_str(), origin.config.port);
    let connecting = async {
        let look_up = || tokio::net::lookup_host((host, port));
        let addresses = origin.resolved.addresses(host, port, now, look_up).await?;
        TcpStream::connect(&origin.within_reach(&addresses)?[..]).await
    };
    let stream = match tokio::time::timeout(patience, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(OriginFailure::Connect(error.to_string().into())),
        Err(_) => return Err(OriginFailure::TimedOut { what: "connection", after: patience }),
    };
    let _ = stream.set_nodelay(true);
    Ok(Box::new(OriginConnection::new(stream)))
}
