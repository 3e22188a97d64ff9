//! SpindleKV (Tang et al. 2025, arXiv 2507.06517), and each of its two parts alone.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use super::parts::Windowed;
use super::{Entry, Made, parts};
use crate::bad_input;
use crate::compress::coding::{Coding, Scope, Spindle};
use crate::compress::eviction::{Eviction, Recent, Scorer, Shape, Store};
use crate::compress::learn::{Learner, Recipe};
use crate::compress::score::Normalisation;
use crate::compress::settings::{About, Accepts, DefaultValue, MethodInfo, SettingInfo, Settings};
use crate::compress::size::Size;

const SOURCE: &str = "Tang et al. 2025, arXiv 2507.06517";

const BETA: SettingInfo = SettingInfo {
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
enum ShapeName {
    Linear,
    Uniform,
}

const SHAPE: SettingInfo = SettingInfo {
    name: "shape",
    about: About::Way,
    accepts: Accepts::words::<ShapeName>(),
    default: Some(DefaultValue::Text(ShapeName::Linear.into_str())),
    help: "the share kept falls linearly over the layers (the paper's), or is the same in each",
};

const THETA_K: SettingInfo = SettingInfo {
    name: "theta-k",
    about: About::Threshold,
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(DefaultValue::Number(0.98)),
    help: "keys more alike than this cosine may share a codeword; 1 shares only equal ones",
};

const THETA_V: SettingInfo = SettingInfo {
    name: "theta-v",
    about: About::Threshold,
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(DefaultValue::Number(0.95)),
    help: "the same for values",
};

const THETA_SCALE: SettingInfo = SettingInfo {
    name: "theta-scale",
    about: About::Size(Size::Knob),
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 12.0,
    },
    default: None,
    help: "both thresholds this many times as far from 1: what retention is solved for",
};

/// The words of `learner`.
#[derive(Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
enum LearnerName {
    Greedy,
    Leader,
    SphericalKMeans,
}

const LEARNER: SettingInfo = SettingInfo {
    name: "learner",
    about: About::Way,
    accepts: Accepts::words::<LearnerName>(),
    default: Some(DefaultValue::Text(LearnerName::Greedy.into_str())),
    help: "how codewords are chosen: the paper's greedy cover, one pass over the text, or a set number of means",
};

