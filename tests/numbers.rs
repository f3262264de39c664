//! The model's numbers against TransformerLens' own, and against each other.

mod reference;

use std::sync::Arc;

use headcount::analysis::circuits::{
    HeadCircuits, HeadDrive, HeadMaps, circuits, ov_neuron, qk_over_positions,
};
use headcount::analysis::composition::{into_head, of_random};
use headcount::analysis::copying::Copying;
use headcount::analysis::head_scores::averages;
use headcount::analysis::hypotheses::{fit, trackers};
use headcount::analysis::lens::{lens, lens_over};
use headcount::analysis::probing::{ProbeFits, Reads};
use headcount::analysis::quadrants::{Quadrants, direct_path};
use headcount::analysis::sources::source_contributions;
use headcount::analysis::{
    AblationOutcome, Component, ControlPool, Each, NeuronHook, Pass, Readout, Scores, Target, donors_among,
    evaluate, evaluation, token_trackers,
};
use headcount::inquiry::paths::paths;
use headcount::inquiry::{
    Answer, AskedBy, Bench, Findings, Inquiry, Over, PathsTo, Question, Subject, WeightForm, answer,
};
use headcount::model::{
    AblationKind, Activations, Change, Edit, FoldOptions, HeadId, Hook, Interventions, ModelConfig, NeuronId,
    Normalization, Patch, PatternKind, PositionEmbedding, Positions, Snapshot, Weights, cache, centre,
    change_each, fold, forward,
};
use headcount::task::{Class, Dataset, Example, Split, TaskConfig, Token};
use reference::models::{batch_of, majority, odd_models, perturbed, random_batch, some, worst};
use reference::{Tensors, weights};

/// An answer, from the first step to the last.
fn ask(subject: Subject, question: Question, data: Dataset) -> Answer {
    let bench = Bench::new(Arc::new(data), 1, None);
    answer(Inquiry { generation: 0, by: AskedBy::User, subject, question }, &bench)
}

fn first_sequence() -> (Vec<Token>, Vec<Option<Class>>) {
    let batch = Tensors::read("batch");
    (batch.tokens("tokens")[..128].to_vec(), some(&batch.tokens("labels")[..128]))
}

fn run(weights: &Weights, tokens: &[Token]) -> Activations {
    let mut activations = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, &Patch::default(), &mut activations);
    activations
}

#[test]
fn every_hook_equals_transformer_lens() {
    let (tokens, _) = first_sequence();
    let weights = weights("weights");
    let ours = cache(&weights, &tokens, &run(&weights, &tokens));
    let theirs = Tensors::read("cache");
    let mut names: Vec<_> = ours.iter().map(|tensor| tensor.name.clone()).collect();
    names.sort();
    assert_eq!(names, theirs.names());
    for tensor in &ours {
        let (shape, values) = theirs.get(&tensor.name);
        assert_eq!(tensor.shape, shape, "{}", tensor.name);
        // TransformerLens masks scores with -inf as we do: equal infinities differ by NaN.
        let differ = tensor
            .values
            .iter()
            .zip(&values)
            .filter(|(a, b)| a.to_bits() != b.to_bits())
            .map(|(a, b)| (*a, *b));
        let (a, b): (Vec<f32>, Vec<f32>) = differ.unzip();
        let bound = if tensor.name.ends_with("pattern") { 1e-5 } else { 1e-4 };
        assert!(worst(&a, &b) < bound, "{}: {}", tensor.name, worst(&a, &b));
    }
}

#[test]
fn logits_of_the_batch_and_the_labels_equal_transformer_lens() {
    let batch = Tensors::read("batch");
    let (tokens, labels) = (batch.tokens("tokens"), batch.tokens("labels"));
    let (_, logits) = batch.get("logits");
    let weights = weights("weights");
    for row in 0..8 {
        let tokens = &tokens[row * 128..][..128];
        let data = majority(tokens);
        assert_eq!(data.example(Split::Validation, 0).targets(), some(&labels[row * 128..][..128]));
        assert!(worst(&run(&weights, tokens).logits, &logits[row * 1280..][..1280]) < 1e-4);
    }
}

#[test]
fn a_shorter_sequence_gives_the_first_logits_of_the_longer_one() {
    let (tokens, _) = first_sequence();
    let weights = weights("weights");
    let whole = run(&weights, &tokens).logits;
    for len in [1, 2, 31, 33, 127] {
        assert!(worst(&run(&weights, &tokens[..len]).logits, &whole[..len * 10]) < 1e-5, "{len}");
    }
}

#[test]
fn attribution_equals_transformer_lens_and_sums_to_the_centred_logits() {
    let (tokens, labels) = first_sequence();
    let pass = Pass::run(&weights("weights"), Example::new(&tokens, &labels), &Patch::default());
    let theirs = Tensors::read("logit_attribution");
    // TransformerLens' hook_mlp_out includes b_out, here a component of its own.
    assert_eq!(pass.attribution.components.len(), theirs.names().len() + 1);
    let mut components = pass.attribution.components.iter().enumerate();
    while let Some((at, component)) = components.next() {
        let (mut name, mut part) = (component.to_string(), pass.attribution.part(at));
        if let Component::Mlp(layer) = component {
            let (bias, of_bias) = components.next().unwrap();
            assert_eq!(*of_bias, Component::MlpBias(*layer));
            name = format!("mlp_out.{layer}");
            part.iter_mut().zip(pass.attribution.part(bias)).for_each(|(x, bias)| *x += bias);
        }
        let (_, theirs) = theirs.get(&name);
        assert!(worst(&part, &theirs) < 1e-4, "{component}: {}", worst(&part, &theirs));
    }
    let mut logits = pass.activations.logits.clone();
    centre(&mut logits, 10);
    let centred = (0..logits.len()).map(|at| pass.centred_logit(at / 10, ((at % 10) as Class).into()));
    assert!(worst(&logits, &centred.collect::<Vec<_>>()) < 1e-6);
    assert!(pass.attribution.residual < 1e-5, "{}", pass.attribution.residual);
}

#[test]
fn attribution_sums_to_the_logits_in_every_kind_of_model() {
    for config in odd_models() {
        let (weights, data) = (perturbed(&config), random_batch(&config, 1));
        let example = data.example(Split::Train, 0);
        let pass = Pass::run(&weights, example, &Patch::default());
        assert!(pass.attribution.residual < 1e-5, "{config:?}: {}", pass.attribution.residual);
    }
}

