//! The prober: one target in, what came of every address of it out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use floodwall_model::{Clock, Timestamp};
use floodwall_outage::{Cause, Family, Phase};
use http::{HeaderValue, Request, header};
use http_body_util::Empty;
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::address::AddressRule;
use crate::attempt::{Attempt, Failure, Report};
use crate::connect::connect;
use crate::evidence::Evidence;
use crate::exchange::{Exchange, REDIRECTS_MAX, note_request, timeout_cause};
use crate::observed::SharedEvents;
use crate::resolve::{Answer, Resolver, ask};
use crate::target::{Check, HttpCheck, ProbeTarget, host_of};
use crate::tls::{self, Trust, TrustError};

/// Addresses of one name that are tried, of each family.
pub const ADDRESSES_MAX: usize = 8;

/// Why there can be no prober.
#[derive(Debug, thiserror::Error)]
pub enum ProberError {
    /// Whom to trust is not usable.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Probes targets. One serves any number at once.
#[derive(Clone)]
pub struct Prober {
    clock: Arc<dyn Clock>,
    resolver: Resolver,
    trust: Trust,
}

/// Where one attempt stands: what is known of it so far, its failure's words, and its events.
struct Progress {
    attempt: Attempt,
    phase: Phase,
    events: Option<SharedEvents>,
    evidence: Evidence,
}

type Step<T> = Result<T, (Failure, String)>;

impl Prober {
    /// A prober that trusts the system's authorities, and `further`.
    ///
    /// # Errors
    /// When a certificate of `further` is none.
    pub fn new(
        clock: Arc<dyn Clock>,
        resolver: Resolver,
        further: &[CertificateDer<'static>],
    ) -> Result<Self, ProberError> {
        Ok(Self { clock, resolver, trust: Trust::new(true, further)? })
    }

    /// Probes every address of the target.
    pub async fn probe(&self, target: &ProbeTarget) -> Report {
        let started = self.clock.now();
        let (host, port) = place_of(&target.check);
        let (resolved, answers) = self.addresses(&host).await;
        let done = self.clock.now();
        let mut attempts = Vec::new();
        match &target.check {
            Check::Dns { expected, .. } => attempts.push(dns_attempt(&resolved, expected)),
            _ => match resolved {
                Err(failure) => attempts.push(failed(None, failure)),
                Ok(addresses) => {
                    let tries = addresses
                        .into_iter()
                        .map(|address| self.attempt(target, SocketAddr::new(address, port)));
                    attempts = all(tries).await;
                }
            },
        }
        for attempt in &mut attempts {
            attempt.stamps.begin(Phase::Resolve, started);
            if !matches!(attempt.result, Err(Failure::Target(cause)) if cause.phase() == Phase::Resolve && attempt.address.is_none())
            {
                attempt.stamps.end(Phase::Resolve, done);
            }
            if let (Err(_), Some(evidence)) = (attempt.result, &mut attempt.evidence) {
                evidence.answers.clone_from(&answers);
            }
        }
        if attempts.iter().any(|attempt| attempt.address.is_some()) {
            let tried = |family| attempts.iter().any(|attempt| attempt.family == Some(family));
            let untried: Vec<_> = [Family::V4, Family::V6].into_iter().filter(|f| !tried(*f)).collect();
            attempts.extend(untried.into_iter().filter_map(|family| hidden(&answers, family)));
        }
        Report { started, finished: self.clock.now(), answers, attempts }
    }

    /// The addresses of a host, both families, and what was said on the way.
    async fn addresses(&self, host: &str) -> (Result<Vec<IpAddr>, Failure>, Vec<Answer>) {
        if let Ok(address) = host.parse::<IpAddr>() {
            return (Ok(vec![address]), Vec::new());
        }
        let (v4, v6) =
            tokio::join!(ask(&self.resolver, host, Family::V4), ask(&self.resolver, host, Family::V6));
        let answers = [v4, v6].concat();
        let of = |family| {
            last_of(&answers, family).into_iter().flat_map(|a| a.addresses.iter().take(ADDRESSES_MAX))
        };
        let addresses: Vec<_> = of(Family::V4).chain(of(Family::V6)).copied().collect();
        if !addresses.is_empty() {
            return (Ok(addresses), answers);
        }
        // Of two failures, the one that says more than "no address".
        let failures = || [Family::V4, Family::V6].into_iter().filter_map(|f| last_of(&answers, f)?.failure);
        let no_address = Failure::Target(Cause::NoAddress);
        let failure = failures().find(|failure| *failure != no_address).unwrap_or(no_address);
        (Err(failure), answers)
    }

    /// One attempt at one address, within the target's time.
    async fn attempt(&self, target: &ProbeTarget, address: SocketAddr) -> Attempt {
        let mut progress = Progress {
            attempt: Attempt::new(Some(address)),
            phase: Phase::Connect,
            events: None,
            evidence: Evidence::default(),
        };
        let run = self.run(target, address, &mut progress);
        let result = match tokio::time::timeout(target.timeout, run).await {
            Ok(result) => result,
            Err(_) => Err((Failure::Target(progress.timeout()), "out of time".to_owned())),
        };
        if let Some(events) = &progress.events {
            note_request(&mut progress.attempt.stamps, *events.lock());
        }
        let Progress { mut attempt, mut evidence, .. } = progress;
        if let Err((failure, words)) = result {
            attempt.result = Err(failure);
            evidence.words = words;
            attempt.evidence = Some(Box::new(evidence));
        }
        attempt
    }

    async fn run(&self, target: &ProbeTarget, address: SocketAddr, progress: &mut Progress) -> Step<()> {
        match &target.check {
            Check::Http(check) => self.run_http(target, check, address, progress).await,
            Check::Tcp { .. } => self.connect(target.addresses, address, progress).await.map(drop),
            Check::Tls { host, .. } => {
                let stream = self.connect(target.addresses, address, progress).await?;
                self.shake_hands(stream, host, &[], progress).await.map(drop)
            }
            Check::Dns { .. } => Ok(()),
        }
    }

    async fn run_http(
        &self,
        target: &ProbeTarget,
        check: &HttpCheck,
        address: SocketAddr,
        progress: &mut Progress,
    ) -> Step<()> {
        let mut url = check.url.clone();
        let mut address = address;
        let mut seen = vec![url.clone()];
        loop {
            let next = self.request(target, check, &url, address, progress).await?;
            let Some(next) = next else { return Ok(()) };
            if seen.contains(&next) || progress.attempt.redirects >= REDIRECTS_MAX {
                return Err((Failure::Target(Cause::RedirectLoop), format!("again to {next}")));
            }
            progress.attempt.redirects += 1;
            progress.phase = Phase::Resolve;
            let host = host_of(&next).unwrap_or_default();
            let port = next.port_or_known_default().unwrap_or(0);
            // To the same place, the same address: each address is followed to its own end.
            if host_of(&url).as_deref() == Some(&host) {
                address.set_port(port);
            } else {
                let (addresses, _) = self.addresses(&host).await;
                let first = addresses.map(|found| found.first().copied());
                let first = first.map_err(|failure| (failure, format!("{host} could not be resolved")))?;
                address = first
                    .map(|first| SocketAddr::new(first, port))
                    .ok_or((Failure::Target(Cause::NoAddress), host))?;
            }
            seen.push(next.clone());
            url = next;
        }
    }

    /// One request; where it leads on to, if it does.
    async fn request(
        &self,
        target: &ProbeTarget,
        check: &HttpCheck,
        url: &Url,
        address: SocketAddr,
        progress: &mut Progress,
    ) -> Step<Option<Url>> {
        progress.evidence.url = Some(url.to_string());
        progress.events = None;
        let stream = self.connect(target.addresses, address, progress).await?;
        if url.scheme() == "https" {
            let host = host_of(url).unwrap_or_default();
            let stream = self.shake_hands(stream, &host, &[b"h2", b"http/1.1"], progress).await?;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            self.ask_for(stream, http2, check, url, progress).await
        } else {
            self.ask_for(stream, false, check, url, progress).await
        }
    }

    async fn ask_for<S>(
        &self,
        stream: S,
        http2: bool,
        check: &HttpCheck,
        url: &Url,
        progress: &mut Progress,
    ) -> Step<Option<Url>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let target = |(cause, words)| (Failure::Target(cause), words);
        let request = request_for(check, url, http2)
            .map_err(|error| (Failure::Target(Cause::RedirectInvalid), error.to_string()))?;
        progress.phase = Phase::FirstByte;
        let attempt = &mut progress.attempt;
        let started =
            Exchange::start(stream, http2, request, &self.clock, &mut attempt.stamps, &mut progress.events)
                .await;
        let (mut exchange, answer) = started.map_err(target)?;
        attempt.status = Some(answer.status().as_u16());
        attempt.http_version = Some(answer.version());
        progress.evidence.keep_fields(answer.headers());
        progress.phase = Phase::Transfer;
        let read = exchange.read_body(&mut attempt.stamps).await;
        attempt.body_bytes = u64::try_from(exchange.bytes.len()).unwrap_or(u64::MAX);
        progress.evidence.keep_body(&exchange.bytes);
        // A status that is wrong says more than a body that broke off.
        let led_on = answer.status().is_redirection() && check.follow;
        if !led_on {
            let head = check.expect.check_head(answer.status(), answer.headers());
            head.map_err(|cause| (Failure::Target(cause), format!("status {}", answer.status())))?;
        }
        read.map_err(target)?;
        progress.phase = Phase::Check;
        if led_on && let Some(to) = answer.headers().get(header::LOCATION) {
            let next = to.to_str().ok().and_then(|to| url.join(to).ok());
            let next = next.filter(|next| matches!(next.scheme(), "http" | "https") && next.host().is_some());
            return next
                .map(Some)
                .ok_or((Failure::Target(Cause::RedirectInvalid), format!("Location: {to:?}")));
        }
        let sha256: [u8; 32] = Sha256::digest(&exchange.bytes).into();
        attempt.body_sha256 = Some(sha256);
        if led_on {
            check
                .expect
                .check_head(answer.status(), answer.headers())
                .map_err(|cause| target((cause, "a redirect without Location".to_owned())))?;
        }
        check
            .expect
            .check_body(&exchange.bytes, &sha256)
            .map_err(|cause| target((cause, "the body".to_owned())))?;
        Ok(None)
    }

