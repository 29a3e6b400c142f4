//! Sketches: summaries of unboundedly many values in fixed memory.
//!
//! | Sketch | Answers | Source |
//! |---|---|---|
//! | [`Distinct`] | how many different values | Flajolet et al. 2007 (HyperLogLog); Ertl 2017 for the estimate |
//! | [`Ballots`] | how values are spread, and which are the most frequent | Tang, Huang, Lee 2019 (MV-Sketch), one row |
//! | [`SourceSample`] | what single sources do | Gibbons 2001 (distinct sampling); Flajolet 1990 (adaptive sampling) |
//!
//! All take a keyed hash, so that nobody outside can choose values that collide; all can be merged.

mod ballots;
mod distinct;
mod marks;
mod sample;

pub(crate) use ballots::{Ballots, Filled, Spread};
pub(crate) use distinct::Distinct;
pub(crate) use marks::Marks;
pub use sample::SampledSource;
pub(crate) use sample::{SAMPLED_MAX, SourceSample};
