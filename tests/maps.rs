//! Spectra, pairs of operands, top examples, projections and patterns by class, against their definitions.

mod common;
#[path = "common/waves.rs"]
mod waves;

use std::f64::consts::TAU;
use std::sync::Arc;

use common::{SEED, Setup, trained};
use headcount::analysis::NeuronHook;
use headcount::app::Mode;
use headcount::figure::{Datum, Figure};
use headcount::inquiry::{
    Answer, AskedBy, Bench, Findings, Inquiry, Over, Question, Subject, Vectors, WeightForm, answer,
    class_patterns, examples, pairs, projection, spectra,
};
use headcount::model::{Activations, HeadId, ModelConfig, NeuronId, Patch, Snapshot, Weights, forward};
use headcount::task::{Class, Dataset, Split, TaskConfig, Token};

fn ask(weights: &Weights, over: Over, question: Question, data: &Arc<Dataset>) -> Answer {
    let subject =
        Subject::weights(&Arc::new(Snapshot::new(0, weights.clone())), WeightForm::Trained).over(over);
    let bench = Bench::new(Arc::clone(data), 1, None);
    answer(Inquiry { generation: 0, by: AskedBy::User, subject, question }, &bench)
}

fn run(weights: &Weights, tokens: &[Token]) -> Activations {
    let mut activations = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, &Patch::default(), &mut activations);
    activations
}

