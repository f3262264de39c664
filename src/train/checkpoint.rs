//! One file with all that a run needs to go on: weights, moments, step.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use thiserror::Error;

use super::config::RunConfig;
use super::durable::{FileError, write_atomically};
use super::optimizer::Moments;
use crate::model::weights_file::{WeightsError, read_bounded};
use crate::model::{Layout, Weights};

const CONFIG_KEY: &str = "headcount.run";
const STEP_KEY: &str = "headcount.step";
const VALIDATION_KEY: &str = "headcount.val_loss";
const CHECKSUM_KEY: &str = "headcount.crc32";
const FIRST_MOMENT: &str = "optimizer.exp_avg";
const SECOND_MOMENT: &str = "optimizer.exp_avg_sq";

/// A run between two steps.
#[derive(Clone, Debug)]
pub struct TrainState {
    /// Steps taken.
    pub step: usize,
    /// The weights.
    pub weights: Weights,
    /// The optimiser's averages.
    pub moments: Moments,
    /// Validation loss after the last whole epoch, if there was one.
    pub validation_loss: Option<f64>,
}

/// A checkpoint that cannot be gone on from.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] WeightsError),
    /// It is not what was once written.
    #[error("{path}: {problem}")]
    Damaged {
        /// The file.
        path: String,
        /// What does not fit.
        problem: String,
    },
}

impl TrainState {
    /// Before the first step.
    pub fn initial(config: &RunConfig) -> Self {
        let weights = Weights::initial(&config.model, config.seed);
        let moments = Moments::zeros(weights.values.len());
        Self { step: 0, weights, moments, validation_loss: None }
    }

    /// Writes the state, durably, all or nothing.
    ///
    /// # Errors
    /// Names the file.
    pub fn save(&self, path: &Path, config: &RunConfig) -> Result<(), FileError> {
        write_atomically(path, &self.encode(config))
    }

    fn encode(&self, config: &RunConfig) -> Vec<u8> {
        let bytes =
            |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|value| value.to_le_bytes()).collect() };
        let moment = |name: &str, values: &[f32]| (name.to_owned(), vec![values.len()], bytes(values));
        let weights = self.weights.layout.tensors().iter();
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = weights
            .map(|tensor| (tensor.name.clone(), tensor.shape.clone(), bytes(&self.weights.gather(tensor))))
            .chain([moment(FIRST_MOMENT, &self.moments.first), moment(SECOND_MOMENT, &self.moments.second)])
            .collect();
        let config = serde_json::to_string(config).expect("a configuration is always representable");
        let mut metadata =
            HashMap::from([(CONFIG_KEY.into(), config), (STEP_KEY.into(), self.step.to_string())]);
        if let Some(loss) = self.validation_loss {
            metadata.insert(VALIDATION_KEY.into(), loss.to_string());
        }
        let parts = tensors.iter().map(|(name, _, bytes)| (name.as_str(), bytes.as_slice()));
        metadata.insert(CHECKSUM_KEY.into(), checksum(&metadata, parts.collect()));
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name.as_str(), view.expect("as many bytes as the shape says"))
        });
        serialize(views, Some(metadata)).expect("every tensor was checked when its view was made")
    }

    /// Reads a state back.
    ///
    /// # Errors
    /// When the file cannot be read, its checksum does not fit, or it belongs to another configuration.
    pub fn load(path: &Path, config: &RunConfig) -> Result<Self, CheckpointError> {
        let bytes = read_bounded(path)?;
        decode(&bytes, config)
            .map_err(|problem| CheckpointError::Damaged { path: path.display().to_string(), problem })
    }
}

