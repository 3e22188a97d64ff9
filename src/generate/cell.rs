//! One method with its settings, and the layers that it makes of a prefill.

use std::sync::Arc;

use anyhow::Context;
use rayon::prelude::*;

use crate::compress::method::{At, Compressed, Knob, Plan};
use crate::compress::methods::Made;
use crate::compress::settings::{MethodInfo, Settings, Value};
use crate::compress::size::Size;
use crate::compress::solve::{BytesCurve, Solved, footprint};
use crate::model::decoder::{Model, PrunedLayer};
use crate::model::observe::{Observe, Prefilled};
use crate::store::{Fault, LayerStore, Run};

/// One method with its settings.
pub struct Cell {
    /// The method's name, summary and list of settings.
    pub info: &'static MethodInfo,
    /// The settings, defaults filled in, the size among them.
    pub settings: Settings,
    pub(super) made: Made,
}

impl Cell {
    /// The cell of the method `info` with `settings`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for settings that the method refuses together.
    pub fn new(info: &'static MethodInfo, settings: Settings) -> anyhow::Result<Self> {
        let made = crate::compress::methods::make(info, &settings)?;
        let mut cell = Self {
            info,
            settings,
            made,
        };
        // A method that has a size of its own when none is given: rows say which.
        if let (Some(Size::Knob(value)), Some(knob)) = (cell.size(), cell.knob())
            && cell.settings.sizes().next().is_none()
        {
            cell.settings.set(knob.name, Value::Number(value));
        }
        Ok(cell)
    }

    /// The size that is asked for.
    fn size(&self) -> Option<Size> {
        match &self.made {
            Made::Full => None,
            Made::Compress(_, size) | Made::Prune(_, size) => Some(*size),
        }
    }

    /// What the prefill must gather for this cell.
    pub fn observes(&self) -> Observe {
        match &self.made {
            Made::Compress(method, _) => method.observes(),
            Made::Full | Made::Prune(..) => Observe::default(),
        }
    }

    pub(super) fn knob(&self) -> Option<Knob> {
        match &self.made {
            Made::Full => None,
            Made::Compress(method, _) => Some(method.knob()),
            Made::Prune(method, _) => Some(method.knob()),
        }
    }

    /// The family of the cell, whose cells share their plans: its method, and its settings without the size.
    pub(super) fn family(&self) -> (&'static str, String) {
        (self.info.name, self.settings.without_size())
    }

    /// Bytes held at a place on the knob's range. For a method that prunes in its own prefill they follow from the
    /// prompt's length, so that solving for a size needs no prefill.
    pub(super) fn bytes(&self, at: At, plans: &[Box<dyn Plan + '_>], prefilled: &Prefilled) -> u64 {
        match &self.made {
            Made::Full => prefilled.bytes_dense(),
            Made::Compress(..) => footprint(plans, at).bytes.total(),
            Made::Prune(method, _) => {
                let layers = prefilled.geometry.layers;
                let lengths = method.lengths(at.value(&method.knob()), prefilled.len, layers);
                let bytes_token = prefilled.geometry.bytes_token(prefilled.store);
                lengths.iter().sum::<usize>() as u64 * bytes_token
            }
        }
    }

    /// Builds the compressed layers. `curve`: bytes over the knob, shared by the cells of the family. None if the
    /// method has no knob.
    pub(super) fn layers(
        &self,
        model: &Model,
        prefilled: &Prefilled,
        plans: &[Box<dyn Plan + '_>],
        curve: Option<&BytesCurve<'_>>,
    ) -> anyhow::Result<Layers> {
        let solved = |size: Size, least| match curve {
            Some(curve) => Ok(size.knob(curve, prefilled.len, least, prefilled.bytes_dense())?),
            None => anyhow::bail!("{} has no knob", self.info.name),
        };
        match &self.made {
            Made::Full => Ok(whole(prefilled)),
            Made::Compress(method, size) => {
                let Solved { at, saturated } = solved(*size, method.least(prefilled.len))?;
                let layers = plans.par_iter().map(|plan| plan.build(at));
                let compressed = first_fault(layers.collect()).map_err(compression)?;
                Ok(Layers {
                    compressed,
                    logits: prefilled.logits.clone(),
                    saturated,
                })
            }
            Made::Prune(method, size) => {
                let Solved { at, saturated } = solved(*size, 0)?;
                let knob = at.value(&method.knob());
                let lengths = method.lengths(knob, prefilled.len, prefilled.geometry.layers);
                let keep = |layer: &PrunedLayer<'_>, count: usize| method.keep(layer, count);
                let (tokens, store) = (&prefilled.tokens, prefilled.store);
                let pruned = model
                    .prefill_pruned(tokens, store, &lengths, keep)
                    .context("prefill")?;
                let layers = pruned
                    .layers
                    .into_iter()
                    .map(|kv| uncompressed(prefilled, kv));
                Ok(Layers {
                    compressed: layers.collect(),
                    logits: pruned.logits,
                    saturated,
                })
            }
        }
    }
}

/// The layers of one cell's cache.
pub(super) struct Layers {
    pub compressed: Vec<Compressed>,
    /// The logits after the prompt, `[vocab]`.
    pub logits: Vec<f32>,
    /// See [`Solved::saturated`].
    pub saturated: bool,
}

pub(super) fn whole(prefilled: &Prefilled) -> Layers {
    let layers = prefilled.layers.iter();
    let layers = layers.map(|layer| uncompressed(prefilled, layer.kv.clone()));
    Layers {
        compressed: layers.collect(),
        logits: prefilled.logits.clone(),
        saturated: false,
    }
}

fn uncompressed(prefilled: &Prefilled, kv: Arc<Run>) -> Compressed {
    Compressed {
        store: LayerStore::of_prompt(kv, prefilled.geometry, prefilled.store, 1),
        kept: None,
        cosines: [None; 2],
    }
}

/// The error of a layer that could not be compressed.
pub(super) fn compression(fault: Fault) -> anyhow::Error {
    anyhow::Error::new(fault).context("compression")
}

/// All layers, or the fault of the lowest layer that has one.
pub(super) fn first_fault<T>(layers: Vec<Result<T, Fault>>) -> Result<Vec<T>, Fault> {
    layers.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::methods::info_of;

    #[test]
    fn a_size_that_was_not_given_is_told() {
        for (method, given, expected) in [
            ("spindle-code", vec![], "theta-scale=1"),
            (
                "spindle-code",
                vec![("theta-k", Value::Number(0.9))],
                "theta-scale=1;theta-k=0.9",
            ),
            (
                "spindle-code",
                vec![("learner", Value::Text("spherical-k-means".into()))],
                "learner=spherical-k-means;codewords=0.25",
            ),
            ("pyramidinfer", vec![], "prefill-decay-ratio=0.9"),
            (
                "pyramidinfer",
                vec![("retention", Value::Number(0.5))],
                "retention=0.5",
            ),
            ("full", vec![], ""),
        ] {
            let info = info_of(method).unwrap();
            let given: Vec<_> = given
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            let cell = Cell::new(info, info.settings(&given, "test").unwrap()).unwrap();
            assert_eq!(cell.settings.canonical(), expected);
            assert!(
                cell.settings.in_full().contains(expected),
                "{}",
                cell.settings.in_full()
            );
        }
    }
}
