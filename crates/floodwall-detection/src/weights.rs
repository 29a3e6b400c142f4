//! What each ground weighs: numbers, not opinions.
//!
//! First set by hand; to be replaced by what `cargo xtask bench detection --fit` finds.

use floodwall_model::GroundKind;

/// Log-odds of an attack, a crowd and routine trouble when every ground says nothing.
pub(crate) const BASE: [f64; 3] = [-1.0, -0.5, -1.0];

/// What the sums are divided by.
pub(crate) const TEMPERATURE: f64 = 1.0;

/// Log-odds that a strength of 1 adds: for an attack, a crowd, routine trouble.
#[rustfmt::skip]
pub(crate) const WEIGHTS: [(GroundKind, [f64; 3]); 43] = [
    (GroundKind::RequestRise, [1.50, 3.00, -4.00]),
    (GroundKind::RiseTime, [2.00, -1.00, 0.00]),
    (GroundKind::AssetsPerPage, [-3.00, 3.00, 0.00]),
    (GroundKind::BrowserLike, [-4.00, 4.00, 0.00]),
    (GroundKind::Returning, [-2.00, 1.50, 0.00]),
    (GroundKind::ThinkTime, [-1.00, 1.00, 0.00]),
    (GroundKind::PageBreadth, [-0.50, 0.50, 0.00]),
    (GroundKind::RequestsPerSource, [2.00, -1.50, 0.00]),
    (GroundKind::TopSource, [2.00, -2.00, 1.00]),
    (GroundKind::TopAgent, [2.00, -2.00, 0.00]),
    (GroundKind::AgentShift, [3.00, -3.00, 0.00]),
    (GroundKind::TopPath, [1.00, -0.50, 0.00]),
    (GroundKind::PathShift, [1.00, -1.00, 0.00]),
    (GroundKind::QueryShare, [1.00, -1.00, 0.00]),
    (GroundKind::QueryNovelty, [2.00, -1.50, 0.00]),
    (GroundKind::NoReferrer, [2.00, -2.00, 0.00]),
    (GroundKind::NotFound, [2.00, -2.00, 1.00]),
    (GroundKind::OriginBound, [1.00, -1.00, 0.00]),
    (GroundKind::OtherMethods, [2.00, -1.00, 0.00]),
    (GroundKind::DeclaredBots, [-2.00, -3.00, 5.00]),
    (GroundKind::TopFingerprint, [2.00, -2.00, 0.00]),
    (GroundKind::FingerprintShift, [3.00, -3.00, 0.00]),
    (GroundKind::Unsolved, [2.00, -2.00, 0.00]),
    (GroundKind::Announced, [-1.50, 2.50, -1.00]),
    (GroundKind::HalfOpen, [8.00, -2.00, -2.00]),
    (GroundKind::OtherPackets, [8.00, -2.00, -2.00]),
    (GroundKind::SilentConnections, [4.00, -2.00, -1.00]),
    (GroundKind::HandshakeFailures, [4.00, -2.00, 0.00]),
    (GroundKind::SlowConnections, [5.00, -2.00, -1.00]),
    (GroundKind::StreamResets, [6.00, -2.00, -1.00]),
    (GroundKind::UnknownHosts, [5.00, -2.00, -1.00]),
    (GroundKind::Malformed, [4.00, -2.00, -1.00]),
    (GroundKind::OriginDown, [-2.00, -1.00, 5.00]),
    (GroundKind::OriginFailures, [-1.00, -1.00, 5.00]),
    (GroundKind::OriginLatency, [-1.00, -0.50, 4.00]),
    (GroundKind::RequestDrop, [-2.00, -2.00, 4.00]),
    (GroundKind::Certificate, [-5.00, -1.00, 6.00]),
    (GroundKind::Names, [-1.00, -1.00, 6.00]),
    (GroundKind::Unreachable, [0.00, 0.00, 2.00]),
    (GroundKind::EdgeStrain, [0.00, 0.00, 4.00]),
    (GroundKind::KnownRefused, [-1.00, -1.00, 5.00]),
    (GroundKind::RecentChange, [-0.50, -0.50, 2.00]),
    (GroundKind::OnePart, [-0.50, -1.00, 3.00]),
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
