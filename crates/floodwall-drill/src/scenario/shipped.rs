//! The scenarios that come with the program.

use super::Scenario;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        /// Name and file of each, in the order in which they are run.
        pub const SHIPPED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),+];
    };
}

files![
    "calm",
    "crowd",
    "few-heavy",
    "many-light",
    "one-shot",
    "cache-bust",
    "pages",
    "pulse",
    "flood-with-cookies",
    "flood-that-solves",
    "shared-token",
    "bare-address",
    "slow-headers",
    "slow-body",
    "slow-read",
    "connections",
    "h2-rapid-reset",
    "h2-continuation",
    "h2-made-you-reset",
    "h2-header-bomb",
    "tls-handshakes",
    "syn-spoofed",
    "udp",
    "crowd-and-attack",
    "origin-down",
    "origin-slow",
    "origin-errors",
    "certificate-expired",
];

/// The shipped scenario of that name.
#[must_use]
pub fn shipped(name: &str) -> Option<Scenario> {
    let (name, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
    Scenario::read(name, text).ok()
}
