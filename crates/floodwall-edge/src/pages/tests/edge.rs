//! The edge's part, played with the real keys, tickets and waiting room, over real sockets. The path
//! says which page is met. Its clock is moved by the requests themselves: each comes seconds later.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use floodwall_model::Timestamp;
use floodwall_policy::{
    Difficulty, ProofKind, RefusalReason, Ticket, TokenClaims, Turn, WaitingRoom, WorkChallenge,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::super::{
    ASKS_FOR_PLACE, Language, OverloadPage, PERSON_PATH, PlaceInLine, busy, choice, person_reported, place,
    waiting,
};
use super::{binding, keyring, noon, text};

/// What the visitors of a test did.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Requests for the page itself that were answered with a page of ours.
    pub(super) pages: u32,
    /// Requests for the place in line.
    pub(super) asked: u32,
    /// Solutions that came, and how many of them counted.
    pub(super) solutions: u32,
    pub(super) redeemed: u32,
    /// Who came in last: what he had proven.
    pub(super) came_in: Option<ProofKind>,
    /// References of persons who reported.
    pub(super) persons: Vec<String>,
}

/// How the edge stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) difficulty: Difficulty,
    /// Visitors let in a second.
    pub(super) let_in: f64,
    /// Whether visitors keep the cookies of our answers.
    pub(super) keeps_cookies: bool,
    /// Whether solutions count.
    pub(super) redeems: bool,
    /// Whether there is an answer to the challenges, and how many numbers can be tried if not.
    pub(super) unsolvable: Option<u32>,
    /// Whether the policy of the pages lets them have workers.
    pub(super) workers: bool,
    /// The visitors' language.
    pub(super) language: Language,
    /// Over HTTPS; read when the edge starts.
    pub(super) https: bool,
}

impl Default for Situation {
    fn default() -> Self {
        Self {
            difficulty: Difficulty::MIN,
            let_in: 1.0,
            keeps_cookies: true,
            redeems: true,
            unsolvable: None,
            workers: true,
            language: Language::English,
            https: false,
        }
    }
}

struct Line {
    room: WaitingRoom,
    now: Timestamp,
    issued: u64,
}

/// A running edge; it goes with the test's runtime.
pub(super) struct Edge {
    address: SocketAddr,
    situation: Mutex<Situation>,
    line: Mutex<Line>,
    seen: watch::Sender<Seen>,
}

impl Edge {
    pub(super) async fn start(situation: Situation) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line { room: WaitingRoom::new(noon()), now: noon(), issued: 0 };
        let edge = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            situation: Mutex::new(situation),
            line: Mutex::new(line),
            seen: watch::Sender::new(Seen::default()),
        });
        let served = Arc::clone(&edge);
        let tls = situation.https.then(self_signed);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let edge = Arc::clone(&served);
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => edge.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                edge.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        edge
    }

    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request: Request<Incoming>| {
            let answer = self.answer(&request);
            async { Ok::<_, Infallible>(answer) }
        });
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }

    pub(super) fn url(&self, target: &str) -> String {
        let scheme = if self.situation.lock().https { "https" } else { "http" };
        format!("{scheme}://{}{target}", self.address)
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Situation)) {
        change(&mut self.situation.lock());
    }

    /// So many take a ticket and wait, each second one.
    pub(super) fn crowd(&self, count: u64) {
        let mut line = self.line.lock();
        for id in 0..count {
            line.now = line.now.plus(Duration::from_secs(1));
            let ticket = Ticket::take(&binding(), 1_000_000 + id, line.now);
            let now = line.now;
            let _ = line.room.present(&ticket, now);
        }
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until that was seen. The time is a guard against hanging.
    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.subscribe();
        let found = tokio::time::timeout(Duration::from_secs(60), seen.wait_for(is_so)).await;
        found.unwrap_or_else(|_| panic!("never {what}: {:?}", self.seen())).unwrap().clone()
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let situation = *self.situation.lock();
        let language = situation.language;
        let target = request.uri().path_and_query().unwrap().as_str();
        if request.uri().path() == PERSON_PATH {
            assert_eq!(request.method(), Method::POST);
            let reference = request.uri().query().unwrap().strip_prefix("reference=").unwrap();
            self.seen.send_modify(|seen| seen.persons.push(reference.to_owned()));
            let back = request.headers().get(header::REFERER).unwrap().to_str().unwrap();
            let back = back.strip_prefix(&self.url("")).unwrap();
            return whole(person_reported(&overload_page(language, back, reference)));
        }
        if request.uri().path() == "/favicon.ico" {
            return shown(StatusCode::NOT_FOUND, "");
        }
        let (ticket, now) = {
            let mut line = self.line.lock();
            for _ in 0..3 {
                line.now = line.now.plus(Duration::from_secs(1));
                let now = line.now;
                line.room.tick(situation.let_in, now);
            }
            (self.ticket(request, &mut line, situation), line.now)
        };
        if let Some(claims) = token(request, now) {
            self.seen.send_modify(|seen| seen.came_in = Some(claims.proof));
            return shown(StatusCode::OK, "<h1>Your polling place</h1>");
        }
        if let Some(claims) = self.redeemed(request, situation, now) {
            return exchanged(target, &claims);
        }
        self.refused(request, language, target, situation, (ticket, now))
    }

    /// The ticket that was brought, or another.
    fn ticket(&self, request: &Request<Incoming>, line: &mut Line, situation: Situation) -> Ticket {
        let in_query = request.uri().query().and_then(|query| query.split_once("floodwall=")).map(|it| it.1);
        let brought = if situation.keeps_cookies { cookie(request, "floodwall_ticket") } else { in_query };
        let brought =
            brought.and_then(|text| keyring().verify_ticket(text.as_bytes(), &binding(), line.now).ok());
        brought.unwrap_or_else(|| {
            line.issued += 1;
            Ticket::take(&binding(), line.issued, line.now)
        })
    }

    fn redeemed(
        &self,
        request: &Request<Incoming>,
        situation: Situation,
        now: Timestamp,
    ) -> Option<TokenClaims> {
        let text = cookie(request, "floodwall_work")?;
        let lifetime = Duration::from_secs(1_800);
        let claims = keyring().redeem_solution(text.as_bytes(), &binding(), lifetime, now).unwrap();
        self.seen.send_modify(|seen| {
            seen.solutions += 1;
            seen.redeemed += u32::from(situation.redeems);
        });
        situation.redeems.then_some(claims)
    }

    fn refused(
        &self,
        request: &Request<Incoming>,
        language: Language,
        target: &str,
        situation: Situation,
        (ticket, now): (Ticket, Timestamp),
    ) -> Response<Full<Bytes>> {
        let asks = request.headers().contains_key(&ASKS_FOR_PLACE);
        self.seen.send_modify(|seen| if asks { seen.asked += 1 } else { seen.pages += 1 });
        let turn = self.line.lock().room.present(&ticket, now);
        let (ticket, in_line) = match turn {
            Turn::Come { called_unix_s } => {
                let claims = keyring().redeem_ticket(&ticket, called_unix_s, Duration::from_secs(1_800));
                if !situation.keeps_cookies && !asks {
                    self.seen.send_modify(|seen| seen.came_in = Some(claims.proof));
                    return shown(StatusCode::OK, "<h1>Your polling place</h1>");
                }
                return exchanged(target, &claims);
            }
            Turn::Wait { ahead, expected, ticket, .. } => {
                // A second, so that the test does not take long.
                (ticket, PlaceInLine { ahead, expected, refresh: Duration::from_secs(1) })
            }
        };
        let text = keyring().issue_ticket(&ticket);
        let bare = target.split("floodwall=").next().unwrap().trim_end_matches(['?', '&']);
        let with_ticket = format!("{bare}?floodwall={}", text.as_str());
        let again = if situation.keeps_cookies { target } else { &with_ticket };
        let page = overload_page(language, again, "7F3K-9QWX-02MB");
        let mut response = whole(match request.uri().path() {
            _ if asks => place(&page, &in_line),
            "/choice" => choice(&page, &challenge_for(request, situation, now), Some(&in_line)),
            "/waiting" => waiting(&page, &in_line),
            "/no-room" => busy(&page, RefusalReason::NoRoom, false),
            "/form" => busy(&page, RefusalReason::Displaced, true),
            "/over-share" => busy(&page, RefusalReason::OverShare, false),
            other => panic!("{other} is no page of this test"),
        });
        if situation.keeps_cookies {
            set_cookie(&mut response, "floodwall_ticket", text.as_str());
        }
        if !situation.workers {
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            let without = policy.replace("-src blob:", "-src 'none'");
            assert_ne!(policy, without);
            let without = HeaderValue::from_str(&without).unwrap();
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, without);
        }
        response
    }
}

