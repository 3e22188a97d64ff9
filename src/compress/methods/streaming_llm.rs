//! StreamingLLM (Xiao et al. 2023, arXiv 2309.17453): the first few entries and the latest.
//!
//! Entries keep their original positions, as in KVCache-Factory and kvpress; the published code renumbers them within
//! its cache. The published code also drops the oldest recent entry for each token decoded; here, as in every method,
//! only entries of the prompt are evicted.

use serde::Deserialize;

use super::parts::Forms;
use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape, StoredFor};
use crate::compress::score::Latest;
use crate::compress::settings::{About, Accepts, DefaultValue, MethodInfo, SettingInfo};

const SINKS: SettingInfo = SettingInfo {
    name: "sinks",
    about: About::Kept,
    accepts: Accepts::Integer { from: 0, to: 4096 },
    default: Some(DefaultValue::Integer(4)),
    help: "first tokens that are always kept",
};

#[derive(Deserialize)]
struct Own {
    sinks: usize,
}

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "streaming-llm",
        summary: "the first tokens (attention sinks) and the latest, whatever they say",
        source: "Xiao et al. 2023, arXiv 2309.17453",
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::BUDGET,
            parts::SHARE,
            SINKS,
            parts::KEYS_AS,
            parts::VALUES_AS,
        ],
    },
    make: |settings| {
        let (Own { sinks }, forms): (Own, Forms) = settings.read()?;
        let eviction = Eviction {
            score: Box::new(Latest { sinks }),
            recent: Recent::Tokens(0),
            shape: Shape::Uniform,
            store: StoredFor::KvHead,
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(forms.recipe(eviction)?), size))
    },
};
