//! Knorm (Devoto et al. 2024, arXiv 2406.11430): entries whose keys are short, chosen per KV head from the keys alone.
//! No recent window, and decoded entries all stay, as in kvpress.

use super::parts::Forms;
use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape, StoredFor};
use crate::compress::score::KeyNorm;
use crate::compress::settings::MethodInfo;

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "knorm",
        summary: "entries with the shortest keys, whoever attends to them",
        source: "Devoto et al. 2024, arXiv 2406.11430",
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
            score: Box::new(KeyNorm),
            recent: Recent::Tokens(0),
            shape: Shape::Uniform,
            store: StoredFor::KvHead,
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(forms.recipe(eviction)?), size))
    },
};
