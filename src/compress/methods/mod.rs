//! The methods by name, one file each: what it is called, its settings with their published defaults, and how it is
//! made from the building blocks next door.

mod cam;
mod full;
mod h2o;
mod knorm;
mod parts;
mod pyramidkv;
mod random;
mod snapkv;
mod spindle;
mod streaming_llm;
mod tova;

use super::method::Method;
use super::settings::{MethodInfo, Settings};
use super::size::Size;

/// A method that can be asked for by name.
pub struct Entry {
    pub info: &'static MethodInfo,
    /// The method and how small it is to be. None: the full cache.
    make: fn(&Settings) -> anyhow::Result<Option<(Box<dyn Method>, Size)>>,
}

/// Every method, in the order that `spindle list` shows.
pub static METHODS: [Entry; 12] = [
    full::ENTRY,
    random::ENTRY,
    streaming_llm::ENTRY,
    knorm::ENTRY,
    tova::ENTRY,
    h2o::ENTRY,
    cam::ENTRY,
    snapkv::ENTRY,
    pyramidkv::ENTRY,
    spindle::SPINDLE,
    spindle::EVICT,
    spindle::CODE,
];

/// The descriptions of every method.
pub fn method_infos() -> Vec<&'static MethodInfo> {
    METHODS.iter().map(|entry| entry.info).collect()
}

/// Makes the method that `info` describes. None: the full cache.
pub fn make(
    info: &MethodInfo,
    settings: &Settings,
) -> anyhow::Result<Option<(Box<dyn Method>, Size)>> {
    let entry = METHODS.iter().find(|entry| entry.info.name == info.name);
    let entry = entry.ok_or_else(|| crate::bad_input!("method \"{}\" is not known", info.name))?;
    (entry.make)(settings)
}
