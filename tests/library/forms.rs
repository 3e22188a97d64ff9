//! Any form of keys goes with any of values: those of the store, those that settings name, and two that only stand here,
//! to show that a form is a few lines of its own. The processor attends as the definition does.

use std::ops::Range;

use crate::common::distance;
use crate::common::layer::Layer;
use crate::rules::{D, GEOMETRY, agree, new, rules};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use spindle::attend::Pass;
use spindle::compress::writer::WRITERS;
use spindle::store::{
    Bytes, Coded, CodedRows, Codewords, Decoded, Entries, Form, Joining, LayerStore, Part, Rotate,
    Rows, Run, Side, StoreType, Whole,
};

/// Recent vectors as they are, and older ones in another form, into which they are moved some at a time.
#[derive(Debug)]
struct Tiered {
    recent: Whole,
    older: Box<dyn Form>,
    /// How many recent ones there are at least, and how many are moved at once.
    keep: usize,
    group: usize,
}

impl Tiered {
    fn over(older: Box<dyn Form>) -> Self {
        Self {
            recent: Whole(vec![Rows::new(D, StoreType::F32)]),
            older,
            keep: 9,
            group: 16,
        }
    }
}

impl Form for Tiered {
    fn dim(&self) -> usize {
        D
    }

    fn len(&self, head: usize) -> usize {
        self.older.len(head) + self.recent.len(head)
    }

    fn bytes(&self) -> Bytes {
        self.older.bytes() + self.recent.bytes()
    }

    fn read(&self, head: usize, entries: &[u32], out: &mut [f32]) {
        let first = self.older.len(head) as u32;
        let (older, recent) = entries.split_at(entries.partition_point(|&entry| entry < first));
        let (older_out, recent_out) = out.split_at_mut(older.len() * D);
        self.older.read(head, older, older_out);
        let recent: Vec<u32> = recent.iter().map(|entry| entry - first).collect();
        self.recent.read(head, &recent, recent_out);
    }

    fn append(&mut self, head: usize, joining: &mut Joining) {
        self.recent.append(head, joining);
    }

    fn keep(&mut self, head: usize, entries: &[u32]) {
        let first = self.older.len(head) as u32;
        let (older, recent) = entries.split_at(entries.partition_point(|&entry| entry < first));
        let recent: Vec<u32> = recent.iter().map(|entry| entry - first).collect();
        self.older.keep(head, older);
        self.recent.keep(head, &recent);
    }

    fn chunk(&self) -> usize {
        (self.keep + self.group)
            .saturating_sub(self.recent.len(0))
            .max(1)
    }

    fn settle(&mut self) {
        while self.recent.len(0) >= self.keep + self.group {
            let all: Vec<u32> = (0..self.recent.len(0) as u32).collect();
            let (moved, kept) = all.split_at(self.group);
            let mut rows = vec![0.0; moved.len() * D];
            self.recent.read(0, moved, &mut rows);
            for row in rows.chunks_exact(D) {
                let mut joining = self.older.join(row);
                self.older.append(0, &mut joining);
            }
            self.recent.keep(0, kept);
        }
    }

    fn fork(&self) -> Box<dyn Form> {
        Box::new(Self {
            recent: self.recent.clone(),
            older: self.older.fork(),
            ..*self
        })
    }
}

/// Each vector in one of two forms, by its norm.
#[derive(Debug)]
struct Mixed {
    /// The form of each vector, and its place there.
    rungs: Vec<(usize, u32)>,
    of: [Box<dyn Form>; 2],
    threshold: f32,
}

impl Mixed {
    fn of(of: [Box<dyn Form>; 2]) -> Self {
        Self {
            rungs: Vec::new(),
            of,
            // Half of the vectors that these tests draw are longer.
            threshold: (D as f32 * 4.0 / 3.0).sqrt(),
        }
    }
}

impl Form for Mixed {
    fn dim(&self) -> usize {
        D
    }

    fn len(&self, _head: usize) -> usize {
        self.rungs.len()
    }

    fn bytes(&self) -> Bytes {
        self.of[0].bytes() + self.of[1].bytes()
    }

    fn read(&self, head: usize, entries: &[u32], out: &mut [f32]) {
        for (&entry, out) in entries.iter().zip(out.chunks_exact_mut(D)) {
            let (rung, place) = self.rungs[entry as usize];
            self.of[rung].read(head, &[place], out);
        }
    }

    fn append(&mut self, head: usize, joining: &mut Joining) {
        let norm = joining.vector().iter().map(|x| x * x).sum::<f32>().sqrt();
        let rung = usize::from(norm > self.threshold);
        self.rungs.push((rung, self.of[rung].len(head) as u32));
        let mut joining = self.of[rung].join(joining.vector());
        self.of[rung].append(head, &mut joining);
    }

