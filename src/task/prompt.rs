//! A prompt as text to its tokens, in two parts: the context and the question.
//!
//! The text is encoded whole, so that what a model reads does not depend on where the parts meet.

use anyhow::Result;

use crate::model::chat::Message;
use crate::model::tokenizer::ModelTokenizer;

/// Stands where the user's message goes while the chat template is rendered.
const MESSAGE_MARK: &str = "@@spindle-message@@";

/// Tokens up to the question, and the rest.
pub(super) type Parts = (Vec<u32>, Vec<u32>);

/// Tokens of `context` and of the `question` that follows it, as they stand: no chat template. A token over the seam
/// is of the context. `bos`: the sequence begins with what the model begins its texts with.
///
/// # Errors
/// If the tokenizer fails on the text.
pub(super) fn plain(
    tokenizer: &ModelTokenizer,
    context: &str,
    question: &str,
    bos: bool,
) -> Result<Parts> {
    let (tokens, spans) = tokenizer.encode_after("", &format!("{context}{question}"))?;
    let seam = spans.partition_point(|span| span.start < context.len());
    let mut before = if bos {
        tokenizer.opening().to_vec()
    } else {
        Vec::new()
    };
    before.extend_from_slice(&tokens[..seam]);
    Ok((before, tokens[seam..].to_vec()))
}

/// Tokens of one turn of the user, `context` and `question`, and of the answer, begun with `cue`. A model without a
/// chat template reads the three one after the other, a space before the cue.
///
/// # Errors
/// Any error of the chat template or the tokenizer.
pub(super) fn turn(
    tokenizer: &ModelTokenizer,
    context: &str,
    question: &str,
    cue: &str,
) -> Result<Parts> {
    if !tokenizer.has_chat_template() {
        return plain(
            tokenizer,
            context,
            format!("{question} {cue}").trim_end(),
            true,
        );
    }
    let rendered = tokenizer.render_chat(&[Message::user(MESSAGE_MARK)], true)?;
    let (opening, ending) = rendered
        .split_once(MESSAGE_MARK)
        .ok_or_else(|| tokenizer.not_shown())?;
    let context = format!("{opening}{context}");
    plain(
        tokenizer,
        &context,
        &format!("{question}{ending}{cue}"),
        false,
    )
}

/// Tokens of the first of `texts`, each as it goes on after `before`, that has tokens beside those of white space. None
/// where no text has any: then there is no answer whose likelihood could be asked for.
///
/// # Errors
/// If the tokenizer fails on a text.
pub(super) fn reference(
    tokenizer: &ModelTokenizer,
    before: &str,
    texts: impl IntoIterator<Item = String>,
) -> Result<Vec<u32>> {
    for text in texts {
        let (tokens, _) = tokenizer.encode_after(before, &text)?;
        if !tokens.is_empty() && !tokenizer.encode(text.trim(), false)?.is_empty() {
            return Ok(tokens);
        }
    }
    Ok(Vec::new())
}
