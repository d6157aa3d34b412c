//! Who may see what: canaries, scanner, checkers, verdicts, and violations with their evidence.
