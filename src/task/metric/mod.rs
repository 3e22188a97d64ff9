//! What an answer is worth: functions of what was expected and what was written, from 0 to 1.

pub mod overlap;
pub mod recall;
pub mod rouge1;
pub mod string_match;
