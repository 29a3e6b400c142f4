//! What each ground weighs: numbers, not opinions.
//!
//! Written by `cargo xtask bench detection --fit` from 4765 moments of the 800 episodes of the
//! training half (docs/detection.md); signs are set by hand, sizes are fitted.

use floodwall_model::GroundKind;

/// Log-odds of an attack, a crowd and routine trouble when every ground says nothing.
pub(crate) const BASE: [f64; 3] = [-2.736, 0.834, -0.184];

/// What the sums are divided by.
pub(crate) const TEMPERATURE: f64 = 0.511;

/// Log-odds that a strength of 1 adds: for an attack, a crowd, routine trouble.
#[rustfmt::skip]
pub(crate) const WEIGHTS: [(GroundKind, [f64; 3]); 48] = [
    (GroundKind::RequestRise, [0.00, 4.01, -5.66]),
    (GroundKind::RiseTime, [0.00, 0.00, -3.26]),
    (GroundKind::AssetsPerPage, [-5.21, 5.92, -1.63]),
    (GroundKind::BrowserLike, [-1.90, 1.36, 0.91]),
    (GroundKind::BareVisits, [0.00, 0.00, 0.00]),
    (GroundKind::CameFromWithin, [0.00, 0.00, 0.00]),
    (GroundKind::GreedySources, [0.00, 0.00, 0.00]),
    (GroundKind::Returning, [-3.27, 3.48, 0.00]),
    (GroundKind::ThinkTime, [0.00, 0.00, 0.00]),
    (GroundKind::PageBreadth, [-0.74, 0.00, 0.05]),
    (GroundKind::RequestsPerSource, [0.00, -1.87, 1.78]),
    (GroundKind::TopSource, [0.00, 0.00, 1.49]),
    (GroundKind::TopAgent, [0.98, -3.01, 2.33]),
    (GroundKind::AgentShift, [0.00, 0.00, -2.73]),
    (GroundKind::NewAgents, [0.00, 0.00, 0.00]),
    (GroundKind::TopPath, [0.00, 0.00, 0.00]),
    (GroundKind::PathShift, [0.00, 0.00, -0.47]),
    (GroundKind::QueryShare, [1.94, -2.33, -1.04]),
    (GroundKind::QueryNovelty, [3.11, -2.30, -1.95]),
    (GroundKind::NoReferrer, [0.76, -1.30, 0.00]),
    (GroundKind::NotFound, [1.77, -1.04, -0.18]),
    (GroundKind::OriginBound, [2.48, -1.90, -1.50]),
    (GroundKind::OtherMethods, [2.01, -1.13, -0.68]),
    (GroundKind::DeclaredBots, [-5.18, 0.00, 5.04]),
    (GroundKind::TopFingerprint, [0.00, -1.13, 0.36]),
    (GroundKind::FingerprintShift, [1.69, -1.36, -0.99]),
    (GroundKind::NewFingerprints, [0.00, 0.00, 0.00]),
    (GroundKind::Unsolved, [1.48, -1.50, 0.00]),
    (GroundKind::Announced, [-0.09, 0.16, 0.00]),
    (GroundKind::HalfOpen, [5.53, -3.89, -3.33]),
    (GroundKind::OtherPackets, [6.56, -4.24, -3.29]),
    (GroundKind::SilentConnections, [4.90, -3.26, -3.08]),
    (GroundKind::HandshakeFailures, [1.88, -2.11, -0.19]),
    (GroundKind::SlowConnections, [2.45, -2.22, -0.90]),
    (GroundKind::StreamResets, [4.50, -3.28, -2.35]),
    (GroundKind::UnknownHosts, [1.87, -1.25, -0.84]),
    (GroundKind::Malformed, [0.00, 0.00, -0.01]),
    (GroundKind::OriginDown, [-0.64, -2.01, 1.89]),
    (GroundKind::OriginFailures, [-1.47, -5.14, 4.54]),
    (GroundKind::OriginLatency, [-0.80, -3.31, 2.87]),
    (GroundKind::RequestDrop, [-0.61, -3.84, 2.85]),
    (GroundKind::Certificate, [-2.07, -1.65, 3.01]),
    (GroundKind::Names, [-0.43, -1.38, 1.14]),
    (GroundKind::Unreachable, [-1.13, -1.82, 1.77]),
    (GroundKind::EdgeStrain, [-1.28, -1.93, 2.42]),
    (GroundKind::KnownRefused, [-0.91, -4.66, 3.98]),
    (GroundKind::RecentChange, [-0.99, -1.72, 1.64]),
    (GroundKind::OnePart, [-1.84, -2.45, 2.85]),
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
