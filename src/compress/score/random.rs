//! Random scores, a control.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Score;
use crate::compress::view::LayerView;

/// Uniform random numbers from 0 to 1, drawn for each KV head.
#[derive(Debug)]
pub struct Random {
    /// The method's setting `seed`. The draws also depend on experiment, task, sample and layer, see
    /// [`LayerView::seed`].
    pub seed: u64,
}

impl Score for Random {
    fn scores(&self, kv_head: usize, n: usize, layer: LayerView<'_>) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(layer.seed(self.seed, kv_head));
        (0..n).map(|_| rng.random()).collect()
    }
}