#[test]
fn neurons_sum_to_the_mlp_and_the_output_bias_is_a_component_of_its_own() {
    let (tokens, labels) = first_sequence();
    let snapshot = Snapshot::new(0, weights("weights"));
    let readout = Readout::new(&snapshot.weights);
    let pass = Pass::run(&snapshot.weights, Example::new(&tokens, &labels), &Patch::default());
    let place =
        |name: &str| pass.attribution.components.iter().position(|one| one.to_string() == name).unwrap();
    let (mlp, bias) = (place("mlp.0"), place("mlp_bias.0"));
    let b_out = snapshot.weights.get("blocks.0.mlp.b_out").unwrap();
    for position in [0, 5, 127] {
        let target = headcount::analysis::Target::Label.resolve(labels[position], pass.logits(position));
        let neurons: f32 =
            (0..256).map(|n| readout.contribution(&pass.activations, 0, n, position, target)).sum();
        let whole = pass.attribution.value(mlp, position, target);
        assert!((neurons - whole).abs() < 1e-4, "{neurons} = {whole}");
        // By definition: the centred vector times ln_final.w and W_U, centred over classes, over the norm's scale.
        let [w, w_u] = ["ln_final.w", "unembed.W_U"].map(|name| snapshot.weights.get(name).unwrap());
        let mean = b_out.iter().sum::<f32>() / b_out.len() as f32;
        let logit = |class: usize| -> f32 {
            b_out.iter().enumerate().map(|(at, b)| (b - mean) * w[at] * w_u[at * 10 + class]).sum()
        };
        let logits: Vec<f32> = (0..10).map(logit).collect();
        let wanted = logits[usize::from(target.plus)] - logits.iter().sum::<f32>() / 10.0;
        let wanted = wanted / pass.activations.ln_final.scale[position];
        let found = pass.attribution.value(bias, position, target);
        assert!((found - wanted).abs() < 1e-5 && found != 0.0, "{found} = {wanted}");
    }
}

#[test]
fn folding_equals_transformer_lens_and_leaves_the_log_probabilities() {
    let trained = weights("weights");
    let folded = fold(&trained, FoldOptions::default());
    let theirs = Tensors::read("folded_weights");
    assert_eq!(folded.layout.tensors().len(), theirs.names().len());
    for tensor in folded.layout.tensors() {
        assert!(worst(&folded.gather(tensor), &theirs.get(&tensor.name).1) < 1e-5, "{}", tensor.name);
    }
    let (tokens, labels) = first_sequence();
    let losses = |weights: &Weights| {
        Pass::run(weights, Example::new(&tokens, &labels), &Patch::default())
            .losses
            .into_iter()
            .map(Option::unwrap)
            .collect::<Vec<f32>>()
    };
    assert!(worst(&losses(&trained), &losses(&folded)) < 3e-5);
}

#[test]
fn later_processing_equals_transformer_lens_too() {
    let trained = weights("weights");
    let processed = fold(&trained, FoldOptions { center_reading: true, fold_value_biases: false });
    let theirs = Tensors::read("processed_weights");
    for tensor in processed.layout.tensors() {
        assert!(worst(&processed.gather(tensor), &theirs.get(&tensor.name).1) < 1e-5, "{}", tensor.name);
    }
}

#[test]
fn every_kind_of_folding_leaves_the_losses_in_every_kind_of_model() {
    for config in odd_models() {
        let (weights, data) = (perturbed(&config), random_batch(&config, 3));
        let example = data.example(Split::Train, 0);
        let losses = |weights: &Weights| {
            Pass::run(weights, example, &Patch::default())
                .losses
                .into_iter()
                .map(Option::unwrap)
                .collect::<Vec<f32>>()
        };
        for (center_reading, fold_value_biases) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let folded = fold(&weights, FoldOptions { center_reading, fold_value_biases });
            let error = worst(&losses(&weights), &losses(&folded));
            assert!(error < 1e-4, "{config:?} {center_reading} {fold_value_biases}: {error}");
        }
    }
}

#[test]
fn a_replaced_pattern_is_what_the_head_attends_with() {
    let (tokens, labels) = first_sequence();
    let weights = weights("weights");
    let id = HeadId { layer: 0, head: 1 };
    for kind in [PatternKind::Uniform, PatternKind::Identity, PatternKind::Previous] {
        let interventions = Interventions { patterns: [(id, kind)].into(), ..Interventions::default() };
        let pass =
            Pass::run(&weights, Example::new(&tokens, &labels), &interventions.patch(weights.config(), None));
        let own = Pass::run(&weights, Example::new(&tokens, &labels), &Patch::default());
        for query in [0_usize, 1, 77, 127] {
            let row = pass.attention(0, 1, query);
            let mut want = vec![0.0; 128];
            match kind {
                PatternKind::Uniform => want[..=query].fill(1.0 / (query + 1) as f32),
                PatternKind::Identity => want[query] = 1.0,
                PatternKind::Previous => want[query.saturating_sub(1)] = 1.0,
            }
            assert_eq!(row, want, "{kind:?} {query}");
            assert_eq!(
                pass.attention(0, 0, query),
                own.attention(0, 0, query),
                "the other head is left alone"
            );
        }
        let keys = &pass.activations.keys;
        assert_eq!(interventions.cells(weights.config(), (&[0; 128], keys)), 128 * 129 / 2);
    }
}

#[test]
fn ablations_equal_transformer_lens() {
    let batch = Tensors::read("batch");
    let (tokens, labels) = (batch.tokens("tokens"), some(&batch.tokens("labels")));
    let examples = batch_of(&tokens, &labels, 128);
    let trained = weights("weights");
    let folded = fold(&trained, FoldOptions::default());
    let processed = fold(&trained, FoldOptions { center_reading: true, fold_value_biases: false });
    let (means, _) = headcount::analysis::evaluation::means(&trained, &examples);
    let mut cases = 0;
    for case in reference::ablation_cases() {
        let weights = match case.weights.as_str() {
            "folded" => &folded,
            "processed" => &processed,
            _ => &trained,
        };
        let interventions = Interventions {
            heads: case.head.into_iter().map(|head| HeadId { layer: 0, head }).collect(),
            neurons: case.indices.iter().map(|&neuron| NeuronId { layer: 0, neuron }).collect(),
            kind: if case.kind == "mean" { AblationKind::Mean } else { AblationKind::Zero },
            ..Interventions::default()
        };
        let patch = interventions.patch(weights.config(), Some(&means));
        let whole = evaluate(weights, &patch, &examples);
        assert!((whole.loss - case.loss_batch).abs() < 1e-3, "{case:?}: {}", whole.loss);
        let first = Pass::run(weights, Example::new(&tokens[..128], &labels[..128]), &patch);
        let loss = first.loss().unwrap();
        assert!((f64::from(loss) - case.loss_seq0).abs() < 1e-3, "{case:?}: {loss}");
        let theirs: Vec<_> = case.pred_seq0.iter().copied().map(Some).collect();
        assert_eq!(first.predictions, theirs, "{case:?}");
        cases += 1;
    }
    assert_eq!(cases, 22);
}

