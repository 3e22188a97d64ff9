//! Rotary position embedding (Su et al. 2021) in the half-split convention of GPT-NeoX, which every
//! Hugging Face checkpoint of the supported families uses: element `i` pairs with `i + head_dim/2`.
//!
//! Plain slices: attention rotates new queries and keys, also keys that are stored before RoPE.

use std::f32::consts::TAU;
use std::ops::Range;
use std::sync::OnceLock;

use multiversion::multiversion;

/// How the RoPE frequencies differ from `theta^(-2i/d)`.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Every frequency divided by `factor` (position interpolation).
    Linear {
        /// The divisor, `factor` in `rope_scaling`.
        factor: f64,
    },
    /// Llama 3.1's scaling: long wavelengths divided by `factor`, short ones kept, a ramp between.
    Llama3 {
        /// Divisor of the frequencies with long wavelengths.
        factor: f64,
        /// Wavelengths above `original_max_positions / low_freq_factor` count as long.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_positions / high_freq_factor` count as short.
        high_freq_factor: f64,
        /// Context length before it was extended, in tokens (`original_max_position_embeddings`).
        original_max_positions: usize,
    },
    /// One divisor per frequency (`head_dim / 2` of them): what llama.cpp stores in
    /// `rope_freqs.weight` for a Llama-3.1 model, with the scaling already worked out.
    Divisors(Vec<f32>),
}

/// Positions of the first block of the table. Each later block has as many as all before it together.
const FIRST_BLOCK: usize = 1024;

/// Cosines and sines for positions `0..max_len`, in blocks that are computed when one of their positions is first used.
/// A model with a context of a million positions then costs only what its prompts need.
pub struct Rope {
    max_len: usize,
    /// `head_dim / 2` of them, scaling applied.
    frequencies: Vec<f32>,
    blocks: Vec<OnceLock<Tables>>,
}

