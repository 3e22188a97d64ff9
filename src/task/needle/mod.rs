//! Needle in a haystack: a number hidden at a depth of a long text, asked for afterwards.
//!
//! After RULER's `niah_single` and, with distractors, `niah_multikey` (arXiv 2404.06654), over prose
//! and with the length counted exactly.

mod cities;

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result};
use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use self::cities::CITIES;
use super::metric::recall::recall;
use super::{Sample, Task};
use crate::bad_input;
use crate::dataset::haystack::{Boundary, Haystack, Slice};
use crate::model::chat::Message;
use crate::model::tokenizer::ModelTokenizer;

const INSTRUCTION: &str = "Some special magic numbers are hidden within the following text. \
    Remember them; I will ask about one of them afterwards.";
/// Stand where the haystack and the city go while the template is rendered.
const HAYSTACK_MARK: &str = "@@spindle-haystack@@";
const CITY_MARK: &str = "@@spindle-city@@";
/// Enough for the needle's sentence.
const MAX_NEW_TOKENS: usize = 16;

/// Which samples there are: one for each length, number of distractors, depth and seed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct NeedleSettings {
    /// Tokens of the whole prompt, at most; it falls short by less than a sentence.
    pub lengths: Vec<usize>,
    /// How far into the haystack the needle stands, in percent.
    pub depths: Vec<u32>,
    /// How many needles with other cities and numbers there are beside it.
    pub distractors: Vec<usize>,
    /// Repeats of each, with seeds from `seed` on.
    pub seeds: u64,
    /// The first seed. A seed decides the texts, cities and numbers.
    pub seed: u64,
}

impl Default for NeedleSettings {
    fn default() -> Self {
        Self {
            lengths: vec![1024],
            depths: vec![0, 25, 50, 75, 100],
            distractors: vec![0],
            seeds: 1,
            seed: 0,
        }
    }
}

/// Where one sample's needle stands, and what makes the sample differ from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NeedleSite {
    length: usize,
    distractors: usize,
    depth: u32,
    seed: u64,
}

impl NeedleSite {
    fn id(&self) -> String {
        format!(
            "length={};depth={};distractors={};seed={}",
            self.length, self.depth, self.distractors, self.seed
        )
    }

    fn rng(&self) -> ChaCha8Rng {
        let words = [
            self.seed,
            self.length as u64,
            u64::from(self.depth),
            self.distractors as u64,
        ];
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(seed)
    }
}

/// A city and its number.
struct Fact {
    city: &'static str,
    number: u32,
}

impl Fact {
    fn sentence(&self) -> String {
        let Self { city, number } = self;
        format!("The special magic number for {city} is {number}.")
    }
}

/// The task: settings, and a haystack in the tokens of one model.
pub struct Needle {
    sites: Vec<NeedleSite>,
    haystack: Haystack,
    tokenizer: Arc<ModelTokenizer>,
    /// Tokens before the haystack.
    opening: Vec<u32>,
    /// Text after it, with [`CITY_MARK`].
    ending: String,
}

impl Needle {
    /// The samples of `settings` for a model that takes `max_context` tokens.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if a setting is out of range, or a length too long for the
    /// model or too short for the question; any error of the chat template.
    pub fn new(
        settings: &NeedleSettings,
        haystack: Haystack,
        tokenizer: Arc<ModelTokenizer>,
        max_context: usize,
    ) -> Result<Self> {
        check(settings, max_context)?;
        let content = format!(
            "{INSTRUCTION}\n\n{HAYSTACK_MARK}\n\n\
             What is the special magic number for {CITY_MARK} mentioned in the text above?"
        );
        let rendered = tokenizer.render_chat(&[Message::user(content)], true)?;
        let (opening, ending) = rendered
            .split_once(HAYSTACK_MARK)
            .context("the chat template does not show the message")?;
        let task = Self {
            sites: sites(settings),
            haystack,
            opening: tokenizer.encode(opening, !tokenizer.has_chat_template())?,
            ending: ending.to_owned(),
            tokenizer,
        };
        for seed in 0..settings.seeds.min(1) {
            for &length in &settings.lengths {
                for &distractors in &settings.distractors {
                    let depth = settings.depths[0];
                    let seed = settings.seed + seed;
                    task.build(&NeedleSite { length, distractors, depth, seed })?;
                }
            }
        }
        Ok(task)
    }
}
