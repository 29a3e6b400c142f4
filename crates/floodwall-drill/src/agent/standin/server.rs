//! HTTP/1.1 as far as the drill's own clients speak it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::Post;
use crate::hosts::{Host, Network, OwnHost};
use crate::plan::Plan;
use crate::random::Seed;
use crate::scenario::shipped;

/// A request.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Asked {
    pub(in super::super) target: String,
    pub(in super::super) fields: BTreeMap<String, String>,
    pub(in super::super) cookies: BTreeMap<String, String>,
    pub(in super::super) client: Option<std::net::IpAddr>,
}

/// What it is answered with.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Answer {
    pub(in super::super) status: u16,
    pub(in super::super) fields: Vec<(&'static str, String)>,
    pub(in super::super) body: String,
}

impl Answer {
    pub(in super::super) fn page(body: &str) -> Self {
        Self { status: 200, fields: Vec::new(), body: body.to_owned() }
    }

    pub(in super::super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

/// Serves on a port of the edge's loopback address until the test is over.
pub(in super::super) async fn listen(answer: impl FnMut(Asked) -> Answer + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.77.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(Mutex::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, from)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut read = Vec::new();
                loop {
                    let mut bytes = [0; 4_096];
                    match stream.read(&mut bytes).await {
                        Ok(length @ 1..) => read.extend_from_slice(&bytes[..length]),
                        _ => return,
                    }
                    if !read.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    let mut asked = parsed(std::str::from_utf8(&read).unwrap());
                    asked.client = Some(from.ip());
                    read.clear();
                    let text = printed(&answer.lock().unwrap()(asked));
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn parsed(text: &str) -> Asked {
    let mut lines = text.lines();
    let target = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let fields: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let cookies = fields.get("cookie").map(String::as_str).unwrap_or_default().split("; ");
    let cookies = cookies.filter_map(|pair| pair.split_once('='));
    let cookies = cookies.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Asked { target, cookies, fields, client: None }
}

fn printed(answer: &Answer) -> String {
    let fields = answer.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let (status, fields, body) = (answer.status, fields.collect::<String>(), &answer.body);
    format!("HTTP/1.1 {status} Of Test\r\n{fields}content-length: {}\r\n\r\n{body}", body.len())
}

/// What an agent works with that is sent to that port.
pub(in super::super) fn post(host: Host, port: u16) -> Post {
    Post {
        own: OwnHost::confirm(Network::Loopback, host).unwrap(),
        port,
        tls: None,
        site: "www.vote.example".to_owned(),
        plan: Plan::new(&shipped("calm").unwrap(), Seed(1)),
    }
}
