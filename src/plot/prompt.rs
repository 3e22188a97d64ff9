//! What the figures of one prompt share.

use crate::inspect::Inspection;

/// The line below the title of every figure of a prompt.
pub(super) fn subtitle(facts: &Inspection) -> String {
    const CHARACTERS: usize = 110;
    let Inspection {
        model,
        kv_dtype,
        prompt,
        tokens,
        ..
    } = facts;
    let whole = format!("{model}, {kv_dtype}, prompt {prompt}, {tokens} tokens");
    match whole.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}...", &whole[..end]),
        None => whole,
    }
}