#[track_caller]
fn close(cell: &Datum, expected: f64) {
    let number = cell.number().unwrap_or_else(|| panic!("{cell:?} is no number"));
    assert!((number - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{number}, not {expected}");
}

/// A small model with random weights, and the same task for the model by hand.
fn modular(p: usize) -> (Weights, Arc<Dataset>) {
    let config = ModelConfig { d_mlp: 10, ..waves::config(p) };
    (Weights::initial(&config, 3), Arc::new(waves::task(p).dataset(config.shape(), SEED).unwrap()))
}

/// Norm of the coefficients of `points[point][column]` at frequency `k`, by the complex transform.
fn norm(points: &[f32], width: usize, len: usize, k: usize) -> f64 {
    let of_column = |column: usize| {
        let term = |point: usize| {
            let (x, angle) =
                (f64::from(points[point * width + column]), TAU * (k * point) as f64 / len as f64);
            [x * angle.cos(), x * angle.sin()]
        };
        let sum = (0..len).map(term).fold([0.0; 2], |sum, x| [sum[0] + x[0], sum[1] + x[1]]);
        (sum[0] * sum[0] + sum[1] * sum[1]) * if 2 * k == len { 1.0 } else { 2.0 } / len as f64
    };
    (0..width).map(of_column).sum::<f64>().sqrt()
}

#[test]
fn spectra_are_norms_of_the_transform_and_chance_is_their_share_of_terms() {
    for p in [7, 8] {
        let (weights, data) = modular(p);
        let answer = ask(&weights, Over::Weights, Question::Spectra, &data);
        let Findings::Spectra(found) = &answer.findings else { panic!("spectra") };
        let [norms, shares, chance, key] = spectra::figures(&answer, found);
        let (w_e, w_u) = (weights.get("embed.W_E").unwrap(), weights.get("unembed.W_U").unwrap());
        let transposed: Vec<f32> = (0..p)
            .flat_map(|class| (0..8).map(move |row| (class, row)))
            .map(|(class, row)| w_u[row * p + class])
            .collect();
        for (part, points) in [&w_e[..p * 8], &transposed].into_iter().enumerate() {
            let all: Vec<f64> = (1..=p / 2).map(|k| norm(points, 8, p, k)).collect();
            let total: f64 = all.iter().map(|x| x * x).sum();
            for (at, expected) in all.iter().enumerate() {
                let terms = if 2 * (at + 1) == p { 1.0 } else { 2.0 };
                close(&norms.at(&[part, at]), *expected);
                close(&shares.at(&[part, at]), expected * expected / total);
                close(&chance.at(&[part, at]), terms / (p - 1) as f64);
                let is_key = expected * expected / total > 2.0 * terms / (p - 1) as f64;
                assert_eq!(key.at(&[part, at]), Datum::Flag(is_key));
            }
        }
        // A logit of pairs is a row of cells for each a.
        let logits: Vec<f32> = (0..p * p)
            .flat_map(|pair| {
                let run = run(&weights, &[(pair / p) as Token, (pair % p) as Token, p as Token]);
                let row = &run.logits[2 * p..];
                let mean = row.iter().sum::<f32>() / p as f32;
                row.iter().map(|x| x - mean).collect::<Vec<_>>()
            })
            .collect();
        let k = 2;
        let both = |at: [usize; 2]| {
            let term = |(pair, row): (usize, &[f32])| {
                let angle = TAU * (at[0] * (pair / p) + at[1] * (pair % p)) as f64 / p as f64;
                row.iter()
                    .flat_map(|x| [f64::from(*x) * angle.cos(), f64::from(*x) * angle.sin()])
                    .collect::<Vec<_>>()
            };
            let terms = logits.chunks(p).enumerate().map(term);
            let sums = terms.reduce(|sum, x| sum.iter().zip(&x).map(|(a, b)| a + b).collect()).unwrap();
            sums.iter().map(|x| x * x).sum::<f64>() / (p * p) as f64
        };
        let indices = [[k, k], [k, p - k], [p - k, k], [p - k, p - k]];
        close(&norms.at(&[2, k - 1]), indices.map(both).iter().sum::<f64>().sqrt());
        close(&chance.at(&[2, k - 1]), 4.0 / (p * p - 1) as f64);
    }
}

fn pair_figures(answer: &Answer) -> pairs::Figures {
    let Findings::Spectra(found) = &answer.findings else { panic!("spectra") };
    pairs::figures(answer, found, |token| token.to_string()).expect("pairs and neurons")
}

#[test]
fn a_neuron_over_pairs_is_that_of_each_pass() {
    let (weights, data) = modular(7);
    let figures = pair_figures(&ask(&weights, Over::Weights, Question::Spectra, &data));
    for (a, b) in [(0, 0), (3, 5), (6, 2)] {
        let run = run(&weights, &[a, b, 7]);
        for neuron in 0..10 {
            let cell = figures.activation.at(&[0, neuron, a.into(), b.into()]);
            close(&cell, run.neuron(0, neuron, 2).into());
        }
    }
}

#[test]
fn waves_by_hand_have_their_two_frequencies_and_their_live_neurons() {
    let (p, weights) = (17, waves::weights(17));
    let data = Arc::new(waves::task(p).dataset(weights.config().shape(), SEED).unwrap());
    let answer = ask(&weights, Over::Weights, Question::Spectra, &data);
    let Findings::Spectra(found) = &answer.findings else { panic!("spectra") };
    let [.., key] = spectra::figures(&answer, found);
    // Neurons by hand answer by one frequency more than by the other.
    for (part, expected) in [&[2, 5][..], &[2, 5], &[2]].into_iter().enumerate() {
        let keys: Vec<usize> = (1..=8).filter(|k| key.at(&[part, k - 1]) == Datum::Flag(true)).collect();
        assert_eq!(keys, expected, "part {part}");
    }
    let figures = pair_figures(&answer);
    let ([frequency, share, shuffled], mut all_shuffled) = (&figures.best, 0.0);
    for neuron in 0..14 {
        let at = [0, neuron];
        if neuron % 7 == 6 {
            assert_eq!(
                [frequency, share, shuffled].map(|figure| figure.at(&at)),
                [(); 3].map(|()| Datum::Nothing)
            );
            continue;
        }
        assert_eq!(frequency.at(&at), Datum::Whole(waves::FREQUENCIES[neuron % 2]));
        let [share, shuffled] = [share, shuffled].map(|figure| figure.at(&at).number().unwrap());
        // Of noise each frequency has 8 of 288 terms.
        assert!(share > 0.85 && shuffled > 0.0 && shuffled < 0.15, "{neuron}: {share}, {shuffled}");
        all_shuffled += shuffled / 12.0;
    }
    assert!(all_shuffled > 8.0 / 288.0, "{all_shuffled}");
    assert_eq!(figures.layers[0].at(&[0]), Datum::Whole(12));
    close(&figures.layers[1].at(&[0]), 1.0);
}

#[test]
fn top_examples_are_those_of_a_search_through_all_positions() {
    let (weights, id) = (trained(), NeuronId { layer: 0, neuron: 27 });
    let halves = TaskConfig { sequences: 60, train_fraction: 0.2, ..TaskConfig::default() };
    let data = Arc::new(halves.dataset(weights.config().shape(), SEED).unwrap());
    let answer = ask(&weights, Over::Validation, Question::Examples(id, NeuronHook::Post), &data);
    let Findings::Examples(found) = &answer.findings else { panic!("examples") };
    let figures = examples::figures(&answer, found, (id, NeuronHook::Post), &data);
    let runs: Vec<Vec<f32>> = (0..data.len(Split::Validation))
        .map(|index| {
            let run = run(&weights, data.example(Split::Validation, index).tokens());
            (0..128).map(|position| run.neuron(0, 27, position)).collect()
        })
        .collect();
    for (end, sign) in [(0, 1.0), (1, -1.0)] {
        let mut extremes: Vec<(f32, usize, usize)> = Vec::new();
        for (sequence, values) in runs.iter().enumerate() {
            let best = values.iter().map(|x| sign * x).fold(f32::NEG_INFINITY, f32::max);
            let position = values.iter().position(|x| sign * x >= best).unwrap();
            extremes.push((values[position], sequence, position));
        }
        extremes.sort_by(|a, b| (sign * b.0).total_cmp(&(sign * a.0)));
        let [values, sequences, positions, tokens, targets, predictions] = &figures.of_examples;
        for (rank, (value, sequence, position)) in extremes.iter().take(20).enumerate() {
            let at = [end, rank];
            close(&values.at(&at), f64::from(*value));
            assert_eq!(
                (sequences.at(&at), positions.at(&at)),
                (Datum::Whole(*sequence), Datum::Whole(*position))
            );
            let example = data.example(Split::Validation, *sequence);
            assert_eq!(tokens.at(&at), example.tokens()[*position].into());
            assert_eq!(targets.at(&at), example.targets()[*position].unwrap().into());
            let logits = &run(&weights, example.tokens()).logits[position * 10..][..10];
            let best = (0..10).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
            assert_eq!(predictions.at(&at), Datum::Whole(best));
        }
        assert_eq!(values.shape(), [2, 20]);
    }
    let all: Vec<f64> = runs.iter().flatten().map(|x| f64::from(*x)).collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    close(&figures.of_set[0].at(&[]), mean);
    let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
    close(&figures.of_set[1].at(&[]), variance.sqrt());
}

fn projected(weights: &Weights, over: Over, of: Vectors, data: &Arc<Dataset>) -> [Arc<Figure>; 4] {
    let answer = ask(weights, over, Question::Projection(of), data);
    let Findings::Projection(found) = &answer.findings else { panic!("a projection") };
    projection::figures(&answer, found, data.task())
}

#[test]
fn components_are_uncorrelated_and_the_first_explains_most() {
    let weights = trained();
    let data = Arc::new(
        TaskConfig { sequences: 60, ..TaskConfig::default() }
            .dataset(weights.config().shape(), SEED)
            .unwrap(),
    );
    for (of, points) in [
        (Vectors::Embed, weights.get("embed.W_E").unwrap()),
        (Vectors::Positions, weights.get("pos_embed.W_pos").unwrap()),
    ] {
        let [coordinates, classes, explained, equal] = projected(&weights, Over::Weights, of, &data);
        let (rows, d) = (points.len() / 64, 64);
        let mean: Vec<f64> = (0..d)
            .map(|at| points.iter().skip(at).step_by(d).map(|x| f64::from(*x)).sum::<f64>() / rows as f64)
            .collect();
        let centred = |row: usize, at: usize| f64::from(points[row * d + at]) - mean[at];
        let total: f64 = (0..rows)
            .flat_map(|row| (0..d).map(move |at| (row, at)))
            .map(|(row, at)| centred(row, at).powi(2))
            .sum();
        let cell = |row: usize, at: usize| coordinates.at(&[row, at]).number().unwrap();
        let product = |i: usize, j: usize| (0..rows).map(|row| cell(row, i) * cell(row, j)).sum::<f64>();
        for i in 0..8 {
            close(&explained.at(&[i]), product(i, i) / total);
            assert!(
                (0..i)
                    .all(|j| product(i, j).abs() < 1e-5 * total && product(i, i) <= product(j, j) * 1.000_01)
            );
        }
        // The largest eigenvalue by power iteration.
        let mut direction = vec![1.0; d];
        for _ in 0..3000 {
            let along: Vec<f64> =
                (0..rows).map(|row| (0..d).map(|at| centred(row, at) * direction[at]).sum()).collect();
            direction = (0..d).map(|at| (0..rows).map(|row| centred(row, at) * along[row]).sum()).collect();
            let size = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
            direction.iter_mut().for_each(|x| *x /= size);
        }
        let along = (0..rows).map(|row| (0..d).map(|at| centred(row, at) * direction[at]).sum::<f64>());
        close(&explained.at(&[0]), along.map(|x| x * x).sum::<f64>() / total);
        close(&equal.at(&[0]), 1.0 / (rows - 1).min(d) as f64);
        assert_eq!(classes.at(&[3]), Datum::Text("3".into()));
    }
}

#[test]
fn activations_are_those_of_scored_positions_with_their_targets() {
    let (weights, data) = modular(7);
    let [coordinates, classes, explained, _] =
        projected(&weights, Over::Validation, Vectors::ResidPost(0), &data);
    let sequences = data.len(Split::Validation);
    assert_eq!(coordinates.shape()[0], sequences, "one position of each");
    let stream: Vec<Vec<f32>> = (0..sequences)
        .map(|index| {
            run(&weights, data.example(Split::Validation, index).tokens()).resid_post[16..24].to_vec()
        })
        .collect();
    // All eight directions: distances between points are kept.
    let total: f64 = (0..8).map(|at| explained.at(&[at]).number().unwrap()).sum();
    assert!((total - 1.0).abs() < 1e-6);
    for (i, j) in [(0, 1), (4, 9)] {
        let far = |at: usize| {
            coordinates.at(&[i, at]).number().unwrap() - coordinates.at(&[j, at]).number().unwrap()
        };
        let ours: f64 = (0..8).map(|at| far(at).powi(2)).sum();
        let theirs: f64 = stream[i].iter().zip(&stream[j]).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        assert!((ours - theirs).abs() < 1e-4 * theirs, "{ours} {theirs}");
        let target = data.example(Split::Validation, i).targets()[2].unwrap();
        assert_eq!(classes.at(&[i]), Datum::Text(target.to_string()));
    }
}

#[test]
fn the_circle_of_a_frequency_is_found_in_the_embedding() {
    let (p, weights) = (17, waves::weights(17));
    let data = Arc::new(waves::task(p).dataset(weights.config().shape(), SEED).unwrap());
    let [coordinates, ..] = projected(&weights, Over::Weights, Vectors::Embed, &data);
    let names: Vec<String> = (0..20)
        .map_while(|at| (at < coordinates.shape()[1]).then(|| coordinates.axes[1].name(at).to_string()))
        .collect();
    assert_eq!(names[8..12], ["cos 2", "sin 2", "cos 5", "sin 5"]);
    for number in 0..p {
        let [x, y] = [8, 9].map(|at| coordinates.at(&[number, at]).number().unwrap());
        let angle = TAU * (2 * number) as f64 / p as f64;
        assert!(
            (x - 3.0 * angle.cos()).abs() < 1e-5 && (y - 2.8 * angle.sin()).abs() < 1e-5,
            "{number}: {x} {y}"
        );
    }
}

#[test]
fn a_pattern_by_class_is_the_mean_over_the_queries_with_the_target() {
    let (weights, id) = (trained(), HeadId { layer: 0, head: 1 });
    let data = Arc::new(
        TaskConfig { sequences: 40, train_fraction: 0.5, ..TaskConfig::default() }
            .dataset(weights.config().shape(), SEED)
            .unwrap(),
    );
    let answer = ask(&weights, Over::Validation, Question::ClassPatterns(id), &data);
    let Findings::ClassPatterns(found) = &answer.findings else { panic!("patterns") };
    let [pattern, queries] = class_patterns::figures(&answer, found, data.task());
    let runs: Vec<_> =
        (0..20).map(|index| run(&weights, data.example(Split::Validation, index).tokens())).collect();
    for (class, query) in [(0, 5), (3, 40), (9, 127)] {
        let has =
            |index: &usize| data.example(Split::Validation, *index).targets()[query] == Some(class as Class);
        let with: Vec<usize> = (0..20).filter(has).collect();
        assert_eq!(queries.at(&[class, query]), Datum::Whole(with.len()));
        for key in [0, query] {
            let cell = pattern.at(&[class, query, key]);
            if with.is_empty() {
                assert_eq!(cell, Datum::Nothing);
                continue;
            }
            let of =
                |index: &usize| f64::from(runs[*index].blocks[0].attn.pattern[128 * 128 + query * 128 + key]);
            close(&cell, with.iter().map(of).sum::<f64>() / with.len() as f64);
        }
    }
    assert_eq!(pattern.at(&[0, 5, 6]), Datum::Nothing, "no query sees a later key");
}

#[test]
fn keys_move_through_pairs_and_examples() {
    let weights = waves::weights(17);
    let mode = Mode::Exploring { weights: "w.safetensors".into() };
    let mut screen =
        Setup { model: weights.config().clone(), task: Some(waves::task(17)), mode, ..Setup::default() }
            .screen();
    screen.snapshot(0, weights);
    screen.keys("4vv<left>");
    // From any sequence the keys lead through the pairs.
    let before = screen.line("token");
    screen.keys("JJ<right>");
    assert_ne!(before, screen.line("token"));
    screen.must_show("12 of 14 vary, 100% at one frequency (85 %)");
    screen.keys("v").must_show("highest by sequence");
    screen.keys("J");
    let first = screen.line("val");
    screen.keys("J");
    assert_ne!(first, screen.line("val"));
    screen.keys("L").must_show("lowest by sequence");
    screen.keys("vJ").must_show("v shows the neuron's top examples");
    screen.keys("5b").must_show("spectra over 17 tokens round the circle");
    screen.must_show("key: 2 5");
    screen.keys("l").must_show("at 2: norm");
    screen.keys("b").must_show("W_E along 1 (right) and 2 (up)");
    screen.keys("llll").must_show("along cos 2 (right) and sin 2 (up)");
    screen.keys("jj").must_show("W_U along");
    screen.keys("j").must_show("blocks.0.hook_resid_post along");
    screen.keys("v").must_show("QK of tokens");
}
