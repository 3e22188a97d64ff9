//! What a compression method is.

use super::codebook::Cosines;
use super::view::LayerView;
use crate::model::decoder::PrunedLayer;
use crate::model::observe::Observe;
use crate::store::{Fault, Footprint, LayerStore};

/// A way to make the cache of a prompt smaller. One number, its knob, sets the size; everything else is fixed when the
/// method is made.
pub trait Method: Send + Sync {
    /// What it needs to see of the prefill.
    fn observes(&self) -> Observe;

    /// The range of its knob. Bytes rise from the first end to the second.
    fn knob(&self) -> Knob;

    /// Fewest entries that each query head keeps in each layer of a prompt of `len` tokens, whatever the knob.
    fn least(&self, len: usize) -> usize;

    /// Computes what does not depend on the knob (scores, rankings) for a layer, so that a sweep does it once.
    ///
    /// # Errors
    /// A score, or the norm of a vector that is coded, that is not finite or cannot be held.
    fn plan<'a>(&'a self, layer: LayerView<'a>) -> Result<Box<dyn Plan + 'a>, Fault>;
}

/// A way to make the cache smaller while the prompt is processed: tokens drop out between layers, so the method has a
/// prefill of its own. The knob and the prompt's length alone decide how many.
pub trait Pruning: Send + Sync {
    /// The range of its knob. Bytes rise from the first end to the second.
    fn knob(&self) -> Knob;

    /// Number of tokens that reach each layer, which is also how many it holds. All of the prompt reach the first.
    fn lengths(&self, knob: f64, prompt: usize, layers: usize) -> Vec<usize>;

    /// Chooses the `count` of a layer's tokens that go on to the next, ascending.
    ///
    /// # Errors
    /// A score that is not finite; its `token` is the place among the tokens left.
    fn keep(&self, layer: &PrunedLayer<'_>, count: usize) -> Result<Vec<u32>, Fault>;
}

/// A method's size knob.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knob {
    /// Name of the setting.
    pub name: &'static str,
    /// Smallest cache.
    pub smallest: f64,
    /// Largest cache.
    pub largest: f64,
    /// Values at which footprints are cheap, because a plan computes them in one pass or because they follow from the
    /// prompt's length. From the smallest cache to the largest, both ends included. Solving first finds two neighbours
    /// of these around the target. Empty: there are none.
    pub cheap: &'static [f64],
}

impl Knob {
    /// The ends of its range: the smallest cache and the largest.
    pub fn ends(&self) -> [At; 2] {
        match self.cheap.len() {
            0 => [At::Value(self.smallest), At::Value(self.largest)],
            n => [At::Cheap(0), At::Cheap(n - 1)],
        }
    }
}

/// A place on the range of a knob.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// A value of the knob, from [`Knob::smallest`] to [`Knob::largest`].
    Value(f64),
    /// One of [`Knob::cheap`], by its number.
    Cheap(usize),
}

impl At {
    /// The value of the knob at this place.
    pub fn value(self, knob: &Knob) -> f64 {
        match self {
            Self::Value(value) => value,
            Self::Cheap(i) => knob.cheap[i],
        }
    }
}

/// One layer, ready to be compressed to any size. Pure: the same place on the knob's range gives the same layer.
pub trait Plan: Send + Sync {
    /// What [`Plan::build`] would hold.
    fn footprint(&self, at: At) -> Footprint;

    /// The layer at this size.
    ///
    /// # Errors
    /// A value made on the way that is not finite or cannot be held.
    fn build(&self, at: At) -> Result<Compressed, Fault>;
}

/// One compressed layer, with facts about it for the records.
pub struct Compressed {
    /// What the layer holds after compression; decoded tokens are appended to it.
    pub store: LayerStore,
    /// Per query head, the positions it still attends to, ascending. None: all.
    pub kept: Option<Vec<Vec<u32>>>,
    /// For keys and for values, the cosines of the vectors with their codewords. None where that side is not coded.
    pub cosines: [Option<Cosines>; 2],
}
