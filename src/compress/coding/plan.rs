//! What a layer is coded as at each knob: its codebooks, measured before they are made.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::{SCALES, Scope, Spindle};
use crate::cache::{
    CodedBook, CodedHead, CodedKv, CodedRows, Codewords, DenseKv, Fault, Footprint, Geometry,
    Indices, Prefix, Rows,
};
use crate::compress::codebook::{BitGraph, Codebook, Cosines, similarity_graphs};
use crate::compress::learn::{Learner, Learnt, Recipe, Vectors};
use crate::compress::method::{Compressed, Method, Plan};
use crate::compress::ranking::{Held, Ranking};
use crate::compress::score::key_norms;
use crate::compress::view::LayerView;

/// What a codebook of keys and one of values are learnt from.
struct Book<'a> {
    /// Keys and values of the heads that share it, per head `[len, head_dim]`.
    heads: [&'a [Rows]; 2],
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
        let keys = if method.coding.rotated_keys {
            &layer.kv().keys
        } else {
            layer.unrotated_keys()
        };
        check_norms("norms of keys", keys, layer)?;
        check_norms("norms of values", &layer.kv().values, layer)?;
        let shared = match method.coding.scope {
            Scope::KvHead => 1,
            Scope::Layer => keys.len(),
        };
        let vectors = keys.chunks(shared).zip(layer.kv().values.chunks(shared));
        let books = vectors.map(|(keys, values)| Book {
            heads: [keys, values],
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
fn check_norms(what: &'static str, heads: &[Rows], layer: LayerView<'_>) -> Result<(), Fault> {
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

    fn graphs(&self, heads: &[Rows], thetas: &[f32]) -> Vec<BitGraph> {
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

    /// The recent window of every KV head, where it is kept whole.
    fn whole(&self, knob: f64) -> DenseKv {
        let recent = match &self.ranking {
            Some(ranking) if !self.method.coding.codes_window => ranking.budget(knob).recent,
            _ => 0,
        };
        let len = self.layer.len() as u32;
        let window: Vec<u32> = (len - recent as u32..len).collect();
        let full = self.layer.kv();
        DenseKv {
            keys: full.keys.iter().map(|rows| rows.gather(&window)).collect(),
            values: full
                .values
                .iter()
                .map(|rows| rows.gather(&window))
                .collect(),
        }
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
        let heads = self.books[number].heads;
        [0, 1].map(|kind| {
            let seed = self.layer.seed(0, 2 * number + kind);
            self.recipe(knob)
                .codebook(heads[kind], places, weights, graphs[kind], seed)
        })
    }

    /// The `number`-th group of heads in coded form.
    fn code(&self, number: usize, knob: f64, graphs: Graphs<'_>) -> (CodedBook, [Cosines; 2]) {
        let d = self.geometry().head_dim;
        let selected = self.selected(number, knob);
        let (recipe, [theta_k, theta_v]) = (self.recipe(knob), self.thetas(knob));
        let [keys, values] = self.codebooks(number, knob, &selected, graphs);
        let learnt = |codebook, kind: usize| {
            let heads = self.books[number].heads[kind];
            recipe.learnt(codebook, heads, &selected.places, &selected.weights)
        };
        let (keys, values) = (learnt(keys, 0), learnt(values, 1));
        let store = self.layer.store();
        let codewords = |learnt: &Learnt, theta: f32| {
            Codewords::new(d, store, &learnt.codewords, recipe.magnitudes, theta)
        };
        let mut start = 0;
        let mut heads = Vec::with_capacity(selected.held.len());
        for held in selected.held {
            let span = start..start + held.positions.len();
            start = span.end;
            let rows = |learnt: &Learnt| {
                let norms = learnt.norms.as_ref().map(|norms| &norms[span.clone()]);
                CodedRows::new(store, &learnt.index[span.clone()], norms)
            };
            let positions = (!self.method.coding.rotated_keys).then_some(&held.positions[..]);
            let (keys, values) = (rows(&keys), rows(&values));
            heads.push(CodedHead::new(
                keys,
                values,
                positions,
                held.selecting,
                held.lists,
            ));
        }
        let book = CodedBook {
            keys: codewords(&keys, theta_k),
            values: codewords(&values, theta_v),
            heads,
        };
        (book, [keys.cosines, values.cosines])
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
            bytes_codewords: (codewords * d * size) as u64,
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
                bytes_indices: bytes(&keys.index[span.clone()]) + bytes(&values.index[span]),
                bytes_magnitudes: match self.method.coding.recipe.magnitudes {
                    true => (2 * n * size) as u64,
                    false => 0,
                },
                bytes_positions: match self.method.coding.rotated_keys {
                    true => 0,
                    false => bytes(&held.positions),
                },
                bytes_lists: lists.iter().map(Indices::bytes).sum(),
                ..Footprint::default()
            };
        }
        measured
    }

    /// Calls `then` with what is alike in a group at the knob's thresholds: made for it, but for an eviction, whose
    /// thresholds are fixed, once for all knobs.
    fn with_graphs<T>(&self, number: usize, knob: f64, then: impl FnOnce(Graphs<'_>) -> T) -> T {
        let (book, thetas) = (&self.books[number], self.thetas(knob));
        let graph = |kind: usize| self.graphs(book.heads[kind], &[thetas[kind]]).remove(0);
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
                    self.graphs(self.books[number].heads[kind], &thetas)
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
                let selecting = self.ranking.as_ref().map_or(1, Ranking::selecting);
                let whole = self.whole(knob).footprint();
                let whole = Footprint {
                    kept: whole.kept * selecting as u64,
                    ..whole
                };
                books.into_iter().chain([whole]).sum()
            }
        }
    }

    fn build(&self, knob: f64) -> Result<Compressed, Fault> {
        let coded: Vec<(CodedBook, [Cosines; 2])> = (0..self.books.len())
            .into_par_iter()
            .map(|number| self.with_graphs(number, knob, |graphs| self.code(number, knob, graphs)))
            .collect();
        let (books, cosines): (Vec<CodedBook>, Vec<[Cosines; 2]>) = coded.into_iter().unzip();
        let over_books = |kind: usize| {
            let parts: Vec<Cosines> = cosines.iter().map(|pair| pair[kind]).collect();
            Cosines::together(&parts)
        };
        Ok(Compressed {
            cosines: Some((over_books(0), over_books(1))),
            prefix: Prefix::Coded(CodedKv {
                books,
                whole: self.whole(knob),
                codes_decoded: self.method.coding.codes_decoded,
            }),
            kept: self.ranking.as_ref().map(|ranking| ranking.kept(knob)),
        })
    }
}