    async fn connect(
        &self,
        rule: AddressRule,
        address: SocketAddr,
        progress: &mut Progress,
    ) -> Step<TcpStream> {
        // Here, and not where names are resolved: nothing connects without having passed it.
        if !rule.allows(address.ip()) {
            return Err((Failure::Target(Cause::AddressForbidden), address.to_string()));
        }
        progress.phase = Phase::Connect;
        progress.attempt.stamps.begin(Phase::Connect, self.clock.now());
        let stream = connect(address).await?;
        progress.attempt.stamps.end(Phase::Connect, self.clock.now());
        Ok(stream)
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        host: &str,
        protocols: &[&[u8]],
        progress: &mut Progress,
    ) -> Step<TlsStream<TcpStream>> {
        progress.phase = Phase::Tls;
        progress.attempt.stamps.begin(Phase::Tls, self.clock.now());
        let own = |words: String| (Failure::Own(floodwall_outage::UnknownCause::ProberFailed), words);
        let (config, shown) = self.trust.handshake(protocols).map_err(|error| own(error.to_string()))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| (Failure::Target(Cause::CertificateWrongName), error.to_string()))?;
        let shaken = TlsConnector::from(config).connect(name, stream).await;
        progress.attempt.certificates.clone_from(&shown.lock());
        let stream = shaken.map_err(|error| (tls::failure(&error), error.to_string()))?;
        progress.attempt.tls_version = stream.get_ref().1.protocol_version().map(u16::from);
        progress.attempt.stamps.end(Phase::Tls, self.clock.now());
        Ok(stream)
    }