    fn keep(&mut self, head: usize, entries: &[u32]) {
        let kept: Vec<(usize, u32)> = entries.iter().map(|&i| self.rungs[i as usize]).collect();
        let mut counts = [0, 0];
        for rung in [0, 1] {
            let places = kept.iter().filter(|(of, _)| *of == rung);
            let places: Vec<u32> = places.map(|(_, place)| *place).collect();
            self.of[rung].keep(head, &places);
        }
        self.rungs = kept
            .into_iter()
            .map(|(rung, _)| {
                counts[rung] += 1;
                (rung, counts[rung] - 1)
            })
            .collect();
    }

    fn fork(&self) -> Box<dyn Form> {
        Box::new(Self {
            rungs: self.rungs.clone(),
            of: [0, 1].map(|rung: usize| self.of[rung].fork()),
            ..*self
        })
    }
}

fn whole(store: StoreType) -> Box<dyn Form> {
    Box::new(Whole(vec![Rows::new(D, store)]))
}

/// Codewords that grow with the text.
fn coded() -> Box<dyn Form> {
    let rows = CodedRows::new(StoreType::F32, &[], Some(&[]));
    let codewords = Codewords::new(D, StoreType::F32, &[], true, 0.3);
    Box::new(Coded::new(codewords, vec![rows]))
}

/// Every form, of one head, with nothing in it.
fn forms() -> Vec<(String, Box<dyn Form>)> {
    let mut all: Vec<(String, Box<dyn Form>)> = vec![
        ("whole".into(), whole(StoreType::F32)),
        ("coded".into(), coded()),
        (
            "tiered".into(),
            Box::new(Tiered::over(whole(StoreType::BF16))),
        ),
        ("tiered, coded".into(), Box::new(Tiered::over(coded()))),
        (
            "mixed".into(),
            Box::new(Mixed::of([coded(), whole(StoreType::BF16)])),
        ),
    ];
    for entry in &WRITERS {
        let writer = (entry.make)(Side::Keys);
        let name = format!("as {}", entry.name);
        all.push((name, writer.empty(1, D, StoreType::F32)));
    }
    all
}

/// A layer of such keys and values.
fn layer(keys: &dyn Form, values: &dyn Form, rotate: Rotate) -> LayerStore {
    let part = |_| Part {
        keys: keys.fork(),
        values: values.fork(),
        entries: vec![Entries::default()],
    };
    let open = Run {
        parts: (0..GEOMETRY.kv_heads).map(part).collect(),
        rotate,
    };
    LayerStore::new(Vec::new(), open, 1)
}

#[test]
fn any_form_of_keys_goes_with_any_of_values() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let rules = rules();
    for (i, (keys_as, keys)) in forms().iter().enumerate() {
        for (j, (values_as, values)) in forms().iter().enumerate() {
            // Every rule meets every form of either side.
            let (name, rule) = &rules[(i + j) % rules.len()];
            for rotate in [Rotate::AtWrite, Rotate::ByPosition, Rotate::ByRank] {
                let at = format!("{name}, keys {keys_as}, values {values_as}, {rotate:?}");
                agree(&at, rule, layer(&**keys, &**values, rotate), &mut rng);
                let mut store = layer(&**keys, &**values, rotate);
                store.decoded = Decoded::Latest(30);
                agree(&format!("{at}, latest"), rule, store, &mut rng);
            }
        }
    }
}

/// A form that is written anew goes on twice from one place: a flush cannot be undone by cutting off what was added.
#[test]
fn a_fork_that_is_written_anew_leaves_the_original_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let (_, rule) = rules().remove(0);
    let keys = Tiered::over(coded());
    let mut layer = Layer {
        store: layer(&keys, &*whole(StoreType::F32), Rotate::ByPosition),
        rule,
        heads: GEOMETRY.heads,
    };
    for t in 0..23 {
        layer.attend(&new(&mut rng, t, 1, Pass::Step));
    }
    let before = format!("{:?}", layer.store);
    let next = Vec::from_iter((23..60).map(|t| new(&mut rng, t, 1, Pass::Step)));
    let go_on = |mut fork: Layer| Vec::from_iter(next.iter().map(|new| fork.attend(new)));
    let first = go_on(layer.fork());
    assert_eq!(format!("{:?}", layer.store), before);
    assert_eq!(go_on(layer.fork()), first);
}

/// What is lost by a form is lost where it is used: older entries in bf16 are off, and no more than bf16 is.
#[test]
fn older_entries_are_as_exact_as_their_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (_, rule) = rules().remove(0);
    let of = |form: &dyn Form| Layer {
        store: layer(form, form, Rotate::AtWrite),
        rule: rule.clone(),
        heads: GEOMETRY.heads,
    };
    let mut exact = of(&*whole(StoreType::F32));
    let mut tiered = of(&Tiered::over(whole(StoreType::BF16)));
    let mut off = Vec::new();
    for t in 0..40 {
        let new = new(&mut rng, t, 1, Pass::Step);
        off.push(distance(&exact.attend(&new), &tiered.attend(&new)));
    }
    let span = |range: Range<usize>| off[range].iter().copied().fold(0.0, f32::max);
    assert_eq!(span(0..25), 0.0);
    assert!(span(25..40) > 1e-4 && span(25..40) < 0.1, "{off:?}");
}
