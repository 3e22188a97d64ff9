//! What a layer is coded as at each knob: its codebooks, measured before they are made.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::{SCALES, Scope, Spindle};
use crate::compress::codebook::{BitGraph, Codebook, Cosines, similarity_graphs};
use crate::compress::learn::{Learner, Learnt, Recipe, Vectors};
use crate::compress::method::{Compressed, Method, Plan};
use crate::compress::ranking::{Held, Ranking};
use crate::compress::score::key_norms;
use crate::compress::view::LayerView;
use crate::store::{
    Bytes, Coded, CodedRows, Codewords, Content, Entries, Fault, Footprint, Geometry, Indices,
    LayerStore, Part, Rotate, Rows, Run,
};

/// What a codebook of keys and one of values are learnt from.
struct Book<'a> {
    /// Keys and values of the heads that share it, per head `[len, head_dim]`.
    heads: [Vec<&'a Rows>; 2],
    /// What is alike among all keys and all values at the method's own thresholds; whatever eviction leaves is a part.
    alike: [OnceLock<BitGraph>; 2],
}

/// What a group of KV heads codes.
struct Selected {
    held: Vec<Held>,
    /// Of all vectors of the group, head after head.
    places: Vec<u32>,
    weights: Vec<u32>,
}

/// What is alike among keys and values; none for a learner that takes no threshold.
type Graphs<'a> = [Option<&'a BitGraph>; 2];

/// One layer, ready to be coded at any knob.
pub struct CodingPlan<'a> {
    method: &'a Spindle,
    layer: LayerView<'a>,
    ranking: Option<Ranking<'a>>,
    books: Vec<Book<'a>>,
    /// What each of [`SCALES`] would hold.
    at_scales: OnceLock<Vec<Footprint>>,
}

impl<'a> CodingPlan<'a> {
    /// # Errors
    /// A score that is not finite; a vector whose norm the store cannot hold.
    pub fn new(method: &'a Spindle, layer: LayerView<'a>) -> Result<Self, Fault> {
        let eviction = method.eviction.as_ref();
        let ranking = eviction.map(|eviction| Ranking::new(eviction, layer));
        let ranking = ranking.transpose()?;
        let kv_heads = 0..layer.geometry().kv_heads;
        let keys: Vec<&Rows> = match method.coding.rotated_keys {
            true => kv_heads.clone().map(|head| layer.kv().keys(head)).collect(),
            false => layer.unrotated_keys().iter().collect(),
        };
        let values: Vec<&Rows> = kv_heads.map(|head| layer.kv().values(head)).collect();
        check_norms("norms of keys", &keys, layer)?;
        check_norms("norms of values", &values, layer)?;
        let shared = match method.coding.scope {
            Scope::KvHead => 1,
            Scope::Layer => keys.len(),
        };
        let vectors = keys.chunks(shared).zip(values.chunks(shared));
        let books = vectors.map(|(keys, values)| Book {
            heads: [keys.to_vec(), values.to_vec()],
            alike: [OnceLock::new(), OnceLock::new()],
        });
        Ok(Self {
            method,
            layer,
            ranking,
            books: books.collect(),
            at_scales: OnceLock::new(),
        })
    }
}

/// That the norm of every vector of `heads` can be held: it is stored beside the codewords, or divided by.
fn check_norms(what: &'static str, heads: &[&Rows], layer: LayerView<'_>) -> Result<(), Fault> {
    for rows in heads {
        let norms = key_norms(&rows.to_f32(), rows.dim());
        let store = layer.store();
        let is_beyond = |norm: &f32| norm.is_nan() || *norm >= store.limit();
        if let Some(token) = norms.iter().position(is_beyond) {
            return Err(Fault {
                layer: Some(layer.layer),
                what,
                token,
                // Keys before RoPE that the type cannot hold are infinite by now.
                too_narrow: Some(store),
            });
        }
    }
    Ok(())
}

