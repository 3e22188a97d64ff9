//! A tokenizer tried before it is used: one that fails or does not end shows it here, by file.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokenizers::Tokenizer;

use crate::bad_input;
use crate::guard::{Limits, or_end, within};
use crate::terminal;

/// What the trial may take; a thousandth of it is usual.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(8),
    memory: 512 << 20,
    stack: 16 << 20,
};
/// Of a text, at the least; a hundred times as many are usual.
const BYTES_PER_SECOND: usize = 50_000;
/// Characters of a pattern that a message shows.
const SHOWN: usize = 120;

/// Runs of every class of characters that patterns tell apart, and what runs of repetition are slow on.
fn text() -> String {
    let mut text = String::from(
        "The ship left harbour at 10:45, 3 hours late; \"we'll see\", said O'Neil (aged 52)...\n\n\tif (x_1 != 2) { y += 0.5e-3; }\r\n \
         Ça déjà vu, naïve Straße; 你好，世界！ こんにちは 안녕 привет мир שלום नमस्ते 🚀👩‍💻 e\u{301}\u{a0}\u{2028}#$%&*+=<>|~^`\\/@[]\n",
    );
    for run in ["a", "A", " ", "1", "-", "\n", "é", "a ", "a1", "ab, "] {
        text += &run.repeat(60);
        text.push('!');
    }
    text
}

/// Token ids before and after a text that the tokenizer adds of its own.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with `file`, and the regular expressions in it, of a tokenizer that panics,
/// fails or takes too long.
pub(super) fn ends(
    tokenizer: &Arc<Tokenizer>,
    file: &str,
    patterns: &[String],
) -> Result<(Vec<u32>, Vec<u32>)> {
    let own = tokenizer.clone();
    let failed = match within(LIMITS, move || ends_of(&own)).unwrap_or_else(Err) {
        Ok(ends) => return Ok(ends),
        Err(error) => error,
    };
    Err(bad_input!(
        "{file}: the tokenizer fails on a test text: {}{}",
        terminal::cut(&failed, SHOWN),
        shown(patterns)
    ))
}

/// The patterns, for the end of a message.
fn shown(patterns: &[String]) -> String {
    match patterns {
        [] => String::new(),
        some => format!(
            "; its patterns are {}",
            terminal::cut(&some.join(", "), SHOWN)
        ),
    }
}

/// Watches over a tokenizer with patterns of its own: one that passed the trial may be slow on another text.
pub(super) struct Watch {
    /// The message's beginning and end.
    says: Option<Arc<(String, String)>>,
}

impl Watch {
    pub(super) fn new(file: &str, patterns: &[String]) -> Self {
        let says = (file.to_owned(), shown(patterns));
        Self {
            says: (!patterns.is_empty()).then(|| Arc::new(says)),
        }
    }

    /// What `act` makes of a text of so many bytes. A text takes a hundredth of the time at which the program ends.
    pub(super) fn over<T>(&self, bytes: usize, act: impl FnOnce() -> T) -> T {
        let Some(says) = self.says.clone() else {
            return act();
        };
        let time = LIMITS.time + Duration::from_secs((bytes / BYTES_PER_SECOND) as u64);
        let line = move || {
            let (file, patterns) = &*says;
            let seconds = time.as_secs();
            format!(
                "{file}: the tokenizer takes longer than {seconds} s for a text of {bytes} bytes{patterns}"
            )
        };
        or_end(time, line, act)
    }
}

fn ends_of(tokenizer: &Tokenizer) -> Result<(Vec<u32>, Vec<u32>), String> {
    let words = |error: tokenizers::Error| error.to_string();
    let text = text();
    let encoding = tokenizer.encode_fast(&*text, true).map_err(words)?;
    let ids = encoding.get_ids();
    tokenizer.decode(ids, true).map_err(words)?;
    tokenizer.decode(ids, false).map_err(words)?;
    let added = encoding.get_special_tokens_mask();
    let own = |mask: &u32| *mask == 0;
    match (added.iter().position(own), added.iter().rposition(own)) {
        (Some(first), Some(last)) => Ok((ids[..first].to_vec(), ids[last + 1..].to_vec())),
        _ => Err("it finds no token in it".to_owned()),
    }
}
