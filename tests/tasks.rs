//! The built-in tasks: each in a short form, and their published results in a long one.

#[path = "common/runs.rs"]
mod runs;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use headcount::analysis::head_scores::RepeatedScores;
use headcount::analysis::pairs::NeuronSpectrum;
use headcount::inquiry::{AskedBy, Bench, Findings, Inquiry, Over, Question, Subject, WeightForm, answer};
use headcount::model::Snapshot;
use headcount::task::{Definition, Feature, Shape, Source, Split, TASKS, Task, Token, find};
use headcount::train::{MetricsLine, Outcome, RunConfig, Settings, TrainEvent, TrainState};
use proptest::prelude::*;
use runs::{dataset, train};

fn settings(task: &Definition, sets: &[&str]) -> RunConfig {
    let mut settings = Settings::default();
    settings.set(&format!("task.name={}", task.name)).unwrap();
    sets.iter().for_each(|set| settings.set(set).unwrap());
    let config = settings.run().unwrap();
    config.validate().unwrap_or_else(|error| panic!("{}: {error}", task.name));
    config
}

fn recipe(task: &Definition) -> RunConfig {
    settings(task, &[])
}

/// A few steps of the recipe on little data.
fn short(task: &Definition) -> RunConfig {
    let exhaustive = recipe(task).task.source == Source::Exhaustive;
    let size = if exhaustive { "task.p=11" } else { "task.sequences=200" };
    settings(task, &[size, "task.train_fraction=0.8", "train.steps=8", "train.batch_size=0", "seed=3"])
}

#[test]
fn every_recipe_says_what_it_is_in_settings_that_are_valid() {
    let names: BTreeSet<&str> = TASKS.iter().map(|task| task.name).collect();
    assert_eq!(names.len(), TASKS.len());
    for task in TASKS {
        let config = recipe(task);
        assert_eq!(RunConfig::parse(&config.to_toml()).unwrap(), config, "{}", task.name);
        assert!(task.question.ends_with('?') && !task.time.is_empty(), "{}", task.name);
        let lines = [task.question, task.rule, task.published].into_iter().chain(task.tour.lines());
        for line in lines {
            assert!(line.chars().count() <= 115, "{}: {line}", task.name);
        }
    }
}

#[test]
fn the_tours_in_the_readme_are_those_of_the_tasks() {
    let readme = include_str!("../README.md");
    for name in ["palindrome", "sorted-list", "induction"] {
        let tour = find(name).unwrap().tour.lines();
        let lines: Vec<String> =
            [name.to_owned()].into_iter().chain(tour.map(|line| format!("  {line}"))).collect();
        assert!(readme.contains(&lines.join("\n")), "{name}");
    }
}

