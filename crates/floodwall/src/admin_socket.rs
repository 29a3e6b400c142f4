//! The socket in the state directory by which `floodwall explain`, `incident`, `block` and `allow` speak with the
//! running server: plain HTTP/1.1 over a Unix socket that only the server's own user and root reach.
//!
//! It has no listener on the network and no login: who may open the file may ask. Connections, their
//! age and the size of a request are bounded; a request of a visitor never waits for any of it.

pub(crate) mod client;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use floodwall_edge::{ClientRegister, PurgeDepth, PurgeTarget};
use floodwall_model::Clock;
use floodwall_policy::{ReferenceKey, SignatureId, SignatureRecord};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use crate::client_files::ClientFiles;
use crate::explain::{AddressFacts, Explanation, Subject, explain_reference, signature_sentences};
use crate::incident::{IncidentArchive, Incidents};
use crate::orders::{self, Effect, OperatorOrders, OrderRequest, Ordered};
use crate::outage::OutageList;
use crate::purge::{self, Purged};
use crate::status::{self, StatusMaker};

/// The file in the state directory.
pub(crate) const FILE: &str = "admin.sock";
/// Connections at once; further ones wait.
const CONNECTIONS_MAX: usize = 8;
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Whoever asks is one command that asks once.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(30);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the running server's data plane can tell.
pub(crate) trait EdgeAccount: Send + Sync {
    /// How an address stands now; `None` where no account of addresses is kept.
    fn address(&self, address: IpAddr) -> Option<AddressFacts>;

    /// The rules that live and have ended, with the names of their sites.
    fn rules(&self) -> Vec<(String, SignatureRecord)>;

    /// Purges kept answers of all sites; of how many addresses there were some.
    fn purge(&self, target: &PurgeTarget, depth: PurgeDepth) -> usize;
}

