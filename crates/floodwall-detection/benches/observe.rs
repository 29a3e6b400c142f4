//! What counting a request costs.
fn main() {}
