//! What a layer does to each token besides its products and attention. On the CPU each is one pass over the rows,
//! on all threads; elsewhere it is made of the device's own operations.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Tensor};
use candle_nn::ops::silu;
use multiversion::multiversion;
use rayon::prelude::*;

use super::linear::contiguous;
use crate::kernel::simd;

/// Rows to a task.
const ROWS: usize = 16;

/// `x / sqrt(mean(x^2) + eps) * weight` over each row of `x`, `[n, width]`; `weight` `[width]`.
pub(super) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    match x.device() {
        Device::Cpu => x.apply_op2_no_bwd(weight, &RmsNorm { eps: eps as f32 }),
        _ => candle_nn::ops::rms_norm(&x.contiguous()?, weight, eps as f32),
    }
}

/// `silu(gate) * up` of `[n, 2 width]`, each row a gate and an up projection; returns `[n, width]`.
pub(super) fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    match gate_up.device() {
        Device::Cpu => gate_up.apply_op1_no_bwd(&SwiGlu),
        _ => {
            let width = gate_up.dim(1)? / 2;
            let (gate, up) = (
                gate_up.narrow(1, 0, width)?,
                gate_up.narrow(1, width, width)?,
            );
            silu(&gate)? * up
        }
    }
}

struct RmsNorm {
    eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (contiguous(x, x_layout)?, contiguous(weight, weight_layout)?);
        let width = weight.len();
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(ROWS * width)
            .zip(x.par_chunks(ROWS * width))
            .for_each(|(out, x)| normalise(x, weight, self.eps, out));
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }
}

#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn normalise(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
        let mean = simd::dot(x, x) / width as f32;
        // The mean of squares can overflow where x does not: then it is no factor of 0 but NaN.
        let factor = match mean.is_finite() {
            true => 1.0 / (mean + eps).sqrt(),
            false => f32::NAN,
        };
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * factor * weight;
        }
    }
}

struct SwiGlu;

impl CustomOp1 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, both) = layout.shape().dims2()?;
        let width = both / 2;
        let x = contiguous(x, layout)?;
        let mut out = vec![0f32; rows * width];
        out.par_chunks_mut(ROWS * width)
            .zip(x.par_chunks(ROWS * both))
            .for_each(|(out, x)| {
                for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(both)) {
                    let (gate, up) = x.split_at(width);
                    gated(gate, up, out);
                }
            });
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }
}

#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn gated(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, &gate), up) in out.iter_mut().zip(gate).zip(up) {
        // Of the two forms of the sigmoid the one whose exponential is at most 1.
        let e = simd::exp(-gate.abs());
        let numerator = if gate < 0.0 { e } else { 1.0 };
        *out = gate * (numerator / (1.0 + e)) * up;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(rows: usize, width: usize, scale: f64) -> Result<Tensor> {
        let values = (0..rows * width).map(|i| ((i as f64 * 0.37).sin() * scale) as f32);
        Tensor::from_vec(values.collect(), (rows, width), &Device::Cpu)
    }

    fn difference(a: &Tensor, b: &Tensor) -> Result<f32> {
        (a - b)?.abs()?.max_all()?.to_scalar::<f32>()
    }

    #[test]
    fn agree_with_candle() -> Result<()> {
        let (x, weight) = (tensor(37, 100, 3.0)?, tensor(1, 100, 1.0)?.flatten_all()?);
        let theirs = candle_nn::ops::rms_norm(&x, &weight, 1e-5)?;
        assert!(difference(&rms_norm(&x, &weight, 1e-5)?, &theirs)? < 1e-5);
        // Up to arguments whose exponential leaves f32.
        let x = tensor(37, 100, 200.0)?;
        let theirs = (silu(&x.narrow(1, 0, 50)?)? * x.narrow(1, 50, 50)?)?;
        assert!(difference(&swiglu(&x)?, &theirs)? < 1e-2);
        Ok(())
    }
}
