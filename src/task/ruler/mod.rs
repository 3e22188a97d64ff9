//! RULER (arXiv 2404.06654): thirteen synthetic tasks at any length, each asking for something else of the context.
//!
//! Constants are those of NVIDIA/RULER's `scripts/synthetic.yaml` and generators; the words of the templates are this
//! project's own, in the published structure: instruction, haystack, question, and the answer's first words, which the
//! model goes on from. A length counts prompt and answer, as published. Where a published generator grows its haystack
//! in steps of 5 to 500 units, these grow it by one.

mod cwe;
mod draft;
mod fit;
mod fwe;
mod kind;
mod niah;
mod qa;
mod settings;
mod sources;
mod spec;
mod vt;
mod words;

pub use kind::{KINDS, RulerKind};
pub use settings::RulerSettings;
pub(super) use spec::KIND;

use std::sync::Arc;

use anyhow::{Context, Result};

use self::draft::{Draft, Draw, Generator};
use super::rng::rng;
use super::{Sample, Task, prompt};
use crate::bad_input;
use crate::model::tokenizer::ModelTokenizer;

/// One of the thirteen for one model: a sample for each length and seed.
pub struct Ruler {
    name: &'static str,
    generator: Box<dyn Generator>,
    sites: Vec<(usize, u64)>,
    tokenizer: Arc<ModelTokenizer>,
}

impl Ruler {
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if a length is too long for the model or too short for the task; any error
    /// of the chat template.
    fn new(
        kind: &RulerKind,
        generator: Box<dyn Generator>,
        settings: &RulerSettings,
        tokenizer: Arc<ModelTokenizer>,
        max_context: usize,
    ) -> Result<Self> {
        if let Some(length) = settings
            .lengths
            .iter()
            .find(|&&length| length > max_context)
        {
            return Err(bad_input!(
                "ruler: length {length} does not fit the model's context of {max_context}"
            ));
        }
        // A file holds only so many questions: asking one twice would count it twice.
        let seeds = generator.questions().map_or(settings.seeds, |questions| {
            settings.seeds.min(questions as u64)
        });
        let of_length =
            |&length: &usize| (0..seeds).map(move |i| (length, settings.seed.wrapping_add(i)));
        let task = Self {
            name: kind.name,
            generator,
            sites: settings.lengths.iter().flat_map(of_length).collect(),
            tokenizer,
        };
        // The first of each length shows whether it fits.
        for &length in &settings.lengths {
            task.build(length, settings.seed)?;
        }
        Ok(task)
    }

    fn build(&self, length: usize, seed: u64) -> Result<Sample> {
        let max_new_tokens = self.generator.max_new_tokens();
        let room = length.saturating_sub(max_new_tokens);
        let attempt = |units: usize| {
            let draw = Draw {
                seed,
                length,
                units,
                rng: rng(self.name, length, seed),
            };
            let draft = self.generator.draft(draw);
            let Draft {
                context,
                question,
                cue,
                ..
            } = &draft;
            let parts = prompt::turn(&self.tokenizer, context, question, cue)?;
            let fits = parts.0.len() + parts.1.len() <= room;
            Ok(fits.then_some((draft, parts)))
        };
        let Some((draft, (context, question))) = fit::most(self.generator.units(length), attempt)?
        else {
            return Err(bad_input!(
                "ruler: length {length} is too short for {} with its {max_new_tokens} tokens of answer",
                self.name
            ));
        };
        let reference = prompt::reference(&self.tokenizer, &draft.cue, draft.references)?;
        Ok(Sample {
            id: id(length, seed),
            context,
            question,
            answers: draft.answers,
            reference_scored: 0..reference.len(),
            reference,
            max_new_tokens,
            stops: Vec::new(),
            cut: 0,
            min_new_tokens: 0,
        })
    }
}

fn id(length: usize, seed: u64) -> String {
    format!("length={length};seed={seed}")
}

impl Task for Ruler {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> u32 {
        1
    }

    fn metric(&self) -> &str {
        self.generator.metric().0
    }

    fn len(&self) -> usize {
        self.sites.len()
    }

    fn sample_id(&self, i: usize) -> String {
        let (length, seed) = self.sites[i];
        id(length, seed)
    }

    fn sample(&self, i: usize) -> Result<Sample> {
        let site = self.sites.get(i);
        let &(length, seed) = site.with_context(|| format!("{} has no sample {i}", self.name))?;
        self.build(length, seed)
    }

    fn score(&self, sample: &Sample, response: &str) -> f64 {
        self.generator.metric().1(&sample.answers, response)
    }
}
