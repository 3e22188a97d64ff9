//! The settings of SpindleKV's eviction that are its own.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use crate::compress::eviction::{Eviction, Recent, Shape, StoredFor};
use crate::compress::methods::parts::Windowed;
use crate::compress::score::{Normalisation, WindowAttention};
use crate::compress::settings::{About, Accepts, DefaultValue, SettingInfo, Settings};

pub(super) const BETA: SettingInfo = SettingInfo {
    name: "beta",
    about: About::Way,
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(DefaultValue::Number(0.05)),
    help: "least share of the entries that the deepest layer keeps",
};

/// The words of `shape`.
#[derive(Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum ShapeName {
    Linear,
    Uniform,
}

pub(super) const SHAPE: SettingInfo = SettingInfo {
    name: "shape",
    about: About::Way,
    accepts: Accepts::words::<ShapeName>(),
    default: Some(DefaultValue::Text(ShapeName::Linear.into_str())),
    help: "the share kept falls linearly over the layers (the paper's), or is the same in each",
};

/// The settings that spread the budget and divide the scores.
#[derive(Deserialize)]
pub(super) struct Evicting {
    normalisation: Normalisation,
    shape: ShapeName,
    beta: f64,
}

impl Evicting {
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a setting that another leaves without effect.
    pub(super) fn eviction(
        &self,
        windowed: &Windowed,
        settings: &Settings,
    ) -> anyhow::Result<Eviction> {
        settings.heeds("beta", ("shape", self.shape), &[ShapeName::Linear])?;
        Ok(Eviction {
            score: Box::new(WindowAttention {
                window: windowed.window,
                normalisation: self.normalisation,
                grouping: windowed.gqa.into(),
                pooling: windowed.pooling(settings)?,
            }),
            recent: Recent::Tokens(windowed.window),
            shape: match self.shape {
                ShapeName::Linear => Shape::SpindleLinear { beta: self.beta },
                ShapeName::Uniform => Shape::Uniform,
            },
            store: StoredFor::KvHead,
        })
    }
}
