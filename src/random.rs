//! Randomness as a pure function of `(seed, purpose, index)`.
//!
//! No generator is ever stored: each use names its purpose and index, so that a resumed run, another thread count or an
//! open screen cannot change the random numbers of other uses.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The purpose of the numbers; each purpose has its own streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// The sequences of the data set; index: the sequence.
    Data = 1,
    /// The initial weights; index: the tensor's place in the layout.
    InitialWeights = 2,
    /// The order of the training sequences; index: the epoch.
    EpochOrder = 3,
    /// Sequences drawn for exploring; index: the number drawn before.
    Exploration = 4,
    /// The random neuron sets to compare an ablation with; index: the set.
    Control = 5,
    /// The split into training and validation; index: 0.
    Split = 6,
    /// The sequence that replaces activations in an ablation; index: the ablated sequence.
    Resample = 7,
    /// Random tokens, repeated, that heads are scored on; index: the sequence.
    Repeated = 8,
    /// Permutations of the tokens that copying scores are compared with; index: the permutation.
    Permutation = 9,
    /// Random factors that composition scores are compared with; index: the pair.
    Composition = 10,
    /// The order of inputs that a spectrum is compared with; index: 0.
    Shuffle = 11,
    /// Labels that a probe is compared with; index: a number of the sequence.
    ProbeLabels = 12,
}

/// The generator of one stream.
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = purpose as u8;
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngCore;

    #[test]
    fn a_stream_depends_only_on_seed_purpose_and_index() {
        let first = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        assert_eq!(first(1, Purpose::Data, 2), first(1, Purpose::Data, 2));
        assert_ne!(first(1, Purpose::Data, 2), first(2, Purpose::Data, 2));
        assert_ne!(first(1, Purpose::Data, 2), first(1, Purpose::Control, 2));
        assert_ne!(first(1, Purpose::Data, 2), first(1, Purpose::Data, 3));
    }
}
