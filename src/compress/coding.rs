//! Codebook replacement of what eviction leaves (PAPER sections 1.5 and 1.6): per KV head, keys and values apart,
//! learnt from this prompt. With nothing evicted it is the codebook alone.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::codebook::{
    BitGraph, Cosines, Preference, greedy, leader, normalise, similarity_graphs,
};
use super::eviction::Eviction;
use super::method::{Compressed, Knob, Method, Plan};
use super::ranking::Ranking;
use super::view::LayerView;
use crate::cache::{CodedHead, CodedKv, CodedRows, Footprint, Prefix, Rows};
use crate::model::observe::Observe;

/// Which vectors become codewords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learner {
    /// Algorithm 1: greedy maximum-degree cover.
    Greedy,
    /// One pass in the order of the text; a vector joins the most alike earlier codeword above the threshold.
    Leader,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Coding {
    pub learner: Learner,
    pub theta_k: f64,
    pub theta_v: f64,
    /// Keys are coded before RoPE and rotated when they are used (the paper's), or as they are, rotated.
    pub rotated_keys: bool,
    /// A norm per vector; without, every vector takes its codeword's own.
    pub magnitudes: bool,
    /// Tokens decoded later join the codebooks, or stay whole.
    pub codes_decoded: bool,
}

/// SpindleKV: eviction, then coding, in every layer. The knob is the share that eviction keeps, or how far the
/// thresholds are from 1 where nothing is evicted.
#[derive(Debug, Clone, PartialEq)]
pub struct Spindle {
    /// None: nothing is evicted.
    pub eviction: Option<Eviction>,
    pub coding: Coding,
}

impl Method for Spindle {
    fn observes(&self) -> Observe {
        let coding = Observe {
            unrotated_keys: !self.coding.rotated_keys,
            ..Observe::default()
        };
        self.eviction
            .as_ref()
            .map_or(coding, |eviction| coding.union(eviction.observes()))
    }

    fn knob(&self) -> Knob {
        match self.eviction {
            Some(_) => Knob {
                name: "share",
                smallest: 0.0,
                largest: 1.0,
            },
            None => Knob {
                name: "theta-scale",
                smallest: 12.0,
                largest: 0.0,
            },
        }
    }

    fn plan<'a>(&'a self, layer: LayerView<'a>) -> Box<dyn Plan + 'a> {
        let ranking = self
            .eviction
            .as_ref()
            .map(|eviction| Ranking::new(eviction, layer));
        let coding = &self.coding;
        let keys = if coding.rotated_keys {
            &layer.kv().keys
        } else {
            layer.unrotated_keys()
        };
        let vectors = keys.iter().zip(&layer.kv().values);
        let heads = vectors
            .map(|(keys, values)| [Vectors::new(keys), Vectors::new(values)])
            .collect();
        Box::new(CodingPlan {
            method: self,
            layer,
            ranking,
            heads,
            graphs: OnceLock::new(),
        })
    }
}

/// All keys or all values of one head: directions `[len, head_dim]` and norms `[len]`.
struct Vectors {
    units: Vec<f32>,
    norms: Vec<f32>,
}

impl Vectors {
    fn new(rows: &Rows) -> Self {
        let (units, norms) = normalise(&rows.to_f32(), rows.dim());
        Self { units, norms }
    }
}

/// The codeword of each kept vector of a head.
struct Learnt {
    rows: CodedRows,
    cosines: Cosines,
}

struct CodingPlan<'a> {
    method: &'a Spindle,
    layer: LayerView<'a>,
    ranking: Option<Ranking<'a>>,
    /// Keys and values of each KV head.
    heads: Vec<[Vectors; 2]>,
    /// What is alike among all of them at the method's thresholds; whatever eviction leaves is a part of it.
    graphs: OnceLock<Vec<[BitGraph; 2]>>,
}

