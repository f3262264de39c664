//! The model once more, in double precision and in the plainest words: nothing of the program's own arithmetic.

use headcount::model::{
    Activation, AttentionDirection, ModelConfig, Normalization, PositionEmbedding, Weights,
};
use headcount::task::{Example, Token};

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
        let w_e = self.get("embed.W_E");
        let embed = |&token: &Token| w_e[usize::from(token) * c.d_model..][..c.d_model].to_vec();
        let mut stream: Rows = example.tokens().iter().map(embed).collect();
        if c.positional_embedding_type == PositionEmbedding::Standard {
            self.add_positions(&mut stream);
        }
        for layer in 0..c.n_layers {
            let written = self.attention(layer, &stream, example.tokens());
            add(&mut stream, &written);
            if c.has_mlp() {
                let written = self.mlp(layer, &stream);
                add(&mut stream, &written);
            }
        }
        linear(&self.norm("ln_final", &stream), &self.get("unembed.W_U"), &self.get("unembed.b_U"))
    }

    fn add_positions(&self, rows: &mut Rows) {
        let w_pos = self.get("pos_embed.W_pos");
        rows.iter_mut().flatten().zip(w_pos).for_each(|(x, p)| *x += p);
    }

    fn norm(&self, name: &str, x: &Rows) -> Rows {
        match self.config().normalization_type {
            Normalization::None => x.clone(),
            Normalization::Ln => self.normalized(x, true, Some(name), true),
            Normalization::LnPre => self.normalized(x, true, None, false),
            Normalization::Rms => self.normalized(x, false, Some(name), false),
            Normalization::RmsPre => self.normalized(x, false, None, false),
        }
    }

    fn normalized(&self, x: &Rows, centred: bool, weight: Option<&str>, bias: bool) -> Rows {
        let w = weight.map(|name| self.get(&format!("{name}.w")));
        let b = weight.filter(|_| bias).map(|name| self.get(&format!("{name}.b")));
        let at = |of: &Option<Vec<f64>>, i: usize, absent: f64| of.as_ref().map_or(absent, |of| of[i]);
        let row = |x: &Vec<f64>| {
            let mean = if centred { x.iter().sum::<f64>() / x.len() as f64 } else { 0.0 };
            let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            // The program adds the epsilon in single precision.
            let scale = (square + f64::from(self.config().eps as f32)).sqrt();
            let cells = x.iter().enumerate();
            cells.map(|(i, x)| (x - mean) / scale * at(&w, i, 1.0) + at(&b, i, 0.0)).collect()
        };
        x.iter().map(row).collect()
    }

    /// The vector at a position, each pair of its first dimensions rotated.
    fn rotated(&self, x: &[f64], position: usize) -> Vec<f64> {
        let c = self.config();
        let half = c.rotary_dim() / 2;
        let mut rotated = x.to_vec();
        for i in 0..half {
            let (a, b) = if c.rotary_adjacent_pairs { (2 * i, 2 * i + 1) } else { (i, half + i) };
            let angle = position as f64 / c.rotary_base.powf(i as f64 / half as f64);
            rotated[a] = x[a] * angle.cos() - x[b] * angle.sin();
            rotated[b] = x[a] * angle.sin() + x[b] * angle.cos();
        }
        rotated
    }

    fn divisor(&self) -> f64 {
        let c = self.config();
        match (c.use_attn_scale, c.attn_scale < 0.0) {
            (false, _) => 1.0,
            (true, true) => (c.d_head as f64).sqrt(),
            (true, false) => c.attn_scale,
        }
    }

    fn attention(&self, layer: usize, stream: &Rows, tokens: &[Token]) -> Rows {
        let c = self.config();
        let x = self.norm(&format!("blocks.{layer}.ln1"), stream);
        let mut placed = x.clone();
        if c.positional_embedding_type == PositionEmbedding::Shortformer {
            self.add_positions(&mut placed);
        }
        let weight = |letter: &str| self.get(&format!("blocks.{layer}.attn.{letter}"));
        let mut out = vec![weight("b_O"); x.len()];
        for head in 0..c.n_heads {
            let part = |letter: &str, x: &Rows| {
                let w =
                    &weight(&format!("W_{letter}"))[head * c.d_model * c.d_head..][..c.d_model * c.d_head];
                linear(x, w, &weight(&format!("b_{letter}"))[head * c.d_head..][..c.d_head])
            };
            let (mut q, mut k, v) = (part("Q", &placed), part("K", &placed), part("V", &x));
            if c.positional_embedding_type == PositionEmbedding::Rotary {
                for rows in [&mut q, &mut k] {
                    rows.iter_mut()
                        .enumerate()
                        .for_each(|(position, row)| *row = self.rotated(row, position));
                }
            }
            let w_o = &weight("W_O")[head * c.d_head * c.d_model..][..c.d_head * c.d_model];
            let mix = |query: usize| {
                let is_seen = |key: &usize| {
                    let is_later = c.attention_dir == AttentionDirection::Causal && *key > query;
                    !is_later && c.pad_token != Some(tokens[*key])
                };
                let keys: Vec<usize> = (0..x.len()).filter(is_seen).collect();
                let score = |&key: &usize| dot(&q[query], &k[key]) / self.divisor();
                let pattern = softmax(&keys.iter().map(score).collect::<Vec<_>>());
                let mean = |i: usize| pattern.iter().zip(&keys).map(|(p, &key)| p * v[key][i]).sum();
                (0..c.d_head).map(mean).collect()
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
            Activation::Solu => pre.iter().map(|row| solu(row)).collect(),
            Activation::SoluLn => {
                let mid = pre.iter().map(|row| solu(row)).collect();
                let name = format!("blocks.{layer}.mlp.ln");
                let name = (self.config().normalization_type == Normalization::Ln).then_some(name.as_str());
                self.normalized(&mid, true, name, true)
            }
            Activation::GeluNew => each(|x| {
                let root = (2.0 / std::f64::consts::PI).sqrt();
                0.5 * x * (1.0 + (root * (x + 0.044_715 * x.powi(3))).tanh())
            }),
            Activation::Silu => each(|x| x / (1.0 + (-x).exp())),
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

fn solu(row: &[f64]) -> Vec<f64> {
    row.iter().zip(softmax(row)).map(|(x, p)| x * p).collect()
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
