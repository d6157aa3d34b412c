//! What may differ between answers alone and in company, and tells nothing of anybody.

/// What is left out of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company {
    /// Names of members, wherever they stand, whose strings and numbers are positions in logs that all users share, or opaque handles.
    pub varies: Vec<String>,
    /// Codes by which the target says that it is too busy: service levels are not compared.
    pub overload: Vec<String>,
}