#[test]
fn the_data_of_every_task_follows_from_the_seed_and_fits_the_model() {
    for task in TASKS {
        let config = short(task);
        let Shape { n_ctx, d_vocab, d_vocab_out } = config.model.shape();
        let tokens = |config: &RunConfig| {
            let data = dataset(config);
            let sets = [Split::Train, Split::Validation].map(|split| data.examples(split));
            for example in sets.iter().flatten() {
                assert!((1..=n_ctx).contains(&example.tokens().len()), "{}", task.name);
                assert!(example.tokens().iter().all(|token| usize::from(*token) < d_vocab), "{}", task.name);
                let classes = example.targets().iter().flatten();
                assert!(classes.clone().all(|class| usize::from(*class) < d_vocab_out), "{}", task.name);
                assert!(classes.count() > 0, "{}: nothing is asked", task.name);
            }
            sets.concat().iter().map(|example| example.tokens().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(tokens(&config), tokens(&config), "{}", task.name);
        let other = RunConfig { seed: 4, ..config.clone() };
        assert_ne!(tokens(&config), tokens(&other), "{}", task.name);
    }
}

#[test]
fn a_few_steps_of_every_recipe_lower_the_loss_and_give_the_same_bits_again() {
    for task in TASKS {
        let config = short(task);
        let run = || train(&config, (None, TrainState::initial(&config)), None, |_, _| {});
        let (outcome, losses) = run();
        assert_eq!((outcome.unwrap(), losses.len()), (Outcome::Finished, 8), "{}", task.name);
        let [first, last] = [losses[0], losses[7]].map(f32::from_bits);
        // Before training the model knows nothing.
        let chance = (config.model.outputs() as f32).ln();
        assert!(last < first && (first / chance - 1.0).abs() < 0.5, "{}: {first} to {last}", task.name);
        assert_eq!(run().1, losses, "{}", task.name);
    }
}

#[test]
fn names_of_features_and_situations_are_short_and_each_occurs_once() {
    for task in TASKS {
        let config = recipe(task);
        let fitted = config.task.task(config.model.shape()).unwrap();
        let own = fitted.features().iter().filter(|feature| feature.key != Feature::LABEL.key).count();
        assert!((1..=6).contains(&own), "{}: {own} features of its own", task.name);
        let keys: BTreeSet<&str> = fitted.features().iter().map(|feature| feature.key).collect();
        assert_eq!(keys.len(), fitted.features().len(), "{}", task.name);
        for feature in fitted.features() {
            assert!(feature.name.split(' ').count() <= 2, "{}: {}", task.name, feature.name);
        }
        for situation in fitted.situations() {
            assert!(situation.name.chars().all(|c| c.is_ascii_lowercase()), "{}", situation.name);
            let values: BTreeSet<&&str> = situation.values.iter().collect();
            assert_eq!(values.len(), situation.values.len(), "{}", situation.name);
            let data = dataset(&short(task));
            let found: BTreeSet<usize> = data
                .examples(Split::Train)
                .iter()
                .flat_map(|example| (situation.of)(example.tokens()))
                .flatten()
                .collect();
            assert!(found.len() > 1, "{}: {} sorts nothing: {found:?}", task.name, situation.name);
        }
    }
}

/// Each task for the model of its recipe.
static FITTED: LazyLock<Vec<(Arc<dyn Task>, Shape)>> = LazyLock::new(|| {
    let fitted = |task: &Definition| {
        let config = recipe(task);
        (config.task.task(config.model.shape()).unwrap(), config.model.shape())
    };
    TASKS.into_iter().map(fitted).collect()
});

/// Any tokens of a task's model, and a class.
fn anything() -> impl Strategy<Value = (usize, Vec<u16>, u16)> {
    (0..TASKS.len(), prop::collection::vec(any::<u16>(), 0..50), any::<u16>())
}

proptest! {
    #[test]
    fn any_tokens_have_targets_features_and_situations((which, tokens, class) in anything()) {
        let (task, Shape { n_ctx, d_vocab, d_vocab_out }) = &FITTED[which];
        let (n_ctx, d_vocab, d_vocab_out) = (*n_ctx, *d_vocab, *d_vocab_out);
        let tokens: Vec<Token> = tokens.into_iter().take(n_ctx).map(|t| t % d_vocab as Token).collect();
        let class = class % d_vocab_out as Token;
        let targets = task.targets(&tokens);
        prop_assert_eq!(targets.len(), tokens.len());
        prop_assert!(targets.iter().flatten().all(|target| usize::from(*target) < d_vocab_out));
        for feature in task.features() {
            let series = feature.series(&**task, &tokens, class);
            prop_assert_eq!(series.len(), tokens.len(), "{}", feature.name);
            prop_assert!(series.iter().all(|value| value.is_finite()), "{}", feature.name);
        }
        for situation in task.situations() {
            let groups = (situation.of)(&tokens);
            prop_assert_eq!(groups.len(), tokens.len(), "{}", situation.name);
            prop_assert!(groups.iter().flatten().all(|group| *group < situation.values.len()));
        }
    }
}

/// Validation accuracy that every recipe reaches with seeds 1 to 3.
const BARS: [(&str, f64); 7] = [
    ("cumsum-sign", 0.995),
    ("palindrome", 0.985),
    ("max-of-k", 0.99),
    ("sorted-list", 0.99),
    ("addition", 0.99),
    ("first-unique", 0.98),
    ("brackets", 0.99),
];

/// The best validation accuracy of a run, and its last snapshot.
fn trained(config: &RunConfig) -> (f64, Arc<Snapshot>) {
    let (mut best, mut last) = (0.0, None);
    let started = std::time::Instant::now();
    let (outcome, _) = train(config, (None, TrainState::initial(config)), None, |event, _| match event {
        TrainEvent::Epoch(metrics) => {
            println!("{}", MetricsLine::from(metrics).to_json());
            best = metrics.validation.accuracy.max(best);
        }
        TrainEvent::Snapshot(snapshot) => last = Some(Arc::clone(snapshot)),
        _ => {}
    });
    outcome.unwrap();
    println!("{} seed {}: {best:.4} in {:.0?}", config.task.name, config.seed, started.elapsed());
    (best, last.unwrap())
}

/// The answer to a question about weights, over the validation set of their run.
fn asked(config: &RunConfig, snapshot: &Arc<Snapshot>, question: Question) -> Findings {
    let subject = Subject::weights(snapshot, WeightForm::Trained).over(Over::Validation);
    let bench = Bench::new(dataset(config), config.seed, None);
    answer(Inquiry { generation: 1, by: AskedBy::User, subject, question }, &bench).findings
}

/// Hours: `cargo test --release --test tasks -- --ignored --nocapture --test-threads 1`, of one task with
/// `HEADCOUNT_TASK=palindrome`.
#[test]
#[ignore = "takes hours"]
fn every_recipe_reaches_its_published_result() {
    let only = std::env::var("HEADCOUNT_TASK").ok();
    for (name, bar) in BARS.into_iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name)) {
        for seed in 1..=3 {
            let task = find(name).unwrap();
            let (found, _) = trained(&RunConfig { seed, ..recipe(task) });
            assert!(found >= bar, "{name}, seed {seed}: {found}");
        }
    }
}

