//! What each ground weighs: numbers, not opinions.
//!
//! Written by `cargo xtask bench detection --fit` from 2694 moments of the 450 episodes of the
//! training half (docs/detection.md); signs are set by hand, sizes are fitted.

use floodwall_model::GroundKind;

/// Log-odds of an attack, a crowd and routine trouble when every ground says nothing.
pub(crate) const BASE: [f64; 3] = [-2.718, 1.058, -0.227];

/// What the sums are divided by.
pub(crate) const TEMPERATURE: f64 = 0.511;

/// Log-odds that a strength of 1 adds: for an attack, a crowd, routine trouble.
#[rustfmt::skip]
pub(crate) const WEIGHTS: [(GroundKind, [f64; 3]); 43] = [
    (GroundKind::RequestRise, [0.00, 3.57, -5.49]),
    (GroundKind::RiseTime, [0.00, 0.00, -3.72]),
    (GroundKind::AssetsPerPage, [-5.33, 6.35, -1.54]),
    (GroundKind::BrowserLike, [-1.63, 1.02, 0.85]),
    (GroundKind::Returning, [-3.84, 3.88, 0.00]),
    (GroundKind::ThinkTime, [0.00, 0.00, 0.00]),
    (GroundKind::PageBreadth, [-0.92, 0.00, 0.00]),
    (GroundKind::RequestsPerSource, [0.00, -1.79, 1.74]),
    (GroundKind::TopSource, [0.00, 0.00, 1.64]),
    (GroundKind::TopAgent, [1.90, -3.41, 2.03]),
    (GroundKind::AgentShift, [0.00, 0.00, -2.42]),
    (GroundKind::TopPath, [0.00, 0.00, 0.00]),
    (GroundKind::PathShift, [0.23, 0.00, -0.35]),
    (GroundKind::QueryShare, [1.50, -1.96, -1.12]),
    (GroundKind::QueryNovelty, [2.88, -2.35, -1.83]),
    (GroundKind::NoReferrer, [0.71, -1.68, 0.00]),
    (GroundKind::NotFound, [1.62, -1.03, -0.00]),
    (GroundKind::OriginBound, [1.94, -0.89, -1.36]),
    (GroundKind::OtherMethods, [1.60, -0.78, -0.51]),
    (GroundKind::DeclaredBots, [-5.86, 0.00, 5.27]),
    (GroundKind::TopFingerprint, [0.00, -0.69, 0.54]),
    (GroundKind::FingerprintShift, [0.77, -0.73, -0.89]),
    (GroundKind::Unsolved, [1.25, -0.85, 0.00]),
    (GroundKind::Announced, [-0.30, 0.00, 0.00]),
    (GroundKind::HalfOpen, [5.37, -4.02, -2.97]),
    (GroundKind::OtherPackets, [6.95, -4.60, -3.58]),
    (GroundKind::SilentConnections, [5.28, -3.55, -3.29]),
    (GroundKind::HandshakeFailures, [1.80, -2.28, -0.17]),
    (GroundKind::SlowConnections, [2.47, -2.41, -0.86]),
    (GroundKind::StreamResets, [5.02, -3.73, -2.57]),
    (GroundKind::UnknownHosts, [1.61, -1.20, -0.79]),
    (GroundKind::Malformed, [0.00, 0.00, -0.00]),
    (GroundKind::OriginDown, [-0.59, -2.11, 1.73]),
    (GroundKind::OriginFailures, [-1.43, -4.78, 4.17]),
    (GroundKind::OriginLatency, [-0.80, -3.92, 3.30]),
    (GroundKind::RequestDrop, [-0.36, -4.05, 2.68]),
    (GroundKind::Certificate, [-2.10, -1.84, 3.22]),
    (GroundKind::Names, [-0.47, -1.57, 1.28]),
    (GroundKind::Unreachable, [-1.15, -1.85, 1.76]),
    (GroundKind::EdgeStrain, [-1.04, -1.47, 2.00]),
    (GroundKind::KnownRefused, [-0.94, -5.00, 4.25]),
    (GroundKind::RecentChange, [-1.36, -1.68, 1.98]),
    (GroundKind::OnePart, [-1.14, -3.17, 2.97]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_in_the_order_of_the_grounds() {
        let kinds: Vec<_> = WEIGHTS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, GroundKind::ALL);
    }
}
