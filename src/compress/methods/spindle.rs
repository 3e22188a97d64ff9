//! SpindleKV (Tang et al. 2025, arXiv 2507.06517), and each of its two parts alone.

use super::{Entry, Made, parts};
use crate::bad_input;
use crate::compress::coding::{Coding, Scope, Spindle};
use crate::compress::eviction::{Eviction, Recent, Scorer, Shape, Store};
use crate::compress::learn::{Learner, Recipe};
use crate::compress::settings::{Accepts, Default, MethodInfo, SettingInfo, Settings};
use crate::compress::size::Size;

const SOURCE: &str = "Tang et al. 2025, arXiv 2507.06517";

const BETA: SettingInfo = SettingInfo {
    name: "beta",
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(Default::Number(0.05)),
    help: "least share of the entries that the deepest layer keeps",
};

const SHAPE: SettingInfo = SettingInfo {
    name: "shape",
    accepts: Accepts::Choice(&["linear", "uniform"]),
    default: Some(Default::Text("linear")),
    help: "the share kept falls linearly over the layers (the paper's), or is the same in each",
};

const THETA_K: SettingInfo = SettingInfo {
    name: "theta-k",
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(Default::Number(0.98)),
    help: "keys more alike than this cosine may share a codeword; 1 shares only equal ones",
};

const THETA_V: SettingInfo = SettingInfo {
    name: "theta-v",
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(Default::Number(0.95)),
    help: "the same for values",
};

const THETA_SCALE: SettingInfo = SettingInfo {
    name: "theta-scale",
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 12.0,
    },
    default: None,
    help: "both thresholds this many times as far from 1: what retention is solved for",
};

const LEARNER: SettingInfo = SettingInfo {
    name: "learner",
    accepts: Accepts::Choice(&["greedy", "leader", "spherical-k-means"]),
    default: Some(Default::Text("greedy")),
    help: "how codewords are chosen: the paper's greedy cover, one pass over the text, or a set number of means",
};

/// The share of codewords, with its default.
const fn codewords(default: Option<Default>) -> SettingInfo {
    SettingInfo {
        name: "codewords",
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

const SCOPE: SettingInfo = SettingInfo {
    name: "scope",
    accepts: Accepts::Choice(&["kv-head", "layer"]),
    default: Some(Default::Text("kv-head")),
    help: "a codebook for each KV head, or one that all of a layer's share",
};

const CODEWORD: SettingInfo = SettingInfo {
    name: "codeword",
    accepts: Accepts::Choice(&["member", "mean"]),
    default: Some(Default::Text("member")),
    help: "a codeword is one of the vectors it stands for (the paper's), or their mean",
};

const WINDOW_CODED: SettingInfo = SettingInfo {
    name: "window-coded",
    accepts: Accepts::Flag,
    default: Some(Default::Flag(true)),
    help: "the recent window is coded like the rest, or kept whole",
};

const KEYS: SettingInfo = SettingInfo {
    name: "keys",
    accepts: Accepts::Choice(&["unrotated", "rotated"]),
    default: Some(Default::Text("unrotated")),
    help: "keys are coded before RoPE (the paper's) or after",
};

const MAGNITUDES: SettingInfo = SettingInfo {
    name: "magnitudes",
    accepts: Accepts::Flag,
    default: Some(Default::Flag(true)),
    help: "keep the norm of each vector; without, it takes its codeword's",
};

const DECODE: SettingInfo = SettingInfo {
    name: "decode",
    accepts: Accepts::Choice(&["code", "whole"]),
    default: Some(Default::Text("code")),
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
            codewords(Some(Default::Number(CODEWORDS))),
            SCOPE,
            CODEWORD,
            KEYS,
            MAGNITUDES,
            WINDOW_CODED,
            DECODE,
        ],
    },
    make: |settings| {
        settings.heeds("codewords", "learner", &["spherical-k-means"])?;
        let eviction = eviction(settings)?;
        let size = parts::size(settings, &eviction)?;
        let spindle = Spindle {
            eviction: Some(eviction),
            coding: coding(settings, settings.flag("window-coded"))?,
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
        let eviction = eviction(settings)?;
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
            codewords(None),
            SCOPE,
            CODEWORD,
            KEYS,
            MAGNITUDES,
            DECODE,
        ],
    },
    make: |settings| {
        let spindle = Spindle {
            eviction: None,
            coding: coding(settings, true)?,
        };
        let (knob, other, otherwise) = match spindle.coding.recipe.learner {
            Learner::SphericalKMeans { .. } => ("codewords", "theta-scale", CODEWORDS),
            _ => ("theta-scale", "codewords", 1.0),
        };
        if settings.opt_number(other).is_some() {
            return Err(bad_input!(
                "method spindle-code: {other} is given, but learner = {} goes by {knob}",
                settings.text("learner")
            ));
        }
        let otherwise = Some(Size::Knob(otherwise));
        let size = parts::one_size(settings, &[(knob, Size::Knob)], otherwise)?;
        Ok(Made::Compress(Box::new(spindle), size))
    },
};

fn eviction(settings: &Settings) -> anyhow::Result<Eviction> {
    settings.heeds("beta", "shape", &["linear"])?;
    let shape = match settings.text("shape") {
        "uniform" => Shape::Uniform,
        _ => Shape::SpindleLinear {
            beta: settings.number("beta"),
        },
    };
    Ok(Eviction {
        scorer: Scorer::Window {
            normalisation: parts::normalisation(settings),
            pooling: parts::pooling(settings)?,
        },
        recent: Recent::Tokens(settings.integer("window")),
        grouping: parts::grouping(settings),
        shape,
        store: Store::KvHead,
    })
}

fn coding(settings: &Settings, codes_window: bool) -> anyhow::Result<Coding> {
    let thresholds = ["greedy", "leader"];
    // Means are what spherical k-means makes.
    settings.heeds("codeword", "learner", &thresholds)?;
    if settings.text("decode") == "whole" {
        settings.heeds("theta-k", "learner", &thresholds)?;
        settings.heeds("theta-v", "learner", &thresholds)?;
    }
    let learner = match settings.text("learner") {
        "leader" => Learner::Leader,
        "spherical-k-means" => Learner::SphericalKMeans {
            codewords: settings.opt_number("codewords").unwrap_or(CODEWORDS),
        },
        _ => Learner::Greedy,
    };
    Ok(Coding {
        recipe: Recipe {
            learner,
            means: settings.text("codeword") == "mean",
            magnitudes: settings.flag("magnitudes"),
        },
        theta_k: settings.number("theta-k"),
        theta_v: settings.number("theta-v"),
        rotated_keys: settings.text("keys") == "rotated",
        scope: match settings.text("scope") {
            "layer" => Scope::Layer,
            _ => Scope::KvHead,
        },
        codes_window,
        codes_decoded: settings.text("decode") == "code",
    })
}
