//! Decisions of the edge: pure functions of facts, bounded state and a passed-in now
