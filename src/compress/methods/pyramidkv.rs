//! PyramidKV (Cai et al. 2024, arXiv 2406.02069): SnapKV's scores under a budget that shrinks with depth.

use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Scorer, Shape};
use crate::compress::score::Normalisation;
use crate::compress::settings::{Accepts, Default, MethodInfo, SettingInfo};

const BETA: SettingInfo = SettingInfo {
    name: "beta",
    accepts: Accepts::Integer { from: 1, to: 1000 },
    default: Some(Default::Integer(20)),
    help: "the deepest layer's budget is the mean over beta",
};

const FORMULA: SettingInfo = SettingInfo {
    name: "formula",
    accepts: Accepts::Choice(&["kvcf", "paper"]),
    default: Some(Default::Text("kvcf")),
    help: "the integer formula of KVCache-Factory, or the paper's",
};

pub const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "pyramidkv",
        summary: "SnapKV's scores, larger budgets in shallow layers and smaller ones in deep layers",
        source: "Cai et al. 2024, arXiv 2406.02069",
        settings: &[
            parts::RETENTION,
            parts::BUDGET,
            parts::window(8),
            parts::POOLING,
            parts::KERNEL,
            parts::GROUPING,
            parts::store("query-head"),
            FORMULA,
            BETA,
        ],
    },
    make: |settings| {
        let beta = settings.integer("beta");
        let shape = match settings.text("formula") {
            "paper" => Shape::PyramidPaper { beta: beta as f64 },
            _ => Shape::PyramidKvcf { beta },
        };
        let eviction = Eviction {
            scorer: Scorer::Window {
                normalisation: Normalisation::Sum,
                pooling: parts::pooling(settings)?,
            },
            recent: Recent::Tokens(settings.integer("window")),
            grouping: parts::grouping(settings),
            shape,
            store: parts::stored(settings),
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(eviction), size))
    },
};
