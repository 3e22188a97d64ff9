//! Codebook replacement of what eviction leaves (PAPER sections 1.5 and 1.6): per KV head, keys and values apart,
//! learnt from this prompt. With nothing evicted it is the codebook alone.

use rayon::prelude::*;

use super::codebook::{
    Codebook, Cosines, Preference, greedy, leader, normalise, similarity_graphs,
};
use super::eviction::{Eviction, Ranking};
use super::method::{Compressed, Knob, Method, Plan};
use super::view::LayerView;
use crate::cache::{
    CodedHead, CodedKv, CodedRows, Footprint, Indices, Prefix, Rows, places, union,
};
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
        self.eviction
            .as_ref()
            .map_or(Observe::default(), Eviction::observes)
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
        Box::new(CodingPlan {
            method: self,
            layer,
            ranking,
        })
    }
}

struct CodingPlan<'a> {
    method: &'a Spindle,
    layer: LayerView<'a>,
    ranking: Option<Ranking<'a>>,
}

/// The keys or the values of one head: its vectors' codebook and norms.
struct Learnt {
    rows: CodedRows,
    cosines: Cosines,
}

impl CodingPlan<'_> {
    /// `vectors`: those of one head that are kept; `weights`: how many query heads keep each.
    fn learn(&self, vectors: &Rows, weights: &[u32], theta: f64) -> Learnt {
        let coding = &self.method.coding;
        let d = vectors.dim();
        let whole = vectors.to_f32();
        let (units, magnitudes) = normalise(&whole, d);
        let graph = similarity_graphs(&units, d, &[theta as f32]).remove(0);
        let codebook: Codebook = match coding.learner {
            Learner::Greedy => greedy(&graph, weights),
            Learner::Leader => leader(&graph, &units, d, Preference::Best),
        };
        let codewords = codebook
            .codewords
            .vectors(if coding.magnitudes { &units } else { &whole }, d);
        let norms = coding.magnitudes.then_some(magnitudes.as_slice());
        let rows = CodedRows::new(
            d,
            vectors.store(),
            &codewords,
            &codebook.index,
            norms,
            theta as f32,
        );
        Learnt {
            rows,
            cosines: codebook.cosines(&units, d),
        }
    }
}

impl Plan for CodingPlan<'_> {
    fn footprint(&self, knob: f64) -> Footprint {
        self.build(knob).prefix.footprint()
    }

    fn build(&self, knob: f64) -> Compressed {
        let (coding, layer) = (&self.method.coding, self.layer);
        let group = layer.geometry().group();
        let kept = self.ranking.as_ref().map(|ranking| ranking.kept(knob));
        // Without eviction the knob scales how far from 1 the thresholds are.
        let scale = if kept.is_some() { 1.0 } else { knob };
        let [theta_k, theta_v] =
            [coding.theta_k, coding.theta_v].map(|theta| 1.0 - scale * (1.0 - theta));
        let learnt: Vec<(CodedHead, Cosines, Cosines)> = (0..layer.geometry().kv_heads)
            .into_par_iter()
            .map(|kv_head| {
                let heads = kept
                    .as_ref()
                    .map(|kept| &kept[kv_head * group..(kv_head + 1) * group]);
                let positions: Vec<u32> = match heads {
                    Some(heads) => union(heads),
                    None => (0..layer.len() as u32).collect(),
                };
                let weights = match heads {
                    Some(heads) => keepers(heads, &positions),
                    None => vec![1; positions.len()],
                };
                let keys = if coding.rotated_keys {
                    &layer.kv().keys
                } else {
                    layer.unrotated_keys()
                };
                let keys = self.learn(&keys[kv_head].gather(&positions), &weights, theta_k);
                let values = self.learn(
                    &layer.kv().values[kv_head].gather(&positions),
                    &weights,
                    theta_v,
                );
                let lists = heads
                    .filter(|heads| heads.iter().any(|head| head.len() < positions.len()))
                    .map(|heads| {
                        heads
                            .iter()
                            .map(|head| Indices::from_slice(&places(head, &positions)))
                            .collect()
                    });
                let positions = (!coding.rotated_keys).then_some(positions.as_slice());
                let head = CodedHead::new(keys.rows, values.rows, positions, lists);
                (head, keys.cosines, values.cosines)
            })
            .collect();
        let worst = |pick: fn(&(CodedHead, Cosines, Cosines)) -> Cosines| Cosines {
            min: learnt.iter().map(|l| pick(l).min).fold(1.0, f32::min),
            mean: learnt.iter().map(|l| pick(l).mean).sum::<f32>() / learnt.len() as f32,
        };
        let cosines = Some((worst(|l| l.1), worst(|l| l.2)));
        let heads = learnt.into_iter().map(|(head, ..)| head).collect();
        Compressed {
            prefix: Prefix::Coded(CodedKv {
                heads,
                codes_decoded: coding.codes_decoded,
            }),
            kept,
            cosines,
        }
    }
}

/// How many of the heads keep each position of their union.
fn keepers(heads: &[Vec<u32>], union: &[u32]) -> Vec<u32> {
    let mut weights = vec![0; union.len()];
    for head in heads {
        for place in places(head, union) {
            weights[place as usize] += 1;
        }
    }
    weights
}
