//! What the edge says of its own admission while it is drilled: every series whose name begins with
//! `floodwall_admission_`, read from its page of metrics once a second. Of each the highest value is
//! kept: counters only grow, and of a gauge (the ladder's rung) the peak is what people ask for.
//!
//! It runs on the edge's host, where that page is served to this host alone, and connects to nothing
//! else. Where there is no such page, or nothing of that name on it, it says nothing.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::{AgentError, take_orders};
use crate::hosts::{Host, Network};

/// How they begin, which is left out.
const PREFIX: &str = "floodwall_admission_";
/// How often they are read.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest page that is read, and the most series that are kept.
const PAGE_BYTES_MAX: u64 = 4 << 20;
const SERIES_MAX: usize = 200;

/// Series by name, with labels, and their highest values.
pub type Counters = BTreeMap<String, f64>;

/// Reads until standard input says that the drill is over, then prints what there was.
///
/// # Errors
/// The orders are not for this agent.
pub fn run() -> Result<(), AgentError> {
    let (orders, own) = take_orders(Host::Edge)?;
    let page = match own.network() {
        Network::Namespaces => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Network::Loopback => own.network().address(Host::Edge, false, 0).socket().ip(),
    };
    let page = SocketAddr::new(page, orders.port);
    let (over, told) = sync_channel::<()>(1);
    super::ready();
    std::thread::spawn(move || {
        // Its end, or any word.
        let _ = super::line();
        let _ = over.try_send(());
    });
    let mut counters = Counters::new();
    loop {
        let ended = !matches!(told.recv_timeout(INTERVAL), Err(RecvTimeoutError::Timeout));
        if let Ok(text) = fetch(page) {
            take_in(&mut counters, &text);
        }
        if ended {
            return super::tell_result(&counters);
        }
    }
}

fn fetch(page: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&page, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.take(PAGE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Takes in what stands in a page in the text format of Prometheus or OpenMetrics.
fn take_in(counters: &mut Counters, text: &str) {
    for line in text.lines().filter_map(|line| line.strip_prefix(PREFIX)) {
        // A label's value may hold spaces; what follows the series holds none.
        let split = line.rfind('}').map_or_else(|| line.find(' '), |end| Some(end + 1));
        let Some((series, value)) = split.and_then(|at| line.split_at_checked(at)) else { continue };
        let value = value.split_ascii_whitespace().next().and_then(|value| value.parse::<f64>().ok());
        let Some(value) = value.filter(|value| value.is_finite()) else { continue };
        if counters.len() < SERIES_MAX || counters.contains_key(series) {
            let kept = counters.entry(series.to_owned()).or_insert(value);
            *kept = kept.max(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_highest_of_each_series_is_kept() {
        let mut counters = Counters::new();
        for text in [
            "# TYPE floodwall_admission_rung gauge\nfloodwall_admission_rung{site=\"a b\",class=\"}\"} 3\n\
             floodwall_requests_total 5\nfloodwall_admission_admitted_total 10 1668\n",
            "floodwall_admission_rung{site=\"a b\",class=\"}\"} 1\nfloodwall_admission_admitted_total 12\n\
             floodwall_admission_odd nan\nfloodwall_admission_\nfloodwall_admission_x{ 1\n",
        ] {
            take_in(&mut counters, text);
        }
        let expected = [("rung{site=\"a b\",class=\"}\"}", 3.0), ("admitted_total", 12.0), ("x{", 1.0)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(counters, Counters::from(expected));
    }

    #[test]
    fn a_page_is_fetched_and_its_absence_is_no_fault() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let page = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfloodwall_admission_rung 2\n").unwrap();
            asked
        });
        let text = fetch(page).unwrap();
        assert!(server.join().unwrap().starts_with(b"GET /metrics HTTP/1.1\r\nHost: "));
        assert!(text.ends_with("rung 2\n"), "{text}");
        assert!(fetch(page).is_err());
    }
}
