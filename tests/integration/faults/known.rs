//! Cases that fail today.

/// Cases that fail today, each with the reason. A case that is listed and passes fails the suite.
pub const KNOWN: &[(&str, &str)] = &[];
