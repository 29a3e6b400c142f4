//! The pages the edge itself answers with: short, plain, accessible without style or script.
//!
//! Each says what happened, what to do, and gives a reference to quote. Of what the visitor sent they
//! repeat nothing but the address to ask again, escaped ([`target::SafeTarget`]). Every text is in
//! [`texts`], for every [`Language`].
//!
//! - [`refusals`]: what was wrong with a request, or with the origin.
//! - [`overload`]: what people meet while more want to reach an origin than it can carry: the choice
//!   between work and waiting, the waiting room, no room.

pub(crate) mod banner;
mod document;
mod language;
mod overload;
mod refusals;
mod script;
mod target;
mod texts;

pub(crate) use document::Addressee;
pub(crate) use language::Language;
pub(crate) use overload::{
    ASKS_FOR_PLACE, OverloadPage, PERSON_PATH, PlaceInLine, busy, choice, person_reported, place, waiting,
};
pub(crate) use refusals::{
    blocked, header_too_large, loop_detected, malformed_request, malformed_request_bytes, method_not_allowed,
    moved_to_https, not_cached, origin_failed, too_many_requests, undeclared_path, unknown_host,
};

#[cfg(test)]
mod tests;
