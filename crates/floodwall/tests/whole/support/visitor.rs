//! A visitor's HTTP/1.1 connection, by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

pub(crate) struct Visitor {
    stream: BufReader<TcpStream>,
    host: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.header("cache-status").is_some_and(|status| status.contains("stale-if-error"))
    }
}

/// One request on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    Visitor::connect(address).get(path)
}

impl Visitor {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub(crate) fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), host: address.to_string() })
    }

    /// Asks for the host of [`super::Server::start`]'s site from now on.
    pub(crate) fn of_site(address: SocketAddr) -> Self {
        Self { host: "a.test".to_owned(), ..Self::connect(address) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    pub(crate) fn send_get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host).as_bytes());
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send_get(path);
        self.read_answer()
    }

    /// `None` when the server went away instead of answering whole.
    pub(crate) fn try_get(&mut self, path: &str) -> Option<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.get_mut().write_all(request.as_bytes()).ok()?;
        self.try_read_answer()
    }

    pub(crate) fn read_answer(&mut self) -> Answer {
        self.try_read_answer().unwrap_or_else(|| panic!("the connection was closed instead of an answer"))
    }

    pub(crate) fn try_read_answer(&mut self) -> Option<Answer> {
        let status = self.line()?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        answer.body = self.read_body(&answer)?;
        Some(answer)
    }

    fn read_body(&mut self, answer: &Answer) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).ok()?;
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).ok()?;
                if size == 0 {
                    return Some(body);
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        match answer.header("content-length") {
            Some(length) => {
                body.resize(length.parse().ok()?, 0);
                self.stream.read_exact(&mut body).ok()?;
            }
            None => {
                self.stream.read_to_end(&mut body).ok()?;
            }
        }
        Some(body)
    }

    /// A line without its end; `None` when the connection has ended.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        Some(line.trim_end().to_owned())
    }

    /// Whether the connection is closed without a further byte (waits for it).
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
