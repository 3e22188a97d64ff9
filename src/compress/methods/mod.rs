//! The methods by name, one file each: what it is called, its settings with their published defaults, and how it is
//! made from the building blocks next door.

mod cam;
mod full;
mod h2o;
mod knorm;
mod parts;
mod pyramidinfer;
mod pyramidkv;
mod random;
mod snapkv;
mod spindle;
mod streaming_llm;
mod tova;

use super::method::{Method, Pruning};
use super::settings::{MethodInfo, Settings};
use super::size::Size;

/// A method that can be asked for by name.
pub struct Entry {
    pub info: &'static MethodInfo,
    make: fn(&Settings) -> anyhow::Result<Made>,
}

/// What a method does to a prompt's cache, and how small it is to be.
pub enum Made {
    /// Nothing: the full cache.
    Full,
    /// Compresses the dense prefill that all cells share.
    Compress(Box<dyn Method>, Size),
    /// Prunes in a prefill of its own.
    Prune(Box<dyn Pruning>, Size),
}

/// Every method, in the order that `spindle list` shows.
pub static METHODS: [Entry; 13] = [
    full::ENTRY,
    random::ENTRY,
    streaming_llm::ENTRY,
    knorm::ENTRY,
    tova::ENTRY,
    h2o::ENTRY,
    cam::ENTRY,
    snapkv::ENTRY,
    pyramidkv::ENTRY,
    pyramidinfer::ENTRY,
    spindle::SPINDLE,
    spindle::EVICT,
    spindle::CODE,
];

/// The descriptions of every method.
pub fn method_infos() -> Vec<&'static MethodInfo> {
    METHODS.iter().map(|entry| entry.info).collect()
}

/// Makes the method that `info` describes.
pub fn make(info: &MethodInfo, settings: &Settings) -> anyhow::Result<Made> {
    let entry = METHODS.iter().find(|entry| entry.info.name == info.name);
    let entry = entry.ok_or_else(|| crate::bad_input!("method \"{}\" is not known", info.name))?;
    (entry.make)(settings)
}
