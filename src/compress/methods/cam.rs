//! CaM (Zhang et al. 2024, ICML): the start of the prompt and its latest entries stay, in equal shares, and values of
//! what is dropped between them are merged into the values after them.
//!
//! As published (`cam_hf/utils_hh`): equal start and recent ratios (0.1 each), each value spread over the next 32
//! (`merge-budget`) with a Bernoulli mask of `attention / mean attention of the recent window`, keys untouched. The
//! original merges one token at each step of decoding, as it leaves the recent window, by the attention of that step's
//! query. Here the prompt is compressed at its end, so the same steps run one after the other in the order of the text,
//! each with the values that the ones before have left; decoded tokens are all kept and nothing is merged into them.
//! What differs: attention is the mean over all queries of the prompt that see an entry (one prefill does not tell the
//! steps apart); and where query heads share a KV head, which stores one value, it is the mean over them.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Entry, Made, parts};
use crate::compress::eviction::{Eviction, Recent, Shape, Store};
use crate::compress::group::{Grouping, reduce};
use crate::compress::merge::Merging;
use crate::compress::method::{Compressed, Knob, Method, Plan};
use crate::compress::ranking::Ranking;
use crate::compress::score::Earliest;
use crate::compress::settings::{About, Accepts, DefaultValue, MethodInfo, SettingInfo};
use crate::compress::view::LayerView;
use crate::model::observe::Observe;
use crate::store::{Fault, Footprint, Rows, Run};

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

pub const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "cam",
        summary: "the start and the latest entries, with the values dropped between merged into those after them",
        source: "Zhang et al. 2024, ICML (OpenReview LCTmppB165)",
        settings: &[
            parts::RETENTION,
            parts::BUDGET,
            parts::SHARE,
            MERGE_BUDGET,
            parts::SEED,
        ],
    },
    make: |settings| {
        let own: Own = settings.read()?;
        let cam = Cam {
            eviction: Eviction {
                score: Box::new(Earliest),
                recent: Recent::Half,
                grouping: Grouping::Mean,
                shape: Shape::Uniform,
                store: Store::KvHead,
            },
            budget: own.merge_budget,
            seed: own.seed,
        };
        let size = parts::size(settings, &cam.eviction)?;
        Ok(Made::Compress(Box::new(cam), size))
    },
};

struct Cam {
    eviction: Eviction,
    budget: usize,
    seed: u64,
}

impl Method for Cam {
    fn observes(&self) -> Observe {
        Observe {
            column_sums: true,
            ..self.eviction.observes()
        }
    }

    fn knob(&self) -> Knob {
        self.eviction.knob()
    }

    fn least(&self, len: usize) -> usize {
        self.eviction.least(len)
    }

    fn plan<'a>(&'a self, layer: LayerView<'a>) -> Result<Box<dyn Plan + 'a>, Fault> {
        for kv_head in 0..layer.geometry().kv_heads {
            if let Some(fault) = Fault::of_scores(&layer.column_sums(kv_head), layer.len()) {
                return Err(fault.in_layer(layer.layer));
            }
        }
        Ok(Box::new(CamPlan {
            cam: self,
            ranking: Ranking::new(&self.eviction, layer)?,
        }))
    }
}

struct CamPlan<'a> {
    cam: &'a Cam,
    ranking: Ranking<'a>,
}

impl CamPlan<'_> {
    /// The values of one KV head with those of `evicted` merged.
    ///
    /// # Errors
    /// One that the store cannot hold.
    fn merged(&self, kv_head: usize, evicted: &[u32], merging: Merging) -> Result<Rows, Fault> {
        let layer = self.ranking.layer;
        let (geometry, len) = (layer.geometry(), layer.len());
        let sums = layer.column_sums(kv_head);
        let mut attention = reduce(&sums, geometry.group(), Grouping::Mean);
        for (i, sum) in attention.iter_mut().enumerate() {
            *sum /= (len - i) as f32;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(layer.seed(self.cam.seed, kv_head));
        let mut values = layer.kv().values(kv_head).to_f32();
        let d = geometry.head_dim;
        merging.merge(&mut values, d, &attention, evicted, &mut rng);
        match Fault::of_stored("merged values", &values, d, 0, layer.store()) {
            Some(fault) => Err(fault.in_layer(layer.layer)),
            None => Ok(Rows::from_f32(d, layer.store(), &values)),
        }
    }
}

impl Plan for CamPlan<'_> {
    fn footprint(&self, share: f64) -> Footprint {
        self.ranking.footprint(share)
    }

    fn build(&self, share: f64) -> Result<Compressed, Fault> {
        let layer = self.ranking.layer;
        let budget = self.ranking.budget(share);
        let merging = Merging {
            budget: self.cam.budget,
            recent: budget.recent,
        };
        // All that lies between the start and the recent entries, the same in every head.
        let end = layer.len() - budget.recent;
        let evicted: Vec<u32> = (budget.ranked as u32..end as u32).collect();
        let heads = 0..layer.geometry().kv_heads;
        let full = layer.kv();
        let keys = heads.clone().map(|kv_head| full.keys(kv_head).clone());
        let values = heads.map(|kv_head| self.merged(kv_head, &evicted, merging));
        let values = values.collect::<Result<_, _>>()?;
        let merged = Run::whole(keys.collect(), values, full.rotate);
        let selected = self.ranking.selected(share);
        let chosen = merged.shared(&selected);
        Ok(Compressed {
            store: layer.held(chosen, self.ranking.selecting()),
            kept: Some(self.ranking.per_query_head(selected)),
            cosines: None,
        })
    }
}
