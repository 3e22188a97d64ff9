//! Inner loops over f32 slices. Sixteen explicit lanes fix the order of summation, so a result is the
//! same whatever the vector width. Each is inlined into kernels that `multiversion` compiles several times,
//! for AVX-512, for AVX2 with FMA and for any CPU, and chooses between when the program runs.

const LANES: usize = 16;

/// Dot product of two vectors of one length.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (x, y) in a_chunks.zip(b_chunks) {
        for i in 0..LANES {
            lanes[i] = x[i].mul_add(y[i], lanes[i]);
        }
    }
    for (i, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[i] = x.mul_add(*y, lanes[i]);
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

/// `out += factor * row`.
#[inline(always)]
pub(crate) fn add_scaled(out: &mut [f32], factor: f32, row: &[f32]) {
    for (o, r) in out.iter_mut().zip(row) {
        *o = factor.mul_add(*r, *o);
    }
}

/// `values *= factor`.
#[inline(always)]
pub(crate) fn scale(values: &mut [f32], factor: f32) {
    for v in values {
        *v *= factor;
    }
}

/// The largest value, negative infinity where there are none. NaN is passed over.
#[inline(always)]
pub(crate) fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] {
                chunk[i]
            } else {
                lanes[i]
            };
        }
    }
    rest.iter()
        .chain(&lanes)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max)
}

/// `2^x` for `x <= 0` to about 2 units in the last place; below -126 it fades to 0, which it is from -127 on. No
/// branch, so loops vectorise.
#[inline(always)]
pub(crate) fn exp2(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the nearest whole number in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -127.0 { -127.0 } else { x };
    let shifted = x + ROUND;
    let r = x - (shifted - ROUND);
    // 2^r for |r| <= 1/2 (Cephes exp2f).
    let mut p = 1.535_336_2e-4f32;
    p = p.mul_add(r, 1.339_887_4e-3);
    p = p.mul_add(r, 9.618_437e-3);
    p = p.mul_add(r, 5.550_332_5e-2);
    p = p.mul_add(r, 2.402_264_8e-1);
    p = p.mul_add(r, 6.931_472e-1);
    p = p.mul_add(r, 1.0);
    // The whole number is added to the exponent.
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// `exp(x)` for `x <= 0`; see [`exp2`]. The product with `log2 e` is rounded, which for `x` of -10 is 1e-6 of the
/// value.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    exp2(x * std::f32::consts::LOG2_E)
}

/// Replaces each score by `2^(score - max)` and returns their sum.
#[inline(always)]
pub(crate) fn exp2_and_sum(scores: &mut [f32], max: f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let mut chunks = scores.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for i in 0..LANES {
            chunk[i] = exp2(chunk[i] - max);
            lanes[i] += chunk[i];
        }
    }
    for (i, s) in chunks.into_remainder().iter_mut().enumerate() {
        *s = exp2(*s - max);
        lanes[i] += *s;
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp2_agrees_with_the_library() {
        for i in 0..126_000 {
            let x = -(i as f32) * 1e-3;
            let (ours, theirs) = (f64::from(exp2(x)), f64::from(x).exp2());
            assert!(
                (ours - theirs).abs() <= 3e-7 * theirs,
                "exp2({x}) = {ours}, expected {theirs}"
            );
        }
        assert_eq!(exp2(0.0), 1.0);
        assert_eq!(exp2(-127.0), 0.0);
        assert_eq!(exp2(f32::NEG_INFINITY), 0.0);
        assert!((exp(-1.0) - (-1f32).exp()).abs() < 1e-7);
    }

    #[test]
    fn dot_and_max_agree_with_plain_loops() {
        for n in [1, 15, 16, 17, 64, 100] {
            let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
            let b: Vec<f32> = (0..n).map(|i| (i as f32 * 0.3).cos()).collect();
            let plain: f64 = a
                .iter()
                .zip(&b)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum();
            assert!((f64::from(dot(&a, &b)) - plain).abs() < 1e-5);
            assert_eq!(max(&a), a.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
