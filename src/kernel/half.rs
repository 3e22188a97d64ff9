//! Half-precision numbers to single precision, many at a time.

use half::f16;
use half::slice::HalfFloatSliceExt;

/// Converts each of `from`, exactly.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn widen(from: &[f16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len());
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") && is_x86_feature_detected!("f16c") {
        // SAFETY: the features were just found and the lengths agree.
        return unsafe { f16c::widen(from, to) };
    }
    from.convert_to_f32_slice(to);
}

/// Converts the rows at `indices` of a matrix, exactly, into `to`, `[indices, dim]`.
///
/// # Panics
/// When an index is out of range, or `to` is not whole rows of at least one element.
pub(crate) fn widen_rows(from: &[f16], indices: &[u32], to: &mut [f32]) {
    if indices.is_empty() {
        assert!(to.is_empty(), "{} elements of no rows", to.len());
        return;
    }
    let dim = to.len() / indices.len();
    assert!(
        dim > 0 && to.len().is_multiple_of(indices.len()),
        "{} elements of {} rows",
        to.len(),
        indices.len()
    );
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") && is_x86_feature_detected!("f16c") {
        // SAFETY: the features were just found.
        return unsafe { f16c::widen_rows(from, dim, indices, to) };
    }
    for (&i, to) in indices.iter().zip(to.chunks_exact_mut(dim)) {
        from[i as usize * dim..][..dim].convert_to_f32_slice(to);
    }
}

/// The crate `half` makes a call for every eight numbers; a whole row in one loop takes a fifth of the time.
#[cfg(target_arch = "x86_64")]
mod f16c {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_cvtph_ps, _mm256_storeu_ps,
    };

    use half::f16;

    /// Rows that are fetched before they are read: they lie apart, and the processor does not find the next by itself.
    const AHEAD: usize = 8;
    /// Numbers of one line of the cache.
    const LINE: usize = 32;

    /// # Safety
    /// Needs AVX and F16C.
    #[inline]
    #[target_feature(enable = "avx,f16c")]
    pub(super) unsafe fn widen(from: &[f16], to: &mut [f32]) {
        let (whole, rest) = from.as_chunks::<8>();
        let (out, out_rest) = to.as_chunks_mut::<8>();
        for (from, to) in whole.iter().zip(out) {
            // SAFETY: both are eight numbers long.
            unsafe {
                let wide = _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast()));
                _mm256_storeu_ps(to.as_mut_ptr(), wide);
            }
        }
        for (from, to) in rest.iter().zip(out_rest) {
            *to = from.to_f32();
        }
    }

    /// # Safety
    /// Needs AVX and F16C.
    #[target_feature(enable = "avx,f16c")]
    pub(super) unsafe fn widen_rows(from: &[f16], dim: usize, indices: &[u32], to: &mut [f32]) {
        for (at, to) in to.chunks_exact_mut(dim).enumerate() {
            if let Some(&later) = indices.get(at + AHEAD) {
                for line in from[later as usize * dim..][..dim].chunks(LINE) {
                    _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
                }
            }
            // SAFETY: a row and room for it.
            unsafe { widen(&from[indices[at] as usize * dim..][..dim], to) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_widened_exactly() {
        let all: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        for from in [&all[..], &all[5..16]] {
            let mut wide = vec![0.0; from.len()];
            widen(from, &mut wide);
            for (narrow, wide) in from.iter().zip(&wide) {
                assert!(narrow.to_f32() == *wide || narrow.is_nan() && wide.is_nan());
            }
        }
    }

    #[test]
    fn rows_that_are_not_there_are_refused() {
        let all = [f16::ONE; 60];
        for (indices, elements) in [
            (&[3][..], 20),
            (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 3], 200),
            (&[u32::MAX], 20),
            (&[0, 1], 7),
            (&[0, 1], 1),
            (&[0], 0),
            (&[], 1),
        ] {
            let made = std::panic::catch_unwind(|| {
                widen_rows(&all, indices, &mut vec![0.0; elements]);
            });
            assert!(made.is_err(), "{indices:?} into {elements}");
        }
    }

    #[test]
    fn rows_are_widened_in_the_order_asked_for() {
        let all: Vec<f16> = (0..60).map(|i| f16::from_f32(i as f32 / 7.0)).collect();
        for dim in [4, 12, 20] {
            let indices = [2, 0, 2, 1];
            let mut wide = vec![0.0; indices.len() * dim];
            widen_rows(&all, &indices, &mut wide);
            for (i, row) in indices.iter().zip(wide.chunks_exact(dim)) {
                let want = all[*i as usize * dim..][..dim].iter().map(|x| x.to_f32());
                assert!(row.iter().copied().eq(want));
            }
        }
    }
}
