//! Who may see what: canaries, scanner, checkers, verdicts, and violations with their evidence.

pub mod canary;
pub mod scan;
