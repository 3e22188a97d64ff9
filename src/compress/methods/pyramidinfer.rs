//! PyramidInfer (Yang et al. 2024, arXiv 2405.12532): tokens that get little attention from the last ones drop out
//! during the prefill, more of them in deeper layers, so that deeper layers neither compute nor store them.
//!
//! After the published code (configurations `llama2_7b` and `llama3_8b`, cosine schedule, every layer): attention is
//! the mean over all heads of a layer, from the last `1 + recent` queries, weighted 1 to `distance-weight` towards the
//! end; the first `sinks` tokens and the last `1 + recent` always go on. A layer holds every token that reached it, the
//! first one all. Only the attention of those queries is computed again for scores, in blocks. What is generated is
//! kept: the code's compression of generated tokens is left out, as for every method here.
//!
//! It is not known how the paper's authors met a size. Here the knob is the decay of the schedule,
//! `prefill-decay-ratio`; the size follows from it and the prompt's length alone. Published values lie between 0 and 1.
//! Shallow layers then hold tokens that only the deepest drop: half of all bytes or more stay, a third or more with a
//! small `recent-ratio`. Values below 0 are our extension, without which the method could not be compared at the sizes
//! of the others: the cosine falls to 0 before the last layer (at -1 in the middle), and from there on at most
//! `min-context` older tokens are left. The first two layers hold all of the prompt whatever the ratio, and the recent
//! tokens always stay.

use std::f64::consts::PI;

use serde::Deserialize;

use super::{Entry, Made, parts};
use crate::bad_input;
use crate::compress::method::{Knob, Pruning};
use crate::compress::score::add_attention;
use crate::compress::select::top_k;
use crate::compress::settings::{About, Accepts, DefaultValue, MethodInfo, SettingInfo};
use crate::compress::size::Size;
use crate::kernel::Panels;
use crate::model::decoder::PrunedLayer;
use crate::store::Fault;

const DECAY: SettingInfo = SettingInfo {
    name: "prefill-decay-ratio",
    about: About::Size(Size::Knob),
    accepts: Accepts::Number {
        above: DECAYS[0],
        up_to: 1.0,
    },
    default: None,
    help: "share of a layer's older tokens that the last layer passes on (0.9 unless a size is given); below 0 the schedule ends earlier; solved for when a retention is given",
};

/// Cheap values of the knob. Bytes fall ever more slowly below 0, and drop a little just there. At the first value, the
/// second layer of 49 or fewer passes on only the least.
const DECAYS: [f64; 11] = [
    -1000.0, -300.0, -100.0, -30.0, -10.0, -3.0, -1.0, -0.3, -1e-6, 0.0, 1.0,
];

const RECENT_RATIO: SettingInfo = SettingInfo {
    name: "recent-ratio",
    about: About::Way,
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 1.0,
    },
    default: Some(DefaultValue::Number(0.2)),
    help: "share of the prompt, its end, that always goes on and whose queries score the rest",
};

const MIN_CONTEXT: SettingInfo = SettingInfo {
    name: "min-context",
    about: About::Way,
    accepts: Accepts::Integer {
        from: 0,
        to: 1 << 24,
    },
    default: Some(DefaultValue::Integer(64)),
    help: "older tokens below which no more drop out",
};

const SINKS: SettingInfo = SettingInfo {
    name: "sinks",
    about: About::Way,
    accepts: Accepts::Integer { from: 0, to: 4096 },
    default: Some(DefaultValue::Integer(4)),
    help: "first tokens that always go on",
};

const DISTANCE_WEIGHT: SettingInfo = SettingInfo {
    name: "distance-weight",
    about: About::Way,
    accepts: Accepts::Number {
        above: 0.0,
        up_to: 100.0,
    },
    default: Some(DefaultValue::Number(1.2)),
    help: "weight of the last query's attention, the first of the recent ones having 1",
};

