//! The queries that are inspected.

/// Number of last tokens of the prompt whose queries are inspected: the observation window of SpindleKV and PyramidKV.
pub(crate) const WINDOW: usize = 8;
