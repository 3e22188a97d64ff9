//! PyramidKV (Cai et al. 2024, arXiv 2406.02069): SnapKV's scores under a budget that shrinks with depth.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use super::parts::{Forms, StoreSetting, Windowed};
use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape};
use crate::compress::score::{Normalisation, WindowAttention};
use crate::compress::settings::{About, Accepts, DefaultValue, MethodInfo, SettingInfo};

const BETA: SettingInfo = SettingInfo {
    name: "beta",
    about: About::Way,
    accepts: Accepts::Integer { from: 1, to: 1000 },
    default: Some(DefaultValue::Integer(20)),
    help: "the deepest layer's budget is the mean over beta",
};

/// The words of `formula`.
#[derive(Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
enum Formula {
    Kvcf,
    Paper,
}

const FORMULA: SettingInfo = SettingInfo {
    name: "formula",
    about: About::Way,
    accepts: Accepts::words::<Formula>(),
    default: Some(DefaultValue::Text(Formula::Kvcf.into_str())),
    help: "the integer formula of KVCache-Factory, or the paper's",
};

#[derive(Deserialize)]
struct Own {
    formula: Formula,
    beta: u32,
}

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "pyramidkv",
        summary: "SnapKV's scores, larger budgets in shallow layers and smaller ones in deep layers",
        source: "Cai et al. 2024, arXiv 2406.02069",
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::BUDGET,
            parts::SHARE,
            parts::window(8),
            parts::POOLING,
            parts::KERNEL,
            parts::GROUPING,
            parts::STORE,
            FORMULA,
            BETA,
            parts::KEYS_AS,
            parts::VALUES_AS,
        ],
    },
    make: |settings| {
        let (windowed, stored, own, forms): (Windowed, StoreSetting, Own, Forms) =
            settings.read()?;
        let shape = match own.formula {
            Formula::Kvcf => Shape::PyramidKvcf {
                beta: own.beta as usize,
            },
            Formula::Paper => Shape::PyramidPaper {
                beta: own.beta.into(),
            },
        };
        let eviction = Eviction {
            score: Box::new(WindowAttention {
                window: windowed.window,
                normalisation: Normalisation::Sum,
                grouping: windowed.gqa.into(),
                pooling: windowed.pooling(settings)?,
            }),
            recent: Recent::Tokens(windowed.window),
            shape,
            store: stored.store,
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(forms.recipe(eviction)?), size))
    },
};
