//! Seeds of a method's random draws. They follow from the experiment's seed, the sample and the method, so a sample's
//! draws do not depend on earlier draws or on the number of threads.

use sha2::{Digest, Sha256};

/// The seed of all draws on one sample of a task.
pub(crate) fn of_sample(experiment: u64, task: &str, sample: &str) -> u64 {
    seed(&[experiment, of_text(task), of_text(sample)])
}

/// The seed of what one method draws on a sample.
pub(crate) fn of_method(sample: u64, method: &str) -> u64 {
    seed(&[sample, of_text(method)])
}

/// A seed that follows from all of `numbers`.
pub(crate) fn seed(numbers: &[u64]) -> u64 {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    first(&Sha256::digest(bytes))
}

fn of_text(text: &str) -> u64 {
    first(&Sha256::digest(text))
}

/// The first eight bytes as a number.
fn first(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().take(8).rev();
    bytes.fold(0, |n, &byte| n << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn experiment_task_sample_and_method_all_change_the_seed() {
        let seeds = [
            of_method(of_sample(0, "t", "a"), "random"),
            of_method(of_sample(1, "t", "a"), "random"),
            of_method(of_sample(0, "u", "a"), "random"),
            of_method(of_sample(0, "t", "b"), "random"),
            of_method(of_sample(0, "t", "a"), "cam"),
            of_method(of_sample(0, "a", "t"), "random"),
        ];
        for (i, seed) in seeds.iter().enumerate() {
            assert!(!seeds[..i].contains(seed), "{seeds:?}");
        }
        assert_eq!(seeds[0], of_method(of_sample(0, "t", "a"), "random"));
    }
}
