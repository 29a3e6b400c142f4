//! The smallest HTTP/1.1 client that can check an answer: what is measured is looked at as well.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer bodies than this are none of ours.
const BODY_BYTES_MAX: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// One answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A field's value; the name in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// A keep-alive connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        // Ten thousand of these are open at once.
        Ok(Self { stream: BufReader::with_capacity(1024, stream) })
    }

    /// Sends requests as they are.
    pub(super) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads one answer with a `Content-Length`, or a chunked one.
    pub(super) fn receive(&mut self) -> std::io::Result<Answer> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| malformed("status line"))?;
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, fields, body: Vec::new() };
        if answer.field("transfer-encoding").is_some() {
            while self.chunk(&mut answer.body)? {}
        } else {
            let length = answer.field("content-length").and_then(|length| length.parse().ok());
            self.bytes(length.ok_or_else(|| malformed("length"))?, &mut answer.body)?;
        }
        Ok(answer)
    }

    fn chunk(&mut self, body: &mut Vec<u8>) -> std::io::Result<bool> {
        let line = self.line()?;
        let length = usize::from_str_radix(&line, 16).map_err(|_| malformed("chunk"))?;
        self.bytes(length, body)?;
        self.line()?;
        Ok(length > 0)
    }

    fn bytes(&mut self, length: usize, body: &mut Vec<u8>) -> std::io::Result<()> {
        if body.len().saturating_add(length) > BODY_BYTES_MAX {
            return Err(malformed("length"));
        }
        let start = body.len();
        body.resize(start + length, 0);
        self.stream.read_exact(body.get_mut(start..).unwrap_or_default())
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        let read = self.stream.by_ref().take(64 * 1024).read_line(&mut line)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

fn malformed(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, format!("the answer's {what} cannot be read"))
}

/// A GET request; `fields` are whole lines.
pub(super) fn request(host: &str, path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
}

/// One GET on a connection of its own.
pub(super) fn get(address: SocketAddr, host: &str, path: &str) -> Result<Answer, String> {
    let exchange = || {
        let mut client = Client::connect(address)?;
        client.send(request(host, path, "").as_bytes())?;
        client.receive()
    };
    exchange().map_err(|error: std::io::Error| format!("GET {path} at {address}: {error}"))
}
