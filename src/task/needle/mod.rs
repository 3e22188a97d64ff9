//! Needle in a haystack: a number hidden at a depth of a long text, asked for afterwards.
//!
//! After RULER's `niah_single` and, with distractors, `niah_multikey` (arXiv 2404.06654), over prose
//! and with the length counted exactly.

mod fact;
mod plant;
mod spec;

pub(super) use spec::KIND;

use std::sync::Arc;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use self::fact::{CITIES, Fact, draw_facts};
use self::plant::{insertion, places, plant};
use super::metric::recall::recall;
use super::spec::{check_samples, repeats};
use super::{Sample, Task};
use crate::bad_input;
use crate::dataset::haystack::Haystack;
use crate::model::chat::Message;
use crate::model::tokenizer::ModelTokenizer;

const INSTRUCTION: &str = "Some special magic numbers are hidden within the following text. \
    Remember them; I will ask about one of them afterwards.";
/// Stand where the haystack and the city go while the template is rendered.
const HAYSTACK_MARK: &str = "@@spindle-haystack@@";
const CITY_MARK: &str = "@@spindle-city@@";
/// What the answer begins with when it is begun for the model.
const CUE: &str = "The special magic number for @@spindle-city@@ is";
/// Enough for the needle's sentence, and for the number alone.
const MAX_NEW_TOKENS: usize = 24;
const MAX_NEW_TOKENS_AFTER_CUE: usize = 10;

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
    /// The answer is begun for the model, up to the number: the prompt ends where the number is looked for, as the
    /// published protocol's does (RULER calls it the answer prefix). Without, methods that score entries by the last
    /// queries see only the chat template's tokens.
    pub cue: bool,
}

impl Default for NeedleSettings {
    fn default() -> Self {
        Self {
            lengths: vec![1024],
            depths: vec![0, 25, 50, 75, 100],
            distractors: vec![0],
            seeds: 1,
            seed: 0,
            cue: true,
        }
    }
}