#[test]
fn circuits_equal_transformer_lens() {
    let folded = fold(&weights("weights"), FoldOptions::default());
    let theirs = Tensors::read("circuits");
    for head in circuits(&folded) {
        let (maps, ov_neuron) = (HeadMaps::new(&folded, head.id), ov_neuron(&folded, head.id));
        for (kind, ours) in [("qk", &maps.qk), ("ov_neuron", &ov_neuron), ("ov_logit", &maps.ov_logit)] {
            let (_, theirs) = theirs.get(&format!("{kind}.0.{}", head.id.head));
            assert!(worst(&ours.dense(), &theirs) < 1e-5, "{kind} {:?}", head.id);
        }
        // The sum of the eigenvalues is the trace, and no head copies more than wholly.
        assert!((-1.0..=1.0).contains(&head.copying_score), "{}", head.copying_score);
        let squares: f32 = maps.ov_logit.dense().iter().map(|x| x * x).sum();
        let singular: f32 = head.ov_singular.iter().map(|x| x * x).sum();
        assert!((squares - singular).abs() < 1e-3 * squares, "singular values keep the size");
    }
}

#[test]
fn the_drives_of_all_tokens_and_heads_sum_to_what_attention_adds_to_a_neuron() {
    drives_sum(&Interventions::default());
    // A head that is off drives nothing, and the others do at the scale that is there without it.
    let mut interventions = Interventions::default();
    interventions.toggle_head(HeadId { layer: 0, head: 0 });
    drives_sum(&interventions);
}

fn drives_sum(interventions: &Interventions) {
    let (tokens, labels) = first_sequence();
    let snapshot = Snapshot::new(
        0,
        fold(&weights("weights"), FoldOptions { center_reading: false, fold_value_biases: true }),
    );
    let snapshot = Arc::new(snapshot);
    let config = snapshot.config();
    let subject = Subject::weights(&snapshot, WeightForm::Trained);
    let of_sequence = subject.clone().over(Over::Sequence(tokens.clone().into())).edited(interventions);
    let Findings::Probe(probe) = ask(of_sequence, Question::Probe, majority(&tokens)).findings else {
        panic!()
    };
    let pass = probe.current();
    let target = headcount::analysis::Target::Label.resolve(labels[90], pass.logits(90));
    let drives: Vec<_> = config.heads().map(|id| Arc::new(HeadDrive::new(&snapshot.weights, id))).collect();
    let every = config.n_heads * config.d_vocab * config.d_mlp;
    let to = PathsTo { ranked_by: subject, layer: 0, position: 90, target };
    let found = paths(&drives, &probe.readout, &probe, &to, every);
    assert_eq!(found.len(), every);
    assert!(found.windows(2).all(|pair| pair[0].score.abs() >= pair[1].score.abs()));
    let mlp = pass.activations.blocks[0].mlp.as_ref().unwrap();
    for neuron in [0, 27, 200] {
        let from_attention: f32 =
            found.iter().filter(|path| path.neuron == neuron).map(|path| path.drive).sum();
        // What the stream had before attention, and the attention bias, read by the neuron at the same scale.
        let mut rest = pass.activations.blocks[0].resid_pre[90 * 64..91 * 64].to_vec();
        let b_o = snapshot.weights.get("blocks.0.attn.b_O").unwrap();
        rest.iter_mut().zip(&b_o).for_each(|(x, b)| *x += b);
        centre(&mut rest, 64);
        let w_in = snapshot.weights.get("blocks.0.mlp.W_in").unwrap();
        let read: f32 = rest.iter().enumerate().map(|(row, x)| x * w_in[row * 256 + neuron]).sum();
        let b_in = snapshot.weights.get("blocks.0.mlp.b_in").unwrap()[neuron];
        let whole = from_attention + read / mlp.ln2.scale[90] + b_in;
        let pre = mlp.pre[90 * 256 + neuron];
        assert!((whole - pre).abs() < 1e-4, "{neuron}: {whole} {pre}");
    }
}

#[test]
fn the_lens_ends_where_the_model_does() {
    let (tokens, _) = first_sequence();
    let weights = weights("weights");
    let activations = run(&weights, &tokens);
    let rows = lens(&weights, &activations);
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["blocks.0.hook_resid_pre", "blocks.0.hook_resid_mid", "blocks.0.hook_resid_post"]);
    let mut logits = activations.logits.clone();
    centre(&mut logits, 10);
    let readout = Readout::new(&weights);
    let found = (0..logits.len()).map(|at| rows[2].value(&readout, at / 10, ((at % 10) as Class).into()));
    assert!(worst(&found.collect::<Vec<_>>(), &logits) < 1e-5);
    let batch = Tensors::read("batch");
    let (tokens, labels) = (batch.tokens("tokens"), some(&batch.tokens("labels")));
    let figures = lens_over(&weights, &batch_of(&tokens, &labels, 128));
    assert!(
        figures[0].accuracy < figures[2].accuracy,
        "the stream before attention knows only its own token"
    );
    assert!((figures[2].loss - 0.022_201).abs() < 1e-4, "{}", figures[2].loss);
}

#[test]
fn logits_that_are_nan_predict_nothing() {
    let trained = weights("weights");
    let mut broken = trained.clone();
    broken.values.fill(f32::NAN);
    // Of zeros alone, which the first token, the largest for want of a larger, would have right.
    let (zeros, targets) = ([0; 8], [Some(0); 8]);
    let example = Example::new(&zeros, &targets);
    let pass = |weights: &Weights| Pass::run(weights, example, &Patch::default());
    let (before, after) = (pass(&trained), pass(&broken));
    assert_eq!((before.accuracy(&targets), after.accuracy(&targets)), (Some(1.0), Some(0.0)));
    let off = Interventions::default();
    let data = majority(&zeros);
    let of = |passes: [&Pass; 2]| {
        let scores = passes.map(|pass| Scores::of(pass, &targets));
        AblationOutcome::new(
            trained.config(),
            (&off, &|_| Positions::All),
            (data.task(), &[example], true),
            scores,
        )
    };
    let outcome = of([&before, &after]);
    assert_eq!(outcome.changed, Each::One((0..8).collect()), "from an answer to none");
    assert!(outcome.to_string().contains("label 0  output 0 -> NaN"), "{outcome}");
    assert_eq!(of([&after, &after]).changed, Each::One(Vec::new()), "from none to none");
    for place in lens_over(&broken, &[example]) {
        assert!(place.accuracy == 0.0 && place.loss.is_nan(), "{place:?}");
    }
    let neuron = [NeuronId { layer: 0, neuron: 0 }];
    let fits = fit(&broken, &[example], (&neuron, NeuronHook::Post), 0, majority(&[]).task());
    assert!(fits.iter().all(|fitted| fitted.correlation.is_nan()), "{fits:?}");
}

