//! Reading a connection's first bytes, before it is known what they are.

use std::io;

use bytes::BytesMut;
use tokio::net::TcpStream;

use crate::worker::Worker;

/// Waits for more and puts it behind what `input` holds, which gets as much memory as it needs; 0 is the
/// end of the stream.
pub(super) async fn read_more(
    worker: &Worker,
    stream: &TcpStream,
    input: &mut BytesMut,
) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        let mut scratch = worker.scratch.borrow_mut();
        match stream.try_read(&mut scratch) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(read) => {
                input.extend_from_slice(scratch.get(..read).unwrap_or_default());
                return Ok(read);
            }
        }
    }
}
