//! How byte-level tokenizers split a text before they merge, by the name that GGUF files and llama.cpp give it.
//!
//! The patterns are those of the published `tokenizer.json` of the family that a name stands for; `default` has no
//! family and is llama.cpp's own.

use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// One way to split, and what goes with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pre {
    /// Each splits what the one before left whole.
    patterns: &'static [&'static str],
    /// Whether GPT-2's pattern, which the last step has of its own, splits what is left.
    gpt2: bool,
    /// Whether the text is first brought into Unicode's normal form C.
    pub nfc: bool,
    /// Whether a piece that is a token is taken whole, whatever the merges say.
    pub ignore_merges: bool,
    /// Whether a text begins with BOS where the file does not say.
    pub bos: bool,
    /// Whether a space is put before each part that the patterns leave: before the text where there are none.
    pub space: bool,
}

/// GPT-2's own.
pub(super) const OF_GPT2: Pre = Pre {
    patterns: &[],
    gpt2: true,
    nfc: false,
    ignore_merges: false,
    bos: false,
    space: false,
};

/// That of Qwen2, 2.5 and 3.
pub(super) const OF_QWEN2: Pre = Pre {
    patterns: &[QWEN2],
    gpt2: false,
    nfc: true,
    ..OF_GPT2
};

/// The names that are known.
pub(super) const NAMES: &str =
    "default, gpt-2, llama-bpe, llama3, qwen2, deepseek-r1-qwen, smaug-bpe, smollm or tekken";

/// The way called `name` in `tokenizer.ggml.pre`.
pub(super) fn named(name: &str) -> Option<Pre> {
    Some(match name {
        "gpt-2" | "gpt2" => OF_GPT2,
        "qwen2" | "deepseek-r1-qwen" => OF_QWEN2,
        "llama3" | "llama-v3" | "llama-bpe" => Pre {
            patterns: &[LLAMA3],
            gpt2: false,
            ignore_merges: true,
            bos: true,
            ..OF_GPT2
        },
        "smaug-bpe" => Pre {
            patterns: &[LLAMA3],
            gpt2: false,
            ..OF_GPT2
        },
        "tekken" => Pre {
            patterns: &[TEKKEN],
            gpt2: false,
            ignore_merges: true,
            bos: true,
            ..OF_GPT2
        },
        "smollm" => Pre {
            patterns: &[r"\p{N}"],
            ..OF_GPT2
        },
        "default" => Pre {
            patterns: &[
                r"[\p{P}\$\+<=>\^~\|]+",
                r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
                r"\p{N}+",
                "[0-9][0-9][0-9]",
            ],
            gpt2: false,
            ..OF_GPT2
        },
        _ => return None,
    })
}

impl Pre {
    /// # Errors
    /// A pattern that is no regular expression.
    pub(super) fn splitter(&self) -> tokenizers::Result<Sequence> {
        let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
        for pattern in self.patterns {
            let pattern = SplitPattern::Regex((*pattern).to_owned());
            steps.push(Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?.into());
        }
        steps.push(ByteLevel::new(self.space, true, self.gpt2).into());
        Ok(Sequence::new(steps))
    }
}
