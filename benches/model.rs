//! What a step, an epoch, a probe and an ablation cost: `cargo bench --bench model`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dfdx::prelude::Cpu;
use headcount::analysis::evaluate;
use headcount::analysis::patching::{By, Direction, Metric, Pair, Plan, Runs};
use headcount::inquiry::{AskedBy, Bench, Inquiry, Over, Question, Subject, WeightForm, answer};
use headcount::model::{
    Backend, Hook, Interventions, Mat, MatMut, ModelConfig, NeuronId, Patch, Snapshot, Transformer, Weights,
    Write, matmul, read_edits,
};
use headcount::task::{Dataset, Split, TaskConfig};
use headcount::train::{Moments, Optimizer, Rates, RunConfig, Settings, TrainConfig};

/// The notebook's model, and others around it.
fn sizes() -> Vec<(String, ModelConfig)> {
    let base = ModelConfig::default();
    let name = |what: &str, c: &ModelConfig| {
        format!("{what} d_model={} n_ctx={} n_layers={}", c.d_model, c.n_ctx, c.n_layers)
    };
    let mut sizes = vec![("notebook".into(), base.clone())];
    for d_model in [32, 128, 256] {
        let config = ModelConfig { d_model, d_head: d_model / 2, d_mlp: 4 * d_model, ..base.clone() };
        sizes.push((name("width", &config), config));
    }
    for n_ctx in [32, 512] {
        let config = ModelConfig { n_ctx, ..base.clone() };
        sizes.push((name("length", &config), config));
    }
    for n_layers in [2, 4] {
        let config = ModelConfig { n_layers, ..base.clone() };
        sizes.push((name("depth", &config), config));
    }
    sizes
}

fn data(config: &ModelConfig, sequences: usize) -> Dataset {
    let sizes = TaskConfig { sequences: sequences + 1, train_fraction: 0.999_999, ..TaskConfig::default() };
    sizes.dataset(config.shape(), 23).expect("a valid task")
}

fn run(settings: &str) -> RunConfig {
    Settings::parse(settings).and_then(|settings| settings.run()).expect("valid settings")
}

/// Every size at the notebook's batch; short sequences, of which only the last position has a target; and a tiny batch.
fn runs() -> Vec<(String, RunConfig)> {
    let of_size = |(name, model)| (name, RunConfig { model, ..RunConfig::default() });
    let mut runs: Vec<_> = sizes().into_iter().map(of_size).collect();
    for (p, train_fraction) in [(113, 0.3), (53, 0.4)] {
        let settings =
            format!("[task]\nname = \"modular-addition\"\np = {p}\ntrain_fraction = {train_fraction}");
        runs.push((format!("modular addition p={p}, full batch"), run(&settings)));
    }
    runs.push(("16 x 32 tokens".into(), run("[model]\nn_ctx = 32\n[train]\nbatch_size = 16")));
    runs
}

fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("training step");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    for (name, config) in runs() {
        let data = Arc::new(config.dataset().expect("a valid task"));
        let weights = Weights::drawn(&config.model, config.train.init, 1);
        let sequences = Cpu::default().sequences(&data, Split::Train, &config.model).expect("memory");
        let batch: Vec<usize> = (0..config.batch_size().min(sequences.len())).collect();
        let mut model = Transformer::new(Arc::clone(&weights.layout));
        model.loss_dtype = config.train.loss_dtype;
        let moments = Moments::zeros(weights.values.len());
        let mut optimizer =
            Optimizer::new(Cpu::default(), &weights, &moments, 0, &config.train).expect("memory");
        let rates = Rates { lr: 1e-4, beta1: 0.9 };
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| optimizer.step(&model, &sequences, black_box(&batch), rates).expect("memory"));
        });
    }
    group.finish();
}

/// The matrix products of a layer over one tile on one thread: the rate that bounds a step.
fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("product, 128 rows");
    for (inner, cols) in [(64, 192), (64, 256), (256, 64), (256, 1024), (1024, 256)] {
        let (a, b, mut out) = (vec![0.5; 128 * inner], vec![0.5; inner * cols], vec![0.0; 128 * cols]);
        group.throughput(Throughput::Elements(2 * 128 * (inner * cols) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{inner} x {cols}")), |bencher| {
            bencher.iter(|| {
                let (a, b) = (Mat::new(black_box(&a), 128, inner), Mat::new(&b, inner, cols));
                matmul(MatMut::new(&mut out, 128, cols), Write::Set, 1.0, a, b);
            });
        });
    }
    group.finish();
}

fn validation(c: &mut Criterion) {
    let mut group = c.benchmark_group("validation");
    group.sample_size(10);
    for (name, config) in
        [("notebook", run("")), ("modular addition", run("[task]\nname = \"modular-addition\""))]
    {
        let data = config.dataset().expect("a valid task");
        let (weights, held_out) = (Weights::initial(&config.model, 1), data.examples(Split::Validation));
        group.bench_function(BenchmarkId::new(name, held_out.len()), |b| {
            b.iter(|| evaluate(&weights, &Patch::default(), black_box(&held_out)));
        });
    }
    group.finish();
}

