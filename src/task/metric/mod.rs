//! What an answer is worth: functions of what was expected and what was written, from 0 to 1.
//!
//! [`recall`] is the needle's, [`overlap`] and [`rouge1`] the published needle tests', [`string_match`] RULER's. The
//! others are LongBench's, as its own `LongBench/metrics.py` computes them with `rouge` 1.0.1, `fuzzywuzzy` 0.18.0 (on
//! Python's `difflib`, without `python-Levenshtein`) and `jieba` 0.42.1, quirks included; `tests/library/metrics.rs`
//! compares them with those packages.

pub mod classification;
pub mod code_sim;
pub mod count;
pub mod overlap;
mod python;
pub mod qa_f1;
pub mod qa_f1_zh;
pub mod recall;
pub mod retrieval;
pub mod retrieval_zh;
pub mod rouge;
pub mod rouge1;
pub mod rouge_zh;
pub mod segment;
pub mod sequence_matcher;
pub mod string_match;

use serde::{Deserialize, Serialize};

/// Whether a metric whose official code has a bug keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rules {
    /// To the letter: scores that can be compared with published ones.
    #[default]
    Official,
    /// As was meant: `classification` skips no class name, ROUGE has no depth at which it gives 0, `code_sim` passes
    /// over blank lines.
    Fixed,
}
