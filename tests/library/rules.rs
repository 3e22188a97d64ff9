//! Every rule of a layer over every way that its entries are held: the processor attends as the definition does.

use std::sync::Arc;

use crate::common::distance;
use crate::common::layer::{Layer, New};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spindle::attend::rope::Rope;
use spindle::attend::{Host, Pass, Plain, Rule};
use spindle::store::{
    Coded, CodedRows, Codewords, Decoded, Entries, Geometry, Indices, LayerStore, Part, Rotate,
    Rows, Run, StoreType,
};

pub(crate) const D: usize = 32;
pub(crate) const GEOMETRY: Geometry = Geometry {
    layers: 1,
    heads: 6,
    kv_heads: 2,
    head_dim: D,
};
const PROMPT: usize = 230;
const BOUND: f32 = 1e-4;

fn normal(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-2f32..2.0)).collect()
}

pub(crate) fn rules() -> Vec<(&'static str, Rule)> {
    let usual = Rule::new(D, Some(Arc::new(Rope::new(D, 10000.0, None, 1024))));
    let of = |change: &dyn Fn(&mut Rule)| {
        let mut rule = usual.clone();
        change(&mut rule);
        rule
    };
    vec![
        ("usual", of(&|_| ())),
        ("no position", of(&|rule| rule.rope = None)),
        ("scale", of(&|rule| rule.scale = 0.5)),
        ("soft cap", of(&|rule| rule.softcap = Some(1.5))),
        ("window", of(&|rule| rule.window = Some(40))),
        ("window of one", of(&|rule| rule.window = Some(1))),
        (
            "window and cap",
            of(&|rule| (rule.window, rule.softcap) = (Some(201), Some(3.0))),
        ),
    ]
}

/// Whole entries that are appended to, rotated at one time or another.
fn whole(rotate: Rotate) -> LayerStore {
    let rows = || vec![Rows::new(D, StoreType::F32); GEOMETRY.kv_heads];
    LayerStore::new(Vec::new(), Run::whole(rows(), rows(), rotate), 1)
}

/// A codebook of each KV head that further tokens join, and some entries kept whole before it.
fn coded(rng: &mut ChaCha8Rng) -> LayerStore {
    let mut side = |count: usize| {
        let words = normal(rng, count * D);
        let index: Vec<u32> = (0..60).map(|i| i % count as u32).collect();
        let rows = CodedRows::new(StoreType::F32, &index, Some(&[1.5; 60]));
        Coded::new(
            Codewords::new(D, StoreType::F32, &words, true, 0.4),
            vec![rows],
        )
    };
    let parts = (0..GEOMETRY.kv_heads).map(|_| Part {
        keys: Box::new(side(50)),
        values: Box::new(side(7)),
        entries: vec![Entries {
            positions: Some(Indices::from_slice(&Vec::from_iter((0..60).map(|i| 3 * i)))),
            chosen: 60,
            ..Entries::default()
        }],
    });
    let open = Run {
        parts: parts.collect(),
        rotate: Rotate::ByPosition,
    };
    LayerStore::new(Vec::new(), open, 1)
}

pub(crate) fn new(rng: &mut ChaCha8Rng, first: usize, count: usize, pass: Pass) -> New {
    New {
        queries: normal(rng, count * GEOMETRY.heads * D),
        keys: normal(rng, count * GEOMETRY.kv_heads * D),
        values: normal(rng, count * GEOMETRY.kv_heads * D),
        positions: Vec::from_iter(first..first + count),
        pass,
    }
}

