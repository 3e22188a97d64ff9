//! Rotary position embedding (Su et al. 2021) in the half-split convention of GPT-NeoX, which every
//! Hugging Face checkpoint of the supported families uses: element `i` pairs with `i + head_dim/2`.
//!
//! One set of tables serves tensors (prefill, on any device) and plain slices (the kernels over
//! caches, which also undo a rotation: codebooks hold keys before RoPE).

use std::f32::consts::TAU;

use candle_core::{Device, Result, Tensor};

use super::config::{DecoderConfig, RopeScaling};

/// Cosines and sines for positions `0..max_len`.
pub struct Rope {
    half: usize,
    /// `[max_len * half]`, row-major by position.
    cos: Vec<f32>,
    sin: Vec<f32>,
    /// The same as tensors `[max_len, half]` on the device of the model.
    cos_table: Tensor,
    sin_table: Tensor,
}

impl Rope {
    /// Builds the tables in f32, as transformers does: an angle is the f32 product of position and
    /// frequency, so that logits can be compared at long positions.
    pub fn new(config: &DecoderConfig, max_len: usize, device: &Device) -> Result<Self> {
        let frequencies = frequencies(config);
        let half = frequencies.len();
        let angles = |f: fn(f32) -> f32| -> Vec<f32> {
            (0..max_len)
                .flat_map(|position| frequencies.iter().map(move |w| f(position as f32 * w)))
                .collect()
        };
        let (cos, sin) = (angles(f32::cos), angles(f32::sin));
        Ok(Self {
            half,
            cos_table: Tensor::from_slice(&cos, (max_len, half), device)?,
            sin_table: Tensor::from_slice(&sin, (max_len, half), device)?,
            cos,
            sin,
        })
    }

    /// Positions the tables cover.
    pub fn max_len(&self) -> usize {
        self.cos.len() / self.half
    }

    /// Rotates `x`, `[heads, n, head_dim]` and contiguous, whose rows stand at positions
    /// `start..start + n`. The tables take the element type of `x`, as in transformers.
    ///
    /// # Errors
    /// Positions beyond [`Self::max_len`], or a shape that does not fit.
    pub fn rotate(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        let (_, n, _) = x.dims3()?;
        if start + n > self.max_len() {
            candle_core::bail!(
                "RoPE tables cover {} positions, asked for {start}..{}",
                self.max_len(),
                start + n
            );
        }
        let cos = self.cos_table.narrow(0, start, n)?.to_dtype(x.dtype())?;
        let sin = self.sin_table.narrow(0, start, n)?.to_dtype(x.dtype())?;
        candle_nn::rotary_emb::rope(&x.unsqueeze(0)?, &cos, &sin)?.squeeze(0)
    }

    /// Rotates one vector of `head_dim` elements to `position`, below [`Self::max_len`].
    pub fn rotate_in_place(&self, row: &mut [f32], position: usize) {
        let (first, second) = row.split_at_mut(self.half);
        let table = self.cos(position).iter().zip(self.sin(position));
        for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(table) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    }

    /// Undoes [`Self::rotate_in_place`] at the same position.
    pub fn unrotate_in_place(&self, row: &mut [f32], position: usize) {
        let (first, second) = row.split_at_mut(self.half);
        let table = self.cos(position).iter().zip(self.sin(position));
        for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(table) {
            (*a, *b) = (*a * cos + *b * sin, *b * cos - *a * sin);
        }
    }

    /// `head_dim / 2` cosines of `position`, below [`Self::max_len`].
    pub fn cos(&self, position: usize) -> &[f32] {
        &self.cos[position * self.half..][..self.half]
    }

    /// `head_dim / 2` sines of `position`, below [`Self::max_len`].
    pub fn sin(&self, position: usize) -> &[f32] {
        &self.sin[position * self.half..][..self.half]
    }
}

/// The `head_dim / 2` angles per position, scaling applied.
fn frequencies(config: &DecoderConfig) -> Vec<f32> {
    let plain = (0..config.head_dim / 2).map(|i| {
        let exponent = (2 * i) as f64 / config.head_dim as f64;
        1.0 / config.rope_theta.powf(exponent) as f32
    });
    match &config.rope_scaling {
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