pub(super) const ENTRY: Entry = Entry {
    info: &MethodInfo {
        name: "pyramidinfer",
        summary: "tokens drop out while the prompt is processed, more in deeper layers",
        source: "Yang et al. 2024, arXiv 2405.12532",
        settings: &[
            parts::RETENTION,
            parts::SIZE,
            parts::SIZE_PER_TOKEN,
            DECAY,
            RECENT_RATIO,
            MIN_CONTEXT,
            SINKS,
            DISTANCE_WEIGHT,
        ],
    },
    make: |settings| {
        let method: PyramidInfer = settings.read()?;
        if method.recent_ratio == 1.0 {
            return Err(bad_input!(
                "method pyramidinfer: recent-ratio = 1: every token always goes on and none can drop out, expected less"
            ));
        }
        let published = Some(Size::Knob(0.9));
        let size = parts::one_size(settings, published)?;
        Ok(Made::Prune(Box::new(method), size))
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PyramidInfer {
    recent_ratio: f64,
    min_context: usize,
    sinks: usize,
    distance_weight: f64,
}

impl PyramidInfer {
    /// Last tokens that always go on, the very last included.
    fn recent(&self, prompt: usize) -> usize {
        (1 + (prompt as f64 * self.recent_ratio) as usize).min(prompt)
    }
}

impl Pruning for PyramidInfer {
    fn knob(&self) -> Knob {
        Knob {
            name: DECAY.name,
            smallest: DECAYS[0],
            largest: DECAYS[DECAYS.len() - 1],
            cheap: &DECAYS,
        }
    }

    fn lengths(&self, decay: f64, prompt: usize, layers: usize) -> Vec<usize> {
        let recent = self.recent(prompt);
        let least = self.min_context.max(self.sinks).min(prompt - recent);
        let mut older = prompt - recent;
        let mut lengths = Vec::with_capacity(layers);
        for layer in 0..layers {
            lengths.push(older + recent);
            let wave = ((PI * layer as f64 / layers as f64).cos() + 1.0) / 2.0;
            let share = ((1.0 - decay) * wave + decay).max(0.0);
            let passed = (older as f64 * share) as usize;
            if passed > least {
                older = passed;
            } else if decay < 0.0 {
                // The published code passes on all tokens if fewer than the least would be left; none would ever drop
                // then.
                older = least;
            }
        }
        lengths
    }

    fn keep(&self, layer: &PrunedLayer<'_>, count: usize) -> Result<Vec<u32>, Fault> {
        let d = layer.geometry.head_dim;
        let recent = self.recent(layer.prompt);
        let n = layer.kv.len(0);
        let mut scores = vec![0.0; n - recent];
        // linspace(1, distance_weight, recent); a single query has weight 1.
        let step = (self.distance_weight - 1.0) / (recent.max(2) - 1) as f64;
        let weight = |query: usize| (1.0 + step * query as f64) as f32;
        let keys = (0..layer.geometry.kv_heads).map(|head| layer.kv.keys(head).to_f32());
        let keys: Vec<Panels> = keys.map(|keys| Panels::pack(&keys, d)).collect();
        for head in 0..layer.geometry.heads {
            let queries = layer.queries.chunks_exact(d).skip(head);
            let queries = queries.step_by(layer.geometry.heads).skip(n - recent);
            let mut queries: Vec<f32> = queries.flatten().copied().collect();
            if let Some(rope) = &layer.rule.rope {
                let positions = &layer.positions[n - recent..];
                for (query, &position) in queries.chunks_exact_mut(d).zip(positions) {
                    rope.rotate_in_place(query, position);
                }
            }
            let keys = &keys[head / layer.geometry.group()];
            let position = |key: usize| layer.positions[key];
            add_attention(layer.rule, &queries, keys, position, weight, &mut scores);
        }
        if let Some(fault) = Fault::of_scores(&scores, scores.len()) {
            return Err(fault.in_layer(layer.layer));
        }
        let sinks = self.sinks.min(scores.len());
        scores[..sinks].fill(f32::MAX);
        let older = top_k(&scores, count - recent);
        Ok(older
            .into_iter()
            .chain((n - recent) as u32..n as u32)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: PyramidInfer = PyramidInfer {
        recent_ratio: 0.2,
        min_context: 64,
        sinks: 4,
        distance_weight: 1.2,
    };

    /// The published loop, in Python, for 1,000 tokens, 4 layers and a decay of 0.5: the first layer passes all on.
    #[test]
    fn lengths_are_those_of_the_published_loop() {
        assert_eq!(PUBLISHED.lengths(0.5, 1000, 4), [1000, 1000, 941, 756]);
        assert_eq!(PUBLISHED.lengths(1.0, 1000, 4), [1000; 4]);
    }

    /// Our extension: at -1 the cosine is 0 from the middle on, and by then what is left is the least.
    #[test]
    fn below_zero_the_schedule_ends_before_the_last_layer() {
        let lengths = PUBLISHED.lengths(-1.0, 1000, 30);
        assert_eq!(lengths[..2], [1000; 2]);
        assert_eq!(lengths[9..12], [435, 338, 269]);
        assert_eq!(lengths[12..], [201 + 64; 18]);
        let steepest = PUBLISHED.lengths(DECAYS[0], 1000, 30);
        assert_eq!(steepest[..2], [1000; 2]);
        assert_eq!(steepest[2..], [201 + 64; 28]);
    }

    #[test]
    fn the_least_is_within_the_prompt_and_has_room_for_the_sinks() {
        let least = |min_context| PyramidInfer {
            min_context,
            ..PUBLISHED
        };
        assert_eq!(least(1 << 20).lengths(-5.0, 300, 8), [300; 8]);
        assert_eq!(least(0).lengths(DECAYS[0], 300, 8)[7], 61 + 4);
    }

    #[test]
    fn bytes_rise_with_the_decay() {
        let total = |decay: f64| PUBLISHED.lengths(decay, 700, 30).iter().sum::<usize>();
        let totals: Vec<usize> = DECAYS.iter().map(|&decay| total(decay)).collect();
        assert!(totals.is_sorted_by(|a, b| a < b), "{totals:?}");
    }

    #[test]
    fn short_prompts_and_small_contexts_lose_nothing_more() {
        assert_eq!(PUBLISHED.lengths(0.1, 3, 3), [3; 3]);
        let lengths = PUBLISHED.lengths(0.0, 400, 30);
        assert!(lengths.iter().all(|&n| n > 81 + 64));
    }
}
