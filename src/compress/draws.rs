//! Where every draw of a method starts from: the experiment's seed, the method, and the prompt. So a sample's draws are
//! its own, whatever was drawn before it and on how many threads.

use sha2::{Digest, Sha256};

/// A seed that follows from all of `numbers` and `tokens`.
pub fn seed(numbers: &[u64], tokens: &[u32]) -> u64 {
    let mut digest = Sha256::new();
    digest.update((numbers.len() as u64).to_le_bytes());
    numbers.iter().for_each(|n| digest.update(n.to_le_bytes()));
    tokens.iter().for_each(|t| digest.update(t.to_le_bytes()));
    first(&digest.finalize())
}

/// The seed of everything that a method draws on one prompt.
pub fn of_sample(experiment: u64, method: &str, tokens: &[u32]) -> u64 {
    let name = first(&Sha256::digest(method.as_bytes()));
    seed(&[experiment, name], tokens)
}

/// The first eight bytes as a number.
fn first(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |n, &byte| n << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn experiment_method_and_prompt_all_change_the_seed() {
        let tokens = [1, 2, 3];
        let seeds = [
            of_sample(0, "random", &tokens),
            of_sample(1, "random", &tokens),
            of_sample(0, "cam", &tokens),
            of_sample(0, "random", &tokens[..2]),
            of_sample(0, "random", &[1, 2, 4]),
        ];
        for (i, seed) in seeds.iter().enumerate() {
            assert!(!seeds[..i].contains(seed), "{seeds:?}");
        }
        assert_eq!(seeds[0], of_sample(0, "random", &tokens));
    }
}
