//! spindle-mini: seven tasks in the manner of LongBench that need no data but the project's own passages.
//!
//! Records in LongBench's schema are composed of the passages by seed, at lengths in the model's own tokens, and then
//! are read and scored as LongBench's are. Several records share a context where the task allows, so that a run
//! processes it once. Templates, metrics and lengths of answers stand in `datasets/mini/tasks`.

mod ask;
mod chance;
mod compose;
mod kind;
mod spec;

pub use compose::Composer;
pub use kind::{KINDS, MiniKind};
pub use spec::{MiniSettings, kinds};
