//! An origin that sends exactly the bytes a test decides on, HTTP or not.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Its threads end with their connections, and the one that listens with the test's process.
pub struct RawOrigin {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    probes: Arc<AtomicUsize>,
}

impl RawOrigin {
    /// `answer` gets the request line and a connection to write to; false closes it.
    pub fn start(answer: impl Fn(&str, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let kept = heads.clone();
        let probes = Arc::new(AtomicUsize::new(0));
        let counted = probes.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, counted, answer) = (kept.clone(), counted.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &kept, &counted, &*answer));
            }
        });
        Self { address, heads, probes }
    }

    /// How many of the edge's own probes were answered.
    pub fn probes(&self) -> usize {
        self.probes.load(Ordering::SeqCst)
    }

    /// The heads of all requests so far, the edge's own probes left out.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    heads: &Mutex<Vec<String>>,
    probes: &AtomicUsize,
    answer: &dyn Fn(&str, &mut TcpStream) -> bool,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        if head.contains("floodwall-health-probe") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            probes.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        heads.lock().unwrap().push(head.clone());
        if !answer(head.lines().next().unwrap_or_default(), &mut stream) {
            return;
        }
    }
}

/// Answers every request with the same bytes.
pub fn always(bytes: &'static [u8]) -> RawOrigin {
    RawOrigin::start(move |_, stream| stream.write_all(bytes).is_ok())
}
