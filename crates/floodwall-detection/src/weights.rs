//! What each ground weighs: numbers, not opinions.
//!
//! Written by `cargo xtask bench detection --fit` from 9631 moments of 1600 episodes, seeds below 1600
//! (docs/detection.md); signs are set by hand, sizes are fitted.

use floodwall_model::GroundKind;

/// Log-odds of an attack, a crowd and routine trouble when every ground says nothing.
pub(crate) const BASE: [f64; 3] = [-2.858, 0.314, 0.074];

/// What the sums are divided by.
pub(crate) const TEMPERATURE: f64 = 0.486;

/// Log-odds that a strength of 1 adds: for an attack, a crowd, routine trouble.
#[rustfmt::skip]
pub(crate) const WEIGHTS: [(GroundKind, [f64; 3]); 48] = [
    (GroundKind::RequestRise, [0.00, 4.83, -5.51]),
    (GroundKind::RiseTime, [0.00, 0.00, -3.57]),
    (GroundKind::AssetsPerPage, [-3.88, 5.07, -0.93]),
    (GroundKind::BrowserLike, [-1.95, 0.87, 0.67]),
    (GroundKind::BareVisits, [0.15, 0.00, -0.34]),
    (GroundKind::CameFromWithin, [2.61, -2.03, 0.00]),
    (GroundKind::GreedySources, [1.60, -4.41, 2.43]),
    (GroundKind::Returning, [-2.69, 2.50, 0.00]),
    (GroundKind::ThinkTime, [0.00, 0.00, 0.00]),
    (GroundKind::PageBreadth, [0.34, 0.00, 0.62]),
    (GroundKind::RequestsPerSource, [0.00, -1.09, 1.46]),
    (GroundKind::TopSource, [0.00, 0.00, 0.75]),
    (GroundKind::TopAgent, [1.08, -3.40, 1.77]),
    (GroundKind::AgentShift, [0.00, 0.00, -2.82]),
    (GroundKind::NewAgents, [0.00, 0.00, -0.30]),
    (GroundKind::TopPath, [0.00, 0.00, 0.00]),
    (GroundKind::PathShift, [0.00, -0.27, -0.42]),
    (GroundKind::QueryShare, [2.13, -2.09, -0.86]),
    (GroundKind::QueryNovelty, [2.39, -1.59, -1.81]),
    (GroundKind::NoReferrer, [0.66, -0.76, -0.23]),
    (GroundKind::NotFound, [1.21, -0.78, -0.07]),
    (GroundKind::OriginBound, [1.76, -0.93, -0.99]),
    (GroundKind::OtherMethods, [1.63, -1.93, -0.60]),
    (GroundKind::DeclaredBots, [-5.27, 0.00, 4.43]),
    (GroundKind::TopFingerprint, [0.00, 0.00, 0.31]),
    (GroundKind::FingerprintShift, [0.00, 0.00, -0.99]),
    (GroundKind::NewFingerprints, [3.40, -3.78, -1.62]),
    (GroundKind::Unsolved, [1.39, -0.66, 0.00]),
    (GroundKind::Announced, [0.00, 0.03, 0.00]),
    (GroundKind::HalfOpen, [5.96, -3.85, -3.48]),
    (GroundKind::OtherPackets, [4.88, -3.00, -2.66]),
    (GroundKind::SilentConnections, [4.83, -2.95, -3.08]),
    (GroundKind::HandshakeFailures, [1.80, -1.95, -0.17]),
    (GroundKind::SlowConnections, [2.85, -2.25, -1.14]),
    (GroundKind::StreamResets, [4.52, -2.98, -2.54]),
    (GroundKind::UnknownHosts, [2.14, -1.34, -1.04]),
    (GroundKind::Malformed, [0.00, 0.00, -0.00]),
    (GroundKind::OriginDown, [-0.68, -1.91, 1.79]),
    (GroundKind::OriginFailures, [-1.37, -4.65, 4.33]),
    (GroundKind::OriginLatency, [-0.94, -2.99, 2.93]),
    (GroundKind::RequestDrop, [-0.92, -3.83, 3.15]),
    (GroundKind::Certificate, [-2.10, -1.75, 2.93]),
    (GroundKind::Names, [-0.37, -1.08, 0.93]),
    (GroundKind::Unreachable, [-1.07, -1.88, 1.89]),
    (GroundKind::EdgeStrain, [-1.31, -1.74, 2.43]),
    (GroundKind::KnownRefused, [-0.81, -4.01, 3.70]),
    (GroundKind::RecentChange, [-0.89, -0.92, 0.97]),
    (GroundKind::OnePart, [-1.45, -2.56, 2.81]),
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
