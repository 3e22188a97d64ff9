//! Sets of vectors for this room's tests: clustered, with duplicates and zeros, so that every kind of tie occurs.

use proptest::prelude::*;

/// Directions and how often each counts.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub units: Vec<f32>,
    pub weights: Vec<u32>,
    pub d: usize,
}

impl Set {
    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn unit(&self, i: usize) -> &[f32] {
        &self.units[i * self.d..(i + 1) * self.d]
    }
}

/// The dot product in f64.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| f64::from(x) * f64::from(y))
        .sum()
}

/// Up to `max` vectors around a few centres, at several distances; some repeated exactly, some zero; weights 1 to 4.
pub(super) fn clustered(max: usize) -> impl Strategy<Value = Set> {
    let d = prop_oneof![Just(2usize), Just(5), Just(16), Just(33), Just(64)];
    (d, 1..=max, 1usize..12, any::<u64>()).prop_map(|(d, n, centres, seed)| {
        let mut state = seed | 1;
        let mut draw = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut vectors: Vec<f32> = Vec::with_capacity(n * d);
        let mut around = |centre: &[f32], spread: f32| -> Vec<f32> {
            centre
                .iter()
                .map(|&c| c + spread * ((draw() >> 40) as f32 / (1 << 23) as f32 - 1.0))
                .collect()
        };
        let centres: Vec<Vec<f32>> = (0..centres).map(|_| around(&vec![0.0; d], 1.0)).collect();
        let mut kind = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut weights = Vec::with_capacity(n);
        for i in 0..n {
            kind = kind
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (choice, centre) = (kind >> 60, &centres[(kind >> 32) as usize % centres.len()]);
            match choice {
                0 => vectors.extend(std::iter::repeat_n(0.0, d)),
                1 | 2 if i > 0 => vectors.extend_from_within(
                    (kind >> 20) as usize % i * d..((kind >> 20) as usize % i + 1) * d,
                ),
                _ => vectors.extend(around(centre, [0.02, 0.2, 0.7][(kind >> 50) as usize % 3])),
            }
            weights.push(1 + (kind >> 45) as u32 % 4);
        }
        let (units, _) = super::normalise(&vectors, d);
        Set { units, weights, d }
    })
}
