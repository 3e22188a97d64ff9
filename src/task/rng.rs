//! What is drawn at random for one part of a task.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The name of the task, up to its 16th letter, the length and the seed decide what it gives.
pub(super) fn rng(name: &str, length: usize, seed: u64) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&(length as u64).to_le_bytes());
    for (byte, letter) in bytes[16..].iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    ChaCha8Rng::from_seed(bytes)
}
