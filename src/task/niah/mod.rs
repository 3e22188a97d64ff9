//! The needle tests as they were published: fixed sentences in a haystack cut to a token, one sample for each length
//! and depth.
//!
//! After NIAH (gkamradt/LLMTest_NeedleInAHaystack) and what KVCache-Factory (Zefan-Cai/KVCache-Factory) made of it for
//! PyramidKV: see [`protocol`]. The project's own needle test, `needle`, differs: it draws its facts, counts the whole
//! prompt, and places needles between sentences only.

mod plant;
pub mod protocol;
mod settings;
mod spec;

pub use settings::{NiahSettings, Spacing};
pub(super) use spec::{MULTI, ORIGINAL, PUBLISHED};

use std::sync::Arc;

use anyhow::{Context, Result};

use self::plant::{FullStops, moved_far, plant};
use self::protocol::{BUFFER, Protocol};
use super::{Sample, Task, prompt};
use crate::bad_input;
use crate::dataset::haystack::Haystack;
use crate::model::tokenizer::ModelTokenizer;
use crate::terminal;

/// A protocol's samples for one model.
pub struct Niah {
    protocol: Protocol,
    sites: Vec<(usize, f64)>,
    haystack: Haystack,
    tokenizer: Arc<ModelTokenizer>,
    max_context: usize,
    /// How many are asked for.
    count: usize,
    needles: Vec<Vec<u32>>,
    full_stops: FullStops,
}

impl Niah {
    /// The samples of `settings` for a model that takes `max_context` tokens.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if a setting is out of range, or a length too long for the model or too
    /// short for buffer and needles; any error of the tokenizer.
    pub fn new(
        protocol: Protocol,
        settings: &NiahSettings,
        haystack: Haystack,
        tokenizer: Arc<ModelTokenizer>,
        max_context: usize,
    ) -> Result<Self> {
        settings.check(protocol)?;
        let (lengths, depths) = (settings.lengths(protocol), settings.depths(protocol));
        let at_length = |&length: &usize| depths.iter().map(move |&depth| (length, depth));
        let count = settings.needles(protocol);
        let encode = |needle: String| Ok(tokenizer.encode_after(".", &needle)?.0);
        let task = Self {
            protocol,
            sites: lengths.iter().flat_map(at_length).collect(),
            haystack,
            max_context,
            count,
            needles: protocol
                .needles(count)
                .into_iter()
                .map(encode)
                .collect::<Result<_>>()?,
            full_stops: FullStops::new(&tokenizer)?,
            tokenizer,
        };
        // The shortest and the longest show whether all fit.
        for length in [lengths.iter().min(), lengths.iter().max()]
            .into_iter()
            .flatten()
        {
            task.build(*length, depths[0])?;
        }
        if let Some(&longest) = lengths.iter().max() {
            task.note_moved(longest, &depths);
        }
        Ok(task)
    }

    /// Says where needles do not stand where they are said to, because of a haystack with few full stops.
    fn note_moved(&self, length: usize, depths: &[f64]) {
        let cut = self.haystack.cut(self.room(length).unwrap_or(0));
        if let Some((depth, place)) = moved_far(&cut, depths, &self.full_stops) {
            terminal::note(&format!(
                "{}: length={length};depth={depth}: the needle stands at {place:.0} %, after the last full stop of the \
                 haystack before there; so may others",
                self.protocol.name()
            ));
        }
    }

    /// Tokens of haystack in a prompt; none where the needles leave no room.
    fn room(&self, length: usize) -> Option<usize> {
        let planted: usize = self.needles.iter().map(Vec::len).sum();
        length.checked_sub(BUFFER + planted)
    }

    fn build(&self, length: usize, depth: f64) -> Result<Sample> {
        let Self {
            protocol,
            tokenizer,
            ..
        } = self;
        let Some(room) = self.room(length) else {
            return Err(bad_input!(
                "{}: length {length} is too short, expected more than the {BUFFER} tokens kept free and the \
                 needles' {}",
                protocol.name(),
                self.needles.iter().map(Vec::len).sum::<usize>()
            ));
        };
        if room > self.max_context {
            return Err(bad_input!(
                "{}: length {length} is more than the model's context of {}",
                protocol.name(),
                self.max_context
            ));
        }
        let haystack = self.haystack.cut(room);
        let planted = plant(haystack, &self.needles, depth, &self.full_stops);
        let wrapper = protocol.wrapper();
        let text = tokenizer.decode_cleaned(&planted)?;
        let context = format!("{}{text}{}", wrapper.opening, wrapper.closing);
        let (context, question) = if wrapper.chat {
            prompt::turn(tokenizer, &context, wrapper.question, "")?
        } else {
            prompt::plain(tokenizer, &context, wrapper.question, true)?
        };
        let total = context.len() + question.len() + protocol.max_new_tokens();
        if total > self.max_context {
            return Err(bad_input!(
                "{}: length {length} makes {total} tokens with the answer, more than the model's context of {}",
                protocol.name(),
                self.max_context
            ));
        }
        let answers = protocol.answers(self.count);
        let reference = match wrapper.chat && tokenizer.has_chat_template() {
            true => answers.join(", "),
            false => format!(" {}", answers.join(", ")),
        };
        let (reference, _) = tokenizer.encode_after(":", &reference)?;
        Ok(Sample {
            id: self.id(length, depth),
            context,
            question,
            answers,
            reference_scored: 0..reference.len(),
            reference,
            max_new_tokens: protocol.max_new_tokens(),
            stops: match protocol.stops_at_newline() {
                true => tokenizer
                    .encode("\n", false)?
                    .into_iter()
                    .next_back()
                    .into_iter()
                    .collect(),
                false => Vec::new(),
            },
            cut: 0,
            min_new_tokens: 0,
        })
    }

    fn id(&self, length: usize, depth: f64) -> String {
        match self.protocol {
            Protocol::Multi => format!("length={length};depth={depth};needles={}", self.count),
            Protocol::Published | Protocol::Original => format!("length={length};depth={depth}"),
        }
    }
}

impl Task for Niah {
    fn name(&self) -> &str {
        self.protocol.name()
    }

    fn version(&self) -> u32 {
        1
    }

    fn metric(&self) -> &str {
        self.protocol.metric()
    }

    fn len(&self) -> usize {
        self.sites.len()
    }

    fn sample_id(&self, i: usize) -> String {
        let (length, depth) = self.sites[i];
        self.id(length, depth)
    }

    fn sample(&self, i: usize) -> Result<Sample> {
        let name = self.protocol.name();
        let site = self.sites.get(i);
        let &(length, depth) = site.with_context(|| format!("{name} has no sample {i}"))?;
        self.build(length, depth)
    }

    fn score(&self, sample: &Sample, response: &str) -> f64 {
        self.protocol.score(&sample.answers, response)
    }

    fn other_scores(&self, response: &str) -> Vec<(&'static str, f64)> {
        self.protocol.other_scores(response)
    }
}
