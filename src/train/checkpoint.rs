//! One file with everything that resuming a run needs: weights, moments, step.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::SafeTensors;
use thiserror::Error;

use super::config::RunConfig;
use super::files::{FileError, Files};
use super::optimizer::Moments;
use super::sealed::{self, MAX_HEADER, floats, seal, unseal};
use crate::model::weights_file::{Part, parts_of, to_bytes};
use crate::model::{Layout, Weights};
use crate::task::{Dataset, Split, Token};

const CONFIG_KEY: &str = "headcount.run";
const STEP_KEY: &str = "headcount.step";
const VALIDATION_KEY: &str = "headcount.val_loss";
const DATA_KEY: &str = "headcount.data_crc32";
const FIRST_MOMENT: &str = "optimizer.exp_avg";
const SECOND_MOMENT: &str = "optimizer.exp_avg_sq";

/// The state of a run between two steps.
#[derive(Clone, Debug)]
pub struct TrainState {
    /// Steps taken.
    pub step: usize,
    /// The weights.
    pub weights: Weights,
    /// The optimiser's averages.
    pub moments: Moments,
    /// Validation loss after the last complete epoch, if there was one.
    pub validation_loss: Option<f64>,
}

/// A checkpoint that cannot be resumed from.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// The contents differ from what was written.
    #[error("{path}: {problem}")]
    Damaged {
        /// The file.
        path: String,
        /// What does not fit.
        problem: String,
    },
    /// Intact, but trained on other sequences than these settings produce today.
    #[error("{path}: was trained on other data than these settings give in this version of headcount")]
    OtherData {
        /// The file.
        path: String,
    },
}

#[cfg(test)]
thread_local! {
    /// Checkpoints that this thread has decoded.
    pub(crate) static DECODED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Identifies a data set: a hash of every token and label, in order.
pub fn fingerprint(dataset: &Dataset) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let mut add = |tokens: &[Token]| tokens.iter().for_each(|token| hasher.update(&token.to_le_bytes()));
    for split in [Split::Train, Split::Validation] {
        for example in dataset.examples(split) {
            add(example.tokens());
            // A position without a target counts as a token outside every vocabulary.
            add(&example.targets().iter().map(|target| target.unwrap_or(Token::MAX)).collect::<Vec<_>>());
        }
    }
    hasher.finalize()
}

impl TrainState {
    /// The state before the first step.
    pub fn initial(config: &RunConfig) -> Self {
        let weights = Weights::drawn(&config.model, config.train.init, config.seed);
        let moments = Moments::zeros(weights.values.len());
        Self { step: 0, weights, moments, validation_loss: None }
    }

    /// Encodes a checkpoint of a run with these settings, on data with this fingerprint.
    pub fn encode(&self, config: &RunConfig, data: u32) -> Vec<u8> {
        let moment = |name: &str, values: &[f32]| Part {
            name: name.into(),
            shape: vec![values.len()],
            bytes: to_bytes(values),
        };
        let mut parts = parts_of(&self.weights);
        parts.push(moment(FIRST_MOMENT, &self.moments.first));
        parts.push(moment(SECOND_MOMENT, &self.moments.second));
        let config = serde_json::to_string(config).expect("a configuration is always representable");
        let mut metadata = HashMap::from([
            (CONFIG_KEY.into(), config),
            (STEP_KEY.into(), self.step.to_string()),
            (DATA_KEY.into(), format!("{data:08x}")),
        ]);
        if let Some(loss) = self.validation_loss {
            metadata.insert(VALIDATION_KEY.into(), loss.to_string());
        }
        seal(&parts, metadata)
    }

    /// Reads a state; without `data`, its training data is not checked.
    ///
    /// # Errors
    /// When the file cannot be read, its checksum does not match, or it belongs to another run.
    pub fn load(
        files: &dyn Files,
        path: &Path,
        config: &RunConfig,
        data: Option<u32>,
    ) -> Result<Self, CheckpointError> {
        let bytes = files.read(path, largest(config)).map_err(FileError::at("read", path))?;
        let name = || path.display().to_string();
        let (state, trained_on) =
            decode(&bytes, config).map_err(|problem| CheckpointError::Damaged { path: name(), problem })?;
        if data.is_some_and(|data| data != trained_on) {
            return Err(CheckpointError::OtherData { path: name() });
        }
        Ok(state)
    }
}