/// Cosines and sines of the positions from `start` on, `[positions, head_dim / 2]` each.
struct Tables {
    start: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rope {
    /// A table for positions below `max_len`. It is worked out in f32, as transformers does: an angle is the f32
    /// product of position and frequency, so that logits can be compared at long positions.
    pub fn new(head_dim: usize, theta: f64, scaling: Option<&RopeScaling>, max_len: usize) -> Self {
        let blocks = max_len.checked_sub(1).map_or(0, |last| index(last) + 1);
        Self {
            max_len,
            frequencies: frequencies(head_dim, theta, scaling),
            blocks: (0..blocks).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Rotates one vector of `head_dim` elements to `position`, below the `max_len` of [`Self::new`].
    pub fn rotate_in_place(&self, row: &mut [f32], position: usize) {
        rotate(row, self.cos(position), self.sin(position));
    }

    /// Rotates each of `rows`, `[positions, head_dim]`, to its position.
    pub fn rotate_all(&self, rows: &mut [f32], positions: &[u32]) {
        let width = 2 * self.frequencies.len();
        let mut rows = rows;
        // Positions that lie together in a block are rotated together.
        for positions in positions.chunk_by(|a, b| index(*a as usize) == index(*b as usize)) {
            let (together, rest) = rows.split_at_mut(positions.len() * width);
            let Tables { start, cos, sin } = self.block(positions[0] as usize);
            rotate_all(together, cos, sin, positions, *start, width / 2);
            rows = rest;
        }
    }

    /// `head_dim / 2` cosines of `position`, below the `max_len` of [`Self::new`].
    pub fn cos(&self, position: usize) -> &[f32] {
        let block = self.block(position);
        &block.cos[self.row(position - block.start)]
    }

    /// `head_dim / 2` sines of `position`, below the `max_len` of [`Self::new`].
    pub fn sin(&self, position: usize) -> &[f32] {
        let block = self.block(position);
        &block.sin[self.row(position - block.start)]
    }

    fn row(&self, row: usize) -> Range<usize> {
        let half = self.frequencies.len();
        row * half..(row + 1) * half
    }

    /// The block that `position` lies in.
    fn block(&self, position: usize) -> &Tables {
        let index = index(position);
        self.blocks[index].get_or_init(|| {
            let positions = span(index);
            let end = positions.end.min(self.max_len);
            Tables::new(positions.start..end, &self.frequencies)
        })
    }
}

impl Tables {
    fn new(positions: Range<usize>, frequencies: &[f32]) -> Self {
        let start = positions.start;
        let elements = positions.len() * frequencies.len();
        let (mut cos, mut sin) = (Vec::with_capacity(elements), Vec::with_capacity(elements));
        for position in positions {
            for frequency in frequencies {
                let angle = position as f32 * frequency;
                cos.push(angle.cos());
                sin.push(angle.sin());
            }
        }
        Self { start, cos, sin }
    }
}

/// The number of the block that a position lies in.
fn index(position: usize) -> usize {
    (usize::BITS - (position / FIRST_BLOCK).leading_zeros()) as usize
}

/// The positions of a block.
fn span(index: usize) -> Range<usize> {
    match index {
        0 => 0..FIRST_BLOCK,
        _ => FIRST_BLOCK << (index - 1)..FIRST_BLOCK << index,
    }
}

#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn rotate(row: &mut [f32], cos: &[f32], sin: &[f32]) {
    turn(row, cos, sin);
}

#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn rotate_all(
    rows: &mut [f32],
    cos: &[f32],
    sin: &[f32],
    positions: &[u32],
    first: usize,
    half: usize,
) {
    for (row, &position) in rows.chunks_exact_mut(2 * half).zip(positions) {
        let start = (position as usize - first) * half;
        turn(row, &cos[start..][..half], &sin[start..][..half]);
    }
}

/// Rotates eight elements at a time, all read before any is written, which the compiler needs to vectorise.
#[inline(always)]
fn turn(row: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = row.split_at_mut(cos.len());
    let ((first, first_rest), (second, second_rest)) =
        (first.as_chunks_mut::<8>(), second.as_chunks_mut::<8>());
    let ((cos, cos_rest), (sin, sin_rest)) = (cos.as_chunks::<8>(), sin.as_chunks::<8>());
    for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
        let (x, y) = (*a, *b);
        for i in 0..8 {
            a[i] = x[i] * cos[i] - y[i] * sin[i];
        }
        for i in 0..8 {
            b[i] = x[i] * sin[i] + y[i] * cos[i];
        }
    }
    let rest = first_rest.iter_mut().zip(second_rest);
    for ((a, b), (cos, sin)) in rest.zip(cos_rest.iter().zip(sin_rest)) {
        (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
    }
}

/// The `head_dim / 2` angles per position, scaling applied.
fn frequencies(head_dim: usize, theta: f64, scaling: Option<&RopeScaling>) -> Vec<f32> {
    let plain = (0..head_dim / 2).map(|i| {
        let exponent = (2 * i) as f64 / head_dim as f64;
        1.0 / theta.powf(exponent) as f32
    });
    match scaling {
        None => plain.collect(),
        Some(RopeScaling::Linear { factor }) => plain.map(|w| w / *factor as f32).collect(),
        Some(RopeScaling::Divisors(divisors)) => plain
            .zip(divisors)
            .map(|(w, divisor)| w / divisor)
            .collect(),
        Some(RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_positions,
        }) => {
            let (factor, low, high) = (
                *factor as f32,
                *low_freq_factor as f32,
                *high_freq_factor as f32,
            );
            let original = *original_max_positions as f32;
            plain
                .map(|w| {
                    // Wavelengths fitting into the original context, from `low` (slow, fully
                    // scaled) to `high` (fast, kept).
                    let turns = original / (TAU / w);
                    let keep = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - keep) * w / factor + keep * w
                })
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use proptest::prelude::*;

    use super::*;
    use crate::model::config::DecoderConfig;

    const DIM: usize = 16;
    const MAX: usize = 512;

    fn config(rope: &str) -> DecoderConfig {
        DecoderConfig::from_hf_json(
            &format!(
                r#"{{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
                "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 128,
                "max_position_embeddings": 512, "rms_norm_eps": 1e-5, {rope}}}"#
            ),
            "config.json",
        )
        .unwrap()
    }

    fn of(config: &DecoderConfig, max_len: usize) -> Rope {
        let scaling = config.rope_scaling.as_ref();
        Rope::new(config.head_dim, config.rope_theta, scaling, max_len)
    }

    fn rope_of(settings: &str) -> Rope {
        of(&config(settings), 1)
    }

    fn rope() -> Rope {
        of(&config(r#""rope_theta": 10000.0"#), MAX)
    }

    fn row() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(-2f32..2.0, DIM)
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    proptest! {
        #[test]
        fn dot_products_depend_on_the_distance_only(
            q in row(), k in row(), near in 0..100usize, distance in 0..100usize, shift in 0..300usize
        ) {
            let rope = rope();
            let at = |start: usize| {
                let (mut q, mut k) = (q.clone(), k.clone());
                rope.rotate_in_place(&mut q, start + distance);
                rope.rotate_in_place(&mut k, start);
                dot(&q, &k)
            };
            prop_assert!((at(near) - at(near + shift)).abs() < 2e-3);
        }

        #[test]
        fn agrees_with_the_rotation_of_candle(
            data in prop::collection::vec(-2f32..2.0, 3 * 5 * DIM), start in 0..MAX - 5
        ) {
            let rope = rope();
            let table = |row: fn(&Rope, usize) -> &[f32]| {
                let rows = (start..start + 5).flat_map(|position| row(&rope, position).to_vec());
                Tensor::from_vec(rows.collect(), (5, DIM / 2), &Device::Cpu).unwrap()
            };
            let tensor = Tensor::from_slice(&data, (1, 3, 5, DIM), &Device::Cpu).unwrap();
            let turned = candle_nn::rotary_emb::rope(&tensor, &table(Rope::cos), &table(Rope::sin));
            let turned: Vec<f32> = turned.unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let (mut rows, before) = (data.clone(), data);
            for (i, row) in rows.chunks_mut(DIM).enumerate() {
                rope.rotate_in_place(row, start + i % 5);
            }
            for (a, b) in turned.iter().zip(&rows) {
                prop_assert!((a - b).abs() < 1e-6);
            }
            let mut together = before;
            let positions: Vec<u32> = (0..15).map(|i| (start + i % 5) as u32).collect();
            rope.rotate_all(&mut together, &positions);
            prop_assert_eq!(together, rows);
        }
    }

    #[test]
    fn blocks_cover_every_position_once_and_are_built_on_demand() {
        let mut next = 0;
        for number in 0..12 {
            let positions = span(number);
            assert_eq!(positions.start, next);
            for position in [positions.start, positions.end - 1] {
                assert_eq!(index(position), number);
            }
            next = positions.end;
        }
        // Two to the power of 40 positions: a whole table would not fit any machine.
        let rope = of(&config(r#""rope_theta": 10000.0"#), 1 << 40);
        let held = |rope: &Rope| rope.blocks.iter().filter(|b| b.get().is_some()).count();
        assert_eq!((rope.max_len, held(&rope)), (1 << 40, 0));
        let frequency = rope_of(r#""rope_theta": 10000.0"#).frequencies[1];
        for position in [0, 1023, 1024, 2047, 2048, 70_000] {
            let angle = position as f32 * frequency;
            assert_eq!(rope.cos(position)[1], angle.cos());
            assert_eq!(rope.sin(position)[1], angle.sin());
        }
        assert_eq!(held(&rope), 4);
        let mut together: Vec<f32> = (0..6 * DIM).map(|i| i as f32).collect();
        let mut alone = together.clone();
        let positions = [1022, 1023, 1024, 5000, 3, 1025];
        rope.rotate_all(&mut together, &positions);
        for (row, position) in alone.chunks_mut(DIM).zip(positions) {
            rope.rotate_in_place(row, position as usize);
        }
        assert_eq!(together, alone);
    }

    /// From `LlamaRotaryEmbedding(config).inv_freq` of transformers 5.2.0.
    #[test]
    fn frequencies_match_transformers() {
        for (settings, expected) in [
            (
                r#""rope_theta": 500000.0"#,
                [
                    1.0,
                    0.193922758,
                    0.0376060307,
                    0.00729266508,
                    0.00141421345,
                    0.000274248188,
                    5.31829573e-05,
                    1.03133852e-05,
                ],
            ),
            (
                r#""rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.5}"#,
                [
                    0.400000006,
                    0.1264911,
                    0.0399999991,
                    0.0126491114,
                    0.00399999972,
                    0.00126491114,
                    0.000400000019,
                    0.000126491112,
                ],
            ),
            (
                r#""rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
                "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192}"#,
                [
                    1.0,
                    0.193922758,
                    0.0376060307,
                    0.00729266508,
                    0.000524846022,
                    3.42810235e-05,
                    6.64786967e-06,
                    1.28917316e-06,
                ],
            ),
        ] {
            let found = rope_of(settings).frequencies;
            for (a, b) in found.iter().zip(expected) {
                assert!(
                    (f64::from(*a) / b - 1.0).abs() < 1e-6,
                    "{settings}: {found:?}"
                );
            }
        }
    }
}
