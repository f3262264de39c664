//! The fixtures: TransformerLens' own numbers for the notebook's recipe.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod models;
pub mod trajectory;

use std::path::PathBuf;

use headcount::model::{Weights, read_weights};
use headcount::task::Token;
use safetensors::tensor::{Dtype, SafeTensors};
use serde::Deserialize;

/// Cargo names the folder when it runs the tests, as tests/gpu.sh does for a binary that was built elsewhere.
pub fn path(file: &str) -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(package).join("tests/fixtures").join(file)
}

pub fn weights(name: &str) -> Weights {
    read_weights(&path(&format!("{name}.safetensors")), None).unwrap().weights
}

pub struct Tensors(Vec<u8>);

impl Tensors {
    pub fn read(name: &str) -> Self {
        Self(std::fs::read(path(&format!("{name}.safetensors"))).unwrap())
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.file().names().into_iter().map(Into::into).collect();
        names.sort();
        names
    }

    pub fn get(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let file = self.file();
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F32);
        let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (tensor.shape().to_vec(), values)
    }

    pub fn tokens(&self, name: &str) -> Vec<Token> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap();
        let width = if tensor.dtype() == Dtype::U8 { 1 } else { 8 };
        tensor.data().chunks(width).map(|bytes| Token::from(bytes[0])).collect()
    }
}

#[derive(Debug, Deserialize)]
pub struct AblationCase {
    pub weights: String,
    #[serde(default)]
    pub indices: Vec<usize>,
    pub head: Option<usize>,
    pub kind: String,
    pub loss_seq0: f64,
    pub loss_batch: f64,
    pub pred_seq0: Vec<Token>,
}

pub fn ablation_cases() -> Vec<AblationCase> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<AblationCase>,
    }
    serde_json::from_slice::<File>(&std::fs::read(path("ablation.json")).unwrap()).unwrap().cases
}

#[derive(Debug, Deserialize)]
pub struct LoggedStep {
    pub lr: f64,
    pub beta1: f64,
    pub loss: f64,
}

pub fn train_log() -> Vec<LoggedStep> {
    serde_json::from_slice(&std::fs::read(path("train_log.json")).unwrap()).unwrap()
}

pub fn relative_l2(ours: &[f32], theirs: &[f32]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let square = |x: f32| f64::from(x).powi(2);
    let difference: f64 = ours.iter().zip(theirs).map(|(a, b)| square(a - b)).sum();
    (difference / theirs.iter().map(|x| square(*x)).sum::<f64>()).sqrt()
}
