//! Codebooks of one layer's keys or values; their size can be measured without making them.

use std::ops::Range;
use std::sync::OnceLock;

use crate::compress::choice::Choice;
use crate::compress::codebook::{BitGraph, Codebook, similarity_graphs};
use crate::compress::learning::{Learner, Learning, Vectors};
use crate::compress::method::At;
use crate::compress::score::key_norms;
use crate::compress::writer::write::{Measured, SideView, WriterPlan, Written};
use crate::store::{
    Bytes, Coded, CodedRows, Codewords, Content, Fault, Indices, Rows, Side, Wrong,
};

/// Multiples of the settings' distance from 1. When a size is solved for, all vectors are measured at these thresholds
/// in one pass.
pub(super) const SCALES: [f64; 12] = [12.0, 10.0, 8.0, 6.5, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.5, 0.0];

/// What a codebook is learnt from.
struct Book<'a> {
    /// The vectors of the KV heads that share it, per head `[len, head_dim]`.
    heads: Vec<&'a Rows>,
    /// Similarity graph of all vectors at the method's own threshold. The graph of a subset of entries is a part of it.
    alike: OnceLock<BitGraph>,
    /// Size of the form of all vectors at each of [`SCALES`].
    at_scales: OnceLock<Vec<Measured>>,
}

/// Keys or values of one layer, ready to be coded.
pub(super) struct CodebookPlan<'a> {
    source: SideView<'a>,
    learning: Learning,
    theta: f64,
    /// One book for each KV head, or one for all.
    books: Vec<Book<'a>>,
}

/// What the heads that share a codebook hold.
struct Coding<'p, 'a> {
    book: &'p Book<'a>,
    /// Places of the entries among all vectors of the book, head after head.
    places: Vec<u32>,
    /// Number of query heads that keep each entry.
    weights: Vec<u32>,
    /// Range of each head's entries in `places`.
    spans: Vec<Range<usize>>,
    seed: u64,
}

impl<'a> CodebookPlan<'a> {
    /// # Errors
    /// A vector whose norm the store cannot hold.
    pub(super) fn new(
        source: SideView<'a>,
        learning: Learning,
        theta: f64,
        is_shared: bool,
    ) -> Result<Self, Fault> {
        check_norms(&source)?;
        let shared = if is_shared { source.heads.len() } else { 1 };
        let books = source.heads.chunks(shared).map(|heads| Book {
            heads: heads.to_vec(),
            alike: OnceLock::new(),
            at_scales: OnceLock::new(),
        });
        Ok(Self {
            books: books.collect(),
            source,
            learning,
            theta,
        })
    }

    /// The threshold: its distance from 1 scaled where the knob says so.
    fn theta(&self, at: Option<At>) -> f32 {
        let scale = match at {
            Some(At::Value(scale)) if self.learning.learner.takes_threshold() => scale,
            Some(At::Cheap(i)) => SCALES[i],
            _ => 1.0,
        };
        (1.0 - scale * (1.0 - self.theta)) as f32
    }

    fn learning(&self, at: Option<At>) -> Learning {
        let mut learning = self.learning;
        if let (Some(At::Value(share)), Learner::SphericalKMeans { codewords }) =
            (at, &mut learning.learner)
        {
            *codewords = share;
        }
        learning
    }

    fn dim(&self) -> usize {
        self.source.heads[0].dim()
    }

    fn graphs(&self, book: &Book<'_>, thetas: &[f32]) -> Vec<BitGraph> {
        let vectors = Vectors::new(&book.heads);
        similarity_graphs(&vectors.units, self.dim(), thetas)
    }

