//! Keeps random entries: the control that any choice has to beat.

use serde::Deserialize;

use super::parts::Forms;
use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape, StoredFor};
use crate::compress::score::Random;
use crate::compress::settings::MethodInfo;

#[derive(Deserialize)]
struct Own {
    seed: u64,
}

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "random",
        summary: "entries drawn by chance, each KV head its own: the control of every choice",
        source: "",
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::BUDGET,
            parts::SHARE,
            parts::SEED,
            parts::KEYS_AS,
            parts::VALUES_AS,
        ],
    },
    make: |settings| {
        let (Own { seed }, forms): (Own, Forms) = settings.read()?;
        let eviction = Eviction {
            score: Box::new(Random { seed }),
            recent: Recent::Tokens(0),
            shape: Shape::Uniform,
            store: StoredFor::KvHead,
        };
        let size = parts::size(settings, &eviction)?;
        Ok(Made::Compress(Box::new(forms.recipe(eviction)?), size))
    },
};
