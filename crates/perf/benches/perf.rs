//! What the clock costs: a duration recorded, and fairness over many users.
fn main() {}