fn decode(bytes: &[u8], config: &RunConfig) -> Result<TrainState, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("not a checkpoint: {error}"))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let mut metadata = header.metadata().clone().ok_or("no metadata")?;
    let stored = metadata.remove(CHECKSUM_KEY).ok_or("no checksum")?;
    let tensors = file.tensors();
    let parts = tensors.iter().map(|(name, view)| (name.as_str(), view.data())).collect();
    if checksum(&metadata, parts) != stored {
        return Err("its checksum does not fit".into());
    }
    let entry = |key: &str| metadata.get(key).ok_or(format!("no {key}"));
    let made_with: RunConfig = serde_json::from_str(entry(CONFIG_KEY)?).map_err(|error| error.to_string())?;
    if made_with != *config {
        return Err("it belongs to a run with other settings".into());
    }
    let floats = |name: &str, shape: &[usize]| -> Result<Vec<f32>, String> {
        let view = file.tensor(name).map_err(|error| error.to_string())?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            return Err(format!("`{name}` is {:?} {:?}, not F32 {shape:?}", view.dtype(), view.shape()));
        }
        Ok(view.data().as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect())
    };
    let layout = Arc::new(Layout::new(&config.model));
    let mut weights = Weights { values: vec![0.0; layout.len], layout: Arc::clone(&layout) };
    for tensor in layout.tensors() {
        weights.set(&tensor.name, &floats(&tensor.name, &tensor.shape)?);
    }
    let moments = Moments {
        first: floats(FIRST_MOMENT, &[layout.len])?,
        second: floats(SECOND_MOMENT, &[layout.len])?,
    };
    Ok(TrainState {
        step: entry(STEP_KEY)?.parse().map_err(|_| "its step is not a number")?,
        weights,
        moments,
        validation_loss: metadata.get(VALIDATION_KEY).and_then(|loss| loss.parse().ok()),
    })
}

/// Of names, contents and metadata, whatever order a writer put them in.
fn checksum(metadata: &HashMap<String, String>, mut tensors: Vec<(&str, &[u8])>) -> String {
    let mut hasher = crc32fast::Hasher::new();
    let mut entries: Vec<_> = metadata.iter().collect();
    entries.sort();
    tensors.sort_by_key(|(name, _)| *name);
    for (key, value) in entries {
        hasher.update(key.as_bytes());
        hasher.update(value.as_bytes());
    }
    for (name, bytes) in tensors {
        hasher.update(name.as_bytes());
        hasher.update(bytes);
    }
    format!("{:08x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;

    fn small() -> RunConfig {
        let model = ModelConfig { d_model: 8, d_head: 4, d_mlp: 12, n_ctx: 6, ..ModelConfig::default() };
        RunConfig { model, ..RunConfig::default() }
    }

    #[test]
    fn a_state_reads_back_bit_for_bit() {
        let (dir, config) = (tempfile::tempdir().unwrap(), small());
        let mut state = TrainState { step: 7, validation_loss: Some(0.25), ..TrainState::initial(&config) };
        state.moments.first[3] = -0.0;
        let path = dir.path().join("checkpoint");
        state.save(&path, &config).unwrap();
        let read = TrainState::load(&path, &config).unwrap();
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read.weights.values), bits(&state.weights.values));
        assert_eq!(bits(&read.moments.first), bits(&state.moments.first));
        assert_eq!((read.step, read.validation_loss), (7, Some(0.25)));
    }

    #[test]
    fn a_flipped_bit_anywhere_or_a_lost_end_is_noticed() {
        let (dir, config) = (tempfile::tempdir().unwrap(), small());
        let bytes = TrainState::initial(&config).encode(&config);
        let path = dir.path().join("checkpoint");
        for at in (0..bytes.len()).step_by(97) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            std::fs::write(&path, &damaged).unwrap();
            assert!(TrainState::load(&path, &config).is_err(), "byte {at}");
            std::fs::write(&path, &bytes[..at]).unwrap();
            assert!(TrainState::load(&path, &config).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_runs_checkpoint_is_refused() {
        let (dir, config) = (tempfile::tempdir().unwrap(), small());
        let path = dir.path().join("checkpoint");
        TrainState::initial(&config).save(&path, &config).unwrap();
        let other = RunConfig { seed: 99, ..config };
        let error = TrainState::load(&path, &other).unwrap_err().to_string();
        assert!(error.contains("other settings"), "{error}");
    }
}