/// Minutes, like the test before: the circuit of modular addition with p = 53.
#[test]
#[ignore = "takes minutes"]
fn modular_addition_groks_by_neurons_of_one_frequency_each() {
    let sets = ["task.p=53", "task.train_fraction=0.4", "train.steps=10000", "seed=1"];
    let config = settings(find("modular-addition").unwrap(), &sets);
    let (found, snapshot) = trained(&config);
    assert!(found >= 0.97, "{found}");
    let Findings::Spectra(spectra) = asked(&config, &snapshot, Question::Spectra) else { panic!("others") };
    let pairs = spectra.pairs.as_ref().unwrap();
    let shares: Vec<f64> =
        pairs.neurons.iter().filter_map(NeuronSpectrum::best).map(|(_, share)| share).collect();
    let of_one = shares.iter().filter(|share| **share >= 0.85).count();
    println!("{of_one} of {} live neurons have 85 % of their variance at one frequency", shares.len());
    assert!(of_one * 5 >= shares.len() * 2, "{of_one} of {}", shares.len());
}

/// Minutes, like the tests before: an induction head, and a head of the layer before that attends to the previous token.
#[test]
#[ignore = "takes minutes"]
fn induction_forms_its_two_heads() {
    for seed in 1..=3 {
        let config = RunConfig { seed, ..recipe(find("induction").unwrap()) };
        let (_, snapshot) = trained(&config);
        let Findings::Repeated(found) = asked(&config, &snapshot, Question::Repeated) else {
            panic!("others")
        };
        let n_heads = config.model.n_heads;
        let best = |layer: usize, score: fn(&RepeatedScores) -> f32| {
            let heads = &found.heads[layer * n_heads..(layer + 1) * n_heads];
            heads.iter().map(score).fold(0.0, f32::max)
        };
        let (previous, induction) = (best(0, |one| one.previous), best(1, |one| one.induction));
        println!("seed {seed}: previous token {previous:.2}, induction {induction:.2}");
        assert!(induction > 0.4, "seed {seed}: {induction}");
        // Beside the chance of uniform attention.
        assert!(previous > 1.5 * found.chance.previous, "seed {seed}: {previous} {}", found.chance.previous);
    }
}
