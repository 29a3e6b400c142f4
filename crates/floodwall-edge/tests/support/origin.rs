//! An origin server whose answers a test decides on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A request as it came to the origin, its body read.
pub type Asked = Request<Bytes>;
type Handler = dyn Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync;

pub struct Origin {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    in_progress_max: Arc<AtomicUsize>,
    gate: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Origin {
    /// Starts on a port of its own.
    pub fn start(handler: impl Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), handler)
    }

    pub fn start_at(
        address: SocketAddr,
        handler: impl Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(1024).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener: std::net::TcpListener = socket.into();
        let address = listener.local_addr().unwrap();
        let (asked, in_progress_max) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (gate, stop) = (watch::Sender::new(true), watch::Sender::new(false));
        let state = State {
            handler: Arc::new(handler),
            asked: asked.clone(),
            in_progress: Arc::default(),
            in_progress_max: in_progress_max.clone(),
            gate: gate.subscribe(),
        };
        let stopped = stop.subscribe();
        let thread = std::thread::spawn(move || serve(listener, &state, stopped));
        Self { address, asked, in_progress_max, gate, stop, thread: Some(thread) }
    }

    /// Requests from visitors so far; the edge's own probes do not count.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub fn in_progress_max(&self) -> usize {
        self.in_progress_max.load(Ordering::SeqCst)
    }

    /// Holds answers back until [`Self::open_gate`].
    pub fn close_gate(&self) {
        self.gate.send_replace(false);
    }

    pub fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    /// Stops at once, like a crashed server: connections are cut, the port is closed.
    pub fn kill(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.kill();
    }
}

#[derive(Clone)]
struct State {
    handler: Arc<Handler>,
    asked: Arc<Mutex<Vec<Asked>>>,
    in_progress: Arc<AtomicUsize>,
    in_progress_max: Arc<AtomicUsize>,
    gate: watch::Receiver<bool>,
}

fn serve(listener: std::net::TcpListener, state: &State, mut stopped: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = tokio::select! {
                accepted = listener.accept() => accepted.unwrap(),
                _ = stopped.changed() => return,
            };
            let state = state.clone();
            let service = service_fn(move |request| answer(state.clone(), request));
            let serving = hyper::server::conn::http1::Builder::new()
                .half_close(true)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
}

async fn answer(
    mut state: State,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_probe = request.headers().get("user-agent").is_some_and(|ua| ua == "floodwall-health-probe");
    let (parts, body) = request.into_parts();
    #[expect(clippy::disallowed_methods, reason = "limited to 256 MiB in the line itself")]
    let body = match Limited::new(body, 256 << 20).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(Response::builder().status(400).body(Full::default()).unwrap()),
    };
    let asked = Request::from_parts(parts, body);
    if is_probe {
        return Ok(Response::new(Full::default()));
    }
    state.asked.lock().unwrap().push(asked.clone());
    let now = state.in_progress.fetch_add(1, Ordering::SeqCst) + 1;
    state.in_progress_max.fetch_max(now, Ordering::SeqCst);
    let _ = state.gate.wait_for(|open| *open).await;
    let response = (state.handler)(&asked);
    state.in_progress.fetch_sub(1, Ordering::SeqCst);
    Ok(response)
}

/// A page with the given header lines.
pub fn page(text: &str, fields: &[(&str, &str)]) -> Response<Full<Bytes>> {
    let mut response = Response::builder();
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(Full::new(Bytes::copy_from_slice(text.as_bytes()))).unwrap()
}