fn self_signed() -> TlsAcceptor {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key);
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.unwrap().der().clone()], key.into()).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn challenge_for(request: &Request<Incoming>, situation: Situation, now: Timestamp) -> WorkChallenge {
    // Another one each time, which the address can choose.
    let random = request.uri().query().and_then(|query| query.parse().ok());
    let random = random.unwrap_or_else(|| now.wall_unix_seconds().unsigned_abs());
    let mut challenge = keyring().issue_challenge(&binding(), situation.difficulty, random, now);
    if let Some(number_max) = situation.unsolvable {
        challenge.number_max = number_max;
        challenge.challenge = "0".repeat(64);
    }
    challenge
}

fn overload_page<'a>(language: Language, target: &'a str, reference: &str) -> OverloadPage<'a> {
    OverloadPage {
        language,
        reference: reference.parse().unwrap(),
        target,
        retry_after: Duration::from_secs(1),
    }
}

fn cookie<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    let lines = request.headers().get_all(header::COOKIE).into_iter();
    let mut crumbs = lines.flat_map(|line| line.to_str().unwrap().split("; "));
    crumbs.find_map(|crumb| crumb.strip_prefix(name)?.strip_prefix('='))
}

fn token(request: &Request<Incoming>, now: Timestamp) -> Option<TokenClaims> {
    let text = cookie(request, "floodwall_token")?;
    keyring().verify_token(text.as_bytes(), &binding(), now).ok()
}

fn exchanged(target: &str, claims: &TokenClaims) -> Response<Full<Bytes>> {
    let mut response = shown(StatusCode::TEMPORARY_REDIRECT, "");
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(target).unwrap());
    set_cookie(&mut response, "floodwall_token", keyring().issue_token(claims).as_str());
    set_cookie(&mut response, "floodwall_work", "; Max-Age=0");
    set_cookie(&mut response, "floodwall_ticket", "; Max-Age=0");
    response
}

fn set_cookie(response: &mut Response<Full<Bytes>>, name: &str, value: &str) {
    let cookie = format!("{name}={value}; Path=/; SameSite=Lax; HttpOnly");
    // The one the script has set is not `HttpOnly`, and can only be deleted.
    response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_str(&cookie).unwrap());
}

fn whole(response: Response<crate::body::Payload>) -> Response<Full<Bytes>> {
    let (parts, payload) = response.into_parts();
    Response::from_parts(parts, Full::from(text(Response::new(payload))))
}

fn shown(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let html = format!("<!doctype html><html lang=\"en\"><title>Polling place</title><main>{body}</main>");
    let mut response = Response::new(Full::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
