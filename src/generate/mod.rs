//! From one prefill to every cell's answer: compresses it in many ways, then scores and decodes the caches together.

mod cell;
mod decode;
mod forced;

use std::convert::Infallible;
use std::time::Instant;

pub use cell::Cell;
pub use decode::{AnswerLimits, decode};
pub use forced::{extend, forced};

use self::cell::{Layers, compression, first_fault, whole};
use rayon::prelude::*;

use crate::compress::codebook::Cosines;
use crate::compress::draws;
use crate::compress::method::{At, Method, Plan};
use crate::compress::methods::Made;
use crate::compress::solve::BytesCurve;
use crate::compress::view::LayerView;
use crate::model::decoder::Model;
use crate::model::observe::Prefilled;
use crate::profile::{Stage, stage};
use crate::store::{Cache, Fault, Footprint, LayerStore};

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
    use crate::compress::settings::Value;

    fn cell(method: &str, share: f64, window: f64) -> Cell {
        let info = info_of(method).unwrap();
        let given = [("share", share), ("window", window)];
        let given = given.map(|(name, value)| (name.to_owned(), Value::Number(value)));
        Cell::new(info, info.settings(&given, "test").unwrap()).unwrap()
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
