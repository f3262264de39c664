//! The model once more, in double precision and in the plainest words: nothing of the program's own arithmetic.

use headcount::model::{Activation, ModelConfig, Normalization, Weights};
use headcount::task::Example;

type Rows = Vec<Vec<f64>>;

pub struct Plain<'a> {
    weights: &'a Weights,
    values: Vec<f64>,
}

impl<'a> Plain<'a> {
    pub fn new(weights: &'a Weights) -> Self {
        Self { weights, values: weights.values.iter().map(|&w| f64::from(w)).collect() }
    }

    /// The same model with one parameter of the flat buffer moved.
    pub fn moved(&self, at: usize, by: f64) -> Self {
        let mut values = self.values.clone();
        values[at] += by;
        Self { values, ..*self }
    }

    fn config(&self) -> &ModelConfig {
        self.weights.config()
    }

    /// A weight by its TransformerLens name, row-major.
    fn get(&self, name: &str) -> Vec<f64> {
        let tensor = self.weights.layout.tensor(name).unwrap_or_else(|| panic!("{name}"));
        tensor.positions().map(|at| self.values[at]).collect()
    }

    /// Mean cross-entropy over targets.
    pub fn loss(&self, batch: &[Example<'_>]) -> f64 {
        let losses = batch.iter().flat_map(|example| {
            let scored = self.logits(example).into_iter().zip(example.targets());
            scored.filter_map(|(row, target)| {
                Some(row.iter().map(|x| x.exp()).sum::<f64>().ln() - row[usize::from((*target)?)])
            })
        });
        let losses: Vec<f64> = losses.collect();
        losses.iter().sum::<f64>() / losses.len() as f64
    }

    fn logits(&self, example: &Example<'_>) -> Rows {
        let c = self.config();
        let (w_e, w_pos) = (self.get("embed.W_E"), self.get("pos_embed.W_pos"));
        let embed = |(position, &token): (usize, &u16)| {
            let (e, p) = (usize::from(token) * c.d_model, position * c.d_model);
            (0..c.d_model).map(|i| w_e[e + i] + w_pos[p + i]).collect()
        };
        let mut stream: Rows = example.tokens().iter().enumerate().map(embed).collect();
        for layer in 0..c.n_layers {
            let written = self.attention(layer, &stream);
            add(&mut stream, &written);
            if c.has_mlp() {
                let written = self.mlp(layer, &stream);
                add(&mut stream, &written);
            }
        }
        linear(&self.norm("ln_final", &stream), &self.get("unembed.W_U"), &self.get("unembed.b_U"))
    }

    fn norm(&self, name: &str, x: &Rows) -> Rows {
        match self.config().normalization_type {
            Normalization::None => x.clone(),
            _ => self.layer_norm(name, x),
        }
    }

    fn layer_norm(&self, name: &str, x: &Rows) -> Rows {
        let affine = self.config().has_affine_norms();
        let affine = affine.then(|| (self.get(&format!("{name}.w")), self.get(&format!("{name}.b"))));
        let row = |x: &Vec<f64>| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let normalized = x.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt()).enumerate();
            normalized.map(|(i, n)| affine.as_ref().map_or(n, |(w, b)| n * w[i] + b[i])).collect()
        };
        x.iter().map(row).collect()
    }

    fn attention(&self, layer: usize, stream: &Rows) -> Rows {
        let c = self.config();
        let x = self.norm(&format!("blocks.{layer}.ln1"), stream);
        let weight = |letter: &str| self.get(&format!("blocks.{layer}.attn.{letter}"));
        let mut out = vec![weight("b_O"); x.len()];
        for head in 0..c.n_heads {
            let part = |letter: &str| {
                let w =
                    &weight(&format!("W_{letter}"))[head * c.d_model * c.d_head..][..c.d_model * c.d_head];
                linear(&x, w, &weight(&format!("b_{letter}"))[head * c.d_head..][..c.d_head])
            };
            let (q, k, v) = (part("Q"), part("K"), part("V"));
            let w_o = &weight("W_O")[head * c.d_head * c.d_model..][..c.d_head * c.d_model];
            let mix = |query: usize| {
                let score = |key: usize| dot(&q[query], &k[key]) / (c.d_head as f64).sqrt();
                let pattern = softmax(&(0..=query).map(score).collect::<Vec<_>>());
                (0..c.d_head).map(|i| pattern.iter().zip(&v).map(|(p, v)| p * v[i]).sum()).collect()
            };
            let z: Rows = (0..x.len()).map(mix).collect();
            add(&mut out, &linear(&z, w_o, &vec![0.0; c.d_model]));
        }
        out
    }

    fn mlp(&self, layer: usize, stream: &Rows) -> Rows {
        let weight = |name: &str| self.get(&format!("blocks.{layer}.mlp.{name}"));
        let x = self.norm(&format!("blocks.{layer}.ln2"), stream);
        let pre = linear(&x, &weight("W_in"), &weight("b_in"));
        let each = |f: fn(f64) -> f64| pre.iter().map(|row| row.iter().map(|&x| f(x)).collect()).collect();
        let post = match self.config().act_fn {
            Activation::SoluLn => {
                let solu = |row: &Vec<f64>| row.iter().zip(softmax(row)).map(|(x, p)| x * p).collect();
                self.layer_norm(&format!("blocks.{layer}.mlp.ln"), &pre.iter().map(solu).collect())
            }
            Activation::Gelu => each(|x| 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2))),
            Activation::Relu => each(|x| x.max(0.0)),
        };
        linear(&post, &weight("W_out"), &weight("b_out"))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let total: f64 = row.iter().map(|x| x.exp()).sum();
    row.iter().map(|x| x.exp() / total).collect()
}

/// `x w + b`, `w` row-major.
fn linear(x: &Rows, w: &[f64], b: &[f64]) -> Rows {
    let cell = |row: &Vec<f64>, col: usize| {
        b[col] + row.iter().enumerate().map(|(i, x)| x * w[i * b.len() + col]).sum::<f64>()
    };
    x.iter().map(|row| (0..b.len()).map(|col| cell(row, col)).collect()).collect()
}

fn add(to: &mut Rows, x: &Rows) {
    to.iter_mut().flatten().zip(x.iter().flatten()).for_each(|(to, x)| *to += x);
}
