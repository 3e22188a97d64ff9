//! One layer of a cache: runs of the prompt, which no longer change, and one open run, which grows.

use std::sync::Arc;

use rayon::prelude::*;

use super::fault::Fault;
use super::footprint::Footprint;
use super::form::Side;
use super::rows::StoreType;
use super::run::{Rotate, Run};

/// Shape of attention in every layer of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Decoder layers of the model.
    pub layers: usize,
    /// Query heads of a layer; a multiple of `kv_heads`.
    pub heads: usize,
    /// KV heads of a layer.
    pub kv_heads: usize,
    /// Elements of a query, key or value of one head.
    pub head_dim: usize,
}

impl Geometry {
    /// Query heads per KV head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Bytes of one token's keys and values in one layer.
    pub fn bytes_token(&self, store: StoreType) -> u64 {
        (2 * self.kv_heads * self.head_dim * store.size()) as u64
    }
}

/// What becomes of tokens that come after the prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Decoded {
    /// All are kept.
    #[default]
    Kept,
    /// Only this many of the latest are kept (StreamingLLM).
    Latest(usize),
}

/// The keys and values of one layer.
#[derive(Debug)]
pub struct LayerStore {
    /// Runs that no longer change. Forks share them.
    pub prompt: Vec<Arc<Run>>,
    /// The run that tokens are appended to. It also holds entries of the prompt if decoded tokens join a codebook of
    /// theirs. Forks copy it, see [`Form::fork`](super::form::Form::fork).
    pub open: Run,
    /// Number of query heads of a group that selected entries for themselves; 1 if they selected together.
    pub selecting: usize,
    /// What becomes of tokens after the prompt.
    pub decoded: Decoded,
    kv_heads: usize,
}

impl LayerStore {
    /// `open` has a head for each KV head.
    ///
    /// # Panics
    /// Where some entries are rotated by rank and others are not, or query heads see different entries: then an entry
    /// has no one rank.
    pub fn new(prompt: Vec<Arc<Run>>, open: Run, selecting: usize) -> Self {
        let runs = || prompt.iter().map(|run| &**run).chain([&open]);
        if runs().any(|run| run.rotate == Rotate::ByRank) {
            let one_rank = |run: &Run| {
                let entries = run.parts.iter().flat_map(|part| &part.entries);
                run.rotate == Rotate::ByRank
                    && run.heads() == open.heads()
                    && entries.into_iter().all(|entries| entries.lists.is_none())
            };
            assert!(runs().all(one_rank), "entries that have no one rank");
        }
        Self {
            prompt,
            kv_heads: open.heads(),
            open,
            selecting,
            decoded: Decoded::default(),
        }
    }

    /// The prompt in one run, with an empty open run whose entries are stored whole.
    pub fn of_prompt(
        prompt: Arc<Run>,
        geometry: Geometry,
        store: StoreType,
        selecting: usize,
    ) -> Self {
        let open = Run::empty(geometry.kv_heads, geometry.head_dim, store);
        Self::new(vec![prompt], open, selecting)
    }

    /// A layer that holds nothing.
    pub fn empty(geometry: Geometry, store: StoreType) -> Self {
        let open = Run::empty(geometry.kv_heads, geometry.head_dim, store);
        Self::new(Vec::new(), open, 1)
    }

    /// A layer that begins with the first `len` tokens of an earlier prefill. Takes over its run, or copies the run if
    /// others hold it.
    pub fn resume(prefilled: Arc<Run>, len: usize) -> Self {
        let mut open = Arc::try_unwrap(prefilled).unwrap_or_else(|shared| shared.fork());
        open.parts.iter_mut().for_each(|part| part.keep_first(len));
        Self::new(Vec::new(), open, 1)
    }

    /// Elements of a key or a value.
    pub fn head_dim(&self) -> usize {
        self.open.parts[0].keys.dim()
    }

    /// KV heads of the layer.
    pub fn kv_heads(&self) -> usize {
        self.kv_heads
    }