#[test]
fn averages_over_sequences_keep_rows_that_sum_to_one() {
    let batch = Tensors::read("batch");
    let (tokens, labels) = (batch.tokens("tokens"), some(&batch.tokens("labels")));
    for head in averages(&weights("weights"), &Patch::default(), &batch_of(&tokens, &labels, 128)) {
        for (query, row) in head.pattern.chunks(128).enumerate() {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{query}");
        }
        let scores = head.scores;
        for score in [scores.previous, scores.duplicate, scores.induction, scores.uniform] {
            assert!((0.0..=1.0).contains(&score), "{scores:?}");
        }
    }
}

#[test]
fn each_token_has_neurons_that_answer_for_it_and_more_than_random_ones_do() {
    let weights = weights("weights");
    let sizes = TaskConfig { sequences: 40, train_fraction: 0.1, ..TaskConfig::default() };
    let data = sizes.dataset(weights.config().shape(), 23).unwrap();
    let (examples, task) = (data.examples(Split::Validation), data.task());
    let readout = Readout::new(&weights);
    let found = trackers(&weights, &examples, task);
    assert_eq!(found.len(), 10);
    for (token, ranked) in found.iter().enumerate() {
        assert!(ranked.windows(2).all(|pair| pair[0].effect >= pair[1].effect));
        // Not those that lower the logit and are least active where the token is the label.
        let raises = |neuron: usize| readout.neuron(0, neuron, (token as Class).into()) > 0.0;
        assert!(ranked.iter().all(|tracker| tracker.effect > 0.0 && raises(tracker.neuron)), "{token}");
        // One neuron's figures, found again by the other way round.
        let ids = [NeuronId { layer: 0, neuron: ranked[0].neuron }];
        for (hook, all) in
            [(NeuronHook::Post, &ranked[0].r_squared), (NeuronHook::Pre, &ranked[0].r_squared_pre)]
        {
            let alone = fit(&weights, &examples, (&ids, hook), token as Class, task);
            assert!(alone.iter().zip(all).all(|(a, b)| (a.r_squared() - b).abs() < 1e-6), "{token}");
        }
        let of = |key: &str, all: &[f64]| all[task.features().iter().position(|one| one.key == key).unwrap()];
        let (post, pre) = (&ranked[0].r_squared, &ranked[0].r_squared_pre);
        assert!(of("lead", post) > of("count", post), "the lead explains more than the count: {post:?}");
        // Layer norm standardises, and the MLP picks the winner.
        assert!(of("standardised_share", pre) > of("share", pre), "{pre:?}");
        assert!(of("standardised_share", pre) > 0.9, "{pre:?}");
    }
}

#[test]
fn the_loss_by_class_is_the_mean_over_the_targets_of_the_class() {
    let weights = weights("weights");
    let sizes = TaskConfig { sequences: 8, train_fraction: 0.1, ..TaskConfig::default() };
    let data = sizes.dataset(weights.config().shape(), 3).unwrap();
    let examples = data.examples(Split::Validation);
    let whole = evaluate(&weights, &Patch::default(), &examples);
    let mut rows = Vec::new();
    for &example in &examples {
        let pass = Pass::run(&weights, example, &Patch::default());
        for (logits, target) in pass.activations.logits.chunks_exact(10).zip(example.targets()) {
            let target = usize::from(target.unwrap());
            let partition: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
            rows.push((target, partition.ln() - f64::from(logits[target])));
        }
    }
    let mut weighted = 0.0;
    for (class, loss) in whole.loss_by_class.iter().enumerate() {
        let losses: Vec<f64> = rows.iter().filter(|row| row.0 == class).map(|row| row.1).collect();
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        assert_eq!(loss.is_some(), !losses.is_empty(), "{class}");
        assert!(loss.is_none_or(|loss| (loss - mean).abs() < 1e-5), "{class}: {loss:?}, not {mean}");
        weighted += loss.unwrap_or(0.0) * losses.len() as f64;
    }
    assert!((whole.loss - weighted / rows.len() as f64).abs() < 1e-12, "{}", whole.loss);
}

#[test]
fn trackers_tell_what_their_own_label_costs() {
    let weights = weights("weights");
    let sizes = TaskConfig { sequences: 20, train_fraction: 0.1, ..TaskConfig::default() };
    let data = sizes.dataset(weights.config().shape(), 5).unwrap();
    let examples = data.examples(Split::Validation);
    let clean = evaluate(&weights, &Patch::default(), &examples);
    let found = token_trackers(&weights, &data, (2, 3, ControlPool::NonTrackers), 1);
    for (token, tracked) in found.iter().enumerate() {
        let ids = tracked.neurons.iter().map(|t| NeuronId { layer: t.layer, neuron: t.neuron });
        let set = Interventions { neurons: ids.collect(), ..Interventions::default() };
        let after = evaluate(&weights, &set.patch(weights.config(), None), &examples);
        assert_eq!(tracked.class_loss_before, clean.loss_by_class[token], "{token}");
        assert_eq!(tracked.class_loss_after, after.loss_by_class[token], "{token}");
        assert_eq!((tracked.loss_after, tracked.class_loss_controls.len()), (after.loss, 3), "{token}");
        let controls = tracked.class_loss_controls.iter().sum::<f64>() / 3.0;
        assert!(tracked.class_loss_after.unwrap() > controls, "{token}: more than random sets cost");
    }
}

#[test]
fn running_again_what_follows_gives_the_bits_of_running_everything() {
    for config in odd_models() {
        let (weights, data) = (perturbed(&config), random_batch(&config, 1));
        let example = data.example(Split::Train, 0);
        let clean = Pass::run(&weights, example, &Patch::default());
        let (layer, head) = (config.n_layers - 1, config.n_heads - 1);
        let neurons = || (0..config.d_mlp).step_by(3).map(move |neuron| NeuronId { layer, neuron });
        let heads = || [HeadId { layer: 0, head }];
        for interventions in [
            Interventions::default(),
            Interventions { neurons: neurons().collect(), ..Interventions::default() },
            Interventions { heads: heads().into(), ..Interventions::default() },
            Interventions {
                patterns: heads().map(|id| (id, PatternKind::Uniform)).into(),
                ..Interventions::default()
            },
            Interventions { heads: heads().into(), neurons: neurons().collect(), ..Interventions::default() },
        ] {
            let patch = interventions.patch(&config, None);
            let (again, whole) =
                (clean.patched(&weights, example, &patch), Pass::run(&weights, example, &patch));
            let named = |pass: &Pass| cache(&weights, example.tokens(), &pass.activations);
            for (again, whole) in named(&again).iter().zip(&named(&whole)) {
                let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert!(
                    bits(&again.values) == bits(&whole.values),
                    "{config:?} {interventions:?} {}",
                    again.name
                );
            }
        }
    }
}

