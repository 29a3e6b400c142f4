//! One answered request, as an access log keeps it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::{Protocol, ReferenceId, Timestamp};

/// What an access log says of one request. Texts come from the network: whoever writes them out
/// escapes them.
#[derive(Clone, Debug)]
pub struct AccessRecord {
    /// When the request's head had been read.
    pub received: Timestamp,
    /// The visitor's address.
    pub client: IpAddr,
    /// The site's name; `None` when no declared site was asked for.
    pub site: Option<Arc<str>>,
    /// Method as sent.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Host the visitor asked for.
    pub host: String,
    /// Protocol of the request.
    pub protocol: Protocol,
    /// Status of the answer.
    pub status: u16,
    /// Bytes of body sent.
    pub body_bytes: u64,
    /// From the head having been read until the last byte of the answer was handed over.
    pub duration: Duration,
    /// `Referer` as sent.
    pub referer: Option<String>,
    /// `User-Agent` as sent.
    pub user_agent: Option<String>,
    /// How the cache took part: `hit`, `stale`, `miss`, `bypass`; `None` where it was not asked.
    pub cache: Option<&'static str>,
    /// Reference ID of the request.
    pub reference: ReferenceId,
}