/// What the socket's requests are answered from.
pub(crate) struct AdminDesk {
    pub(crate) key: ReferenceKey,
    /// Names of the settings' sites, in their order.
    pub(crate) sites: Vec<String>,
    pub(crate) account: Arc<dyn EdgeAccount>,
    pub(crate) clients: Arc<ClientFiles>,
    pub(crate) incidents: Option<IncidentArchive>,
    pub(crate) status: Option<StatusMaker>,
    pub(crate) orders: Arc<OperatorOrders>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A request that is not answered with what it asked for.
#[derive(Debug)]
struct Fault(StatusCode, String);

impl AdminDesk {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let answered = match (request.method(), request.uri().path()) {
            (&Method::GET, path) if path == "/incidents" || path.starts_with("/incidents/") => {
                self.incidents(request.uri()).await
            }
            (&Method::GET, "/outages") => self.outages(request.uri()).await,
            (&Method::GET, "/reachability") => self.reachability(request.uri()).await,
            (&Method::GET, "/status") => self.status().await,
            (&Method::GET, "/explain") => self.explain(request.uri()).and_then(|answer| json(&answer)),
            (&Method::POST, "/purge") => self.purge(request.headers()).and_then(|done| json(&done)),
            (&Method::GET, "/orders") => json(&self.orders.list(self.clock.now())),
            (&Method::POST, "/orders") => self.order(request.headers()).await.and_then(|done| json(&done)),
            (_, "/orders") => Err(Fault(StatusCode::METHOD_NOT_ALLOWED, "GET or POST it".to_owned())),
            (_, "/purge") => Err(Fault(StatusCode::METHOD_NOT_ALLOWED, "POST it".to_owned())),
            (_, "/explain") => Err(Fault(StatusCode::METHOD_NOT_ALLOWED, "GET it".to_owned())),
            _ => Err(Fault(
                StatusCode::NOT_FOUND,
                "there are GET /explain?subject=ID|ADDRESS|RULE, /incidents?max=N, /incidents/ID, /outages?max=N, /reachability?from=SECONDS, /status and /orders, and POST /purge and /orders"
                    .to_owned(),
            )),
        };
        let (status, body) = match answered {
            Ok(body) => (StatusCode::OK, body),
            Err(Fault(status, error)) => (status, serde_json::json!({ "error": error }).to_string()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let kind = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    fn purge(&self, fields: &HeaderMap) -> Result<Purged, Fault> {
        let fault = |message: String| Fault(StatusCode::BAD_REQUEST, message);
        let target = fields.get(purge::TARGET_FIELD).and_then(|target| target.to_str().ok());
        let target =
            target.ok_or_else(|| fault(format!("the field `{}` is missing", purge::TARGET_FIELD)))?;
        let removed = fields.contains_key(purge::REMOVE_FIELD);
        let depth = if removed { PurgeDepth::Remove } else { PurgeDepth::Expire };
        let addresses = self.account.purge(&purge::target_of(target).map_err(fault)?, depth);
        tracing::info!(target, removed, addresses, "an operator purged kept answers");
        Ok(Purged { target: target.to_owned(), removed, addresses })
    }

    /// Given or taken back on a thread where it may wait for the disk.
    async fn order(&self, fields: &HeaderMap) -> Result<Ordered, Fault> {
        let fault = |message: String| Fault(StatusCode::BAD_REQUEST, message);
        let text = fields.get(orders::FIELD).and_then(|text| text.to_str().ok());
        let text = text.ok_or_else(|| fault(format!("the field `{}` is missing", orders::FIELD)))?;
        let request: OrderRequest = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
        let (orders, now) = (self.orders.clone(), self.clock.now());
        let done = tokio::task::spawn_blocking(move || orders.carry_out(&request, now)).await;
        let done = done.map_err(|error| Fault(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        done.map_err(|error| fault(error.to_string()))
    }

    /// The store is asked on a thread where it may block.
    async fn incidents(&self, uri: &Uri) -> Result<String, Fault> {
        let unavailable = |error: String| Fault(StatusCode::SERVICE_UNAVAILABLE, error);
        let archive =
            self.incidents.clone().ok_or_else(|| unavailable("no incidents are kept".to_owned()))?;
        let max = uri.query().and_then(|query| query.strip_prefix("max=")).and_then(|max| max.parse().ok());
        let id = uri.path().strip_prefix("/incidents/").map(str::to_owned);
        let read = tokio::task::spawn_blocking(move || match id {
            Some(id) => archive.one(&id).map(|found| json(&found)),
            None => archive.newest(max.unwrap_or(20)).map(|incidents| json(&Incidents { incidents })),
        });
        let read = read.await.map_err(|error| unavailable(error.to_string()))?;
        read.map_err(|error| unavailable(error.to_string()))?
    }

    async fn outages(&self, uri: &Uri) -> Result<String, Fault> {
        let max = uri.query().and_then(|query| query.strip_prefix("max=")).and_then(|max| max.parse().ok());
        let read = self.made(move |maker| maker.outages(max.unwrap_or(20))).await?;
        json(&OutageList { outages: read })
    }

    /// What the watch saw of sites since a moment, in seconds since 1970.
    async fn reachability(&self, uri: &Uri) -> Result<String, Fault> {
        let from = uri.query().and_then(|query| query.strip_prefix("from="));
        let from = from.and_then(|from| from.parse().ok());
        let from = from.ok_or_else(|| {
            Fault(StatusCode::BAD_REQUEST, "`from` is missing: seconds since 1970".to_owned())
        })?;
        json(&self.made(move |maker| maker.reachability(from)).await?)
    }

    async fn status(&self) -> Result<String, Fault> {
        json(&status::to_answer(&self.made(StatusMaker::files).await?))
    }

    /// What comes of the records, on a thread where it may block.
    async fn made<T: Send + 'static>(
        &self,
        make: impl FnOnce(&StatusMaker) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Fault> {
        let unavailable = |error: String| Fault(StatusCode::SERVICE_UNAVAILABLE, error);
        let maker = self.status.clone().ok_or_else(|| unavailable("no records are kept".to_owned()))?;
        let made = tokio::task::spawn_blocking(move || make(&maker)).await;
        made.map_err(|error| unavailable(error.to_string()))?.map_err(unavailable)
    }

    fn explain(&self, uri: &Uri) -> Result<Explanation, Fault> {
        let fault = |message: String| Fault(StatusCode::BAD_REQUEST, message);
        let (mut subject, mut from) = (None, None);
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("subject", text)) => subject = Some(text.parse::<Subject>().map_err(fault)?),
                Some(("from", text)) => {
                    let address = text.parse::<IpAddr>();
                    from = Some(address.map_err(|_| fault("`from` is not an address".to_owned()))?);
                }
                _ => return Err(fault("there are `subject` and `from`".to_owned())),
            }
        }
        let subject = subject.ok_or_else(|| fault("`subject` is missing".to_owned()))?;
        Ok(match subject {
            Subject::Reference(id) => {
                explain_reference(&self.key, id, Some(&self.sites), from, self.clock.now())
            }
            Subject::Address(address) => self.explain_address(address),
            Subject::Rule(id) => self.explain_rule(id),
        })
    }

    fn explain_rule(&self, id: SignatureId) -> Explanation {
        let of_that_number = self.account.rules().into_iter().filter(|(_, record)| record.id == id);
        let mut words: Vec<String> = Vec::new();
        for (site, record) in of_that_number {
            words.push(format!("Site {site}:"));
            words.extend(signature_sentences(&record));
        }
        let found = !words.is_empty();
        if !found {
            words.push("No rule of this number lives, and none is among the last that ended.".to_owned());
        }
        Explanation { subject: id.to_string(), found, words, reference: None, address: None }
    }

    fn explain_address(&self, address: IpAddr) -> Explanation {
        let mut facts = self.account.address(address);
        if let Some(facts) = &mut facts {
            let ordered = self.orders.of(address, self.clock.now());
            match ordered.as_ref().map(|order| (order.effect, order.words())) {
                Some((Effect::Block, words)) => facts.blocked = Some(words),
                Some((Effect::Allow, words)) => facts.allowed = Some(words),
                None => {}
            }
            facts.allowed = facts.allowed.take().or_else(|| self.clients.why_crawler(address));
            facts.system = self.clients.autonomous_system(address);
        }
        let nothing = || vec!["The server keeps no account of addresses.".to_owned()];
        Explanation {
            subject: address.to_string(),
            found: facts.is_some(),
            words: facts.as_ref().map_or_else(nothing, AddressFacts::sentences),
            reference: None,
            address: facts,
        }
    }
}

fn json(answer: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(answer).map_err(|error| Fault(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// The socket, bound. Its file goes when this value does.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Binds it in a state directory that is this process's own: what is there is a left-over.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        let path = directory.join(FILE);
        // Born where nobody else can reach it, so that there is no moment in which others may connect.
        let cradle = tempfile::Builder::new().prefix(".admin-").tempdir_in(directory)?;
        let born = cradle.path().join("s");
        let listener = UnixListener::bind(&born)?;
        std::fs::set_permissions(&born, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&born, &path)?;
        Ok(Self { listener, path })
    }

    /// Serves until `shutdown` completes.
    pub(crate) async fn serve(self, desk: Arc<AdminDesk>, shutdown: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, self.listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                () = &mut shutdown => return,
                accepted = accepted => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the admin socket could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let desk = desk.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let desk = desk.clone();
                async move { Ok::<_, std::convert::Infallible>(desk.answer(&request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME_MAX)
                .max_buf_size(HEADER_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                let _place = place;
                // How it ended concerns only who asked, and sees it.
                let _ended = tokio::time::timeout(CONNECTION_AGE_MAX, connection).await;
            });
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
