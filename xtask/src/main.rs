//! The Crosstalk commands.

fn main() {}