#[test]
fn mean_patterns_heed_every_kind_of_ablation() {
    let config = odd_models().remove(0);
    let snapshot = Arc::new(Snapshot::new(0, perturbed(&config)));
    let held_out = TaskConfig { sequences: 5, train_fraction: 0.2, ..TaskConfig::default() };
    let data = held_out.dataset(config.shape(), 1).unwrap();
    let examples = data.examples(Split::Validation);
    let last_pattern = |kind| {
        let interventions =
            Interventions { heads: [HeadId { layer: 0, head: 1 }].into(), kind, ..Interventions::default() };
        let subject = Subject::weights(&snapshot, WeightForm::Trained);
        let subject = subject.over(Over::Validation).edited(&interventions);
        let Findings::Heads(found) = ask(subject, Question::Heads, data.clone()).findings else { panic!() };
        let (known, _) = headcount::analysis::evaluation::means(&snapshot.weights, &examples);
        let patch = interventions.patch(&config, Some(&known));
        let expected = averages(&snapshot.weights, &patch, &examples);
        assert_eq!(found.last().unwrap().pattern, expected.last().unwrap().pattern);
        expected.last().unwrap().pattern.clone()
    };
    let (zero, mean) = (last_pattern(AblationKind::Zero), last_pattern(AblationKind::Mean));
    assert!(worst(&zero, &mean) > 1e-6, "the two ablations differ behind the first layer");
}

/// A model of one head that writes, for each token, the next one: a cyclic shift of so many tokens.
fn cyclic_shift(tokens: usize) -> Weights {
    let config = ModelConfig {
        n_heads: 1,
        d_model: tokens,
        d_head: tokens,
        d_mlp: 0,
        n_ctx: 4,
        d_vocab: tokens,
        normalization_type: Normalization::None,
        ..ModelConfig::default()
    };
    let mut weights = Weights::zeros(&config);
    let layout = weights.layout.clone();
    let block = &layout.blocks[0];
    for token in 0..tokens {
        weights.values[layout.w_e.start + token * tokens + token] = 1.0;
        weights.values[layout.w_u.start + token * tokens + token] = 1.0;
        weights.values[block.attn.w_qkv.start + token * 3 * tokens + 2 * tokens + token] = 1.0;
        weights.values[block.attn.w_o.start + token * tokens + (token + 1) % tokens] = 1.0;
    }
    weights
}

#[test]
fn eigenvalues_that_do_not_converge_are_not_waited_for() {
    let mut without = 0;
    for tokens in [5, 6, 7, 8, 10, 12, 16, 32, 64] {
        let (weights, id) = (cyclic_shift(tokens), HeadId { layer: 0, head: 0 });
        let head = HeadCircuits::new(&weights, id);
        assert!((HeadMaps::new(&weights, id).ov_logit.get(0, 1).unwrap() - 1.0).abs() < 1e-6);
        // They are spread over the unit circle.
        assert!(head.copying_score.is_nan() || head.copying_score.abs() < 1e-4, "{}", head.copying_score);
        without += usize::from(head.copying_score.is_nan());
        assert!(head.ov_singular.iter().all(|x| (x - 1.0).abs() < 1e-4), "{:?}", head.ov_singular);
    }
    assert!(without > 0, "the bound is never reached");
}

#[test]
fn singular_values_of_many_tokens_are_those_of_the_whole_map() {
    let config = ModelConfig { d_vocab: 50, d_head: 8, n_ctx: 16, ..ModelConfig::default() };
    let weights = Weights::initial(&config, 3);
    let id = HeadId { layer: 0, head: 0 };
    let (head, maps) = (HeadCircuits::new(&weights, id), HeadMaps::new(&weights, id));
    for (values, map) in [(&head.qk_singular, &maps.qk), (&head.ov_singular, &maps.ov_logit)] {
        let squares: f64 = map.dense().iter().map(|x| f64::from(*x).powi(2)).sum();
        let sum: f64 = values.iter().map(|x| f64::from(*x).powi(2)).sum();
        assert!((squares - sum).abs() < 1e-4 * squares, "{squares} {sum}");
        assert_eq!(values.len(), 8, "of a rank of at most d_head");
        assert!(values.is_sorted_by(|a, b| a >= b) && values[7] > 0.0);
    }
}