/// The share of codewords, with what it is about and its default.
const fn codewords(about: About, default: Option<DefaultValue>) -> SettingInfo {
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

/// The share of codewords where none is given.
const CODEWORDS: f64 = 0.25;

/// The share of codewords as the size of a codebook alone.
const CODEWORDS_SIZE: SettingInfo = codewords(About::Size(Size::Knob), None);

const SCOPE: SettingInfo = SettingInfo {
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

const CODEWORD: SettingInfo = SettingInfo {
    name: "codeword",
    about: About::Way,
    accepts: Accepts::words::<Codeword>(),
    default: Some(DefaultValue::Text(Codeword::Member.into_str())),
    help: "a codeword is one of the vectors it stands for (the paper's), or their mean",
};

const WINDOW_CODED: SettingInfo = SettingInfo {
    name: "window-coded",
    about: About::Way,
    accepts: Accepts::Flag,
    default: Some(DefaultValue::Flag(true)),
    help: "the recent window is coded like the rest, or kept whole",
};

/// The words of `keys`.
#[derive(Clone, Copy, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
enum Keys {
    PreRope,
    PostRope,
}

const KEYS: SettingInfo = SettingInfo {
    name: "keys",
    about: About::Way,
    accepts: Accepts::words::<Keys>(),
    default: Some(DefaultValue::Text(Keys::PreRope.into_str())),
    help: "keys are coded before RoPE (the paper's) or after",
};

const MAGNITUDES: SettingInfo = SettingInfo {
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

const DECODE: SettingInfo = SettingInfo {
    name: "decode",
    about: About::Way,
    accepts: Accepts::words::<Decode>(),
    default: Some(DefaultValue::Text(Decode::Code.into_str())),
    help: "decoded tokens join the codebooks (the paper's) or stay whole",
};

pub const SPINDLE: Entry = Entry {
    info: &MethodInfo {
        name: "spindle",
        summary: "SpindleKV: eviction for deep layers, a codebook learnt from the prompt for shallow ones",
        source: SOURCE,
        settings: &[
            parts::RETENTION,
            parts::SHARE,
            parts::window(8),
            parts::NORMALISATION,
            parts::POOLING,
            parts::KERNEL,
            parts::GROUPING,
            SHAPE,
            BETA,
            THETA_K,
            THETA_V,
            LEARNER,
            codewords(About::Way, Some(DefaultValue::Number(CODEWORDS))),
            SCOPE,
            CODEWORD,
            KEYS,
            MAGNITUDES,
            WINDOW_CODED,
            DECODE,
        ],
    },
    make: |settings| {
        let (windowed, evicting, coded, own): (Windowed, Evicting, Coded, Own) = settings.read()?;
        let learner = ("learner", coded.learner);
        settings.heeds("codewords", learner, &[LearnerName::SphericalKMeans])?;
        let eviction = evicting.eviction(&windowed, settings)?;
        let size = parts::size(settings, &eviction)?;
        let spindle = Spindle {
            eviction: Some(eviction),
            coding: coded.coding(own.codewords, own.window_coded, settings)?,
        };
        Ok(Made::Compress(Box::new(spindle), size))
    },
};

pub const EVICT: Entry = Entry {
    info: &MethodInfo {
        name: "spindle-evict",
        summary: "SpindleKV without its codebook: entries kept by several query heads are stored once",
        source: SOURCE,
        settings: &[
            parts::RETENTION,
            parts::SHARE,
            parts::window(8),
            parts::NORMALISATION,
            parts::POOLING,
            parts::KERNEL,
            parts::GROUPING,
            SHAPE,
            BETA,
        ],
    },
    make: |settings| {
        let (windowed, evicting): (Windowed, Evicting) = settings.read()?;
        let eviction = evicting.eviction(&windowed, settings)?;
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(eviction), size))
    },
};

pub const CODE: Entry = Entry {
    info: &MethodInfo {
        name: "spindle-code",
        summary: "SpindleKV without eviction: every entry, in coded form",
        source: SOURCE,
        settings: &[
            parts::RETENTION,
            THETA_SCALE,
            THETA_K,
            THETA_V,
            LEARNER,
            CODEWORDS_SIZE,
            SCOPE,
            CODEWORD,
            KEYS,
            MAGNITUDES,
            DECODE,
        ],
    },
    make: |settings| {
        let coded: Coded = settings.read()?;
        let (knob, other, otherwise) = match coded.learner {
            LearnerName::Greedy | LearnerName::Leader => (THETA_SCALE, CODEWORDS_SIZE, 1.0),
            LearnerName::SphericalKMeans => (CODEWORDS_SIZE, THETA_SCALE, CODEWORDS),
        };
        if settings.get(other.name).is_some() {
            return Err(bad_input!(
                "method spindle-code: {} is given, but learner = {} goes by {}",
                other.name,
                coded.learner.into_str(),
                knob.name
            ));
        }
        let size = parts::one_size(settings, Some(Size::Knob(otherwise)))?;
        let spindle = Spindle {
            eviction: None,
            // The knob says how many.
            coding: coded.coding(CODEWORDS, true, settings)?,
        };
        Ok(Made::Compress(Box::new(spindle), size))
    },
};

/// What a budget is spread by and scores are divided by.
#[derive(Deserialize)]
struct Evicting {
    normalisation: Normalisation,
    shape: ShapeName,
    beta: f64,
}

impl Evicting {
    fn eviction(&self, windowed: &Windowed, settings: &Settings) -> anyhow::Result<Eviction> {
        settings.heeds("beta", ("shape", self.shape), &[ShapeName::Linear])?;
        Ok(Eviction {
            scorer: Scorer::Window {
                normalisation: self.normalisation,
                pooling: windowed.pooling(settings)?,
            },
            recent: Recent::Tokens(windowed.window),
            grouping: windowed.gqa.into(),
            shape: match self.shape {
                ShapeName::Linear => Shape::SpindleLinear { beta: self.beta },
                ShapeName::Uniform => Shape::Uniform,
            },
            store: Store::KvHead,
        })
    }
}

/// How what is kept is coded.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Coded {
    theta_k: f64,
    theta_v: f64,
    learner: LearnerName,
    scope: Scope,
    codeword: Codeword,
    keys: Keys,
    magnitudes: bool,
    decode: Decode,
}

impl Coded {
    fn coding(
        &self,
        codewords: f64,
        codes_window: bool,
        settings: &Settings,
    ) -> anyhow::Result<Coding> {
        let learner = ("learner", self.learner);
        let by_threshold = [LearnerName::Greedy, LearnerName::Leader];
        // Means are what spherical k-means makes.
        settings.heeds("codeword", learner, &by_threshold)?;
        let codes_decoded = match self.decode {
            Decode::Code => true,
            Decode::Whole => {
                settings.heeds("theta-k", learner, &by_threshold)?;
                settings.heeds("theta-v", learner, &by_threshold)?;
                false
            }
        };
        Ok(Coding {
            recipe: Recipe {
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
            },
            theta_k: self.theta_k,
            theta_v: self.theta_v,
            scope: self.scope,
            rotated_keys: match self.keys {
                Keys::PreRope => false,
                Keys::PostRope => true,
            },
            codes_window,
            codes_decoded,
        })
    }
}

/// What only both parts together have.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Own {
    codewords: f64,
    window_coded: bool,
}
