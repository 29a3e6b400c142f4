//! The scripts of the pages, and the policy under which each, and nothing else, may run.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::document::STYLE;

/// Finds the number that solves a challenge.
pub(super) const SOLVER: &str = include_str!("solver.js");

/// A script as it is sent.
pub(super) struct Script {
    pub(super) code: String,
    /// For the answer with it.
    pub(super) policy: HeaderValue,
}

/// Asks for the place in line.
pub(super) static LINE: LazyLock<Script> = LazyLock::new(|| Script::new(&[include_str!("line.js")]));

/// The same, and works.
pub(super) static WORK: LazyLock<Script> =
    LazyLock::new(|| Script::new(&[include_str!("line.js"), SOLVER, include_str!("work.js")]));

impl Script {
    /// Without comments, indentation and empty lines; no string in it has any of them.
    fn new(sources: &[&str]) -> Self {
        let lines = sources.iter().flat_map(|source| source.lines()).map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
        let code = lines.fold("(function () {\n'use strict';\n".to_owned(), |code, line| code + line + "\n");
        let code = code + "})();\n";
        // This script and style by their hashes; its worker, made of a blob (`child-src` is for browsers
        // that do not know `worker-src`); asking this site, and sending a form to it.
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; worker-src blob:; \
             child-src blob:; connect-src 'self'; form-action 'self'; base-uri 'none'",
            hash(&code),
            hash(STYLE),
        );
        // It is ASCII; were it not, nothing would be allowed.
        let policy = HeaderValue::from_str(&policy);
        Self { code, policy: policy.unwrap_or(HeaderValue::from_static("default-src 'none'")) }
    }
}

fn hash(text: &str) -> String {
    STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}
