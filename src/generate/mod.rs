//! From one prefill to every cell's answer: compresses it in many ways, then scores and decodes the caches together.

mod decode;
mod forced;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

pub use decode::{AnswerLimits, decode};
pub use forced::{extend, forced};

use anyhow::Context;
use rayon::prelude::*;

use crate::compress::codebook::Cosines;
use crate::compress::draws;
use crate::compress::method::{At, Compressed, Knob, Method, Plan};
use crate::compress::methods::Made;
use crate::compress::settings::{MethodInfo, Settings, Value};
use crate::compress::size::Size;
use crate::compress::solve::{BytesCurve, Solved, footprint};
use crate::compress::view::LayerView;
use crate::model::decoder::{Model, PrunedLayer};
use crate::model::observe::{Observe, Prefilled};
use crate::profile::{Stage, stage};
use crate::store::{Cache, Fault, Footprint, LayerStore, Run};

/// One method with its settings.
pub struct Cell {
    /// The method's name, summary and list of settings.
    pub info: &'static MethodInfo,
    /// The settings, defaults filled in, the size among them.
    pub settings: Settings,
    made: Made,
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

    fn knob(&self) -> Option<Knob> {
        match &self.made {
            Made::Full => None,
            Made::Compress(method, _) => Some(method.knob()),
            Made::Prune(method, _) => Some(method.knob()),
        }
    }

    /// The family of the cell, whose cells share their plans: its method, and its settings without the size.
    fn family(&self) -> (&'static str, String) {
        (self.info.name, self.settings.without_size())
    }

    /// Bytes held at a place on the knob's range. For a method that prunes in its own prefill they follow from the
    /// prompt's length, so that solving for a size needs no prefill.
    fn bytes(&self, at: At, plans: &[Box<dyn Plan + '_>], prefilled: &Prefilled) -> u64 {
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
    fn layers(
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

/// A cell's cache right after compression.
pub struct CellCache {
    /// The compressed cache; no token has been appended yet.
    pub cache: Cache,
    /// Logits of the prompt's last position, `[vocab]`: of the dense prefill, or of a method's own prefill if it
    /// prunes.
    pub logits: Vec<f32>,
    /// Facts for the records, for each layer.
    pub layers: Vec<LayerFacts>,
    /// True if the size is more than a point below the one asked for, and is the nearest below it that was found.
    pub saturated: bool,
    /// Bytes alive when compression ended: the dense cache, keys before RoPE if the method reads them, and the cache
    /// made. Scores, graphs and the like are not cache and are not counted. A method that prunes in its own prefill
    /// never holds more than its final cache.
    pub bytes_peak: u64,
    /// Milliseconds that compression took: an equal share of the family's plans, and what was computed for this cell
    /// alone, a prefill of its own included.
    pub compress_ms: f64,
}

/// One layer of a compressed cache, for the records.
pub struct LayerFacts {
    /// Counts and bytes that the layer holds after compression.
    pub footprint: Footprint,
    /// Bytes of the layer's dense cache.
    pub bytes_dense: u64,
    /// Entries of the dense cache, over the KV heads.
    pub entries_dense: u64,
    /// Entries that each KV head holds, `[kv_heads]`.
    pub lens: Vec<usize>,
    /// See [`Compressed::kept`].
    pub kept: Option<Vec<Vec<u32>>>,
    /// See [`Compressed::cosines`].
    pub cosines: [Option<Cosines>; 2],
}

/// Compresses one prefill for each cell and returns all caches. Draws are seeded by 0. See [`compress_each`].
pub fn compress(
    model: &Model,
    prefilled: &Prefilled,
    cells: &[&Cell],
) -> Vec<anyhow::Result<CellCache>> {
    let mut caches = Vec::with_capacity(cells.len());
    let Ok(()) = compress_each(model, prefilled, cells, 0, |number, made| {
        caches.push((number, made));
        Ok::<(), Infallible>(())
    });
    in_order(caches)
}

/// Sorts what was made for each cell into the order of the cells.
pub fn in_order<T>(mut made: Vec<(usize, T)>) -> Vec<T> {
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().map(|(_, made)| made).collect()
}

/// Groups cells by family, each with its number. Families are in the order of their first cells.
fn families<'c>(cells: &[&'c Cell]) -> Vec<Vec<(usize, &'c Cell)>> {
    let mut families: Vec<Vec<(usize, &Cell)>> = Vec::new();
    for (number, &cell) in cells.iter().enumerate() {
        let alike = |family: &&mut Vec<(usize, &Cell)>| family[0].1.family() == cell.family();
        match families.iter_mut().find(alike) {
            Some(family) => family.push((number, cell)),
            None => families.push(vec![(number, cell)]),
        }
    }
    families
}

/// Compresses one prefill for each cell, family by family, and hands each cache to `then` with its cell's number, so
/// that not all caches are held at once. A cell that cannot be compressed (a retention out of reach, a value that is
/// not finite) gives an error of its own; the others go on. `seed`: of all draws on this sample, see
/// `draws::of_sample`.
///
/// # Errors
/// An error that `then` returns, which ends the loop.
pub fn compress_each<E>(
    model: &Model,
    prefilled: &Prefilled,
    cells: &[&Cell],
    seed: u64,
    mut then: impl FnMut(usize, anyhow::Result<CellCache>) -> Result<(), E>,
) -> Result<(), E> {
    for family in families(cells) {
        let start = Instant::now();
        let first = family[0].1;
        let plans = match &first.made {
            Made::Compress(method, _) => {
                let draws = draws::of_method(seed, first.info.name);
                stage(Stage::Score, || plan(method.as_ref(), prefilled, draws))
            }
            Made::Full | Made::Prune(..) => Ok(Vec::new()),
        };
        let share_ms = milliseconds(start) / family.len() as f64;
        let plans = match plans {
            Ok(plans) => plans,
            Err(fault) => {
                for (number, _) in family {
                    then(number, Err(compression(fault.clone())))?;
                }
                continue;
            }
        };
        let bytes = |at: At| first.bytes(at, &plans, prefilled);
        let curve = first.knob().map(|knob| BytesCurve::new(knob, &bytes));
        let make = |cell: &Cell| {
            let start = Instant::now();
            let layers = || cell.layers(model, prefilled, &plans, curve.as_ref());
            let made = stage(Stage::Compress, layers)?;
            let compress_ms = share_ms + milliseconds(start);
            Ok(assemble(prefilled, cell, made, compress_ms))
        };
        let (others, last) = family.split_at(family.len() - 1);
        for &(number, cell) in others {
            then(number, make(cell))?;
        }
        let (number, cell) = last[0];
        let last = make(cell);
        // Plans hold graphs that can be larger than caches. The last cache of the family needs none of them while it is
        // used.
        drop(curve);
        drop(plans);
        then(number, last)?;
    }
    Ok(())
}

/// The error of a layer that could not be compressed.
fn compression(fault: Fault) -> anyhow::Error {
    anyhow::Error::new(fault).context("compression")
}

/// A method's plan of each layer.
fn plan<'a>(
    method: &'a dyn Method,
    prefilled: &'a Prefilled,
    draws: u64,
) -> Result<Vec<Box<dyn Plan + 'a>>, Fault> {
    let layers = (0..prefilled.layers.len()).into_par_iter();
    let view = |layer| LayerView {
        prefilled,
        layer,
        draws,
    };
    first_fault(layers.map(|layer| method.plan(view(layer))).collect())
}

