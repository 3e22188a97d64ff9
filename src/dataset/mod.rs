//! Where samples come from: texts on disk or in the binary, as tokens. Knows nothing of what is asked
//! about them; `task` builds samples from it.

pub mod bank;
pub mod documents;
pub(crate) mod essay;
pub mod haystack;
pub mod longbench;
mod sentence;
pub mod texts;
