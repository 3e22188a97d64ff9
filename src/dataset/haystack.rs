//! The haystack: prose, as tokens with the sentence boundaries at which it may be cut or added to.

use anyhow::Result;

use super::sentence::gaps;
use crate::bad_input;
use crate::model::tokenizer::ModelTokenizer;

/// What stands between two texts, and before the first: a new paragraph.
const PARAGRAPH: &str = "\n\n";

/// The end of a sentence, between two tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// Index of the first token after it.
    pub at: usize,
    /// White space after the sentence that is before `at`, because one token holds it together with
    /// the full stop. Empty where it is still to come.
    pub gap: String,
}

/// Consecutive sentences of a haystack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Its tokens; the last ends a sentence.
    pub tokens: Vec<u32>,
    /// Ascending; the first is the start, the last the end.
    pub boundaries: Vec<Boundary>,
}

/// Tokens of a haystack, cut off wherever so many are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The tokens, as many as were asked for.
    pub tokens: Vec<u32>,
    /// Ascending, none of them 0: how many tokens there are up to the end of each sentence.
    pub ends: Vec<usize>,
}

/// Texts of one tokenizer's tokens.
pub struct Haystack {
    texts: Vec<Text>,
}

struct Text {
    tokens: Vec<u32>,
    ends: Vec<End>,
}

/// The end of a sentence within a text.
struct End {
    boundary: Boundary,
    /// The tokens that stand for the last one where nothing follows: the full stop without `gap`.
    closing: Vec<u32>,
}

impl Haystack {
    /// Tokenises each of `texts` once. Texts without a place to cut at are left out: empty ones.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if none is left, or if the tokenizer fails.
    pub fn new(texts: &[String], tokenizer: &ModelTokenizer) -> Result<Self> {
        let mut tokenised = Vec::with_capacity(texts.len());
        for text in texts {
            let text = Text::new(text, tokenizer)?;
            if !text.ends.is_empty() {
                tokenised.push(text);
            }
        }
        if tokenised.is_empty() {
            return Err(bad_input!(
                "haystack: its texts hold no place between two tokens at which a sentence ends"
            ));
        }
        Ok(Self { texts: tokenised })
    }

    /// At most `n_tokens` tokens, as many whole sentences as fit, from the start of text
    /// `seed % texts` on. Wraps round as often as needed. Empty if the first sentence does not fit.
    pub fn slice(&self, seed: u64, n_tokens: usize) -> Slice {
        let first = (seed % self.texts.len() as u64) as usize;
        let mut tokens = Vec::new();
        let mut boundaries = vec![Boundary {
            at: 0,
            gap: PARAGRAPH.into(),
        }];
        let mut cut = (0, &[][..]);
        for text in self.texts.iter().cycle().skip(first) {
            let start = tokens.len();
            for end in &text.ends {
                let at = start + end.boundary.at;
                let kept = at - end.closing.len().min(1);
                if kept + end.closing.len() <= n_tokens {
                    cut = (kept, &end.closing);
                    let gap = end.boundary.gap.clone();
                    boundaries.push(Boundary { at, gap });
                }
            }
            tokens.extend_from_slice(&text.tokens);
            if tokens.len() > n_tokens {
                break;
            }
        }
        tokens.truncate(cut.0);
        tokens.extend_from_slice(cut.1);
        if let Some(last) = boundaries.last_mut().filter(|last| last.at > 0) {
            last.at = tokens.len();
            last.gap.clear();
        }
        Slice { tokens, boundaries }
    }

    /// Exactly `n_tokens` tokens of the texts one after the other, from the first on and as often as needed,
    /// wherever that ends.
    pub fn cut(&self, n_tokens: usize) -> Cut {
        let (mut tokens, mut ends) = (Vec::new(), Vec::new());
        for text in self.texts.iter().cycle() {
            if tokens.len() >= n_tokens {
                break;
            }
            ends.extend(text.ends.iter().map(|end| tokens.len() + end.boundary.at));
            tokens.extend_from_slice(&text.tokens);
        }
        tokens.truncate(n_tokens);
        ends.retain(|end| *end <= n_tokens);
        Cut { tokens, ends }
    }
}

impl Text {
    fn new(text: &str, tokenizer: &ModelTokenizer) -> Result<Self> {
        let text = format!("{}{PARAGRAPH}", text.trim());
        let (tokens, spans) = tokenizer.encode_after("\n", &text)?;
        let mut ends = Vec::new();
        for gap in gaps(&text) {
            let at = spans.partition_point(|span| span.start < gap.start);
            if at == 0 {
                continue;
            }
            let last = tokenizer.decode(&tokens[at - 1..at], false)?;
            let stop = last.trim_end();
            let held = &last[stop.len()..];
            let closing = match held {
                "" if spans[at - 1].end == gap.start => Vec::new(),
                // Where a token reaches into the gap but not through it, nothing fits in between.
                _ if !held.is_empty() && held == &text[gap.clone()] => {
                    tokenizer.encode(stop, false)?
                }
                _ => continue,
            };
            let gap = held.to_owned();
            ends.push(End {
                boundary: Boundary { at, gap },
                closing,
            });
        }
        Ok(Self { tokens, ends })
    }
}
