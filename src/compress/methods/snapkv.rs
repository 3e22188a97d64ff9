//! SnapKV (Li et al. 2024, arXiv 2404.14469), constants of its LongBench configurations.

use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Scorer, Shape};
use crate::compress::settings::MethodInfo;

pub const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "snapkv",
        summary: "entries the last queries attend to most, the same budget in each layer",
        source: "Li et al. 2024, arXiv 2404.14469",
        settings: &[
            parts::RETENTION,
            parts::BUDGET,
            parts::window(32),
            parts::POOLING,
            parts::KERNEL,
            parts::GROUPING,
            parts::store("query-head"),
        ],
    },
    make: |settings| {
        let eviction = Eviction {
            scorer: Scorer::Window {
                normalisation: crate::compress::score::Normalisation::Sum,
                pooling: parts::pooling(settings)?,
            },
            recent: Recent::Tokens(settings.integer("window")),
            grouping: parts::grouping(settings),
            shape: Shape::Uniform,
            store: parts::stored(settings),
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(eviction), size))
    },
};