impl NeedleSettings {
    /// What can be said of the settings without a model.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a setting that is empty or out of range.
    pub fn check(&self) -> Result<()> {
        let Self {
            lengths,
            depths,
            distractors,
            seeds,
            ..
        } = self;
        if lengths.is_empty() || depths.is_empty() || distractors.is_empty() || *seeds == 0 {
            return Err(bad_input!(
                "needle: lengths, depths, distractors and seeds must not be empty or 0"
            ));
        }
        let counts = [
            ("lengths", lengths.len() as u64),
            ("depths", depths.len() as u64),
            ("distractors", distractors.len() as u64),
            ("seeds", *seeds),
        ];
        check_samples("needle", &counts)?;
        if repeats(lengths) || repeats(depths) || repeats(distractors) {
            return Err(bad_input!(
                "needle: a value stands twice in lengths, depths or distractors, expected each once"
            ));
        }
        if let Some(depth) = depths.iter().find(|&&depth| depth > 100) {
            return Err(bad_input!(
                "needle: depth {depth}, expected a percentage from 0 to 100"
            ));
        }
        if let Some(count) = distractors.iter().find(|&&count| count >= CITIES.len()) {
            return Err(bad_input!(
                "needle: {count} distractors, expected at most {}",
                CITIES.len() - 1
            ));
        }
        Ok(())
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

/// The task: settings, and a haystack in the tokens of one model.
pub struct Needle {
    sites: Vec<NeedleSite>,
    haystack: Haystack,
    tokenizer: Arc<ModelTokenizer>,
    /// Tokens before the haystack.
    opening: Vec<u32>,
    /// Text after it, with [`CITY_MARK`].
    ending: String,
    cue: bool,
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
        settings.check()?;
        let too_long = |length: &&usize| length.saturating_add(MAX_NEW_TOKENS) > max_context;
        if let Some(length) = settings.lengths.iter().find(too_long) {
            return Err(bad_input!(
                "needle: length {length} and {MAX_NEW_TOKENS} tokens of answer do not fit the model's \
                 context of {max_context}"
            ));
        }
        let content = format!(
            "{INSTRUCTION}\n\n{HAYSTACK_MARK}\n\n\
             What is the special magic number for {CITY_MARK} mentioned in the text above?"
        );
        let rendered = tokenizer.render_chat(&[Message::user(content)], true)?;
        let (opening, ending) = rendered
            .split_once(HAYSTACK_MARK)
            .ok_or_else(|| tokenizer.not_shown())?;
        let mut ending = ending.to_owned();
        if settings.cue {
            // Without a template there is no turn to begin, only a new line.
            ending.push_str(if tokenizer.has_chat_template() {
                ""
            } else {
                "\n"
            });
            ending.push_str(CUE);
        }
        let task = Self {
            sites: sites(settings),
            haystack,
            opening: tokenizer.encode(opening, !tokenizer.has_chat_template())?,
            ending,
            cue: settings.cue,
            tokenizer,
        };
        // The first of each length and number of distractors shows whether they fit.
        for site in &task.sites {
            if site.depth == settings.depths[0] && site.seed == settings.seed {
                task.build(site)?;
            }
        }
        Ok(task)
    }

    fn build(&self, site: &NeedleSite) -> Result<Sample> {
        let mut rng = site.rng();
        let facts = draw_facts(&mut rng, site.distractors + 1);
        let [fact, ..] = &facts[..] else {
            anyhow::bail!("no needle drawn");
        };
        let ending = self.ending.replace(CITY_MARK, fact.city);
        let (question, _) = self.tokenizer.encode_after(".", &ending)?;
        let mut needles = 0;
        for fact in &facts {
            needles += insertion(&self.tokenizer, &fact.sentence(), "")?.len();
        }
        let mut room = site
            .length
            .checked_sub(self.opening.len() + question.len() + needles);
        // A needle's own tokens depend a little on where it goes, which depends on the room left.
        while let Some(n_tokens) = room {
            let slice = self.haystack.slice(site.seed, n_tokens);
            let Some(places) = places(&slice, site.depth, site.distractors, &mut rng.clone())
            else {
                break;
            };
            let mut context = self.opening.clone();
            context.extend(plant(&slice, &places, &facts, &self.tokenizer)?);
            let excess = (context.len() + question.len()).saturating_sub(site.length);
            if excess == 0 {
                return self.sample_of(site, context, question, fact);
            }
            room = n_tokens.checked_sub(excess);
        }
        Err(bad_input!(
            "needle: length {} is too short for the question and {} needles between sentences",
            site.length,
            facts.len()
        ))
    }

    fn sample_of(
        &self,
        site: &NeedleSite,
        context: Vec<u32>,
        question: Vec<u32>,
        fact: &Fact,
    ) -> Result<Sample> {
        let number = fact.number.to_string();
        // The answer continues the cue, or else the line of the question where no template ends it.
        let (before, text) = match (self.cue, self.tokenizer.has_chat_template()) {
            (true, _) => ("is", format!(" {number}.")),
            (false, true) => ("", fact.sentence()),
            (false, false) => ("?", format!(" {}", fact.sentence())),
        };
        let (reference, spans) = self.tokenizer.encode_after(before, &text)?;
        let start = text.rfind(&number).context("no number in the needle")?;
        let scored = |at: &usize| spans[*at].start < start + number.len() && spans[*at].end > start;
        // A vocabulary without digits has no token of it: then nothing is scored.
        let first = (0..spans.len()).find(scored).unwrap_or(spans.len());
        let count = (first..spans.len()).take_while(scored).count();
        Ok(Sample {
            id: site.id(),
            context,
            question,
            answers: vec![number],
            reference,
            reference_scored: first..first + count,
            stops: Vec::new(),
            cut: 0,
            min_new_tokens: 0,
            max_new_tokens: if self.cue {
                MAX_NEW_TOKENS_AFTER_CUE
            } else {
                MAX_NEW_TOKENS
            },
        })
    }
}

impl Task for Needle {
    fn name(&self) -> &str {
        "needle"
    }

    fn version(&self) -> u32 {
        1
    }

    fn metric(&self) -> &str {
        "recall"
    }

    fn len(&self) -> usize {
        self.sites.len()
    }

    fn sample_id(&self, i: usize) -> String {
        self.sites[i].id()
    }

    fn sample(&self, i: usize) -> Result<Sample> {
        let site = self.sites.get(i);
        self.build(site.with_context(|| format!("needle has no sample {i}"))?)
    }

    fn score(&self, sample: &Sample, response: &str) -> f64 {
        let scores = sample.answers.iter().map(|answer| recall(answer, response));
        scores.sum::<f64>() / sample.answers.len().max(1) as f64
    }
}

fn sites(settings: &NeedleSettings) -> Vec<NeedleSite> {
    let mut sites = Vec::new();
    for &length in &settings.lengths {
        for &distractors in &settings.distractors {
            for &depth in &settings.depths {
                for seed in (0..settings.seeds).map(|i| settings.seed.wrapping_add(i)) {
                    sites.push(NeedleSite {
                        length,
                        distractors,
                        depth,
                        seed,
                    });
                }
            }
        }
    }
    sites
}
