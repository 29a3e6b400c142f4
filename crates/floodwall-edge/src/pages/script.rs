//! The script of the pages, and the policy under which it and nothing else may run.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// The script as it is sent: without comments, indentation and empty lines.
pub(super) static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("page.js").lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.fold(String::new(), |script, line| script + line + "\n")
});

/// One script, by its hash; its worker, made of a blob; asking this site; sending a form to it.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |text: &str| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        STANDARD.encode(digest)
    };
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; worker-src blob:; child-src blob:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'",
        hash(&SCRIPT),
        hash(super::document::STYLE),
    );
    // What it is made of is ASCII; were it not, nothing would be allowed.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});