impl CodingPlan<'_> {
    fn geometry(&self) -> Geometry {
        self.layer.geometry()
    }

    /// Keys' and values' thresholds. Without eviction the knob scales how far from 1 they are.
    fn thetas(&self, knob: f64) -> [f32; 2] {
        let coding = &self.method.coding;
        let fixed = self.ranking.is_some() || !coding.recipe.learner.takes_threshold();
        let scale = if fixed { 1.0 } else { knob };
        [coding.theta_k, coding.theta_v].map(|theta| (1.0 - scale * (1.0 - theta)) as f32)
    }

    fn recipe(&self, knob: f64) -> Recipe {
        let mut recipe = self.method.coding.recipe;
        if let (None, Learner::SphericalKMeans { codewords }) = (&self.ranking, &mut recipe.learner)
        {
            *codewords = knob;
        }
        recipe
    }

    fn graphs(&self, heads: &[&Rows], thetas: &[f32]) -> Vec<BitGraph> {
        let vectors = Vectors::new(heads);
        similarity_graphs(&vectors.units, self.geometry().head_dim, thetas)
    }

    /// What one KV head codes.
    fn held(&self, kv_head: usize, knob: f64) -> Held {
        let len = self.layer.len();
        match &self.ranking {
            Some(ranking) if self.method.coding.codes_window => {
                ranking.held(kv_head, knob, usize::MAX)
            }
            Some(ranking) => ranking.held(kv_head, knob, 0),
            None => Held {
                positions: (0..len as u32).collect(),
                weights: vec![1; len],
                selecting: 1,
                lists: None,
            },
        }
    }

    /// Heads of a group that select for themselves.
    fn selecting(&self) -> usize {
        self.ranking.as_ref().map_or(1, Ranking::selecting)
    }

    /// Tokens of the recent window, where it is kept whole.
    fn recent(&self, knob: f64) -> usize {
        match &self.ranking {
            Some(ranking) if !self.method.coding.codes_window => ranking.budget(knob).recent,
            _ => 0,
        }
    }

    /// The recent window of every KV head, where it is kept whole.
    fn whole(&self, knob: f64) -> Run {
        let len = self.layer.len() as u32;
        let window: Vec<u32> = (len - self.recent(knob) as u32..len).collect();
        let heads = vec![window; self.geometry().kv_heads];
        self.layer.kv().shared(&heads)
    }

    /// What the `number`-th group of heads codes, and the place of each vector among all of the group's.
    fn selected(&self, number: usize, knob: f64) -> Selected {
        let len = self.layer.len();
        let shared = self.geometry().kv_heads / self.books.len();
        let held: Vec<Held> = (number * shared..(number + 1) * shared)
            .map(|kv_head| self.held(kv_head, knob))
            .collect();
        let places = held.iter().enumerate().flat_map(|(head, held)| {
            let positions = held.positions.iter();
            positions.map(move |p| (head * len) as u32 + p)
        });
        Selected {
            places: places.collect(),
            weights: held.iter().flat_map(|held| held.weights.clone()).collect(),
            held,
        }
    }

    /// The codebooks of keys and of values of what a group of heads codes.
    fn codebooks(
        &self,
        number: usize,
        knob: f64,
        selected: &Selected,
        graphs: Graphs<'_>,
    ) -> [Codebook; 2] {
        let Selected {
            places, weights, ..
        } = selected;
        let heads = &self.books[number].heads;
        [0, 1].map(|kind| {
            let seed = self.layer.seed(0, 2 * number + kind);
            self.recipe(knob)
                .codebook(&heads[kind], places, weights, graphs[kind], seed)
        })
    }

    /// The `number`-th group of heads in coded form.
    fn code(&self, number: usize, knob: f64, graphs: Graphs<'_>) -> (Part, [Cosines; 2]) {
        let d = self.geometry().head_dim;
        let selected = self.selected(number, knob);
        let (recipe, [theta_k, theta_v]) = (self.recipe(knob), self.thetas(knob));
        let [keys, values] = self.codebooks(number, knob, &selected, graphs);
        let learnt = |codebook, kind: usize| {
            let heads = &self.books[number].heads[kind];
            recipe.learnt(codebook, heads, &selected.places, &selected.weights)
        };
        let (keys, values) = (learnt(keys, 0), learnt(values, 1));
        let store = self.layer.store();
        let codewords = |learnt: &Learnt, theta: f32| {
            Codewords::new(d, store, &learnt.codewords, recipe.magnitudes, theta)
        };
        let spans: Vec<Range<usize>> = selected
            .held
            .iter()
            .scan(0, |end, held| {
                *end += held.positions.len();
                Some(*end - held.positions.len()..*end)
            })
            .collect();
        let coded = |learnt: &Learnt, theta: f32| {
            let rows = |span: &Range<usize>| {
                let norms = learnt.norms.as_ref().map(|norms| &norms[span.clone()]);
                CodedRows::new(store, &learnt.index[span.clone()], norms)
            };
            Coded::new(codewords(learnt, theta), spans.iter().map(rows).collect())
        };
        let part = Part {
            keys: Box::new(coded(&keys, theta_k)),
            values: Box::new(coded(&values, theta_v)),
            entries: selected
                .held
                .into_iter()
                .map(|held| Entries {
                    chosen: held.positions.len(),
                    positions: (!self.method.coding.rotated_keys)
                        .then(|| Indices::from_slice(&held.positions)),
                    lists: held.lists,
                    ..Entries::default()
                })
                .collect(),
        };
        (part, [keys.cosines, values.cosines])
    }

    /// What [`CodingPlan::code`] would hold, without making it.
    fn measure(&self, number: usize, knob: f64, graphs: Graphs<'_>) -> Footprint {
        let (d, size) = (self.geometry().head_dim, self.layer.store().size());
        let selected = self.selected(number, knob);
        let [keys, values] = self.codebooks(number, knob, &selected, graphs);
        let codewords = keys.codewords.len() + values.codewords.len();
        let mut measured = Footprint {
            codewords_k: keys.codewords.len() as u64,
            codewords_v: values.codewords.len() as u64,
            bytes: Bytes::of(Content::Codewords, (codewords * d * size) as u64),
            ..Footprint::default()
        };
        let bytes = |numbers: &[u32]| {
            let largest = numbers.iter().copied().max().unwrap_or(0) as usize;
            numbers.len() as u64 * Indices::width(largest)
        };
        let mut start = 0;
        for held in &selected.held {
            let n = held.positions.len();
            let span = start..start + n;
            start = span.end;
            let lists = held.lists.as_deref().unwrap_or_default();
            measured += Footprint {
                entries: n as u64,
                kept: match lists {
                    [] => (n * held.selecting) as u64,
                    lists => lists.iter().map(|list| list.len() as u64).sum(),
                },
                bytes: Bytes::of(
                    Content::Indices,
                    bytes(&keys.index[span.clone()]) + bytes(&values.index[span]),
                ) + Bytes::of(
                    Content::Magnitudes,
                    match self.method.coding.recipe.magnitudes {
                        true => (2 * n * size) as u64,
                        false => 0,
                    },
                ) + Bytes::of(
                    Content::Positions,
                    match self.method.coding.rotated_keys {
                        true => 0,
                        false => bytes(&held.positions),
                    },
                ) + Bytes::of(Content::Lists, lists.iter().map(Indices::bytes).sum()),
                ..Footprint::default()
            };
        }
        measured
    }

    /// Calls `then` with what is alike in a group at the knob's thresholds: made for it, but for an eviction, whose
    /// thresholds are fixed, once for all knobs.
    fn with_graphs<T>(&self, number: usize, knob: f64, then: impl FnOnce(Graphs<'_>) -> T) -> T {
        let (book, thetas) = (&self.books[number], self.thetas(knob));
        let graph = |kind: usize| self.graphs(&book.heads[kind], &[thetas[kind]]).remove(0);
        if !self.method.coding.recipe.learner.takes_threshold() {
            return then([None, None]);
        }
        if self.ranking.is_some() {
            return then([0, 1].map(|kind| Some(book.alike[kind].get_or_init(|| graph(kind)))));
        }
        let [keys, values] = [0, 1].map(graph);
        then([Some(&keys), Some(&values)])
    }

    /// What each of [`SCALES`] would hold: the products of all pairs are computed once for all of them.
    fn measure_scales(&self) -> Vec<Footprint> {
        let thetas = SCALES.map(|scale| self.thetas(scale));
        let books: Vec<Vec<Footprint>> = (0..self.books.len())
            .into_par_iter()
            .map(|number| {
                let [keys, values] = [0, 1].map(|kind| {
                    let thetas = thetas.map(|pair| pair[kind]);
                    self.graphs(&self.books[number].heads[kind], &thetas)
                });
                let graphs = keys.iter().zip(&values).zip(SCALES);
                graphs
                    .map(|((keys, values), scale)| {
                        let graphs = [Some(keys), Some(values)];
                        self.measure(number, scale, graphs)
                    })
                    .collect()
            })
            .collect();
        let at = |scale: usize| books.iter().map(|book| book[scale]).sum();
        (0..SCALES.len()).map(at).collect()
    }
}

