//! An origin server whose answers a test decides on: a thread for each connection, no library.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use super::{PATIENCE, own_address};

/// What the origin answers.
pub(crate) struct Page {
    text: String,
    cache_control: String,
}

impl Page {
    pub(crate) fn new(text: impl Into<String>, cache_control: &str) -> Self {
        Self { text: text.into(), cache_control: cache_control.to_owned() }
    }
}

type Handler = dyn Fn(&str) -> Page + Send + Sync;

#[derive(Default)]
struct State {
    /// Requests of visitors by path; the edge's own probes do not count.
    asked: BTreeMap<String, usize>,
    in_progress: usize,
    in_progress_max: usize,
    gate_closed: bool,
    dead: bool,
    streams: Vec<TcpStream>,
}

struct Shared {
    handler: Box<Handler>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        result
    }

    fn wait(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        let (_state, waited) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| !holds(state)).unwrap();
        assert!(!waited.timed_out(), "did not come true at the origin: {what}");
    }
}

pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Origin {
    pub(crate) fn start(handler: impl Fn(&str) -> Page + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::from((own_address(), 0)), handler)
    }

    pub(crate) fn start_at(
        address: SocketAddr,
        handler: impl Fn(&str) -> Page + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { handler: Box::new(handler), state: Mutex::default(), changed: Condvar::new() });
        let accepting = shared.clone();
        let acceptor = std::thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// How often each page was asked for.
    pub(crate) fn asked(&self) -> BTreeMap<String, usize> {
        self.shared.state.lock().unwrap().asked.clone()
    }

    pub(crate) fn in_progress_max(&self) -> usize {
        self.shared.state.lock().unwrap().in_progress_max
    }

    /// Holds answers (not those to probes) until [`Self::open_gate`].
    pub(crate) fn close_gate(&self) {
        self.shared.change(|state| state.gate_closed = true);
    }

    pub(crate) fn open_gate(&self) {
        self.shared.change(|state| state.gate_closed = false);
    }

    /// Waits until so many requests are in progress.
    pub(crate) fn wait_in_progress(&self, count: usize) {
        self.shared.wait("requests in progress", |state| state.in_progress >= count);
    }

    /// Stops at once, like a crashed server: connections are cut, the port is closed.
    pub(crate) fn kill(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        let streams = self.shared.change(|state| {
            state.dead = true;
            std::mem::take(&mut state.streams)
        });
        for stream in streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The acceptor looks up from accept() when somebody comes.
        let _ = TcpStream::connect(self.address);
        acceptor.join().unwrap();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.kill();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let kept = stream.try_clone();
        let dead = shared.change(|state| {
            state.streams.extend(kept);
            state.dead
        });
        if dead {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        let shared = shared.clone();
        std::thread::spawn(move || while_open(stream, &shared));
    }
}

/// Answers request after request; `None` where the connection ends.
fn while_open(stream: TcpStream, shared: &Shared) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        let mut body_bytes = 0;
        loop {
            let start = request.len();
            if reader.read_line(&mut request).ok()? == 0 {
                return None;
            }
            let line = request[start..].to_ascii_lowercase();
            if let Some(length) = line.strip_prefix("content-length:") {
                body_bytes = length.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.by_ref().take(body_bytes).read_to_end(&mut Vec::new()).ok()?;
        let path = request.split(' ').nth(1)?;
        let answer = if request.contains("floodwall-health-probe") {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()
        } else {
            answer(path, shared)?
        };
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}

fn answer(path: &str, shared: &Shared) -> Option<String> {
    shared.change(|state| {
        *state.asked.entry(path.to_owned()).or_default() += 1;
        state.in_progress += 1;
        state.in_progress_max = state.in_progress_max.max(state.in_progress);
    });
    shared.wait("the gate opens", |state| !state.gate_closed || state.dead);
    let page = (shared.handler)(path);
    shared.change(|state| {
        state.in_progress -= 1;
        (!state.dead).then_some(())
    })?;
    Some(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: {}\r\nContent-Length: {}\r\n\r\n{}",
        page.cache_control,
        page.text.len(),
        page.text
    ))
}
