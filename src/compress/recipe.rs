//! Most methods are recipes: a selection of entries, a way to write their keys, and a way to write their values.
//! SpindleKV is eviction, then codebooks (docs/PAPER.md 1.3 to 1.6).

mod plan;

use self::plan::RecipePlan;
use super::eviction::Eviction;
use super::method::{Knob, Method, Plan};
use super::view::LayerView;
use super::writer::{WholeWriter, Writer};
use crate::model::observe::Observe;
use crate::store::{Fault, Rotate};

/// A selection of entries, and how they are written.
#[derive(Debug)]
pub(super) struct Recipe {
    /// What is evicted. None: nothing; the knob of the keys' writer then sets the size.
    pub eviction: Option<Eviction>,
    /// How the keys are written.
    pub keys: Box<dyn Writer>,
    /// How the values are written.
    pub values: Box<dyn Writer>,
    /// Whether the recent window is stored whole, in a run of its own.
    pub is_window_whole: bool,
    /// Whether decoded tokens are stored whole. Else they are written as the prompt is.
    pub is_decoded_whole: bool,
}

impl Recipe {
    /// The recipe that stores whole what an eviction keeps.
    pub(super) fn evicting(eviction: Eviction) -> Self {
        Self {
            eviction: Some(eviction),
            keys: Box::new(WholeWriter),
            values: Box::new(WholeWriter),
            is_window_whole: false,
            is_decoded_whole: false,
        }
    }
}

impl Method for Recipe {
    fn observes(&self) -> Observe {
        let written = Observe {
            unrotated_keys: self.keys.rotate() != Rotate::AtWrite,
            ..Observe::default()
        };
        let eviction = self.eviction.as_ref();
        eviction.map_or(written, |eviction| written.union(eviction.score.observes()))
    }

    /// # Panics
    /// When nothing is evicted and the keys' writer has no knob.
    fn knob(&self) -> Knob {
        match &self.eviction {
            Some(_) => Eviction::KNOB,
            None => self.keys.knob().expect("a writer with a knob"),
        }
    }

    fn least(&self, len: usize) -> usize {
        let eviction = self.eviction.as_ref();
        eviction.map_or(len, |eviction| eviction.least(len))
    }

    fn plan<'a>(&'a self, layer: LayerView<'a>) -> Result<Box<dyn Plan + 'a>, Fault> {
        let Self {
            keys,
            values,
            eviction,
            ..
        } = self;
        let mut plan = RecipePlan::new(layer, eviction.as_ref(), &**keys, &**values)?;
        plan.is_window_whole = self.is_window_whole;
        plan.is_decoded_whole = self.is_decoded_whole;
        Ok(Box::new(plan))
    }
}
