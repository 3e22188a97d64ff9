//! `x w^T` for a handful of rows, each product summed in an order that depends on nothing else in the batch:
//! what a sequence decodes cannot depend on which others are decoded beside it.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use multiversion::multiversion;
use rayon::prelude::*;

const LANES: usize = 8;
/// Output rows computed together, so that each load of `x` serves several products.
const OUTPUTS: usize = 4;
/// Output rows per task.
const TASK: usize = 64;

/// `x`: `[rows, in]`, `weight`: `[out, in]`, both f32, contiguous and on the CPU. Returns `[rows, out]`.
pub fn row_matmul(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.apply_op2_no_bwd(weight, &RowMatmul)
}

struct RowMatmul;

impl CustomOp2 for RowMatmul {
    fn name(&self) -> &'static str {
        "row-matmul"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = x_layout.shape().dims2()?;
        let (outputs, _) = weight_layout.shape().dims2()?;
        let (Some((x_start, x_end)), Some((w_start, w_end))) = (
            x_layout.contiguous_offsets(),
            weight_layout.contiguous_offsets(),
        ) else {
            candle_core::bail!("row-matmul needs contiguous operands");
        };
        let x = &x.as_slice::<f32>()?[x_start..x_end];
        let weight = &weight.as_slice::<f32>()?[w_start..w_end];
        // Each task writes `[outputs of the task, rows]`; the transposition back is small.
        let mut transposed = vec![0f32; outputs * rows];
        transposed
            .par_chunks_mut(TASK * rows)
            .zip(weight.par_chunks(TASK * inputs))
            .for_each(|(out, weight)| {
                products(x, weight, inputs, rows, out);
            });
        let mut out = vec![0f32; rows * outputs];
        for (o, column) in transposed.chunks_exact(rows).enumerate() {
            for (row, value) in column.iter().enumerate() {
                out[row * outputs + o] = *value;
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((rows, outputs))))
    }
}

/// `out`: `[weight rows, rows]`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn products(x: &[f32], weight: &[f32], inputs: usize, rows: usize, out: &mut [f32]) {
    for (out, weight) in out
        .chunks_mut(OUTPUTS * rows)
        .zip(weight.chunks(OUTPUTS * inputs))
    {
        if weight.len() < OUTPUTS * inputs {
            for (o, weight) in weight.chunks_exact(inputs).enumerate() {
                for (row, x) in x.chunks_exact(inputs).enumerate() {
                    store(
                        dots::<1, 1>([x], weight, inputs),
                        &mut out[o * rows..],
                        rows,
                        row,
                    );
                }
            }
            continue;
        }
        let mut row = 0;
        while row + 2 <= rows {
            let pair = [
                &x[row * inputs..(row + 1) * inputs],
                &x[(row + 1) * inputs..(row + 2) * inputs],
            ];
            store(dots::<2, OUTPUTS>(pair, weight, inputs), out, rows, row);
            row += 2;
        }
        if row < rows {
            store(
                dots::<1, OUTPUTS>([&x[row * inputs..]], weight, inputs),
                out,
                rows,
                row,
            );
        }
    }
}

#[inline(always)]
fn store<const R: usize, const O: usize>(
    dots: [[f32; R]; O],
    out: &mut [f32],
    rows: usize,
    row: usize,
) {
    for (o, dots) in dots.iter().enumerate() {
        out[o * rows + row..o * rows + row + R].copy_from_slice(dots);
    }
}

/// The same lanes and the same final sum for every `R` and `O`: how products are grouped changes no result.
#[inline(always)]
fn dots<const R: usize, const O: usize>(
    x: [&[f32]; R],
    weight: &[f32],
    inputs: usize,
) -> [[f32; R]; O] {
    let mut lanes = [[[0f32; LANES]; R]; O];
    let whole = inputs / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for o in 0..O {
            let w = &weight[o * inputs + start..o * inputs + start + LANES];
            for r in 0..R {
                let x = &x[r][start..start + LANES];
                for i in 0..LANES {
                    lanes[o][r][i] = w[i].mul_add(x[i], lanes[o][r][i]);
                }
            }
        }
    }
    let mut out = [[0f32; R]; O];
    for o in 0..O {
        for r in 0..R {
            for i in whole..inputs {
                lanes[o][r][i - whole] =
                    weight[o * inputs + i].mul_add(x[r][i], lanes[o][r][i - whole]);
            }
            let l = lanes[o][r];
            out[o][r] = ((l[0] + l[4]) + (l[1] + l[5])) + ((l[2] + l[6]) + (l[3] + l[7]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn agrees_with_matmul_and_rows_do_not_influence_each_other() -> Result<()> {
        for (rows, inputs, outputs) in [(1, 64, 96), (5, 100, 67), (16, 576, 130)] {
            let x = Tensor::randn(0f32, 1.0, (rows, inputs), &Device::Cpu)?;
            let w = Tensor::randn(0f32, 1.0, (outputs, inputs), &Device::Cpu)?;
            let ours = row_matmul(&x, &w)?;
            let difference = (&ours - x.matmul(&w.t()?)?)?
                .abs()?
                .max_all()?
                .to_scalar::<f32>()?;
            assert!(difference < 1e-4, "{rows}x{inputs}x{outputs}: {difference}");
            for row in 0..rows {
                let alone = row_matmul(&x.narrow(0, row, 1)?, &w)?;
                assert_eq!(alone.to_vec2::<f32>()?[0], ours.to_vec2::<f32>()?[row]);
            }
        }
        Ok(())
    }
}
