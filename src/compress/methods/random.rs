//! Entries by chance: what a choice of any kind has to beat.

use serde::Deserialize;

use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape, Store};
use crate::compress::group::Grouping;
use crate::compress::recipe::Recipe;
use crate::compress::score::Random;
use crate::compress::settings::MethodInfo;

#[derive(Deserialize)]
struct Own {
    seed: u64,
}

pub const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "random",
        summary: "entries drawn by chance, each KV head its own: the control of every choice",
        source: "",
        settings: &[parts::RETENTION, parts::BUDGET, parts::SHARE, parts::SEED],
    },
    make: |settings| {
        let Own { seed } = settings.read()?;
        let eviction = Eviction {
            score: Box::new(Random { seed }),
            recent: Recent::Tokens(0),
            grouping: Grouping::Mean,
            shape: Shape::Uniform,
            store: Store::KvHead,
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(Recipe::evicting(eviction)), size))
    },
};
