//! H2O (Zhang et al. 2023, arXiv 2306.14048): heavy hitters, the entries that draw most attention from all queries of
//! the prompt, and the recent ones.
//!
//! Column sums of the full softmax, no pooling, each query head for itself. Half of the budget is recent, which is the
//! published code's default of equal `heavy_ratio` and `recent_ratio` (0.1 each); `recent` sets a fixed number
//! instead, as KVCache-Factory does (its window of 8). Published H2O goes on to evict while it decodes; as in
//! KVCache-Factory, only the prompt is evicted from here.

use serde::Deserialize;

use super::parts::{Forms, Gqa, StoreSetting};
use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape};
use crate::compress::score::ColumnSums;
use crate::compress::settings::{About, Accepts, MethodInfo, SettingInfo};

const RECENT: SettingInfo = SettingInfo {
    name: "recent",
    about: About::Kept,
    accepts: Accepts::Integer { from: 1, to: 4096 },
    default: None,
    help: "last entries kept whatever their score; half of the budget unless given",
};

#[derive(Deserialize)]
struct Own {
    recent: Option<usize>,
    gqa: Gqa,
}

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "h2o",
        summary: "heavy hitters, which draw most attention from all of the prompt, and the recent entries",
        source: "Zhang et al. 2023, arXiv 2306.14048",
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::BUDGET,
            parts::SHARE,
            RECENT,
            parts::GROUPING,
            parts::STORE,
            parts::KEYS_AS,
            parts::VALUES_AS,
        ],
    },
    make: |settings| {
        let (own, stored, forms): (Own, StoreSetting, Forms) = settings.read()?;
        let eviction = Eviction {
            score: Box::new(ColumnSums {
                grouping: own.gqa.into(),
            }),
            recent: own.recent.map_or(Recent::Half, Recent::Tokens),
            shape: Shape::Uniform,
            store: stored.store,
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(forms.recipe(eviction)?), size))
    },
};
