//! Passages to records: contexts of a length, each with as many questions as it has room for.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::ask::{Answer, Ask};
use super::kind::MiniKind;
use crate::bad_input;
use crate::dataset::bank::Bank;
use crate::dataset::longbench::LongBenchRecord;
use crate::model::tokenizer::ModelTokenizer;
use crate::task::longbench::{Definition, Metric};
use crate::task::rng::rng;

/// Questions of one context.
const MOST_ASKED: usize = 5;

/// Composes the records of one task for one tokenizer.
pub struct Composer<'a> {
    kind: &'a MiniKind,
    bank: &'a Bank,
    definition: &'a Definition,
    tokenizer: &'a ModelTokenizer,
    asks: Vec<Ask>,
    /// Tokens of each passage in a context, about.
    costs: Vec<usize>,
    /// Tokens of a prompt without a context and an input.
    frame: usize,
}

impl<'a> Composer<'a> {
    /// # Errors
    /// Any of the tokenizer or of the chat template.
    pub fn new(
        kind: &'a MiniKind,
        bank: &'a Bank,
        definition: &'a Definition,
        tokenizer: &'a ModelTokenizer,
    ) -> Result<Self> {
        let show = |passage| tokenizer.encode(&(kind.show)(passage, 10), false);
        let cost = |passage| Ok(show(passage)?.len());
        let mut composer = Self {
            kind,
            bank,
            definition,
            tokenizer,
            asks: (kind.asks)(bank),
            costs: bank.passages.iter().map(cost).collect::<Result<_>>()?,
            frame: 0,
        };
        let empty = composer.record(String::new(), String::new(), Vec::new());
        composer.frame = definition.prompt_tokens(&empty, tokenizer)?;
        Ok(composer)
    }

    /// `samples` records whose prompts have at most `length` tokens. Length, seed and the task's name decide them; of
    /// more samples, the first are the same.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if `length` is too short for any question.
    pub fn records(
        &self,
        length: usize,
        samples: usize,
        seed: u64,
    ) -> Result<Vec<LongBenchRecord>> {
        let mut shuffler = rng(self.kind.name, length, seed);
        let mut deck: Vec<&Ask> = Vec::new();
        let mut records = Vec::new();
        for context in 1.. {
            if records.len() >= samples {
                break;
            }
            let mut rng = rng(self.kind.name, length, seed);
            rng.set_stream(context);
            let mut chosen = self.choose(&deck, length)?;
            if chosen.is_empty() {
                deck = self.asks.iter().collect();
                deck.shuffle(&mut shuffler);
                chosen = self.choose(&deck, length)?;
            }
            if chosen.is_empty() {
                return Err(bad_input!(
                    "{}: length {length} is too short for any question",
                    self.kind.name
                ));
            }
            let asked: Vec<&Ask> = chosen.iter().map(|&at| deck[at]).collect();
            records.extend(self.fitted(&asked, length, &rng)?);
            let mut at = 0..;
            deck.retain(|_| at.next().is_none_or(|at| !chosen.contains(&at)));
        }
        records.truncate(samples);
        for (n, record) in records.iter_mut().enumerate() {
            record.id = format!("length={length};n={n}");
        }
        Ok(records)
    }

    /// Which of `deck` to ask in one context, from its start on: those that do not bar what another needs, and need no
    /// more than half of the length together. The first may need more, short of all: costs are not exact.
    fn choose(&self, deck: &[&Ask], length: usize) -> Result<Vec<usize>> {
        let mut chosen: Vec<usize> = Vec::new();
        let (mut needs, mut bars, mut input) = (BTreeSet::new(), BTreeSet::new(), 0);
        for (at, ask) in deck.iter().enumerate() {
            if chosen.len() == MOST_ASKED {
                break;
            }
            let all_needs: BTreeSet<usize> = needs.iter().chain(&ask.needs).copied().collect();
            let all_bars: BTreeSet<usize> = bars.union(&ask.bars).copied().collect();
            if !all_needs.is_disjoint(&all_bars) {
                continue;
            }
            let longest = input.max(self.tokenizer.encode(&ask.input, false)?.len());
            let room = length.saturating_sub(self.frame + longest);
            let share = if chosen.is_empty() { 0.9 } else { 0.5 };
            if self.cost(&all_needs) as f64 > room as f64 * share {
                continue;
            }
            chosen.push(at);
            (needs, bars, input) = (all_needs, all_bars, longest);
        }
        Ok(chosen)
    }

