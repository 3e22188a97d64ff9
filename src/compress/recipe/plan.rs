//! One layer under a recipe, at any size.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use crate::compress::choice::Choice;
use crate::compress::codebook::Cosines;
use crate::compress::eviction::Eviction;
use crate::compress::method::{At, Compressed, Plan};
use crate::compress::ranking::Ranking;
use crate::compress::view::LayerView;
use crate::compress::writer::{SideView, WholeWriter, Writer, WriterPlan};
use crate::store::{Entries, Fault, Footprint, Geometry, LayerStore, Part, Rotate, Run, Side};

/// One layer, ready to be compressed to any size.
pub(super) struct RecipePlan<'a> {
    layer: LayerView<'a>,
    /// None: nothing is evicted.
    ranking: Option<Ranking<'a>>,
    writing: Writing<'a>,
    whole: Writing<'a>,
    /// See [`Recipe`](super::Recipe), as for the next field.
    pub is_window_whole: bool,
    pub is_decoded_whole: bool,
}

/// How keys and values are written.
struct Writing<'a> {
    writers: [&'a dyn Writer; 2],
    plans: [Box<dyn WriterPlan + 'a>; 2],
    /// Whether the layer's attention has a window.
    is_windowed: bool,
}

impl<'a> Writing<'a> {
    fn new(layer: LayerView<'a>, writers: [&'a dyn Writer; 2]) -> Result<Self, Fault> {
        let rotate = writers[0].rotate();
        Ok(Self {
            plans: [
                writers[0].plan(SideView::new(layer, Side::Keys, rotate))?,
                writers[1].plan(SideView::new(layer, Side::Values, rotate))?,
            ],
            writers,
            is_windowed: layer.rule().window.is_some(),
        })
    }

    fn rotate(&self) -> Rotate {
        self.writers[0].rotate()
    }

    /// Whether each entry's position is stored: its key is rotated when it is read, or a window goes by it.
    fn has_positions(&self) -> bool {
        self.rotate() == Rotate::ByPosition || self.is_windowed
    }

    /// Number of heads, of `heads`, that are written together.
    fn together(&self, heads: usize) -> usize {
        let shares = self.writers.iter().any(|writer| writer.shares_heads());
        if shares { heads } else { 1 }
    }

    /// The heads of a choice, grouped into ranges that are written together.
    fn parts(&self, choice: &Choice<'_>) -> Vec<Range<usize>> {
        let together = self.together(choice.heads());
        let firsts = (0..choice.heads()).step_by(together);
        firsts.map(|first| first..first + together).collect()
    }

    fn measure(&self, choice: &Choice<'_>, at: Option<At>) -> Footprint {
        let parts = self.parts(choice).into_par_iter().map(|heads| {
            let [keys, values] =
                [0, 1].map(|side: usize| self.plans[side].measure(choice, heads.clone(), at));
            let besides = heads.map(|head| choice.footprint(head, self.has_positions()));
            let mut footprint: Footprint = besides.sum();
            let codewords = [keys, values].map(|side| side.codewords);
            footprint += Footprint {
                codewords_k: codewords[0].unwrap_or(0) as u64,
                codewords_v: codewords[1].unwrap_or(0) as u64,
                coded: codewords.iter().flatten().count() as u64 * footprint.entries,
                bytes: keys.bytes + values.bytes,
                ..Footprint::default()
            };
            footprint
        });
        parts.collect::<Vec<Footprint>>().into_iter().sum()
    }

    fn write(&self, choice: &Choice<'_>, at: Option<At>) -> (Run, [Option<Cosines>; 2]) {
        let write = |heads: Range<usize>| {
            let [keys, values] =
                [0, 1].map(|side: usize| self.plans[side].write(choice, heads.clone(), at));
            let entries = heads.map(|head| choice.held(head).entries(self.has_positions()));
            let part = Part {
                keys: keys.form,
                values: values.form,
                entries: entries.collect(),
            };
            (part, [keys.cosines, values.cosines])
        };
        let parts: Vec<_> = self.parts(choice).into_par_iter().map(write).collect();
        let (parts, cosines): (Vec<Part>, Vec<[Option<Cosines>; 2]>) = parts.into_iter().unzip();
        let over_parts = |side: usize| {
            let parts: Option<Vec<Cosines>> = cosines.iter().map(|pair| pair[side]).collect();
            parts.map(|parts| Cosines::together(&parts))
        };
        let run = Run {
            parts,
            rotate: self.rotate(),
        };
        (run, [0, 1].map(over_parts))
    }

    /// A run that holds nothing yet.
    fn empty(&self, layer: LayerView<'_>) -> Run {
        let Geometry {
            kv_heads, head_dim, ..
        } = layer.geometry();
        let together = self.together(kv_heads);
        let [keys, values] = self.writers;
        let part = |_| Part {
            keys: keys.empty(together, head_dim, layer.store()),
            values: values.empty(together, head_dim, layer.store()),
            entries: vec![Entries::default(); together],
        };
        Run {
            parts: (0..kv_heads / together).map(part).collect(),
            rotate: self.rotate(),
        }
    }
}