/// Twice the size of a checkpoint, so that nothing is allocated for a file of another kind.
fn largest(config: &RunConfig) -> u64 {
    let values = 3 * Layout::new(&config.model).len as u64;
    2 * (4 * values + MAX_HEADER)
}

/// Decodes a checkpoint: its state, and the fingerprint of its training data.
///
/// # Errors
/// Says what does not match.
pub fn decode(bytes: &[u8], config: &RunConfig) -> Result<(TrainState, u32), String> {
    #[cfg(test)]
    DECODED.set(DECODED.get() + 1);
    let (file, metadata) = unseal(bytes, "a checkpoint")?;
    let entry = |key: &str| metadata.get(key).ok_or(format!("no {key}"));
    let made_with: RunConfig = serde_json::from_str(entry(CONFIG_KEY)?).map_err(|error| error.to_string())?;
    if !config.continues(&made_with) {
        return Err("it belongs to a run with other settings".into());
    }
    let data = u32::from_str_radix(entry(DATA_KEY)?, 16).map_err(|_| "its data has no fingerprint")?;
    let step: usize = entry(STEP_KEY)?.parse().map_err(|_| "its step is not a number")?;
    if step > config.total_steps() {
        return Err(format!("its step {step} is beyond the last, {}", config.total_steps()));
    }
    let (weights, moments) = values(&file, config)?;
    let validation_loss = metadata.get(VALIDATION_KEY).and_then(|loss| loss.parse().ok());
    Ok((TrainState { step, weights, moments, validation_loss }, data))
}

fn values(file: &SafeTensors<'_>, config: &RunConfig) -> Result<(Weights, Moments), String> {
    let layout = Arc::new(Layout::new(&config.model));
    let weights = sealed::weights(file, &layout, 2)?;
    let moment = |name| floats(file, name, &[layout.len]);
    Ok((weights, Moments { first: moment(FIRST_MOMENT)?, second: moment(SECOND_MOMENT)? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;
    use crate::train::files::Disk;

    fn small() -> RunConfig {
        let model = ModelConfig { d_model: 8, d_head: 4, d_mlp: 12, n_ctx: 6, ..ModelConfig::default() };
        RunConfig { model, ..RunConfig::default() }
    }

    fn read(bytes: &[u8], config: &RunConfig, data: Option<u32>) -> Result<TrainState, CheckpointError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoint");
        std::fs::write(&path, bytes).unwrap();
        TrainState::load(&Disk, &path, config, data)
    }

    #[test]
    fn a_state_reads_back_bit_for_bit() {
        let config = small();
        let mut state = TrainState { step: 7, validation_loss: Some(0.25), ..TrainState::initial(&config) };
        state.moments.first[3] = -0.0;
        let read = read(&state.encode(&config, 9), &config, Some(9)).unwrap();
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read.weights.values), bits(&state.weights.values));
        assert_eq!(bits(&read.moments.first), bits(&state.moments.first));
        assert_eq!((read.step, read.validation_loss), (7, Some(0.25)));
    }

    #[test]
    fn a_flipped_bit_anywhere_or_a_missing_end_is_noticed() {
        let config = small();
        let bytes = TrainState::initial(&config).encode(&config, 9);
        for at in (0..bytes.len()).step_by(97) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(decode(&damaged, &config).is_err(), "byte {at}");
            assert!(decode(&bytes[..at], &config).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_run_on_other_data_or_of_no_run_is_refused() {
        let config = small();
        let initial = TrainState::initial(&config);
        let refused = |state: &TrainState, of: &RunConfig| {
            read(&state.encode(of, 9), &config, Some(9)).unwrap_err().to_string()
        };
        let other = refused(&initial, &RunConfig { seed: 99, ..config.clone() });
        assert!(other.contains("other settings"), "{other}");
        let beyond = refused(&TrainState { step: 421, ..initial.clone() }, &config);
        assert!(beyond.contains("421"), "{beyond}");
        let mut bad = initial.clone();
        bad.moments.second[1] = f32::NAN;
        assert!(refused(&bad, &config).contains("1 values of `optimizer.exp_avg_sq`"));
        let bytes = initial.encode(&config, 9);
        assert!(matches!(read(&bytes, &config, Some(8)), Err(CheckpointError::OtherData { .. })));
        assert!(read(&bytes, &config, None).is_ok());
        let long = [&bytes[..], &vec![0; 3 << 20]].concat();
        assert!(read(&long, &config, None).unwrap_err().to_string().contains("at most"));
    }
}