/// All layers, or the fault of the lowest layer that has one.
fn first_fault<T>(layers: Vec<Result<T, Fault>>) -> Result<Vec<T>, Fault> {
    layers.into_iter().collect()
}

/// The layers of one cell's cache.
struct Layers {
    compressed: Vec<Compressed>,
    /// The logits after the prompt, `[vocab]`.
    logits: Vec<f32>,
    /// See [`Solved::saturated`].
    saturated: bool,
}

fn whole(prefilled: &Prefilled) -> Layers {
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

fn assemble(prefilled: &Prefilled, cell: &Cell, layers: Layers, compress_ms: f64) -> CellCache {
    let Layers {
        compressed,
        logits,
        saturated,
    } = layers;
    let held = compressed.iter().map(|layer| layer.store.footprint());
    let held = held.sum::<Footprint>().bytes.total();
    let bytes_peak = match cell.made {
        Made::Full | Made::Prune(..) => held,
        Made::Compress(..) => prefilled.bytes_read(cell.observes()) + held,
    };
    let (layers, stores): (_, Vec<LayerStore>) = compressed
        .into_iter()
        .zip(&prefilled.layers)
        .map(|(compressed, dense)| {
            let facts = LayerFacts {
                footprint: compressed.store.footprint(),
                bytes_dense: prefilled.bytes_of(dense),
                entries_dense: (prefilled.len * prefilled.geometry.kv_heads) as u64,
                lens: (0..prefilled.geometry.kv_heads)
                    .map(|kv_head| compressed.store.len(kv_head))
                    .collect(),
                kept: compressed.kept,
                cosines: compressed.cosines,
            };
            (facts, compressed.store)
        })
        .unzip();
    CellCache {
        cache: Cache::new(stores, prefilled.len),
        logits,
        layers,
        saturated,
        bytes_peak,
        compress_ms,
    }
}

/// The cache that holds a prefill's prompt whole.
pub fn whole_cache(prefilled: &Prefilled) -> Cache {
    let stores = whole(prefilled)
        .compressed
        .into_iter()
        .map(|layer| layer.store);
    Cache::new(stores.collect(), prefilled.len)
}

/// Milliseconds since `start`.
pub fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::methods::info_of;

    fn cell(method: &str, share: f64, window: f64) -> Cell {
        let info = info_of(method).unwrap();
        let given = [("share", share), ("window", window)];
        let given = given.map(|(name, value)| (name.to_owned(), Value::Number(value)));
        Cell::new(info, info.settings(&given, "test").unwrap()).unwrap()
    }

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

    #[test]
    fn cells_that_differ_in_size_alone_are_one_family_wherever_they_stand() {
        let cells = [
            cell("snapkv", 0.2, 16.0),
            cell("spindle", 0.2, 16.0),
            cell("snapkv", 0.4, 16.0),
            cell("snapkv", 0.2, 32.0),
            cell("spindle", 0.4, 16.0),
        ];
        let families = families(&Vec::from_iter(&cells));
        let numbers = families
            .iter()
            .map(|family| family.iter().map(|(number, _)| *number));
        let numbers: Vec<Vec<usize>> = numbers.map(Iterator::collect).collect();
        assert_eq!(numbers, [vec![0, 2], vec![1, 4], vec![3]]);
        assert_eq!(
            in_order(vec![(2, 'c'), (0, 'a'), (1, 'b')]),
            ['a', 'b', 'c']
        );
    }
}
