//! The settings of SpindleKV's codebook.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use crate::compress::eviction::Eviction;
use crate::compress::learning::{Learner, Learning};
use crate::compress::recipe::Recipe;
use crate::compress::settings::{About, Accepts, DefaultValue, SettingInfo, Settings};
use crate::compress::size::Size;
use crate::compress::writer::{CodebookWriter, Scope};
use crate::store::Rotate;

pub(super) const THETA_K: SettingInfo = SettingInfo {
    name: "theta-k",
    about: About::Threshold,
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(DefaultValue::Number(CodebookWriter::THETAS[0])),
    help: "keys more alike than this cosine may share a codeword; 1 shares only equal ones",
};

pub(super) const THETA_V: SettingInfo = SettingInfo {
    name: "theta-v",
    about: About::Threshold,
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(DefaultValue::Number(CodebookWriter::THETAS[1])),
    help: "the same for values",
};

pub(super) const THETA_SCALE: SettingInfo = SettingInfo {
    name: "theta-scale",
    about: About::Size(Size::Knob),
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 12.0,
    },
    default: None,
    help: "multiplies the distance of both thresholds from 1; solved for when a retention is given",
};

/// The words of `learner`.
#[derive(Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum LearnerName {
    Greedy,
    Leader,
    SphericalKMeans,
}

pub(super) const LEARNER: SettingInfo = SettingInfo {
    name: "learner",
    about: About::Way,
    accepts: Accepts::words::<LearnerName>(),
    default: Some(DefaultValue::Text(LearnerName::Greedy.into_str())),
    help: "how codewords are chosen: the paper's greedy cover, one pass over the text, or a set number of means",
};

/// The setting `codewords`, which differs between methods in what it is about and in its default.
pub(super) const fn codewords(about: About, default: Option<DefaultValue>) -> SettingInfo {
    SettingInfo {
        name: "codewords",
        about,
        accepts: Accepts::Number {
            above: 0.0,
            up_to: 1.0,
        },
        default,
        help: "share of the vectors coded that spherical k-means makes codewords for",
    }
}

/// Default share of codewords.
pub(super) const CODEWORDS: f64 = 0.25;

/// The setting `codewords` as the size of a codebook alone.
pub(super) const CODEWORDS_SIZE: SettingInfo = codewords(About::Size(Size::Knob), None);

pub(super) const SCOPE: SettingInfo = SettingInfo {
    name: "scope",
    about: About::Way,
    accepts: Accepts::words::<Scope>(),
    default: Some(DefaultValue::Text(Scope::KvHead.into_str())),
    help: "a codebook for each KV head, or one that all of a layer's share",
};

/// The words of `codeword`.
#[derive(Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
enum Codeword {
    Member,
    Mean,
}

pub(super) const CODEWORD: SettingInfo = SettingInfo {
    name: "codeword",
    about: About::Way,
    accepts: Accepts::words::<Codeword>(),
    default: Some(DefaultValue::Text(Codeword::Member.into_str())),
    help: "a codeword is one of the vectors it stands for (the paper's), or their mean",
};

/// The words of `keys`.
#[derive(Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
enum Keys {
    PreRope,
    PostRope,
}

pub(super) const KEYS: SettingInfo = SettingInfo {
    name: "keys",
    about: About::Way,
    accepts: Accepts::words::<Keys>(),
    default: Some(DefaultValue::Text(Keys::PreRope.into_str())),
    help: "keys are coded before RoPE (the paper's) or after",
};

pub(super) const MAGNITUDES: SettingInfo = SettingInfo {
    name: "magnitudes",
    about: About::Way,
    accepts: Accepts::Flag,
    default: Some(DefaultValue::Flag(true)),
    help: "keep the norm of each vector; without, it takes its codeword's",
};

/// The words of `decode`.
#[derive(Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
enum Decode {
    Code,
    Whole,
}

pub(super) const DECODE: SettingInfo = SettingInfo {
    name: "decode",
    about: About::Way,
    accepts: Accepts::words::<Decode>(),
    default: Some(DefaultValue::Text(Decode::Code.into_str())),
    help: "decoded tokens join the codebooks (the paper's) or stay whole",
};

/// The settings of how entries are coded.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CodebookSettings {
    theta_k: f64,
    theta_v: f64,
    pub learner: LearnerName,
    scope: Scope,
    codeword: Codeword,
    keys: Keys,
    magnitudes: bool,
    decode: Decode,
}

impl CodebookSettings {
    /// The recipe that codes what an `eviction` leaves. `codewords`: their share, for spherical k-means.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a setting that the learner does not heed.
    pub(super) fn recipe(
        &self,
        eviction: Option<Eviction>,
        codewords: f64,
        settings: &Settings,
    ) -> anyhow::Result<Recipe> {
        let learner = ("learner", self.learner);
        let by_threshold = [LearnerName::Greedy, LearnerName::Leader];
        // Spherical k-means always makes means.
        settings.heeds("codeword", learner, &by_threshold)?;
        let is_decoded_whole = match self.decode {
            Decode::Code => false,
            Decode::Whole => {
                settings.heeds("theta-k", learner, &by_threshold)?;
                settings.heeds("theta-v", learner, &by_threshold)?;
                true
            }
        };
        let learning = Learning {
            learner: match self.learner {
                LearnerName::Greedy => Learner::Greedy,
                LearnerName::Leader => Learner::Leader,
                LearnerName::SphericalKMeans => Learner::SphericalKMeans { codewords },
            },
            means: match self.codeword {
                Codeword::Member => false,
                Codeword::Mean => true,
            },
            magnitudes: self.magnitudes,
        };
        let writer = |theta: f64| {
            Box::new(CodebookWriter {
                learning,
                theta,
                scope: self.scope,
                rotate: match self.keys {
                    Keys::PreRope => Rotate::ByPosition,
                    Keys::PostRope => Rotate::AtWrite,
                },
            })
        };
        Ok(Recipe {
            eviction,
            keys: writer(self.theta_k),
            values: writer(self.theta_v),
            is_window_whole: false,
            is_decoded_whole,
        })
    }
}