    /// The clock that stamps are read from.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Progress {
    /// The cause of a deadline that passes now.
    fn timeout(&self) -> Cause {
        let events = self.events.as_ref().map(|events| *events.lock());
        match self.phase {
            Phase::Resolve => Cause::ResolverTimeout,
            Phase::Connect => Cause::ConnectTimeout,
            Phase::Tls => Cause::TlsTimeout,
            Phase::Transfer => timeout_cause(events, true),
            Phase::Request | Phase::FirstByte | Phase::Check => timeout_cause(events, false),
        }
    }
}

fn request_for(check: &HttpCheck, url: &Url, http2: bool) -> http::Result<Request<Empty<Bytes>>> {
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = if http2 {
        Request::get(format!("https://{authority}{target}"))
    } else {
        Request::get(target).header(header::HOST, authority)
    };
    request = request.header(header::USER_AGENT, "Floodwall-Watch/0.1").header(header::ACCEPT, "*/*");
    // What is meant for the target, a credential perhaps, is not for whom it redirects to.
    let is_own = url.origin() == check.url.origin();
    for (name, value) in check.fields.iter().filter(|_| is_own) {
        let mut value: HeaderValue = value.clone();
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    request.body(Empty::new())
}

fn place_of(check: &Check) -> (String, u16) {
    match check {
        Check::Http(check) => {
            (host_of(&check.url).unwrap_or_default(), check.url.port_or_known_default().unwrap_or(0))
        }
        Check::Tcp { host, port } | Check::Tls { host, port } => (host.clone(), *port),
        Check::Dns { host, .. } => (host.clone(), 0),
    }
}

fn failed(family: Option<Family>, failure: Failure) -> Attempt {
    let evidence = Some(Box::new(Evidence::default()));
    Attempt { family, result: Err(failure), evidence, ..Attempt::new(None) }
}

fn dns_attempt(resolved: &Result<Vec<IpAddr>, Failure>, expected: &[IpAddr]) -> Attempt {
    let same = |found: &[IpAddr]| {
        expected.iter().all(|address| found.contains(address))
            && found.iter().all(|address| expected.contains(address))
    };
    match resolved {
        Err(failure) => failed(None, *failure),
        Ok(found) if expected.is_empty() || same(found) => Attempt::new(None),
        Ok(_) => failed(None, Failure::Target(Cause::RecordMismatch)),
    }
}

/// What one family's question ended in is not hidden by the other's answer; that there is no address
/// of it is no failure.
fn hidden(answers: &[Answer], family: Family) -> Option<Attempt> {
    let failure = last_of(answers, family)?.failure?;
    (failure != Failure::Target(Cause::NoAddress)).then(|| failed(Some(family), failure))
}

/// What counts of a family: what the last server that was asked said.
fn last_of(answers: &[Answer], family: Family) -> Option<&Answer> {
    answers.iter().rfind(|answer| answer.family == family)
}

/// Runs all at once, and gives what came of them in their order.
async fn all<F: Future<Output = Attempt>>(tries: impl Iterator<Item = F>) -> Vec<Attempt> {
    let mut running: Vec<_> = tries.map(|attempt| (Box::pin(attempt), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_done = true;
        for (attempt, result) in &mut running {
            if result.is_none() {
                match attempt.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *result = Some(value),
                    std::task::Poll::Pending => is_done = false,
                }
            }
        }
        if is_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, result)| result).collect()
}

/// The time a probe has when its settings say nothing.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
