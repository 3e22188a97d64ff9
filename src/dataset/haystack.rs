//! The haystack: prose, as tokens with the sentence boundaries at which it may be cut or added to.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use super::sentence::sentence_gaps;
use crate::bad_input;
use crate::model::tokenizer::ModelTokenizer;

/// The project's own texts.
static TEXTS: Dir = include_dir!("$CARGO_MANIFEST_DIR/datasets/haystack");

/// What stands between two texts, and before the first: a new paragraph.
const PARAGRAPH: &str = "\n\n";

/// The project's own texts, from the binary.
///
/// # Errors
/// If one of them is not UTF-8.
pub fn own_texts() -> Result<Vec<String>> {
    let mut files: Vec<_> = TEXTS.files().filter(|file| is_text(file.path())).collect();
    files.sort_by_key(|file| file.path());
    let text = |file: &include_dir::File| {
        let text = file.contents_utf8();
        text.map(str::to_owned)
            .with_context(|| format!("{}: not UTF-8", file.path().display()))
    };
    files.into_iter().map(text).collect()
}

/// The `*.txt` and `*.md` files of `folder`, sorted by name.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if it cannot be read, has no such file, or one is not UTF-8.
pub fn read_texts(folder: &Path) -> Result<Vec<String>> {
    let named = folder.display();
    let entries = fs::read_dir(folder)
        .map_err(|error| bad_input!("haystack folder {named}: cannot be read: {error}"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("haystack folder {named}"))?
            .path();
        if path.is_file() && is_text(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(bad_input!(
            "haystack folder {named}: no text files, expected *.txt or *.md"
        ));
    }
    let read = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).with_context(|| format!("{}", path.display()))?;
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let file = path.file_name().unwrap_or_default().display();
            bad_input!("haystack folder {named}: {file} is not UTF-8 (at byte {at})")
        })
    };
    paths.iter().map(read).collect()
}

/// The texts of `folder`, or the project's own without one.
///
/// # Errors
/// As [`read_texts`] and [`own_texts`].
pub fn texts(folder: Option<&Path>) -> Result<Vec<String>> {
    folder.map_or_else(own_texts, read_texts)
}

/// That `folder`, where there is one, holds texts.
///
/// # Errors
/// As [`read_texts`].
pub fn check(folder: Option<&Path>) -> Result<()> {
    folder.map(read_texts).transpose().map(|_| ())
}

/// SHA-256 of the texts in order, each ended by a zero byte.
pub fn digest(texts: &[String]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "txt" || e == "md")
}

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
    /// Tokenises each of `texts` once. Texts without a sentence are left out.
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
            return Err(bad_input!("haystack: its texts hold no sentence"));
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
    pub fn cut(&self, n_tokens: usize) -> Vec<u32> {
        let tokens = self.texts.iter().cycle().flat_map(|text| &text.tokens);
        tokens.copied().take(n_tokens).collect()
    }
}

impl Text {
    fn new(text: &str, tokenizer: &ModelTokenizer) -> Result<Self> {
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let text = format!("{}{PARAGRAPH}", text.trim());
        let (tokens, spans) = tokenizer.encode_after("\n", &text)?;
        let mut ends = Vec::new();
        for gap in sentence_gaps(&text) {
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