impl Plan for CodingPlan<'_> {
    fn footprint(&self, knob: f64) -> Footprint {
        let scale = SCALES.iter().position(|&scale| scale == knob);
        match scale.filter(|_| self.method.knob().cheap == SCALES) {
            Some(scale) => self.at_scales.get_or_init(|| self.measure_scales())[scale],
            None => {
                let books = (0..self.books.len()).into_par_iter().map(|number| {
                    self.with_graphs(number, knob, |graphs| self.measure(number, knob, graphs))
                });
                let books: Vec<Footprint> = books.collect();
                let kv_heads = self.geometry().kv_heads;
                let whole = self.whole(knob).footprint(self.selecting(), kv_heads);
                books.into_iter().chain([whole]).sum()
            }
        }
    }

    fn build(&self, knob: f64) -> Result<Compressed, Fault> {
        let coded: Vec<(Part, [Cosines; 2])> = (0..self.books.len())
            .into_par_iter()
            .map(|number| self.with_graphs(number, knob, |graphs| self.code(number, knob, graphs)))
            .collect();
        let (parts, cosines): (Vec<Part>, Vec<[Cosines; 2]>) = coded.into_iter().unzip();
        let over_books = |kind: usize| {
            let parts: Vec<Cosines> = cosines.iter().map(|pair| pair[kind]).collect();
            Cosines::together(&parts)
        };
        let coded = Run {
            parts,
            rotate: match self.method.coding.rotated_keys {
                true => Rotate::AtWrite,
                false => Rotate::ByPosition,
            },
        };
        let mut prompt = Vec::new();
        if self.recent(knob) > 0 {
            prompt.push(Arc::new(self.whole(knob)));
        }
        let open = match self.method.coding.codes_decoded {
            true => coded,
            false => {
                prompt.push(Arc::new(coded));
                let Geometry {
                    kv_heads, head_dim, ..
                } = self.geometry();
                Run::empty(kv_heads, head_dim, self.layer.store())
            }
        };
        Ok(Compressed {
            cosines: Some((over_books(0), over_books(1))),
            store: LayerStore::new(prompt, open, self.selecting()),
            kept: self.ranking.as_ref().map(|ranking| ranking.kept(knob)),
        })
    }
}