impl CodingPlan<'_> {
    fn head_dim(&self) -> usize {
        self.layer.geometry().head_dim
    }

    /// Keys' and values' thresholds. Without eviction the knob scales how far from 1 they are.
    fn thetas(&self, knob: f64) -> [f64; 2] {
        let scale = if self.ranking.is_some() { 1.0 } else { knob };
        let coding = &self.method.coding;
        [coding.theta_k, coding.theta_v].map(|theta| 1.0 - scale * (1.0 - theta))
    }

    fn graphs_at(&self, thetas: [f64; 2]) -> Vec<[BitGraph; 2]> {
        let graph = |vectors: &Vectors, theta: f64| {
            similarity_graphs(&vectors.units, self.head_dim(), &[theta as f32]).remove(0)
        };
        let both =
            |[keys, values]: &[Vectors; 2]| [graph(keys, thetas[0]), graph(values, thetas[1])];
        self.heads.par_iter().map(both).collect()
    }

    /// The codebook of the vectors at `positions`; `weights`: how many query heads keep each.
    fn learn(
        &self,
        all: &Vectors,
        graph: &BitGraph,
        positions: &[u32],
        weights: &[u32],
        theta: f64,
    ) -> Learnt {
        let (coding, d) = (&self.method.coding, self.head_dim());
        let rows = positions
            .iter()
            .map(|&p| &all.units[p as usize * d..(p as usize + 1) * d]);
        let units: Vec<f32> = rows.flatten().copied().collect();
        let norms: Vec<f32> = positions.iter().map(|&p| all.norms[p as usize]).collect();
        let graph = graph.subset(positions);
        let codebook = match coding.learner {
            Learner::Greedy => greedy(&graph, weights),
            Learner::Leader => leader(&graph, &units, d, Preference::Best),
        };
        let store = self.layer.store();
        let codewords = codebook.codewords.vectors(&units, d);
        let rows = if coding.magnitudes {
            CodedRows::new(
                d,
                store,
                &codewords,
                &codebook.index,
                Some(&norms),
                theta as f32,
            )
        } else {
            // Without norms of its own, a vector takes its codeword's: the codeword is kept at its length.
            let members = codebook
                .codewords
                .members()
                .iter()
                .map(|&m| norms[m as usize]);
            let scaled = codewords
                .chunks_exact(d)
                .zip(members)
                .flat_map(|(c, norm)| c.iter().map(move |x| x * norm));
            CodedRows::new(
                d,
                store,
                &scaled.collect::<Vec<f32>>(),
                &codebook.index,
                None,
                theta as f32,
            )
        };
        Learnt {
            rows,
            cosines: codebook.cosines(&units, d),
        }
    }

    fn code_head(
        &self,
        head: usize,
        graphs: &[BitGraph; 2],
        knob: f64,
    ) -> (CodedHead, Cosines, Cosines) {
        let (positions, weights, lists) = match &self.ranking {
            Some(ranking) => ranking.held(head, knob, usize::MAX),
            None => (
                (0..self.layer.len() as u32).collect(),
                vec![1; self.layer.len()],
                None,
            ),
        };
        let [theta_k, theta_v] = self.thetas(knob);
        let [keys, values] = &self.heads[head];
        let keys = self.learn(keys, &graphs[0], &positions, &weights, theta_k);
        let values = self.learn(values, &graphs[1], &positions, &weights, theta_v);
        let positions = (!self.method.coding.rotated_keys).then_some(positions.as_slice());
        (
            CodedHead::new(keys.rows, values.rows, positions, lists),
            keys.cosines,
            values.cosines,
        )
    }
}

impl Plan for CodingPlan<'_> {
    fn footprint(&self, knob: f64) -> Footprint {
        self.build(knob).prefix.footprint()
    }

    fn build(&self, knob: f64) -> Compressed {
        let fresh;
        let graphs = match self.ranking {
            Some(_) => self
                .graphs
                .get_or_init(|| self.graphs_at(self.thetas(knob))),
            None => {
                fresh = self.graphs_at(self.thetas(knob));
                &fresh
            }
        };
        let coded: Vec<(CodedHead, Cosines, Cosines)> = graphs
            .par_iter()
            .enumerate()
            .map(|(head, graphs)| self.code_head(head, graphs, knob))
            .collect();
        let over_heads = |pick: fn(&(CodedHead, Cosines, Cosines)) -> Cosines| Cosines {
            min: coded.iter().map(|c| pick(c).min).fold(1.0, f32::min),
            mean: coded.iter().map(|c| pick(c).mean).sum::<f32>() / coded.len() as f32,
        };
        let cosines = Some((over_heads(|c| c.1), over_heads(|c| c.2)));
        let heads = coded.into_iter().map(|(head, ..)| head).collect();
        let codes_decoded = self.method.coding.codes_decoded;
        Compressed {
            prefix: Prefix::Coded(CodedKv {
                heads,
                codes_decoded,
            }),
            kept: self.ranking.as_ref().map(|ranking| ranking.kept(knob)),
            cosines,
        }
    }
}
