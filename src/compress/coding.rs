//! Codebook replacement of what eviction leaves (PAPER sections 1.5 and 1.6): keys and values apart, per KV head or per
//! layer, learnt from this prompt. With nothing evicted it is the codebook alone.

mod plan;

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use self::plan::CodingPlan;
use super::eviction::Eviction;
use super::learn::Recipe;
use super::method::{Knob, Method, Plan};
use super::view::LayerView;
use crate::model::observe::Observe;
use crate::store::Fault;

/// How far the thresholds are from 1, in multiples of the settings', at which all layers are measured in one pass
/// when a size is solved for without eviction.
const SCALES: [f64; 12] = [12.0, 10.0, 8.0, 6.5, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.5, 0.0];

/// Which KV heads share a codebook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Scope {
    KvHead,
    /// All of a layer's: the codewords are stored once for all of them.
    Layer,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Coding {
    pub recipe: Recipe,
    pub theta_k: f64,
    pub theta_v: f64,
    pub scope: Scope,
    /// Keys are coded before RoPE and rotated when they are used (the paper's), or as they are, rotated.
    pub rotated_keys: bool,
    /// The recent window is coded like the rest, or kept whole beside it.
    pub codes_window: bool,
    /// Tokens decoded later join the codebooks, or stay whole.
    pub codes_decoded: bool,
}

/// SpindleKV: eviction, then coding, in every layer. The knob is the share that eviction keeps; where nothing is
/// evicted, how far the thresholds are from 1, or the share of codewords for a learner that takes no threshold.
#[derive(Debug)]
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
        match &self.eviction {
            Some(eviction) => eviction.knob(),
            None if self.coding.recipe.learner.takes_threshold() => Knob {
                name: "theta-scale",
                smallest: SCALES[0],
                largest: SCALES[SCALES.len() - 1],
                cheap: &SCALES,
            },
            None => Knob {
                name: "codewords",
                smallest: 0.0,
                largest: 1.0,
                cheap: &[],
            },
        }
    }

    fn least(&self, len: usize) -> usize {
        match &self.eviction {
            Some(eviction) => eviction.least(len),
            None => len,
        }
    }

    fn plan<'a>(&'a self, layer: LayerView<'a>) -> Result<Box<dyn Plan + 'a>, Fault> {
        Ok(Box::new(CodingPlan::new(self, layer)?))
    }
}
