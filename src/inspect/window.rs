//! Which queries are looked at.

/// Last tokens of the prompt whose queries are looked at: the observation window of SpindleKV and PyramidKV.
pub(crate) const WINDOW: usize = 8;
