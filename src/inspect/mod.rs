//! Facts of one prompt: how attention and vectors are distributed in each layer, and how methods compress it.
//!
//! One prefill is compressed by each method as in a run; nothing is decoded. The facts are plain data ([`Inspection`]),
//! which `table` prints, `cmd` writes as JSON and `plot` draws.

mod attention;
mod layers;
mod output;
mod prompt;
mod similarity;
mod table;
mod window;

use anyhow::{Error, Result, bail};
use serde::Serialize;

pub(crate) use attention::AttentionMap;
pub(crate) use layers::{LayerRow, MethodFacts};
pub(crate) use prompt::Prompt;
pub(crate) use similarity::{Similar, VectorKind};
pub(crate) use table::table;
pub(crate) use window::WINDOW;

use crate::bad_input;
use crate::compress::solve::OutOfReach;
use crate::generate::{Cell, compress};
use crate::load::Loaded;
use crate::model::observe::{Observe, Prefilled};
use crate::record::program_version;
use crate::source::ModelFiles;
use crate::store::StoreType;

/// All facts of one prompt: what `spindle inspect --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Version of the program, `0.1.0+<revision>`.
    pub program_version: String,
    /// The model as it was asked for.
    pub model: String,
    /// Hub commit, or the SHA-256 of the weights.
    pub model_revision: String,
    /// Element type the caches store.
    pub kv_dtype: String,
    /// The prompt in words: the file it came from, or the id of the needle sample.
    pub prompt: String,
    /// Tokens of the prompt.
    pub tokens: usize,
    /// Query heads of each layer.
    pub heads: usize,
    /// KV heads of each layer.
    pub kv_heads: usize,
    /// Elements of a key or a value.
    pub head_dim: usize,
    /// Bytes of the dense KV-head cache.
    pub bytes_dense: u64,
    /// Last tokens whose queries `attention` and every `relative_error` are taken from.
    pub window: usize,
    /// How the window's attention is spread over the entries before it.
    pub attention: AttentionMap,
    /// One for each kind of vector and threshold.
    pub similar: Vec<Similar>,
    /// In the order they were asked for.
    pub methods: Vec<MethodFacts>,
}

/// Prefills `prompt` and compresses it as each of `cells` says.
///
/// # Errors
/// A prompt that does not fit the model; a size that a method cannot reach on it.
pub(crate) fn inspect(
    loaded: &Loaded,
    files: &ModelFiles,
    prompt: &Prompt,
    cells: &[Cell],
    store: StoreType,
) -> Result<Inspection> {
    let (name, tokens) = prompt.tokens(loaded)?;
    let own = Observe {
        window: WINDOW,
        unrotated_keys: true,
        ..Observe::default()
    };
    let observe = cells.iter().map(Cell::observes).fold(own, Observe::union);
    let prefilled = loaded.model.prefill(&tokens, observe, store)?;
    Ok(Inspection {
        program_version: program_version(),
        model: files.spec.clone(),
        model_revision: files.revision.clone(),
        kv_dtype: store.name().into(),
        prompt: name,
        tokens: prefilled.len,
        heads: prefilled.geometry.heads,
        kv_heads: prefilled.geometry.kv_heads,
        head_dim: prefilled.geometry.head_dim,
        bytes_dense: prefilled.bytes_dense(),
        window: WINDOW,
        attention: AttentionMap::of(&prefilled)?,
        similar: similarity::similar(&prefilled)?,
        methods: methods(loaded, &prefilled, cells)?,
    })
}

/// An error with its cell. A size that cannot be reached on the one prompt is bad input.
fn of_cell(cell: &Cell, error: Error) -> Error {
    let name = cell.info.name;
    match error.downcast_ref::<OutOfReach>() {
        Some(range) => bad_input!("method {name}: {}: {range}", cell.settings.canonical()),
        None => error.context(format!("method {name}")),
    }
}

/// Compresses the prefill as each cell says, and measures the caches.
fn methods(loaded: &Loaded, prefilled: &Prefilled, cells: &[Cell]) -> Result<Vec<MethodFacts>> {
    let full = output::of_dense(prefilled);
    let made = compress(&loaded.model, prefilled, &Vec::from_iter(cells));
    cells
        .iter()
        .zip(made)
        .map(|(cell, made)| {
            let made = made.map_err(|error| of_cell(cell, error))?;
            let errors = output::errors(&made.cache, prefilled, &full);
            if let Some(layer) = errors.iter().position(|error| !error.is_finite()) {
                bail!(
                    "method {}: layer {layer}, attention of the last {WINDOW} tokens: not finite",
                    cell.info.name
                );
            }
            Ok(MethodFacts::new(cell, &made, &errors, prefilled))
        })
        .collect()
}
