//! How visitors introduce themselves: the fields that browsers of their kind send. What proves who a
//! crawler or a probe is (a signature over the request, say) belongs here as well, once edges ask for
//! it.

use http::request::Builder;

use crate::plan::Wanted;
use crate::scenario::VisitorKind;

/// What flooders call themselves who do not care what is thought of them.
pub(crate) const FLOODERS_USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36";

/// Adds the fields of a visitor of that kind, who wants that. Over TLS browsers say what a request is
/// for (Fetch Metadata); without, they do not.
pub(super) fn introduce(request: Builder, kind: VisitorKind, what: Wanted, is_over_tls: bool) -> Builder {
    let accept = match what {
        Wanted::Part => "*/*",
        Wanted::Page | Wanted::LookUp => "text/html,application/xhtml+xml,*/*;q=0.8",
    };
    let mut request = request
        .header("user-agent", user_agent(kind))
        .header("accept", accept)
        .header("accept-language", "en");
    if kind == VisitorKind::SlowPhone {
        // By which a slow device can be told.
        request = request.header("save-data", "on");
    }
    if !is_over_tls || !kind.is_person() {
        return request;
    }
    let (dest, mode) = match what {
        Wanted::Part => ("style", "no-cors"),
        Wanted::Page | Wanted::LookUp => ("document", "navigate"),
    };
    request
        .header("sec-fetch-dest", dest)
        .header("sec-fetch-mode", mode)
        .header("sec-fetch-site", "same-origin")
}

/// What they call themselves.
pub(crate) fn user_agent(kind: VisitorKind) -> &'static str {
    match kind {
        VisitorKind::Phone => {
            "Mozilla/5.0 (Linux; Android 14; Mobile) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
        }
        VisitorKind::SlowPhone => {
            "Mozilla/5.0 (Linux; Android 9; Tablet) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0 Safari/537.36"
        }
        VisitorKind::Office => {
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0"
        }
        VisitorKind::NoCookies => "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1",
        VisitorKind::Crawler => "Mozilla/5.0 (compatible; DrillCrawler/1.0)",
        VisitorKind::Monitor => "DrillMonitor/1.0",
        VisitorKind::Browser | VisitorKind::BrowserNoScript | VisitorKind::Ipv6 => {
            "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
        }
    }
}
