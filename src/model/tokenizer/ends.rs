//! The tokens before and after every text, where a file says which instead of holding a post-processor.

use anyhow::{Result, anyhow};
use tokenizers::Tokenizer;
use tokenizers::processors::template::TemplateProcessing;

/// A token and its id.
pub(super) type Token = (String, u32);

/// Puts `first` before every text and `last` after it.
///
/// # Errors
/// A token with a name that the template's syntax has no place for.
pub(super) fn set(
    tokenizer: &mut Tokenizer,
    first: Option<Token>,
    last: Option<Token>,
) -> Result<()> {
    let failed = |error: String| anyhow!("the tokens around a text: {error}");
    let name = |end: &Option<Token>| end.iter().map(|(token, _)| token.clone()).collect();
    let mut sequence: Vec<String> = name(&first);
    sequence.push("$0".to_string());
    sequence.extend::<Vec<String>>(name(&last));
    let template = TemplateProcessing::builder()
        .try_single(sequence)
        .map_err(failed)?
        .special_tokens(first.into_iter().chain(last).collect::<Vec<_>>())
        .build()
        .map_err(|error| failed(error.to_string()))?;
    tokenizer.with_post_processor(Some(template));
    Ok(())
}
