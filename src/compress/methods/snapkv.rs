//! SnapKV (Li et al. 2024, arXiv 2404.14469), constants of its LongBench configurations.

use super::parts::{Forms, StoreSetting, Windowed};
use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape};
use crate::compress::score::{Normalisation, WindowAttention};
use crate::compress::settings::MethodInfo;

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "snapkv",
        summary: "entries the last queries attend to most, the same budget in each layer",
        source: "Li et al. 2024, arXiv 2404.14469",
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::BUDGET,
            parts::SHARE,
            parts::window(32),
            parts::POOLING,
            parts::KERNEL,
            parts::GROUPING,
            parts::STORE,
            parts::KEYS_AS,
            parts::VALUES_AS,
        ],
    },
    make: |settings| {
        let (windowed, stored, forms): (Windowed, StoreSetting, Forms) = settings.read()?;
        let eviction = Eviction {
            score: Box::new(WindowAttention {
                window: windowed.window,
                normalisation: Normalisation::Sum,
                grouping: windowed.gqa.into(),
                pooling: windowed.pooling(settings)?,
            }),
            recent: Recent::Tokens(windowed.window),
            shape: Shape::Uniform,
            store: stored.store,
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(forms.recipe(eviction)?), size))
    },
};
