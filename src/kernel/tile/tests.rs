//! The product beside its definition, and strides that it refuses.

use super::*;

fn values(n: usize, seed: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.7 + seed).sin()).collect()
}

/// Makes results of one layout.
fn shaper(row: usize, group: usize, add: bool) -> impl Fn(&mut [f32]) -> Out<'_> {
    move |data| Out {
        data,
        row,
        group,
        add,
    }
}

/// Whether a product of these is made at all: strides `[row, step]` of 3 x 2 on the left, `[row, group]` of 2 x 2
/// groups on the right, and `[row, group]` of the result, of 200 elements each.
fn is_made(left: [usize; 2], right: [usize; 2], out: [usize; 2]) -> bool {
    let (a, b, mut c) = (values(200, 0.1), values(200, 0.5), values(200, 0.9));
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let left = Left {
            data: &a,
            row: left[0],
            step: left[1],
        };
        let right = Right {
            data: &b,
            row: right[0],
            group: right[1],
        };
        let mut out = shaper(out[0], out[1], false)(&mut c);
        product(left, 3, 2, right, 2, &mut out);
    }));
    made.is_ok()
}

/// Strides are those of a caller, and no value of them may reach beyond a slice.
#[test]
fn strides_that_lead_out_of_a_slice_are_refused() {
    let (left, right, out) = ([2, 1], [32, 16], [32, 16]);
    assert!(is_made(left, right, out));
    // Rows of the result between its groups, and elements of a factor that are used again.
    assert!(is_made(left, right, [16, 48]));
    assert!(is_made([0, 0], [0, 0], out));
    let far = [200, 1 << 32, usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX];
    for far in far {
        for (a, b) in [([far, 1], [far, 16]), ([2, far], [32, far])] {
            assert!(!is_made(a, right, out), "{a:?} on the left");
            assert!(!is_made(left, b, out), "{b:?} on the right");
            assert!(!is_made(left, right, b), "{b:?} put out");
        }
    }
    for onto in [[0, 16], [32, 0], [16, 16], [31, 16], [16, 47], [8, 16]] {
        assert!(!is_made(left, right, onto), "{onto:?}");
    }
}

/// The stride of an axis of one element is not used.
#[test]
fn a_single_row_may_have_any_stride() {
    let (a, b) = (values(1, 0.1), values(LANES, 0.5));
    for far in [0, 7, usize::MAX] {
        let left = Left {
            data: &a,
            row: far,
            step: far,
        };
        let right = Right {
            data: &b,
            row: far,
            group: far,
        };
        let (mut got, mut want) = (vec![0.0; LANES], vec![0.0; LANES]);
        product(left, 1, 1, right, 1, &mut shaper(far, far, false)(&mut got));
        plain(
            left,
            1,
            1,
            right,
            1,
            &mut shaper(far, far, false)(&mut want),
        );
        assert_eq!(got, want);
    }
}

/// Bit for bit, whatever the rows, the groups, the strides and whether they are added to.
#[test]
fn equals_the_definition_in_every_shape() {
    for (m, groups) in (1..=26).flat_map(|m| (1..=9).map(move |g| (m, g))) {
        for k in [1, 2, 7, 64] {
            for (row, step) in [(k, 1), (1, 20), (k + 3, 1)] {
                let a = values((m - 1) * row + (k - 1) * step + 1, 0.1);
                let left = Left {
                    data: &a,
                    row,
                    step,
                };
                // Groups side by side, as in a matrix; and one after the other, as in panels.
                let wide = groups * LANES + 3;
                for (rows, group, out_group, add) in [
                    (wide, LANES, LANES, true),
                    (LANES, k * LANES, m * LANES, false),
                ] {
                    let b = values(k * groups * (LANES + 3), 0.5);
                    let right = Right {
                        data: &b,
                        row: rows,
                        group,
                    };
                    let (mut got, mut want) = (values(m * wide, 0.9), values(m * wide, 0.9));
                    let shaped = shaper(rows, out_group, add);
                    product(left, m, k, right, groups, &mut shaped(&mut got));
                    plain(left, m, k, right, groups, &mut shaped(&mut want));
                    assert_eq!(got, want, "{m} x {k} x {groups}, strides {row} {step}");
                    #[cfg(target_arch = "x86_64")]
                    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                        let mut got = values(m * wide, 0.9);
                        // SAFETY: the features were just found, and the shape is the one before.
                        unsafe { avx2::product(left, m, k, right, groups, &mut shaped(&mut got)) };
                        assert_eq!(got, want, "AVX2: {m} x {k} x {groups}");
                    }
                }
            }
        }
    }
}
