//! CaM (Zhang et al. 2024, ICML): keeps the start of the prompt and its latest entries, in equal shares, and merges the
//! values of entries dropped between them into the values after them.
//!
//! As published (`cam_hf/utils_hh`): equal start and recent ratios (0.1 each), each value spread over the next 32
//! (`merge-budget`) with a Bernoulli mask of `attention / mean attention of the recent window`, keys untouched. The
//! original merges one token at each step of decoding, as it leaves the recent window, by the attention of that step's
//! query. Here the prompt is compressed at its end, so the same steps run one after the other in the order of the text,
//! each with the values that the ones before have left; decoded tokens are all kept and nothing is merged into them.
//! What differs: attention is the mean over all queries of the prompt that see an entry (one prefill does not tell the
//! steps apart); and where query heads share a KV head, which stores one value, it is the mean over them.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape, StoredFor};
use crate::compress::group::{Grouping, reduce};
use crate::compress::merge::Merging;
use crate::compress::method::{At, Compressed, Knob, Method, Plan};
use crate::compress::recipe::Recipe;
use crate::compress::score::Earliest;
use crate::compress::settings::{About, Accepts, DefaultValue, MethodInfo, SettingInfo};
use crate::compress::view::LayerView;
use crate::model::observe::Observe;
use crate::store::{Fault, Footprint, LayerStore, Rows};

const MERGE_BUDGET: SettingInfo = SettingInfo {
    name: "merge-budget",
    about: About::Way,
    accepts: Accepts::Integer { from: 1, to: 4096 },
    default: Some(DefaultValue::Integer(32)),
    help: "entries that a dropped value is spread over",
};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Own {
    merge_budget: usize,
    seed: u64,
}

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "cam",
        summary: "the start and the latest entries, with the values dropped between merged into those after them",
        source: "Zhang et al. 2024, ICML (OpenReview LCTmppB165)",
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            parts::BUDGET,
            parts::SHARE,
            MERGE_BUDGET,
            parts::SEED,
        ],
    },
    make: |settings| {
        let own: Own = settings.read()?;
        let eviction = Eviction {
            score: Box::new(Earliest),
            recent: Recent::Half,
            shape: Shape::Uniform,
            store: StoredFor::KvHead,
        };
        let size = parts::size(settings, &eviction)?;
        let cam = Cam {
            recipe: Recipe::evicting(eviction),
            budget: own.merge_budget,
            seed: own.seed,
        };
        Ok(Made::Compress(Box::new(cam), size))
    },
};

struct Cam {
    recipe: Recipe,
    budget: usize,
    seed: u64,
}

impl Method for Cam {
    fn observes(&self) -> Observe {
        Observe {
            column_sums: true,
            ..self.recipe.observes()
        }
    }

    fn knob(&self) -> Knob {
        self.recipe.knob()
    }

    fn least(&self, len: usize) -> usize {
        self.recipe.least(len)
    }

    fn plan<'a>(&'a self, layer: LayerView<'a>) -> Result<Box<dyn Plan + 'a>, Fault> {
        for kv_head in 0..layer.geometry().kv_heads {
            if let Some(fault) = Fault::of_scores(&layer.column_sums(kv_head), layer.len()) {
                return Err(fault.in_layer(layer.layer));
            }
        }
        Ok(Box::new(CamPlan {
            cam: self,
            layer,
            evicted: self.recipe.plan(layer)?,
        }))
    }
}

struct CamPlan<'a> {
    cam: &'a Cam,
    layer: LayerView<'a>,
    /// The plan that keeps the same entries with their own values.
    evicted: Box<dyn Plan + 'a>,
}

impl CamPlan<'_> {
    /// Merges the values of one KV head at `dropped` into the ones after them.
    ///
    /// # Errors
    /// A value that the store cannot hold.
    fn merged(&self, kv_head: usize, dropped: &[u32]) -> Result<Rows, Fault> {
        let layer = self.layer;
        let (geometry, len) = (layer.geometry(), layer.len());
        let sums = layer.column_sums(kv_head);
        let mut attention = reduce(&sums, geometry.group(), Grouping::Mean);
        for (i, sum) in attention.iter_mut().enumerate() {
            *sum /= (len - i) as f32;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(layer.seed(self.cam.seed, kv_head));
        let mut values = layer.kv().values(kv_head).to_f32();
        let d = geometry.head_dim;
        let merging = Merging {
            budget: self.cam.budget,
            recent: dropped.last().map_or(len, |&last| len - 1 - last as usize),
        };
        merging.merge(&mut values, d, &attention, dropped, &mut rng);
        match Fault::of_stored("merged values", &values, d, 0, layer.store()) {
            Some(fault) => Err(fault.in_layer(layer.layer)),
            None => Ok(Rows::from_f32(d, layer.store(), &values)),
        }
    }
}

impl Plan for CamPlan<'_> {
    fn footprint(&self, at: At) -> Footprint {
        self.evicted.footprint(at)
    }

    fn build(&self, at: At) -> Result<Compressed, Fault> {
        let layer = self.layer;
        let Compressed { store, kept, .. } = self.evicted.build(at)?;
        let (run, kept) = (&store.prompt[0], kept.expect("entries were evicted"));
        // Dropped entries are the same in every head: all between the start and the recent entries.
        let all = 0..layer.len() as u32;
        let dropped: Vec<u32> = all.filter(|p| kept[0].binary_search(p).is_err()).collect();
        let heads = 0..layer.geometry().kv_heads;
        let values = heads.map(|kv_head| Ok(self.merged(kv_head, &dropped)?.gather(&kept[0])));
        let values = values.collect::<Result<_, _>>()?;
        let merged = Arc::new(run.with_values(values));
        Ok(Compressed {
            store: LayerStore::of_prompt(merged, layer.geometry(), layer.store(), store.selecting),
            kept: Some(kept),
            cosines: [None; 2],
        })
    }
}
