//! Readers who send or take too little, over real sockets: none keeps a place on the admin listener.
//! The clock is paused, so that it moves on only when everybody waits.

use floodwall_console::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::sample::{console, snapshot};

/// More connections than there are places send this and no more: others are answered all the same.
async fn check(sent: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, console(snapshot()).console, std::future::pending()));
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let mut reader = TcpStream::connect(address).await.unwrap();
    reader.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    reader.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "after {sent:?}: {answer}");
    drop(slow);
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn silent_connections_give_their_places_up() {
    check("").await;
}

#[tokio::test(start_paused = true)]
async fn unfinished_headers_give_their_places_up() {
    check("GET / HTTP/1.1\r\nHost: localhost\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn idle_connections_give_their_places_up() {
    check("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn bodies_that_never_come_give_their_places_up() {
    check("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n").await;
}
