//! Sets as words of 64 bits, the lowest bit first.

/// Words needed for `n` bits.
pub(super) fn words(n: usize) -> usize {
    n.div_ceil(64)
}

/// The set of all of `0..n`.
pub(super) fn full(n: usize) -> Vec<u64> {
    let mut set = vec![u64::MAX; words(n)];
    if let Some(last) = set.last_mut()
        && !n.is_multiple_of(64)
    {
        *last = (1 << (n % 64)) - 1;
    }
    set
}

/// Puts `i` into the set.
pub(super) fn insert(set: &mut [u64], i: usize) {
    set[i / 64] |= 1 << (i % 64);
}

/// Whether `i` is in the set.
pub(super) fn contains(set: &[u64], i: usize) -> bool {
    set[i / 64] >> (i % 64) & 1 == 1
}

/// Calls `visit` with each number of the intersection of two sets, ascending.
#[inline]
pub(super) fn for_each_common(a: &[u64], b: &[u64], mut visit: impl FnMut(usize)) {
    for (word, (&a, &b)) in a.iter().zip(b).enumerate() {
        let mut rest = a & b;
        while rest != 0 {
            visit(word * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
}

/// The smallest number of the intersection of two sets.
pub(super) fn first_common(a: &[u64], b: &[u64]) -> Option<usize> {
    let word = a.iter().zip(b).position(|(a, b)| a & b != 0)?;
    Some(word * 64 + (a[word] & b[word]).trailing_zeros() as usize)
}

/// Transposes a 64 x 64 matrix of bits in place: bit `j` of word `i` trades places with bit `i` of word `j`.
///
/// Swaps the off-diagonal quarters of ever smaller squares (Warren, Hacker's Delight, 7-3, in lowest-bit-first order).
pub(super) fn transpose(block: &mut [u64; 64]) {
    let mut half = 32;
    let mut mask = u64::from(u32::MAX);
    while half != 0 {
        let mut i = 0;
        while i < 64 {
            let swap = (block[i] >> half ^ block[i + half]) & mask;
            block[i] ^= swap << half;
            block[i + half] ^= swap;
            i = (i + half + 1) & !half;
        }
        half >>= 1;
        mask ^= mask << half;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_swaps_rows_and_columns() {
        let mut state = 1u64;
        let block: [u64; 64] = std::array::from_fn(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state ^ state >> 29
        });
        let mut transposed = block;
        transpose(&mut transposed);
        for (i, row) in block.iter().enumerate() {
            for (j, column) in transposed.iter().enumerate() {
                assert_eq!(row >> j & 1, column >> i & 1, "{i} {j}");
            }
        }
    }

    #[test]
    fn full_sets_hold_all_and_no_more() {
        for n in [0, 1, 63, 64, 65, 200] {
            let mut seen = Vec::new();
            for_each_common(&full(n), &full(n), |i| seen.push(i));
            assert_eq!(seen, (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_inserted_is_contained() {
        let mut set = vec![0; words(130)];
        insert(&mut set, 129);
        assert!(contains(&set, 129) && !contains(&set, 128));
        insert(&mut set, 77);
        assert_eq!(first_common(&set, &full(130)), Some(77));
        assert_eq!(first_common(&set, &full(70)), None);
    }
}