/// A prompt, a question and decoded tokens by both ways to attend, which must agree.
pub(crate) fn agree(at: &str, rule: &Rule, store: LayerStore, rng: &mut ChaCha8Rng) {
    let layer = |store| Layer {
        store,
        rule: rule.clone(),
        heads: GEOMETRY.heads,
    };
    let (mut host, mut plain) = (layer(store.fork()), layer(store));
    let mut position = PROMPT;
    for count in [70, 5, 1, 1, 1] {
        let pass = if count == 1 {
            Pass::Step
        } else {
            Pass::Sequence
        };
        let mut rest = count;
        while rest > 0 {
            // A layer that drops entries takes so many tokens at once.
            let part = host.store.chunk().min(rest);
            let new = new(rng, position, part, pass);
            let (found, fault) = host.attend_by(&Host, &new, None);
            let (expected, _) = plain.attend_by(&Plain, &new, None);
            assert_eq!(fault, None);
            let off = distance(&found, &expected);
            assert!(off < BOUND, "{at}, {part} tokens at {position}: {off:e}");
            assert_eq!(
                format!("{:?}", host.store),
                format!("{:?}", plain.store),
                "{at}"
            );
            position += part;
            rest -= part;
        }
    }
}

#[test]
fn the_processor_attends_as_the_definition() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for (name, rule) in rules() {
        for rotate in [Rotate::AtWrite, Rotate::ByPosition, Rotate::ByRank] {
            let at = format!("{name}, whole, {rotate:?}");
            agree(&at, &rule, whole(rotate), &mut rng);
            for most in [1, 17, 80] {
                let mut store = whole(rotate);
                store.decoded = Decoded::Latest(most);
                agree(&format!("{at}, latest {most}"), &rule, store, &mut rng);
            }
        }
        agree(&format!("{name}, coded"), &rule, coded(&mut rng), &mut rng);
        let mut store = coded(&mut rng);
        store.decoded = Decoded::Latest(62);
        let at = format!("{name}, coded, latest");
        agree(&at, &rule, store, &mut rng);
    }
}

/// What each entry draws follows the rule too.
#[test]
fn attention_drawn_is_that_of_the_definition() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for (name, rule) in rules() {
        let layer = || Layer {
            store: whole(Rotate::AtWrite),
            rule: rule.clone(),
            heads: GEOMETRY.heads,
        };
        let (mut host, mut plain) = (layer(), layer());
        let mut drawn = [0, 1].map(|_| vec![Vec::new(); GEOMETRY.heads]);
        for (first, count) in [(0, 66), (66, 1), (67, 130)] {
            let new = new(&mut rng, first, count, Pass::Sequence);
            host.attend_by(&Host, &new, Some(&mut drawn[0]));
            plain.attend_by(&Plain, &new, Some(&mut drawn[1]));
        }
        for (found, expected) in drawn[0].iter().zip(&drawn[1]) {
            assert!(distance(found, expected) < 1e-3, "{name}");
        }
    }
}

/// A layer that drops entries goes on twice from one place, and neither sees the other.
#[test]
fn a_fork_that_drops_entries_leaves_the_original_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let (_, rule) = rules().remove(0);
    let mut store = whole(Rotate::AtWrite);
    store.decoded = Decoded::Latest(20);
    let mut layer = Layer {
        store,
        rule,
        heads: GEOMETRY.heads,
    };
    for t in 0..30 {
        layer.attend(&new(&mut rng, t, 1, Pass::Step));
    }
    let before = format!("{:?}", layer.store);
    let next = Vec::from_iter((30..60).map(|t| new(&mut rng, t, 1, Pass::Step)));
    let go_on = |mut fork: Layer| Vec::from_iter(next.iter().map(|new| fork.attend(new)));
    let first = go_on(layer.fork());
    assert_eq!(format!("{:?}", layer.store), before);
    assert_eq!(go_on(layer.fork()), first);
    assert_eq!(layer.store.footprint().entries, 20 * 2);
}

#[test]
#[should_panic(expected = "entries that have no one rank")]
fn entries_by_rank_are_not_mixed_with_others() {
    let prompt = Arc::new(whole(Rotate::AtWrite).open);
    LayerStore::new(vec![prompt], whole(Rotate::ByRank).open, 1);
}