    fn cost<'b>(&self, passages: impl IntoIterator<Item = &'b usize>) -> usize {
        passages.into_iter().map(|&place| self.costs[place]).sum()
    }

    /// The records of one context that is as long as fits: it is tried with less until it does.
    fn fitted(
        &self,
        asked: &[&Ask],
        length: usize,
        rng: &ChaCha8Rng,
    ) -> Result<Vec<LongBenchRecord>> {
        let mut room = length.saturating_sub(self.frame);
        let mut inputs = 0;
        for ask in asked {
            inputs = inputs.max(self.tokenizer.encode(&ask.input, false)?.len());
        }
        room = room.saturating_sub(inputs);
        loop {
            let records = self.draw(asked, room, rng.clone());
            let mut longest = 0;
            for record in &records {
                let tokens = self.definition.prompt_tokens(record, self.tokenizer)?;
                longest = longest.max(tokens);
            }
            if longest <= length {
                return Ok(records);
            }
            if room == 0 {
                return Err(bad_input!(
                    "{}: length {length} is too short for a question that takes {longest} tokens",
                    self.kind.name
                ));
            }
            room = room.saturating_sub(longest - length);
        }
    }

    /// One context of passages for about `room` tokens, and every question about it.
    fn draw(&self, asked: &[&Ask], room: usize, mut rng: ChaCha8Rng) -> Vec<LongBenchRecord> {
        let needs: BTreeSet<usize> = asked.iter().flat_map(|ask| ask.needs.clone()).collect();
        let bars: BTreeSet<usize> = asked.iter().flat_map(|ask| ask.bars.clone()).collect();
        let fills = |place: &usize| {
            let genre = &self.bank.passages[*place].genre;
            let other = self.kind.genre.is_some_and(|only| only != genre);
            !other && !needs.contains(place) && !bars.contains(place)
        };
        let mut others: Vec<usize> = (0..self.costs.len()).filter(fills).collect();
        others.shuffle(&mut rng);
        let mut left = room.saturating_sub(self.cost(&needs));
        let mut order: Vec<usize> = needs.into_iter().collect();
        for place in others {
            if self.costs[place] <= left {
                left -= self.costs[place];
                order.push(place);
            }
        }
        order.shuffle(&mut rng);
        let record = |ask: &&Ask| self.asked(ask, &order, &mut rng);
        asked.iter().map(record).collect()
    }

    /// The record of a question about the passages of a context in their order.
    fn asked(&self, ask: &Ask, order: &[usize], rng: &mut ChaCha8Rng) -> LongBenchRecord {
        let mut order = order.to_vec();
        let answers = match &ask.answer {
            Answer::Texts(texts) => texts.clone(),
            Answer::Place => {
                let at = order.iter().position(|place| ask.needs[0] == *place);
                vec![format!("Paragraph {}", at.unwrap_or_default() + 1)]
            }
            Answer::Different(share) => {
                repeat(&mut order, *share, rng);
                let different: BTreeSet<&usize> = order.iter().collect();
                vec![different.len().to_string()]
            }
        };
        let shown = (1..).zip(&order);
        let context = shown.map(|(n, &place)| (self.kind.show)(&self.bank.passages[place], n));
        self.record(ask.input.clone(), context.collect(), answers)
    }

    fn record(&self, input: String, context: String, answers: Vec<String>) -> LongBenchRecord {
        let classes = self.definition.metric == Metric::Classification;
        LongBenchRecord {
            others: BTreeMap::new(),
            length: context.split_whitespace().count(),
            input,
            context,
            answers,
            dataset: self.kind.name.into(),
            language: self.definition.language.clone(),
            all_classes: classes.then(|| self.bank.topics()),
            id: String::new(),
        }
    }
}

/// Puts passages of `order` again in the place of a share of those in its second half.
fn repeat(order: &mut [usize], share: f64, rng: &mut ChaCha8Rng) {
    let half = order.len().div_ceil(2);
    let repeats = ((order.len() - half) as f64 * share).round() as usize;
    let kept = order.len() - repeats;
    for at in kept..order.len() {
        order[at] = order[rng.random_range(0..kept)];
    }
    order[half..].shuffle(rng);
}
