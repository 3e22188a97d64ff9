//! A record's text to the tokens of a prompt, as LongBench's `pred.py` does it.

use anyhow::Result;

use crate::model::chat::Message;
use crate::model::tokenizer::ModelTokenizer;

/// A prompt as tokens.
pub(super) struct Prompt {
    pub context: Vec<u32>,
    pub question: Vec<u32>,
    /// Tokens cut out of the middle.
    pub cut: usize,
    /// The last character of its text, and whether an answer starts a turn of its own after it.
    pub last: String,
    pub turn: bool,
}

impl Prompt {
    /// * `text`, `question`: the filled template, and the byte at which its question starts.
    /// * `max_length`: tokens of `text` above which its middle is cut out.
    /// * `chat`: make it a turn in the model's chat template, if it has one.
    ///
    /// # Errors
    /// Any of the tokenizer or of the chat template.
    pub(super) fn new(
        (text, question): (String, usize),
        max_length: usize,
        chat: bool,
        tokenizer: &ModelTokenizer,
    ) -> Result<Self> {
        let (mut text, mut question, cut) = cut_middle(text, question, max_length, tokenizer)?;
        let turn = chat && tokenizer.has_chat_template();
        if turn {
            (text, question) = as_turn(&text, question, tokenizer)?;
        }
        let (mut tokens, spans) = tokenizer.encode_spans(&text, !turn)?;
        // A token that reaches over the seam belongs to the question.
        let seam = spans.iter().position(|span| span.end > question);
        let question = tokens.split_off(seam.unwrap_or(tokens.len()));
        Ok(Self {
            context: tokens,
            question,
            cut,
            last: text
                .chars()
                .next_back()
                .map(String::from)
                .unwrap_or_default(),
            turn,
        })
    }
}

/// Where `text` is of more than `max_length` tokens: the text of the first and of the last half of so many, without
/// special tokens, with its question and how many tokens were cut out. Made into tokens again it may be a few more or
/// less.
fn cut_middle(
    text: String,
    question: usize,
    max_length: usize,
    tokenizer: &ModelTokenizer,
) -> Result<(String, usize, usize)> {
    let mut tokens = tokenizer.encode(&text, true)?;
    // Counted and cut as there, where a model that ends its texts with a token has it here too.
    tokens.extend(tokenizer.closing());
    if tokens.len() <= max_length {
        return Ok((text, question, 0));
    }
    let half = max_length / 2;
    let head = tokenizer.decode_cleaned(&tokens[..half])?;
    let tail = tokenizer.decode_cleaned(&tokens[tokens.len() - half..])?;
    // What is left of the question: all of it, unless it alone is longer than a half.
    let kept = common_end(&tail, &text[question..]);
    let cut = head + &tail;
    let question = cut.len() - kept;
    Ok((cut, question, tokens.len() - 2 * half))
}

/// Bytes of the longest common end.
fn common_end(a: &str, b: &str) -> usize {
    let pairs = a.chars().rev().zip(b.chars().rev());
    pairs
        .take_while(|(a, b)| a == b)
        .map(|(c, _)| c.len_utf8())
        .sum()
}

/// `text` as the user's turn, up to where the answer starts, and where its question starts in it.
fn as_turn(text: &str, question: usize, tokenizer: &ModelTokenizer) -> Result<(String, usize)> {
    let rendered = tokenizer.render_chat(&[Message::user(text)], true)?;
    // Some templates trim what they show.
    let shown = text.trim();
    let start = rendered.rfind(shown).ok_or_else(|| tokenizer.not_shown())?;
    let before = text.len() - text.trim_start().len();
    let question = question.saturating_sub(before).min(shown.len());
    Ok((rendered, start + question))
}