    /// # Panics
    /// Where a codebook of all KV heads is asked for entries that are stored for each query head.
    fn coding(&self, choice: &Choice<'_>, heads: Range<usize>) -> Coding<'_, 'a> {
        let first = choice.held(heads.start).kv_head;
        let book = match self.books.len() {
            1 => &self.books[0],
            _ => &self.books[first],
        };
        assert!(heads.len() <= book.heads.len(), "a head is written twice");
        let layer = self.source.layer;
        let number = heads.start / heads.len();
        let (mut places, mut weights, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for head in heads {
            let held = choice.held(head);
            let before = ((held.kv_head - first) * layer.len()) as u32;
            let start = places.len();
            places.extend(held.positions.iter().map(|position| before + position));
            weights.extend(&held.weights);
            spans.push(start..places.len());
        }
        Coding {
            book,
            places,
            weights,
            spans,
            seed: layer.seed(0, 2 * number + self.source.side as usize),
        }
    }

    fn codebook(
        &self,
        coding: &Coding<'_, '_>,
        at: Option<At>,
        alike: Option<&BitGraph>,
    ) -> Codebook {
        self.learning(at).codebook(
            &coding.book.heads,
            &coding.places,
            &coding.weights,
            alike,
            coding.seed,
        )
    }

    /// Calls `then` with the similarity graph at the threshold. The graph is made once for all sizes if no knob moves
    /// the threshold. None for a learner that takes no threshold.
    fn with_graph<T>(
        &self,
        book: &Book<'_>,
        at: Option<At>,
        then: impl FnOnce(Option<&BitGraph>) -> T,
    ) -> T {
        let graph = || self.graphs(book, &[self.theta(at)]).remove(0);
        if !self.learning.learner.takes_threshold() {
            return then(None);
        }
        match at {
            None => then(Some(book.alike.get_or_init(graph))),
            Some(_) => then(Some(&graph())),
        }
    }

    fn measure_codebook(&self, codebook: &Codebook, spans: &[Range<usize>]) -> Measured {
        let rows = self.source.heads[0];
        let norm = Rows::new(1, rows.store());
        let codewords = codebook.codewords.len();
        let indices = spans.iter().map(|span| &codebook.index[span.clone()]);
        let magnitudes = match self.learning.magnitudes {
            true => norm.bytes_of(codebook.index.len()),
            false => 0,
        };
        let indices = indices.map(|index| Indices::from_slice(index).bytes());
        Measured {
            codewords: Some(codewords),
            bytes: Bytes::of(Content::Codewords, rows.bytes_of(codewords))
                + Bytes::of(Content::Indices, indices.sum())
                + Bytes::of(Content::Magnitudes, magnitudes),
        }
    }

    /// Measures the form at each of [`SCALES`]. Products of pairs are computed once for all of them.
    fn measure_scales(&self, coding: &Coding<'_, '_>) -> Vec<Measured> {
        let all = (0..SCALES.len()).map(|i| Some(At::Cheap(i)));
        let thetas: Vec<f32> = all.clone().map(|at| self.theta(at)).collect();
        let graphs = self.graphs(coding.book, &thetas);
        let codebooks = all
            .zip(&graphs)
            .map(|(at, graph)| self.codebook(coding, at, Some(graph)));
        codebooks
            .map(|codebook| self.measure_codebook(&codebook, &coding.spans))
            .collect()
    }
}

/// Checks that the norm of every vector can be held: it is stored beside the codewords, or divided by.
fn check_norms(source: &SideView<'_>) -> Result<(), Fault> {
    let store = source.layer.store();
    for rows in &source.heads {
        let norms = key_norms(&rows.to_f32(), rows.dim());
        let is_beyond = |norm: &f32| norm.is_nan() || *norm >= store.limit();
        if let Some(token) = norms.iter().position(is_beyond) {
            return Err(Fault {
                layer: Some(source.layer.layer),
                what: match source.side {
                    Side::Keys => "norms of keys",
                    Side::Values => "norms of values",
                },
                token,
                // Keys before RoPE beyond the type's range were stored as infinity.
                wrong: Wrong::TooLarge(store),
            });
        }
    }
    Ok(())
}

impl WriterPlan for CodebookPlan<'_> {
    fn measure(&self, choice: &Choice<'_>, heads: Range<usize>, at: Option<At>) -> Measured {
        let coding = self.coding(choice, heads);
        if let Some(At::Cheap(i)) = at {
            let at_scales = coding
                .book
                .at_scales
                .get_or_init(|| self.measure_scales(&coding));
            return at_scales[i];
        }
        let codebook = self.with_graph(coding.book, at, |graph| self.codebook(&coding, at, graph));
        self.measure_codebook(&codebook, &coding.spans)
    }

    fn write(&self, choice: &Choice<'_>, heads: Range<usize>, at: Option<At>) -> Written {
        let coding = self.coding(choice, heads);
        let codebook = self.with_graph(coding.book, at, |graph| self.codebook(&coding, at, graph));
        let learning = self.learning(at);
        let learnt = learning.learnt(
            codebook,
            &coding.book.heads,
            &coding.places,
            &coding.weights,
        );
        let store = self.source.layer.store();
        let theta = self.theta(at);
        let codewords = Codewords::new(
            self.dim(),
            store,
            &learnt.codewords,
            learning.magnitudes,
            theta,
        );
        let rows = |span: &Range<usize>| {
            let norms = learnt.norms.as_ref().map(|norms| &norms[span.clone()]);
            CodedRows::new(store, &learnt.index[span.clone()], norms)
        };
        let rows = coding.spans.iter().map(rows).collect();
        Written {
            form: Box::new(Coded::new(codewords, rows)),
            cosines: Some(learnt.cosines),
        }
    }
}
