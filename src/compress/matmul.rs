//! Dot products of two sets of vectors: the one matrix product this room needs, behind a safe face.

use gemm::Parallelism;

/// `out[i, j] = scale * rows[i] . columns[j]`, for `rows: [m, d]`, `columns: [n, d]` and `out: [m, n]`, all row-major.
///
/// Runs on the calling thread: callers have one product per head, and run the heads in parallel.
/// Each element is summed over `d` in one order that does not depend on its place in the product
/// as long as `m`, `n` and `d` are the same (the tests of `codebook::similarity` hold that up).
///
/// # Panics
/// When the lengths do not agree.
pub(super) fn dot_products(rows: &[f32], columns: &[f32], d: usize, scale: f32, out: &mut [f32]) {
    assert!(
        d > 0 && rows.len().is_multiple_of(d) && columns.len().is_multiple_of(d),
        "vectors of {d} elements"
    );
    let (m, n) = (rows.len() / d, columns.len() / d);
    assert_eq!(out.len(), m * n, "room for {m} x {n} dot products");
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the pointers come from slices whose lengths were checked against m, n and d just above,
    // the strides describe row-major matrices of those sizes, and `out` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            m,
            n,
            d,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            rows.as_ptr(),
            1,
            d as isize,
            columns.as_ptr(),
            d as isize,
            1,
            0.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// The dot product of two vectors of one length, summed in eight interleaved partial sums.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_the_dots_of_rows_and_columns() {
        let rows: Vec<f32> = (0..3 * 11).map(|i| (i as f32 * 0.7).sin()).collect();
        let columns: Vec<f32> = (0..5 * 11).map(|i| (i as f32 * 0.3).cos()).collect();
        let mut out = vec![f32::NAN; 15];
        dot_products(&rows, &columns, 11, 0.5, &mut out);
        for (i, row) in rows.chunks(11).enumerate() {
            for (j, column) in columns.chunks(11).enumerate() {
                assert!((out[i * 5 + j] - 0.5 * dot(row, column)).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn no_columns_is_no_work() {
        dot_products(&[1.0, 2.0], &[], 2, 1.0, &mut []);
    }
}
