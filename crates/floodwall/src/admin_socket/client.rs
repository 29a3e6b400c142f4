//! Asking the running server by its socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::FILE;

/// The whole conversation takes no longer.
const TIME_MAX: Duration = Duration::from_secs(10);
/// The largest answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("no server is running with the state directory {}", .0.display())]
    NotRunning(PathBuf),
    #[error("{} may not be opened by this user; run the command as root or as the user Floodwall runs as", .0.display())]
    NotAllowed(PathBuf),
    #[error("the running server did not answer by {}: {why}", path.display())]
    Failed { path: PathBuf, why: String },
    #[error("the running server refused the question: {0}")]
    Refused(String),
}

/// Asks `GET` of a path and query; the answer's JSON.
pub(crate) fn get(directory: &Path, path_and_query: &str) -> Result<String, AskError> {
    ask(directory, Method::GET, path_and_query, &[])
}

/// Asks `POST` of a path, with these fields; the answer's JSON.
pub(crate) fn post(directory: &Path, path: &str, fields: &[(&str, &str)]) -> Result<String, AskError> {
    ask(directory, Method::POST, path, fields)
}

fn ask(
    directory: &Path,
    method: Method,
    path_and_query: &str,
    fields: &[(&str, &str)],
) -> Result<String, AskError> {
    let path = directory.join(FILE);
    let failed = |why: String| AskError::Failed { path: path.clone(), why };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    runtime.block_on(async {
        let conversation = tokio::time::timeout(TIME_MAX, converse(&path, method, path_and_query, fields));
        conversation.await.map_err(|_| failed("it took longer than 10 s".to_owned()))?
    })
}

async fn converse(
    path: &Path,
    method: Method,
    path_and_query: &str,
    fields: &[(&str, &str)],
) -> Result<String, AskError> {
    let failed =
        |why: &dyn std::fmt::Display| AskError::Failed { path: path.to_owned(), why: why.to_string() };
    let stream = UnixStream::connect(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            AskError::NotRunning(path.parent().unwrap_or(path).to_owned())
        }
        io::ErrorKind::PermissionDenied => AskError::NotAllowed(path.to_owned()),
        _ => failed(&error),
    })?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let connection = tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path_and_query).header(header::HOST, "floodwall");
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| failed(&error))?;
    let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = response.status();
    #[expect(clippy::disallowed_methods, reason = "it is limited")]
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| failed(&error))?.to_bytes();
    drop(sender);
    // Its end tells nothing more.
    let _ended = connection.await;
    let text = String::from_utf8_lossy(&body).into_owned();
    if status == StatusCode::OK {
        return Ok(text);
    }
    let said = serde_json::from_str::<serde_json::Value>(&text).ok();
    let said = said.as_ref().and_then(|said| said.get("error")).and_then(serde_json::Value::as_str);
    Err(AskError::Refused(said.unwrap_or(status.as_str()).to_owned()))
}