    /// All runs, in the order that they are attended to.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.prompt.iter().map(|run| &**run).chain([&self.open])
    }

    /// Number of entries that a KV head holds, summed over its query heads if entries are stored for each.
    pub fn len(&self, kv_head: usize) -> usize {
        let of = |run: &Run| -> usize {
            let copies = run.heads() / self.kv_heads;
            let heads = kv_head * copies..(kv_head + 1) * copies;
            heads.map(|head| run.len(head)).sum()
        };
        self.runs().map(of).sum()
    }

    /// A copy that grows on its own: runs of the prompt are shared, the open run is copied.
    pub fn fork(&self) -> Self {
        Self {
            prompt: self.prompt.clone(),
            open: self.open.fork(),
            ..*self
        }
    }

    /// Counts and bytes held, summed over its runs.
    pub fn footprint(&self) -> Footprint {
        let runs = self.runs();
        runs.map(|run| run.footprint(self.selecting, self.kv_heads))
            .sum()
    }

    /// Bytes that are freed when the layer is dropped: all but those of runs that others share.
    pub fn bytes_own(&self) -> u64 {
        let own = self.prompt.iter().filter(|run| Arc::strong_count(run) == 1);
        let runs = own.map(|run| &**run).chain([&self.open]);
        let footprints = runs.map(|run| run.footprint(self.selecting, self.kv_heads));
        footprints.sum::<Footprint>().bytes.total()
    }

    /// The first new token, from 0, with a key or value that is not finite or that the open run cannot hold.
    /// `unrotated`, `rotated`, `values`: `[n, kv_heads, head_dim]`.
    pub fn fault(&self, [unrotated, rotated, values]: [&[f32]; 3], width: usize) -> Option<Fault> {
        let part = &self.open.parts[0];
        let keys = self.keys_of(unrotated, rotated);
        part.keys
            .fault(Side::Keys, keys, width)
            .or_else(|| part.values.fault(Side::Values, values, width))
    }

    /// Appends tokens at `positions` to the open run: keys before RoPE, keys after RoPE, and values,
    /// `[n, kv_heads, head_dim]` each.
    pub fn append(&mut self, [unrotated, rotated, values]: [&[f32]; 3], positions: &[usize]) {
        let keys = self.keys_of(unrotated, rotated);
        let width = values.len() / positions.len();
        let of_part = width / self.open.parts.len();
        let parts = self.open.parts.par_iter_mut().enumerate();
        parts.for_each(|(number, part)| {
            for (t, &position) in positions.iter().enumerate() {
                let span = t * width + number * of_part..t * width + (number + 1) * of_part;
                part.append(&keys[span.clone()], &values[span], position);
            }
        });
    }

    /// Rewrites what is due in the open run, and drops entries beyond the latest that it may hold. Called after the
    /// appended tokens have attended.
    pub fn settle(&mut self) {
        for part in &mut self.open.parts {
            part.keys.settle();
            part.values.settle();
            if let Decoded::Latest(most) = self.decoded {
                part.keep_last(most);
            }
        }
    }

    /// Number of tokens that may be appended before [`settle`](Self::settle) must be called.
    pub fn chunk(&self) -> usize {
        let parts = self.open.parts.iter();
        let forms = parts.flat_map(|part| [part.keys.chunk(), part.values.chunk()]);
        let most = match self.decoded {
            Decoded::Kept => usize::MAX,
            Decoded::Latest(most) => {
                let heads = 0..self.kv_heads;
                let held = heads.map(|head| self.open.len(head)).max().unwrap_or(0);
                most.saturating_sub(held).max(1)
            }
        };
        forms.min().unwrap_or(usize::MAX).min(most)
    }

    /// The new keys as the open run stores them: before or after RoPE.
    pub fn keys_of<'k>(&self, unrotated: &'k [f32], rotated: &'k [f32]) -> &'k [f32] {
        match self.open.rotate {
            Rotate::AtWrite => rotated,
            Rotate::ByPosition | Rotate::ByRank => unrotated,
        }
    }
}
