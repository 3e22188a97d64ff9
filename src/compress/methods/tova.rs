//! TOVA (Oren et al. 2024, arXiv 2401.06104): keeps the entries that the last token attends to most, by the mean over
//! all heads of a layer, so that every head of the layer keeps the same tokens.
//!
//! Two differences from the paper. It drops one token at every step of decoding as well; here, as in every method,
//! the prompt alone is evicted from. And the last token is kept whatever it gives itself, as kvpress does.

use super::parts::Forms;
use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape, StoredFor};
use crate::compress::group::Grouping;
use crate::compress::pool::Pooling;
use crate::compress::score::{Normalisation, WindowAttention};
use crate::compress::settings::MethodInfo;

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "tova",
        summary: "entries the last token attends to most, the same in every head of a layer",
        source: "Oren et al. 2024, arXiv 2401.06104",
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::BUDGET,
            parts::SHARE,
            parts::KEYS_AS,
            parts::VALUES_AS,
        ],
    },
    make: |settings| {
        let forms: Forms = settings.read()?;
        let eviction = Eviction {
            score: Box::new(WindowAttention {
                window: 1,
                normalisation: Normalisation::Sum,
                grouping: Grouping::Layer,
                pooling: Pooling::None,
            }),
            recent: Recent::Tokens(1),
            shape: Shape::Uniform,
            store: StoredFor::KvHead,
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(forms.recipe(eviction)?), size))
    },
};