fn epoch(c: &mut Criterion) {
    let config = ModelConfig::default();
    let data = Arc::new(TaskConfig::default().dataset(config.shape(), 23).expect("a valid task"));
    let mut weights = Weights::initial(&config, 1);
    let model = Transformer::new(Arc::clone(&weights.layout));
    let moments = Moments::zeros(weights.values.len());
    let mut optimizer =
        Optimizer::new(Cpu::default(), &weights, &moments, 0, &TrainConfig::default()).expect("memory");
    let sequences = Cpu::default().sequences(&data, Split::Train, &config).expect("memory");
    let (train, held_out): (Vec<usize>, _) =
        ((0..sequences.len()).collect(), data.examples(Split::Validation));
    let mut group = c.benchmark_group("epoch");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    group.bench_function("1638 sequences and 410 to validate", |b| {
        b.iter(|| {
            for batch in train.chunks(256) {
                optimizer.step(&model, &sequences, batch, Rates { lr: 1e-4, beta1: 0.9 }).expect("memory");
            }
            optimizer.copy_params(&mut weights.values);
            evaluate(&weights, &Patch::default(), &held_out)
        });
    });
    group.finish();
}

fn probes(c: &mut Criterion) {
    let mut group = c.benchmark_group("probe, one sequence");
    group.sample_size(50).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    for (name, config) in sizes() {
        let data = Arc::new(data(&config, 1));
        let snapshot = Arc::new(Snapshot::new(0, Weights::initial(&config, 1)));
        let tokens = data.example(Split::Train, 0).tokens().into();
        let clean = Subject::weights(&snapshot, WeightForm::Trained).over(Over::Sequence(tokens));
        let mut edits = Interventions::default();
        edits.toggle_neuron(NeuronId { layer: config.n_layers - 1, neuron: 3 });
        let toggled = clean.clone().edited(&edits);
        let ask = |subject: &Subject, bench: &Bench| {
            let (by, subject, question) = (AskedBy::User, subject.clone(), Question::Probe);
            answer(Inquiry { generation: 0, by, subject, question }, bench)
        };
        let empty = || Bench::new(Arc::clone(&data), 1, None);
        let with_clean = || {
            let bench = empty();
            ask(&clean, &bench);
            bench
        };
        group.bench_function(BenchmarkId::new("every activation", &name), |b| {
            b.iter_batched_ref(empty, |bench| ask(black_box(&clean), bench), BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("a neuron toggled", &name), |b| {
            b.iter_batched_ref(with_clean, |bench| ask(black_box(&toggled), bench), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Edits of one sequence, from the table of a file to the figures.
const EDITS: [&str; 3] = [
    "site = 'mlp_out', layer = 0, scale = 0.5",
    "site = 'resid_mid', layer = 0, add = 1.0, direction = { class = 1 }",
    "site = 'embed', to = 'zero', reader = { site = 'mlp', layer = 0 }",
];

fn edits(c: &mut Criterion) {
    let mut group = c.benchmark_group("an edit, one sequence");
    let config = ModelConfig::default();
    let data = Arc::new(data(&config, 1));
    let snapshot = Arc::new(Snapshot::new(0, Weights::initial(&config, 1)));
    let tokens = data.example(Split::Train, 0).tokens().into();
    let clean = Subject::weights(&snapshot, WeightForm::Trained).over(Over::Sequence(tokens));
    let ask = |subject: &Subject, bench: &Bench| {
        let (by, subject, question) = (AskedBy::User, subject.clone(), Question::Probe);
        answer(Inquiry { generation: 0, by, subject, question }, bench)
    };
    for edit in EDITS {
        let list = read_edits(&format!("edit = [{{ {edit} }}]"), &config, &**data.task()).expect("an edit");
        let edited = clean.clone().edited(&Interventions::of_list(list));
        let with_clean = || {
            let bench = Bench::new(Arc::clone(&data), 1, None);
            ask(&clean, &bench);
            bench
        };
        group.bench_function(edit, |b| {
            b.iter_batched_ref(with_clean, |bench| ask(black_box(&edited), bench), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Patching grids: of the notebook's model, and of two layers of three heads over 14 positions.
fn patching(c: &mut Criterion) {
    let mut group = c.benchmark_group("patching grid");
    group.sample_size(20);
    let small =
        ModelConfig { n_layers: 2, n_heads: 3, n_ctx: 14, d_model: 96, d_head: 32, ..ModelConfig::default() };
    for (name, config) in [("notebook", ModelConfig::default()), ("2 x 3 heads x 14", small)] {
        let data = data(&config, 2);
        let weights = Weights::initial(&config, 1);
        let [clean, corrupted] = [0, 1].map(|row| data.example(Split::Train, row).tokens().to_vec());
        let pair = Pair { position: clean.len() - 1, clean, corrupted, answer: 0, wrong: 1 };
        for (site, by) in
            [(Hook::Z, By::IndexPosition), (Hook::ResidPre, By::Position), (Hook::Pattern, By::Index)]
        {
            let (metric, direction) = (Metric::LogitDiff, Direction::Denoise);
            let plan = Plan { site, by, metric, direction };
            group.bench_function(BenchmarkId::new(format!("{} by {}", site.site(), by.name()), name), |b| {
                b.iter(|| plan.grid(&weights, black_box(&pair), &Runs::new(&weights, &pair)));
            });
        }
    }
    group.finish();
}

fn dataset(c: &mut Criterion) {
    let (config, shape) = (TaskConfig::default(), ModelConfig::default().shape());
    c.bench_function("2048 x 128 tokens with labels", |b| {
        b.iter(|| black_box(&config).dataset(shape, 23));
    });
}

criterion_group!(benches, products, step, validation, epoch, probes, edits, patching, dataset);
criterion_main!(benches);
