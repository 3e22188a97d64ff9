//! SpindleKV (Tang et al. 2025, arXiv 2507.06517), and each of its two parts alone.

use super::{Entry, parts};
use crate::compress::coding::{Coding, Learner, Spindle};
use crate::compress::eviction::{Eviction, Recent, Scorer, Shape, Store};
use crate::compress::settings::{Accepts, Default, MethodInfo, SettingInfo, Settings};

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
    accepts: Accepts::Choice(&["greedy", "leader"]),
    default: Some(Default::Text("greedy")),
    help: "how codewords are chosen: the paper's greedy cover, or one pass over the text",
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
            KEYS,
            MAGNITUDES,
            DECODE,
        ],
    },
    make: |settings| {
        let spindle = Spindle {
            eviction: Some(eviction(settings)?),
            coding: coding(settings),
        };
        Ok(Some((Box::new(spindle), parts::size(settings, "spindle")?)))
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
        Ok(Some((
            Box::new(eviction(settings)?),
            parts::size(settings, "spindle-evict")?,
        )))
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
            KEYS,
            MAGNITUDES,
            DECODE,
        ],
    },
    make: |settings| {
        let spindle = Spindle {
            eviction: None,
            coding: coding(settings),
        };
        let size = parts::size_or(settings, "spindle-code", Some(1.0))?;
        Ok(Some((Box::new(spindle), size)))
    },
};

fn eviction(settings: &Settings) -> anyhow::Result<Eviction> {
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

fn coding(settings: &Settings) -> Coding {
    Coding {
        learner: match settings.text("learner") {
            "leader" => Learner::Leader,
            _ => Learner::Greedy,
        },
        theta_k: settings.number("theta-k"),
        theta_v: settings.number("theta-v"),
        rotated_keys: settings.text("keys") == "rotated",
        magnitudes: settings.flag("magnitudes"),
        codes_decoded: settings.text("decode") == "code",
    }
}
