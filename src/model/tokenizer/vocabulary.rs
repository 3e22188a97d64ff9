//! What a folder's vocabulary comes to, in whichever of its files it stands.

use tokenizers::Tokenizer;

use super::prefix::Space;

/// A tokenizer as its own files have it, before tokens are added that others name.
pub(super) struct Vocabulary {
    pub tokenizer: Tokenizer,
    /// Of `tokenizer.json`, which is a definition by itself.
    pub bytes: Option<Vec<u8>>,
    /// The regular expressions that the file splits and normalises with.
    pub patterns: Vec<String>,
    pub space: Space,
    pub file: String,
}
