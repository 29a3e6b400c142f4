//! Entry points for fuzzing: each takes arbitrary bytes and panics when a promise is broken.

use std::time::Duration;

use floodwall_model::Timestamp;

use crate::secret::{Keyring, Secret};
use crate::token::{Binding, ClientFingerprint, SiteTag};

/// What visitors carry: a token, a ticket or a solved challenge. Nothing that was not signed with the
/// ring's key counts, whatever it looks like.
pub fn credential(data: &[u8]) {
    let now = Timestamp::new(Duration::from_secs(1), 1_667_916_000_000_000);
    let ring = Keyring::new(&Secret::new([42; 32]), now);
    // What a stranger's bytes claim may well fit; only the signature is beyond them.
    let binding = Binding { site: SiteTag(0), fingerprint: ClientFingerprint(0), generation: 0 };
    assert!(ring.verify_token(data, &binding, now).is_err(), "a forged token counts");
    assert!(ring.verify_ticket(data, &binding, now).is_err(), "a forged ticket counts");
    let lifetime = Duration::from_secs(1_800);
    assert!(ring.redeem_solution(data, &binding, lifetime, now).is_err(), "a forged solution counts");
    // And the same bytes as the JSON within.
    let json = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data);
    let redeemed = ring.redeem_solution(json.as_bytes(), &binding, lifetime, now);
    assert!(redeemed.is_err(), "a forged solution counts");
}
