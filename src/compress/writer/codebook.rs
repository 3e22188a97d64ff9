//! Writes vectors as codewords with a norm each (docs/PAPER.md 1.5 and 1.6), learnt from the prompt.

mod plan;

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use self::plan::{CodebookPlan, SCALES};
use super::write::{SideView, Writer, WriterEntry, WriterPlan};
use crate::compress::learning::{Learner, Learning};
use crate::compress::method::Knob;
use crate::store::{Coded, CodedRows, Codewords, Fault, Form, Rotate, Side, StoreType};

pub(super) const ENTRY: WriterEntry = WriterEntry {
    name: "codebook",
    make: |side| Box::new(CodebookWriter::published(side)),
};

/// Which KV heads share a codebook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Scope {
    /// None: each KV head has codewords of its own.
    KvHead,
    /// All KV heads of a layer, whose codewords are stored once.
    Layer,
}

/// Writes vectors as indices of codewords that are learnt from them, with or without a magnitude each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CodebookWriter {
    /// How codewords are chosen, and what is stored of a vector beside its index.
    pub learning: Learning,
    /// Vectors more alike than this cosine may share a codeword.
    pub theta: f64,
    /// Which KV heads share codewords.
    pub scope: Scope,
    /// When keys are rotated: after they are read (the paper's), or before they are written.
    pub rotate: Rotate,
}

impl CodebookWriter {
    /// Default thresholds of keys and of values (the paper's).
    pub(crate) const THETAS: [f64; 2] = [0.98, 0.95];

    /// The writer with the paper's settings.
    pub(crate) fn published(side: Side) -> Self {
        Self {
            learning: Learning {
                learner: Learner::Greedy,
                means: false,
                magnitudes: true,
            },
            theta: Self::THETAS[side as usize],
            scope: Scope::KvHead,
            rotate: Rotate::ByPosition,
        }
    }
}

impl Writer for CodebookWriter {
    fn rotate(&self) -> Rotate {
        self.rotate
    }

    fn shares_heads(&self) -> bool {
        self.scope == Scope::Layer
    }

    fn joins(&self) -> bool {
        true
    }

    /// The distance of the threshold from 1, as a multiple of its setting's; for a learner without a threshold, the
    /// share of codewords.
    fn knob(&self) -> Option<Knob> {
        Some(match self.learning.learner.takes_threshold() {
            true => Knob {
                name: "theta-scale",
                smallest: SCALES[0],
                largest: SCALES[SCALES.len() - 1],
                cheap: &SCALES,
            },
            false => Knob {
                name: "codewords",
                smallest: 0.0,
                largest: 1.0,
                cheap: &[],
            },
        })
    }

    fn plan<'a>(&'a self, source: SideView<'a>) -> Result<Box<dyn WriterPlan + 'a>, Fault> {
        let is_shared = self.shares_heads();
        let plan = CodebookPlan::new(source, self.learning, self.theta, is_shared)?;
        Ok(Box::new(plan))
    }

    fn empty(&self, heads: usize, dim: usize, store: StoreType) -> Box<dyn Form> {
        let magnitudes = self.learning.magnitudes;
        let codewords = Codewords::new(dim, store, &[], magnitudes, self.theta as f32);
        let rows = CodedRows::new(store, &[], magnitudes.then_some(&[][..]));
        Box::new(Coded::new(codewords, vec![rows; heads]))
    }
}
