//! The sample voter-information website, as a small office has one: pages that a cache can keep,
//! and one look-up that costs a slow database's time.
//!
//! It is the origin that the demonstration and the tests put Floodwall in front of. It speaks
//! HTTP/1.1 in the clear and is meant for loopback. Limits: 1,024 connections (more wait in the
//! listener's queue), 90 s for the head of a request, 20 look-ups at a time and 512 waiting.

mod counters;
mod database;
mod documents;
mod layout;
mod lookup_form;
mod percent;
mod places;
mod site;
mod stable_hash;
#[cfg(test)]
mod tests;
mod trouble;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::InvalidHeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use counters::Counters;
pub(crate) use site::Site;
pub(crate) use trouble::Trouble;

const CONNECTIONS_MAX: usize = 1024;
/// Also ends connections that stay idle. Longer than proxies usually keep an idle one, so that
/// it is they who close it and no request is lost in between.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(90);
const REQUEST_BUFFER_BYTES: usize = 64 * 1024;
/// How long answers in progress may take once the end was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// When the system has no more file descriptors, asking again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the sample site cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoOriginError {
    /// The address cannot be listened on; another one may work.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// A page compiled into the program is unusable: a fault of the program.
    #[error("a page of the sample site is unusable: {0}")]
    Page(#[from] InvalidHeaderValue),
}

/// The sample site, listening and ready to serve.
#[derive(Debug)]
pub(crate) struct DemoOrigin {
    listener: TcpListener,
    address: SocketAddr,
    site: Arc<Site>,
}

impl DemoOrigin {
    /// Listens on `address`; connections wait until [`serve`](Self::serve) takes them.
    ///
    /// # Errors
    /// [`DemoOriginError::Listen`] when the address is in use or not this machine's.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, DemoOriginError> {
        let site = Arc::new(Site::new(Arc::new(Counters::default()))?);
        Self::bind_for(address, site).await
    }

    /// As [`bind`](Self::bind), for a site that was served before: its counts go on.
    pub(crate) async fn bind_for(address: SocketAddr, site: Arc<Site>) -> Result<Self, DemoOriginError> {
        let listening =
            TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        match listening {
            Ok((address, listener)) => Ok(Self { listener, address, site }),
            Err(source) => Err(DemoOriginError::Listen { address, source }),
        }
    }

    /// The address in use, with the port that the system chose where 0 was asked for.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The site itself, to bring it into trouble or to serve it again.
    pub(crate) fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site)
    }

    /// Serves until `shutdown` is done, then lets answers in progress end (5 s at most).
    pub(crate) async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, site, .. } = self;
        let mut shutdown = pin!(shutdown);
        let (stop, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(stream, Arc::clone(&site), stopped.clone()));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        drop(listener);
        drop(stop);
        let drained = async { while connections.join_next().await.is_some() {} };
        // Whatever is left after that ends with `connections`.
        let _ = tokio::time::timeout(DRAIN_MAX, drained).await;
    }
}

/// One connection, until either side closes it or `stopped` loses its sender.
async fn converse(stream: TcpStream, site: Arc<Site>, mut stopped: watch::Receiver<()>) {
    // Answers are written whole, so waiting to fill packets only delays them; where it cannot be
    // switched off, they are merely later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(&request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WAIT_MAX)
            .max_buf_size(REQUEST_BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    // A connection's error is its peer's: it went away or sent what is not HTTP, and hyper has
    // answered 400 where it could.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
