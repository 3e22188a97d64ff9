//! Tasks of one's own: a TOML file says how the records of a JSONL file beside it become prompts, and what an answer is
//! scored by. From there on they are LongBench's: the middle of a prompt that is too long is cut out, and the
//! likelihood is that of the first answer.

mod fields;
mod file;
mod record;
mod spec;

pub use fields::Fields;
pub use file::TaskFile;
pub(super) use spec::KIND;

/// The kind's name.
pub const NAME: &str = "custom";
