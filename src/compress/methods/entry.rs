//! An entry of the list of methods: name, description and constructor.

use crate::compress::method::{Method, Pruning};
use crate::compress::settings::{MethodInfo, Settings};
use crate::compress::size::Size;

/// A method that can be asked for by name.
pub struct Entry {
    /// Name, summary, source and settings, as `spindle list` shows them.
    pub info: &'static MethodInfo,
    pub(super) make: fn(&Settings) -> anyhow::Result<Made>,
}

/// What making a method gives: how it compresses, and its size.
pub enum Made {
    /// Nothing: the full cache.
    Full,
    /// Compresses the dense prefill that all cells share.
    Compress(Box<dyn Method>, Size),
    /// Prunes in a prefill of its own.
    Prune(Box<dyn Pruning>, Size),
}
