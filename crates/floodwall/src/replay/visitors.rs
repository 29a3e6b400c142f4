//! What a log shows of each visitor: whether he loads the parts of pages, as browsers do, and which
//! proof he would have brought by now.
//!
//! Fixed memory: one place for each hash of address and user agent; whoever needs a place that is
//! taken gets it. So a flood from many addresses makes the table forget, in the visitors' disfavour,
//! and what is said of admission is a lower bound.

use floodwall_policy::{ProofKind, TokenId};

use super::event::{Asked, Event};

const PLACES: usize = 1 << 17;
/// A token's lifetime, and how long what was seen of a visitor counts.
const LIFETIME: i64 = 1_800 * 1_000_000;

#[derive(Clone, Copy, Debug, Default)]
struct Visitor {
    key: u64,
    seen_micros: i64,
    loads_parts: bool,
    token: Option<(ProofKind, i64)>,
}

/// Visitors by address and user agent.
pub(crate) struct Visitors {
    places: Box<[Visitor]>,
}

impl Visitors {
    pub(crate) fn new() -> Self {
        Self { places: vec![Visitor::default(); PLACES].into_boxed_slice() }
    }

    /// Notes a request.
    pub(crate) fn see(&mut self, event: &Event) {
        if event.asked == Asked::Part && event.referred {
            self.of(event).loads_parts = true;
        }
    }

    /// Whether this one was seen to load parts of pages.
    pub(crate) fn loads_parts(&mut self, event: &Event) -> bool {
        self.of(event).loads_parts
    }

    /// The proof he has.
    pub(crate) fn token(&mut self, event: &Event) -> Option<(TokenId, ProofKind)> {
        let now = event.unix_micros;
        let visitor = self.of(event);
        let (proof, _) = visitor.token.filter(|(_, issued)| now - issued < LIFETIME)?;
        Some((TokenId(visitor.key), proof))
    }

    /// He has brought a proof.
    pub(crate) fn give_token(&mut self, event: &Event, proof: ProofKind) {
        let now = event.unix_micros;
        self.of(event).token = Some((proof, now));
    }

    fn of(&mut self, event: &Event) -> &mut Visitor {
        let key = key(event);
        let place = usize::try_from(key % PLACES as u64).unwrap_or(0);
        // There is always a first place; the compiler does not know.
        let place = place.min(self.places.len() - 1);
        #[expect(clippy::indexing_slicing, reason = "below the length, by the line before")]
        let visitor = &mut self.places[place];
        if visitor.key != key || event.unix_micros - visitor.seen_micros > LIFETIME {
            *visitor = Visitor { key, ..Visitor::default() };
        }
        visitor.seen_micros = visitor.seen_micros.max(event.unix_micros);
        visitor
    }
}

fn key(event: &Event) -> u64 {
    let client = floodwall_model::Prefix::of_client(event.client).client_key();
    // A mix of both (the finaliser of MurmurHash3), never 0.
    let mut key = client.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ event.agent();
    key ^= key >> 33;
    key = key.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    key ^= key >> 33;
    key | 1
}