impl<'a> RecipePlan<'a> {
    /// # Errors
    /// A score that is not finite; a vector that cannot be written.
    pub(super) fn new(
        layer: LayerView<'a>,
        eviction: Option<&'a Eviction>,
        keys: &'a dyn Writer,
        values: &'a dyn Writer,
    ) -> Result<Self, Fault> {
        let ranking = eviction.map(|eviction| Ranking::new(eviction, layer));
        Ok(Self {
            layer,
            ranking: ranking.transpose()?,
            writing: Writing::new(layer, [keys, values])?,
            whole: Writing::new(layer, [&WholeWriter, &WholeWriter])?,
            is_window_whole: false,
            is_decoded_whole: false,
        })
    }

    /// The entries that each head holds of the prompt, without a window that is stored whole.
    fn choice(&self, at: At) -> Choice<'_> {
        match &self.ranking {
            Some(ranking) => {
                Choice::ranked(ranking, at.value(&Eviction::KNOB), !self.is_window_whole)
            }
            None => Choice::all(self.layer),
        }
    }

    /// The recent window. None if it is not stored whole.
    fn window(&self, at: At) -> Option<Choice<'_>> {
        let ranking = self.ranking.as_ref().filter(|_| self.is_window_whole)?;
        let budget = ranking.budget(at.value(&Eviction::KNOB));
        (budget.recent > 0).then(|| Choice::last(self.layer, budget.recent, ranking.selecting()))
    }

    /// The place on the writers' knob. None if the knob sets the eviction: writers then follow their own settings.
    fn written_at(&self, at: At) -> Option<At> {
        self.ranking.is_none().then_some(at)
    }

    /// Number of query heads of a group that select for themselves.
    fn selecting(&self) -> usize {
        match &self.ranking {
            Some(ranking) if ranking.is_apart() => self.layer.geometry().group(),
            Some(ranking) => ranking.selecting(),
            None => 1,
        }
    }

    /// Per query head, the positions it keeps, ascending. None: all.
    fn kept(&self, at: At) -> Option<Vec<Vec<u32>>> {
        let ranking = self.ranking.as_ref()?;
        Some(ranking.kept(at.value(&Eviction::KNOB)))
    }
}

impl Plan for RecipePlan<'_> {
    fn footprint(&self, at: At) -> Footprint {
        let written = self.writing.measure(&self.choice(at), self.written_at(at));
        let window = self.window(at);
        let whole = window.map(|window| self.whole.measure(&window, None));
        whole.into_iter().chain([written]).sum()
    }

    fn build(&self, at: At) -> Result<Compressed, Fault> {
        let choice = self.choice(at);
        let (run, cosines) = self.writing.write(&choice, self.written_at(at));
        let mut prompt = Vec::new();
        if let Some(window) = self.window(at) {
            prompt.push(Arc::new(self.whole.write(&window, None).0));
        }
        let decoded = match self.is_decoded_whole {
            true => &self.whole,
            false => &self.writing,
        };
        let joins = decoded.writers.iter().any(|writer| writer.joins());
        let open = match joins && choice.heads() == self.layer.geometry().kv_heads {
            true => run,
            false => {
                prompt.push(Arc::new(run));
                decoded.empty(self.layer)
            }
        };
        Ok(Compressed {
            store: LayerStore::new(prompt, open, self.selecting()),
            kept: self.kept(at),
            cosines,
        })
    }
}
