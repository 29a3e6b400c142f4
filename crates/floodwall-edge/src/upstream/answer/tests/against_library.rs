//! Beside the HTTP library's own client: what is read here without a fault, it reads to the same.

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::properties::{pieces, whole};
use super::*;

/// The status and body that the library reads completely from `stream`.
async fn by_library(stream: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (mut sender, connection) =
        http1::Builder::new().max_headers(256).handshake(TokioIo::new(ours)).await.ok()?;
    let asking = async {
        let request = http::Request::new(Empty::<Bytes>::new());
        let mut answer = sender.send_request(request).await.ok()?;
        let mut body = Vec::new();
        while let Some(frame) = answer.body_mut().frame().await {
            body.extend_from_slice(frame.ok()?.data_ref().map_or(&[][..], |data| data));
        }
        Some((answer.status().as_u16(), body))
    };
    let origin = async {
        // An answer before its question is none: the request must have come.
        let _ = tokio::io::AsyncReadExt::read(&mut theirs, &mut [0; 512]).await;
        let _ = theirs.write_all(stream).await;
        let _ = theirs.shutdown().await;
        theirs
    };
    let (answer, _, _) = tokio::join!(asking, origin, connection);
    answer
}

/// Whether it was read whole here, and the same there.
fn compare(stream: &[u8]) -> bool {
    let ours = get(stream);
    let Some((status, _, _)) = ours.head.filter(|_| ours.whole) else { return false };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let theirs = runtime.block_on(by_library(stream));
    assert_eq!(theirs, Some((status.as_u16(), ours.body)), "{}", stream.escape_ascii());
    true
}

proptest! {
    #[test]
    fn whole_answers_are_read_the_same(stream in whole()) {
        prop_assert!(compare(&stream));
    }

    #[test]
    fn what_is_let_pass_of_odd_ones_is_read_the_same(stream in pieces()) {
        compare(&stream);
    }
}