#[test]
fn an_edit_at_one_position_leaves_the_others() {
    let (tokens, labels) = first_sequence();
    let weights = weights("weights");
    let edit = |hook, change| Edit {
        layer: 0,
        hook,
        indices: vec![1],
        positions: Positions::Only([5].into()),
        change,
    };
    let edits = [
        edit(Hook::Z, Change::Zero),
        edit(Hook::Post, Change::Zero),
        edit(Hook::Pattern, Change::Pattern(PatternKind::Identity)),
    ];
    let block = |edits: &[Edit]| {
        let patch = Patch::new(weights.config(), edits, None);
        let example = Example::new(&tokens, &labels);
        let pass = Pass::run(&weights, example, &patch);
        let again = Pass::run(&weights, example, &Patch::default()).patched(&weights, example, &patch);
        assert_eq!(pass.activations.logits, again.activations.logits);
        pass.activations.blocks[0].clone()
    };
    let [clean, z, post, pattern] = [block(&[]), block(&edits[..1]), block(&edits[1..2]), block(&edits[2..])];
    let differ = |a: &[f32], b: &[f32]| -> Vec<usize> {
        (0..a.len()).filter(|&at| a[at].to_bits() != b[at].to_bits()).collect()
    };
    assert_eq!(differ(&clean.attn.z, &z.attn.z), (5 * 64 + 32..5 * 64 + 64).collect::<Vec<_>>());
    let neurons = |block: &headcount::model::activations::BlockActivations| block.mlp.clone().unwrap().post;
    assert_eq!(differ(&neurons(&clean), &neurons(&post)), [5 * 256 + 1]);
    let row = 128 * 128 + 5 * 128;
    assert_eq!(differ(&clean.attn.pattern, &pattern.attn.pattern), (row..row + 6).collect::<Vec<_>>());
    assert_eq!(pattern.attn.pattern[row..row + 6], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    let keys = weights.config().visible_keys(&tokens);
    assert_eq!(edits.map(|edit| edit.cells(weights.config(), &keys)), [32, 1, 6]);
    assert_eq!(Hook::Post.name(1), "blocks.1.mlp.hook_post");
}

/// Three validation sequences of the default task in a model's shape.
fn validation_of(config: &ModelConfig) -> Dataset {
    let sizes = TaskConfig { sequences: 6, train_fraction: 0.5, ..TaskConfig::default() };
    sizes.dataset(config.shape(), 5).unwrap()
}

/// What `question` finds about the validation set of a model's random batch.
fn of_validation(weights: &Weights, data: &Dataset, question: Question) -> Findings {
    let snapshot = Arc::new(Snapshot::new(0, weights.clone()));
    let subject = Subject::weights(&snapshot, WeightForm::Trained).over(Over::Validation);
    ask(subject, question, data.clone()).findings
}

#[test]
fn each_neuron_alone_costs_what_an_evaluation_without_it_says_in_every_layer_of_every_kind_of_model() {
    for config in odd_models().into_iter().filter(ModelConfig::has_mlp) {
        let weights = perturbed(&config);
        let data = validation_of(&config);
        let examples = data.examples(Split::Validation);
        let (means, _) = evaluation::means(&weights, &examples);
        let clean = evaluate(&weights, &Patch::default(), &examples);
        for layer in 0..config.n_layers {
            let Findings::SingleNeurons(found) =
                of_validation(&weights, &data, Question::SingleNeurons(layer))
            else {
                panic!("the answer is to the question")
            };
            assert!((found.clean.loss - clean.loss).abs() < 1e-9, "{config:?}");
            for (neuron, ablated) in found.ablated.iter().enumerate().step_by(7) {
                for (kind, one) in [AblationKind::Zero, AblationKind::Mean].into_iter().zip(ablated) {
                    let neurons = [NeuronId { layer, neuron }].into();
                    let off = Interventions { neurons, kind, ..Interventions::default() };
                    let wanted = evaluate(&weights, &off.patch(&config, Some(&means)), &examples);
                    let close = (one.loss - wanted.loss).abs() < 1e-5 * (1.0 + wanted.loss);
                    assert!(close, "{config:?} {layer}.{neuron} {kind:?}: {one:?}, not {}", wanted.loss);
                    assert!((one.accuracy - wanted.accuracy).abs() < 1e-9, "{one:?} {}", wanted.accuracy);
                }
            }
        }
    }
}

#[test]
fn a_loss_of_any_size_keeps_its_digits_without_a_neuron() {
    // Two classes and one neuron: the logits differ by the bias and by what falls with the neuron.
    for (gap, fall) in [(0.0, 0.0), (3.0, 1.0), (14.0, -2.0), (-20.0, 0.5)] {
        let neurons = |x: f32| vec![x; 16];
        let directions: Vec<f32> = [neurons(1.0), neurons(0.0)].concat();
        let (mut losses, mut rights) = (neurons(0.0), neurons(0.0));
        let row = [&[gap, 0.0][..], &[0.25, 0.0][..]];
        let of = [&neurons(fall)[..], &neurons(0.5)[..]];
        change_each(row, &directions, of, 0, [&mut losses, &mut rights]);
        let lead = f64::from((gap - fall) * 0.5 + 0.25);
        let wanted = (-lead).exp().ln_1p();
        assert!((f64::from(losses[3]) / wanted - 1.0).abs() < 1e-5, "{gap}: {} {wanted}", losses[3]);
        assert_eq!(rights[3] > 0.5, lead >= 0.0);
    }
}

#[test]
fn what_each_position_adds_through_a_head_sums_to_the_heads_contribution() {
    for config in odd_models() {
        let (weights, data) = (perturbed(&config), validation_of(&config));
        let example = data.example(Split::Validation, 0);
        let pass = Pass::run(&weights, example, &Patch::default());
        let len = example.tokens().len();
        for target in [Target::Label, Target::LabelMinusRunnerUp] {
            let targets: Vec<_> =
                (0..len).map(|at| target.resolve(example.targets()[at], pass.logits(at))).collect();
            for (at, component) in pass.attribution.components.iter().enumerate() {
                let Component::Head(id) = *component else { continue };
                let found =
                    source_contributions(&weights, &Readout::new(&weights), &pass.activations, id, &targets);
                for query in 0..len {
                    let sum: f32 = found[query * len..(query + 1) * len].iter().sum();
                    let whole = pass.attribution.value(at, query, targets[query]);
                    assert!(
                        (sum - whole).abs() < 1e-4 * (1.0 + whole.abs()),
                        "{config:?} {id:?}: {sum} {whole}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_source_adds_what_is_lost_from_the_heads_contribution_without_its_value() {
    let (tokens, labels) = first_sequence();
    let weights = weights("weights");
    let pass = Pass::run(&weights, Example::new(&tokens, &labels), &Patch::default());
    let targets: Vec<_> = (0..128).map(|at| Target::Label.resolve(labels[at], pass.logits(at))).collect();
    let id = HeadId { layer: 0, head: 1 };
    let found = source_contributions(&weights, &Readout::new(&weights), &pass.activations, id, &targets);
    let attn = &pass.activations.blocks[0].attn;
    let (query, key) = (77, 31);
    // By definition, in double precision: A v W_O, centred, over the norm's scale, times w and W_U, centred over classes.
    let part = |name: &str| weights.get(name).unwrap();
    let [w_o, w, w_u] = ["blocks.0.attn.W_O", "ln_final.w", "unembed.W_U"].map(part);
    let attention = f64::from(attn.pattern[(128 + query) * 128 + key]);
    let value = &attn.qkv[key * 3 * 64 + 2 * 64 + 32..][..32];
    let written = |at: usize| -> f64 {
        let of =
            |(i, v): (usize, &f32)| f64::from(*v) * f64::from(w_o[(32 + i) * weights.config().d_model + at]);
        attention * value.iter().enumerate().map(of).sum::<f64>()
    };
    let d_model = weights.config().d_model;
    let written: Vec<f64> = (0..d_model).map(written).collect();
    let mean = written.iter().sum::<f64>() / d_model as f64;
    let scale = f64::from(pass.activations.ln_final.scale[query]);
    let logit = |class: usize| -> f64 {
        let of =
            |(at, x): (usize, &f64)| (x - mean) / scale * f64::from(w[at]) * f64::from(w_u[at * 10 + class]);
        written.iter().enumerate().map(of).sum()
    };
    let all: f64 = (0..10).map(logit).sum();
    let wanted = logit(usize::from(targets[query].plus)) - all / 10.0;
    let cell = f64::from(found[query * 128 + key]);
    assert!((cell - wanted).abs() < 1e-6 && wanted.abs() > 1e-4, "{cell} {wanted}");
}

/// `a b`, in double precision, by definition.
fn times(a: &[f64], b: &[f64], inner: usize) -> Vec<f64> {
    let (rows, cols) = (a.len() / inner, b.len() / inner);
    let cell = |at: usize| (0..inner).map(|i| a[at / cols * inner + i] * b[i * cols + at % cols]).sum();
    (0..rows * cols).map(cell).collect()
}

fn flipped(a: &[f64], cols: usize) -> Vec<f64> {
    (0..cols).flat_map(|col| a.iter().skip(col).step_by(cols).copied()).collect()
}

/// One head's matrix under TransformerLens' name, in double precision: `[d_model, d_head]`, `W_O` `[d_head, d_model]`.
fn matrix(weights: &Weights, id: HeadId, name: &str) -> Vec<f64> {
    let c = weights.config();
    let all = weights.get(&format!("blocks.{}.attn.{name}", id.layer)).unwrap();
    let size = all.len() / c.n_heads;
    all[id.head * size..(id.head + 1) * size].iter().map(|x| f64::from(*x)).collect()
}

#[test]
fn composition_scores_are_those_of_the_whole_matrices() {
    let config =
        ModelConfig { n_layers: 3, d_model: 12, d_head: 4, d_mlp: 8, n_ctx: 5, ..ModelConfig::default() };
    let weights = perturbed(&config);
    let norm = |a: &[f64]| a.iter().map(|x| x * x).sum::<f64>().sqrt();
    let of = |id, left: &str, right: &str| (matrix(&weights, id, left), matrix(&weights, id, right));
    let product = |(left, right): (Vec<f64>, Vec<f64>), is_flipped: bool| {
        times(&left, &if is_flipped { flipped(&right, 4) } else { right }, 4)
    };
    for later in config.heads().filter(|id| id.layer > 0) {
        let scores = into_head(&weights, later);
        assert_eq!(scores.len(), later.layer * config.n_heads);
        let readers = [
            product(of(later, "W_Q", "W_K"), true),
            product(of(later, "W_K", "W_Q"), true),
            product(of(later, "W_V", "W_O"), false),
        ];
        for (earlier, scores) in config.heads().zip(&scores) {
            let written = product(of(earlier, "W_V", "W_O"), false);
            for (reader, score) in readers.iter().zip(scores) {
                let wanted = norm(&times(&written, reader, 12)) / norm(&written) / norm(reader);
                assert!((score - wanted).abs() < 1e-5, "{earlier:?} {later:?}: {score} {wanted}");
            }
        }
    }
    let random = of_random(&config);
    assert!(random.len() == 200 && random.is_sorted() && random[0] > 0.0 && random[199] < 1.0);
    // The expected square is 1 / d_model for full-rank factors, more for those of low rank.
    let mean = random.iter().sum::<f64>() / 200.0;
    assert!((0.2..0.5).contains(&mean), "{mean}");
}

#[test]
fn the_quadrants_and_bias_terms_sum_to_the_attention_scores() {
    for kind in [PositionEmbedding::Standard, PositionEmbedding::Shortformer] {
        let config = ModelConfig {
            n_layers: 1,
            d_model: 12,
            d_head: 4,
            d_mlp: 8,
            n_ctx: 6,
            normalization_type: Normalization::None,
            positional_embedding_type: kind,
            ..ModelConfig::default()
        };
        let weights = perturbed(&config);
        let tokens: Vec<Token> = vec![3, 1, 4, 1, 5, 9];
        let run = run(&weights, &tokens);
        let qkv = &run.blocks[0].attn.qkv;
        for id in config.heads() {
            let found = Quadrants::new(&weights, id);
            let (qk, positions) = (HeadMaps::new(&weights, id).qk, qk_over_positions(&weights, id));
            for query in 0..6 {
                for key in 0..=query {
                    let row = |at: usize, part: usize| &qkv[at * 24 + part * 8 + id.head * 4..][..4];
                    let score: f32 = row(query, 0).iter().zip(row(key, 1)).map(|(q, k)| q * k).sum();
                    let [q, k] = [query, key].map(|at| usize::from(tokens[at]));
                    let maps = [
                        qk.get(q, k),
                        positions.get(query, key),
                        found.token_position.get(q, key),
                        found.position_token.get(query, k),
                    ];
                    let sum = maps.map(Option::unwrap).iter().sum::<f32>()
                        + found.token_bias[0][k]
                        + found.token_bias[1][q]
                        + found.position_bias[0][key]
                        + found.position_bias[1][query]
                        + found.both_biases;
                    assert!(
                        (sum - score).abs() < 1e-4 * (1.0 + score.abs()),
                        "{kind:?} {id:?}: {sum} {score}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_direct_path_is_what_tokens_add_without_any_layer() {
    let weights = fold(&weights("weights"), FoldOptions::default());
    let d_model = weights.config().d_model;
    let wide =
        |name: &str| -> Vec<f64> { weights.get(name).unwrap().iter().map(|x| f64::from(*x)).collect() };
    let mut wanted = times(&wide("embed.W_E"), &wide("unembed.W_U"), d_model);
    for row in wanted.chunks_exact_mut(10) {
        let mean = row.iter().sum::<f64>() / 10.0;
        row.iter_mut().for_each(|x| *x -= mean);
    }
    let found = direct_path(&weights).dense();
    let pairs = found.iter().zip(&wanted);
    assert!(pairs.clone().all(|(a, b)| (f64::from(*a) - b).abs() < 1e-4), "{found:?} {wanted:?}");
}

#[test]
fn a_copying_score_stands_beside_those_of_permuted_tokens_and_is_none_of_two() {
    let trained = fold(&weights("weights"), FoldOptions::default());
    for id in trained.config().heads() {
        let (found, circuits) = (Copying::new(&trained, id).unwrap(), HeadCircuits::new(&trained, id));
        assert!((found.score() - f64::from(circuits.copying_score)).abs() < 1e-4);
        let map = HeadMaps::new(&trained, id).ov_logit;
        // The trace of the map from tokens to logits is the sum of its eigenvalues, and their products are real.
        let trace: f32 = (0..10).map(|at| map.get(at, at).unwrap()).sum();
        let sum = found.eigenvalues.iter().fold([0.0, 0.0], |[re, im], value| [re + value[0], im + value[1]]);
        assert!(
            (sum[0] - trace).abs() < 1e-3 * (1.0 + trace.abs()) && sum[1].abs() < 1e-3,
            "{sum:?} {trace}"
        );
        assert!(found.eigenvalues.len() == 10 && found.permuted.len() == 100);
        let mean = found.permuted.iter().sum::<f64>() / 100.0;
        assert!(mean.abs() < 0.3, "permuted tokens are not copied: {mean}");
    }
    let small = |d_vocab, d_head| {
        let config =
            ModelConfig { d_vocab, d_head, d_model: 8, d_mlp: 8, n_ctx: 4, ..ModelConfig::default() };
        let weights = perturbed(&config);
        let id = HeadId { layer: 0, head: 0 };
        (HeadCircuits::new(&weights, id).copying_score.is_nan(), Copying::new(&weights, id).is_none())
    };
    assert_eq!([small(2, 4), small(5, 1), small(3, 4)], [(true, true), (true, true), (false, false)]);
}

#[test]
fn mean_contributions_are_over_all_positions_of_the_set() {
    let config =
        ModelConfig { n_layers: 2, d_model: 16, d_head: 4, d_mlp: 12, n_ctx: 7, ..ModelConfig::default() };
    let (weights, data) = (perturbed(&config), validation_of(&config));
    let Findings::ComponentMeans(found) = of_validation(&weights, &data, Question::ComponentMeans) else {
        panic!("the answer is to the question")
    };
    let passes: Vec<Pass> = data
        .examples(Split::Validation)
        .into_iter()
        .map(|example| Pass::run(&weights, example, &Patch::default()))
        .collect();
    let positions: usize = passes.iter().map(|pass| pass.activations.len).sum();
    for component in 0..passes[0].attribution.components.len() {
        for class in 0..10 {
            let of = |pass: &Pass| -> f64 {
                pass.attribution.part(component).iter().skip(class).step_by(10).map(|x| f64::from(*x)).sum()
            };
            let wanted = passes.iter().map(of).sum::<f64>() / positions as f64;
            let mean = found.value(component, (class as Class).into()).unwrap();
            assert!((f64::from(mean) - wanted).abs() < 1e-5, "{component} {class}: {mean} {wanted}");
        }
    }
}

#[test]
fn resampling_takes_the_values_of_another_sequence_at_the_same_positions() {
    let config =
        ModelConfig { n_layers: 2, d_model: 16, d_head: 4, d_mlp: 12, n_ctx: 7, ..ModelConfig::default() };
    let (weights, data) = (perturbed(&config), validation_of(&config));
    let head = HeadId { layer: 0, head: 1 };
    let edits = Interventions {
        heads: [head].into(),
        neurons: [NeuronId { layer: 1, neuron: 3 }].into(),
        kind: AblationKind::Resample,
        ..Interventions::default()
    };
    let drawn = donors_among(&data, 1).expect("sequences are of one length");
    let values: Vec<_> = drawn
        .iter()
        .map(|donor| evaluation::values_of(&weights, data.example(Split::Validation, *donor).tokens()))
        .collect();
    let examples = data.examples(Split::Validation);
    let wanted = Scores::over(&weights, &examples, &|index| edits.patch(&config, Some(&values[index])));
    let snapshot = Arc::new(Snapshot::new(0, weights.clone()));
    let over = |over| Subject::weights(&snapshot, WeightForm::Trained).over(over).edited(&edits);
    let question = Question::Ablation { controls: 0, pool: ControlPool::Any };
    let Findings::Ablation(report) = ask(over(Over::Validation), question, data.clone()).findings else {
        panic!("the answer is to the question")
    };
    let after = report.after.as_ref().unwrap();
    assert!((after.loss - f64::from(wanted.loss.unwrap())).abs() < 1e-6);
    assert!((after.loss - report.before.loss).abs() > 1e-4, "an edit");
    // The screen's sequence has the same donor as in the set.
    let tokens = examples[2].tokens();
    let Findings::Probe(probe) =
        ask(over(Over::Sequence(tokens.into())), Question::Probe, data.clone()).findings
    else {
        panic!("the answer is to the question")
    };
    assert_eq!(probe.current().predictions, wanted.predictions[2]);
    let z = &probe.current().activations.blocks[0].attn.z;
    assert_eq!(z[5 * 8 + 4..5 * 8 + 8], values[2].z[0][5 * 8 + 4..5 * 8 + 8]);
    assert_ne!(z[5 * 8 + 4..5 * 8 + 8], probe.clean.activations.blocks[0].attn.z[5 * 8 + 4..5 * 8 + 8]);
}

#[test]
fn probes_read_the_target_where_it_is_and_random_labels_nowhere() {
    use headcount::inquiry::{
        AskedBy, Bench, Findings, Inquiry, Over, Question, Subject, WeightForm, answer,
    };
    let config =
        ModelConfig { d_model: 24, d_head: 8, d_mlp: 32, n_ctx: 5, d_vocab: 4, ..ModelConfig::default() };
    let task = TaskConfig { sequences: 900, train_fraction: 0.5, ..TaskConfig::default() };
    let data = Arc::new(task.dataset(config.shape(), 5).unwrap());
    let snapshot = Arc::new(Snapshot::new(0, Weights::initial(&config, 5)));
    let subject = Subject::weights(&snapshot, WeightForm::Trained).over(Over::Validation);
    let bench = Bench::new(Arc::clone(&data), 5, None);
    let ask = |reads: Reads| {
        let (subject, question) = (subject.clone(), Question::Probing(reads));
        let inquiry = Inquiry { generation: 1, by: AskedBy::User, subject, question };
        let Findings::Probing(found) = answer(inquiry, &bench).findings else { panic!("another") };
        found
    };
    let found = ask(Reads::Target);
    assert_eq!(found.places.len(), 3);
    // At the first position the target is the token itself, which every place in the stream holds.
    for place in 0..3 {
        assert_eq!(found.share((place, 0), false), Some(1.0), "{}", found.places[place]);
        // Random labels follow nothing: about the share of the most frequent one.
        let random: f64 = (0..5).map(|at| found.share((place, at), true).unwrap()).sum::<f64>() / 5.0;
        assert!((0.15..0.55).contains(&random), "{random}");
    }
    // The counts are not in the embedding of the last token alone.
    assert!(found.share((0, 4), false).unwrap() < 0.9);
    assert!(found.share((1, 4), false) > found.share((0, 4), false));
    features_are_read_as_their_means_by_token(&ask(Reads::Features(2)), &data);
}

/// Before the first block the stream tells the token alone: the best that is read of a feature is the token's mean.
fn features_are_read_as_their_means_by_token(found: &ProbeFits, data: &Dataset) {
    let features = data.task().features();
    let at = features.iter().position(|feature| feature.key == "count").unwrap();
    let values = |split: Split| -> Vec<(usize, f64)> {
        let of = |example: Example<'_>| {
            let count = features[at].series(&**data.task(), example.tokens(), 2)[4];
            (usize::from(example.tokens()[4]), f64::from(count))
        };
        data.examples(split).into_iter().map(of).collect()
    };
    let (train, test) = (values(Split::Train), values(Split::Validation));
    let mean = |of: &dyn Fn(usize) -> bool, values: &[(usize, f64)]| {
        let values: Vec<f64> = values.iter().filter(|one| of(one.0)).map(|one| one.1).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let all = mean(&|_| true, &test);
    let variation: f64 = test.iter().map(|one| (one.1 - all).powi(2)).sum();
    let error = |one: &(usize, f64)| (one.1 - mean(&|token| token == one.0, &train)).powi(2);
    let wanted = 1.0 - test.iter().map(error).sum::<f64>() / variation;
    let read = found.r_squared((0, 4), at, false).unwrap();
    assert!((read - wanted).abs() < 1e-3 && wanted > 0.05, "{read} {wanted}");
    for place in 0..3 {
        assert!(found.r_squared((place, 0), at, false).unwrap() > 0.999, "the count of one token");
        assert!(found.r_squared((place, 4), at, true).unwrap() < 0.05, "of another sequence");
    }
}
