//! Typed keys, and what the screen says then.

mod common;

use std::collections::BTreeSet;

use common::{Screen, Setup, loss_at, trained};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use headcount::analysis;
use headcount::analysis::circuits::HeadMaps;
use headcount::app::{Command, Event, Mode};
use headcount::inquiry::{Answer, Findings, Inquiry, Question};
use headcount::model::{self, AttentionDirection, HeadId, ModelConfig, Patch, Weights};
use headcount::task::Split;
use headcount::train::{EpochMetrics, Extend, Extension, RunState, StepMetrics, TrainCommand, TrainEvent};

fn running() -> Screen {
    let mut screen = Setup::default().screen();
    screen.run(20, &[(20, trained())]);
    screen
}

/// Presses one key without obeying what follows.
fn press(screen: &mut Screen, c: char) -> Vec<Command> {
    screen.app.update(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))
}

/// The questions that are asked.
fn asked(commands: &[Command]) -> Vec<Inquiry> {
    let inquiry = |command: &Command| match command {
        Command::Ask(inquiry) => Some((**inquiry).clone()),
        _ => None,
    };
    commands.iter().filter_map(inquiry).collect()
}

/// Those that take a study.
fn studies(commands: &[Command]) -> Vec<Inquiry> {
    asked(commands).into_iter().filter(|inquiry| !inquiry.question.is_quick()).collect()
}

fn probe_of(commands: &[Command]) -> Inquiry {
    let probe = asked(commands).into_iter().find(|inquiry| inquiry.question == Question::Probe);
    probe.expect("a probe is asked for")
}

#[test]
fn a_neuron_is_switched_off_and_the_figures_are_those_of_the_pass() {
    let mut screen = running();
    screen.keys("4g<space>");
    assert!(screen.line("▸✕").contains("  ") && screen.shows("✕ 1 off"));
    screen.keys("6");
    screen.must_show("1 neuron to zero: 128 cells of this sequence");
    // Asked again by hand, the same question gives the number on screen.
    screen.keys("u4");
    let inquiry = probe_of(&press(&mut screen, ' '));
    let Findings::Probe(probe) = screen.answer(&inquiry).findings else { panic!("{inquiry:?}") };
    let passes = [&probe.clean, probe.ablated.as_ref().unwrap()];
    let [before, after] = passes.map(|pass| pass.loss().unwrap());
    screen.keys("6");
    screen.must_show(&format!("{before:.4} → {after:.4}"));
    screen.keys("u");
    screen.must_show("nothing is off");
    screen.must_not_show("1 off");
    screen.keys("U");
    screen.must_show("✕ 1 off");
}

#[test]
fn a_head_is_switched_off_where_one_is_under_the_cursor() {
    for keys in ["2.<space>", "3<down><space>"] {
        let mut screen = running();
        screen.keys(keys).keys("6");
        screen.must_show("✕ head 0.1");
        screen.must_show("random sets: neurons only");
        screen.keys("<space>");
        screen.must_show("nothing is off");
    }
    let mut screen = running();
    screen.keys("1<space>");
    screen.must_show("no head or neuron under the cursor");
}

#[test]
fn what_the_ablation_changes_is_marked_and_found() {
    let mut screen = running();
    screen.keys("4g<end>g<space>j<space>j<space>");
    assert!(screen.line("ablated").contains('['), "{}", screen.text());
    screen.keys("<home>cd");
    screen.must_not_show("ablated ");
    screen.keys("d");
    screen.must_show("ablated ");
}

#[test]
fn tokens_are_typed_over_the_sequence_and_taken_back() {
    let mut screen = running();
    let before = screen.keys("<home>").text();
    screen.keys("i777");
    screen.must_show("typing");
    assert!(screen.line("token").contains(" 7 7 7"), "{}", screen.line("token"));
    assert!(screen.line("label").contains(" 7 7 7"), "{}", screen.line("label"));
    screen.keys("<esc>");
    assert_eq!(before, screen.text(), "the cursor is back too");
    screen.keys("<home>i777<enter>");
    screen.must_show("edited");
    assert!(screen.line("token").contains(" 7 7 7"));
}

#[test]
fn a_sequence_has_from_one_to_n_ctx_tokens() {
    let mut screen = running();
    screen.keys("<home>i<ctrl-k><enter>");
    screen.must_show("a sequence has at least one token");
    screen.keys("5<enter>");
    assert_eq!(screen.line("token").split_whitespace().collect::<Vec<_>>(), ["token", "▐5▌"]);
    screen.keys("r<end>i<end>1");
    screen.must_show("the model reads at most 128 tokens");
}

#[test]
fn tokens_of_several_digits_are_checked_against_the_vocabulary() {
    let model = ModelConfig { d_vocab: 300, n_ctx: 16, ..ModelConfig::default() };
    let weights = Weights::initial(&model, 1);
    let mut screen = Setup { model, ..Setup::default() }.screen();
    screen.snapshot(0, weights);
    screen.keys("<home>i299");
    assert!(screen.line("token").contains("299"));
    screen.keys("300");
    screen.must_show("300 is not a token: the vocabulary is 0 to 299");
    // Refused digits stay in sight, and the token with them, until they are ended.
    screen.keys("9").must_show("3009 is not a token");
    screen.keys("<enter>").must_show("3009 is not a token");
    screen.keys(",").must_show("3009 is not a token");
    screen.keys("42,7<enter>");
    let line = screen.line("token");
    assert!(line.contains("299") && line.contains(" 42") && line.contains("   7"), "{line}");
}

#[test]
fn a_paste_is_tokens_or_nothing() {
    let mut screen = running();
    let before = screen.text();
    screen.send(Event::Paste("q\nqqP u\u{3}".into()));
    screen.must_show("paste ignored");
    assert!(!screen.quit && screen.told.is_empty());
    screen.keys("<esc>");
    assert_eq!(before, screen.text());
    screen.keys("<home>i");
    screen.send(Event::Paste("1, 2 3\n[45]".into()));
    assert!(screen.line("token").contains(" 1 2 3 4 5"), "{}", screen.line("token"));
    let token = screen.line("token");
    screen.send(Event::Paste("q".into()));
    screen.must_show("not tokens");
    assert_eq!(token, screen.line("token"));
    assert!(!screen.quit);
}

#[test]
fn late_answers_are_dropped() {
    let mut screen = running();
    let first = probe_of(&press(&mut screen, 'r'));
    let second = probe_of(&press(&mut screen, 'r'));
    assert!(second.generation > first.generation);
    screen.app.take_dirty();
    screen.answer(&first);
    assert!(!screen.app.take_dirty());
    screen.answer(&second);
    assert!(screen.app.take_dirty());
}

#[test]
fn moving_the_cursor_computes_nothing() {
    let mut screen = running();
    for c in "2hjkl.,xzZv3jk4jkspv5hjklvxvvop1x".chars() {
        // A view asks once for what it shows beyond the sequence.
        let asked = asked(&press(&mut screen, c));
        let questions: Vec<_> = asked.iter().map(|inquiry| inquiry.question.name()).collect();
        assert!(c.is_ascii_digit() || questions.is_empty(), "{c}: {questions:?}");
    }
    // The maps are of the head under the cursor.
    press(&mut screen, '5');
    let asked = asked(&press(&mut screen, '.'));
    let head = HeadId { layer: 0, head: 1 };
    assert!(
        !asked.is_empty()
            && asked.iter().all(|of| of.question.is_quick() && of.question.head() == Some(head))
    );
}

#[test]
fn an_evaluation_is_asked_for_once_and_only_where_it_is_seen() {
    let mut screen = running();
    screen.keys("4g<space>j<space>");
    assert_eq!(screen.evaluations, 0);
    screen.keys("6");
    assert_eq!(screen.evaluations, 1);
    screen.keys("464<tab><tab>");
    assert_eq!(screen.evaluations, 1);
    // A newer snapshot does not evaluate by itself: the figures say of which step they are.
    screen.snapshot(25, trained());
    assert_eq!(screen.evaluations, 1);
    screen.must_show("step 20, trained weights: Enter refreshes");
    screen.keys("<enter>");
    assert_eq!(screen.evaluations, 2);
    screen.must_not_show("Enter refreshes");
    screen.must_show("step 25, trained weights");
    screen.keys("m");
    assert_eq!(screen.evaluations, 3);
    screen.must_show("ablating to the mean over sequences and positions of the validation set");
}

#[test]
fn an_evaluation_shows_as_it_arrives() {
    let mut screen = running();
    screen.keys("4g<space>");
    let commands = press(&mut screen, '6');
    let [mut inquiry] = asked(&commands).try_into().expect("one question");
    inquiry.question = Question::Ablation { controls: 4, pool: analysis::ControlPool::Any };
    screen.must_show("computing");
    screen.keys("e").must_show("still computing: again in a moment");
    let whole = screen.answer(&inquiry);
    let part = |screen: &mut Screen, sets: Option<usize>| {
        let mut answer: Answer = whole.clone();
        let Findings::Ablation(report) = &mut answer.findings else { panic!("{answer:?}") };
        let report = std::sync::Arc::make_mut(report);
        if let Some(sets) = sets {
            report.controls.as_mut().unwrap().losses.truncate(sets);
        } else {
            (report.after, report.controls) = (None, None);
        }
        screen.send(Event::Answer(Box::new(answer)));
    };
    part(&mut screen, None);
    screen.must_show("→ computing");
    screen.keys("e");
    assert!(screen.exported.is_empty(), "figures after the edit would be null");
    part(&mut screen, Some(2));
    screen.must_show("2/4 sets of any neurons");
    part(&mut screen, Some(4));
    screen.must_show("4 sets of any neurons");
    screen.keys("e");
    assert_eq!(screen.exported.len(), 1);
}

#[test]
fn the_view_freezes_and_goes_back_while_training_goes_on() {
    let mut screen = running();
    screen.must_show("● live @20");
    screen.keys("f");
    screen.snapshot(25, Weights::initial(&ModelConfig::default(), 1));
    screen.must_show("frozen @20 of 25");
    screen.keys("f");
    screen.must_show("● live @25");
    screen.keys("[");
    screen.must_show("back @20 of 25");
    screen.keys("]");
    screen.must_show("● live @25");
}

#[test]
fn quitting_asks_once_while_training() {
    let mut screen = running();
    screen.keys("q");
    screen.must_show("still training: q again");
    assert!(!screen.quit);
    screen.keys("<esc>");
    screen.must_not_show("still training");
    screen.keys("qq");
    assert!(screen.quit);
    assert_eq!(screen.told, [TrainCommand::Stop]);

    let mut screen = running();
    screen.keys("<ctrl-c>");
    assert!(screen.quit && screen.told == [TrainCommand::Stop]);

    let mut screen = running();
    screen.train(TrainEvent::State(RunState::Finished));
    screen.keys("q");
    assert!(screen.quit && screen.told.is_empty());
}

#[test]
fn what_is_not_saved_can_be_saved_elsewhere_before_quitting() {
    let mut screen = running();
    screen.keys("R").must_show("nothing is left unsaved");
    let why = "run: cannot save there: the run directory was renamed, removed or replaced";
    screen.train(TrainEvent::Unsaved(Some(why.into())));
    screen.keys("<esc>").must_show("R rescue");
    screen.keys("q").must_show("NOT SAVED: R saves and goes on, q saves and quits, Esc neither: in ");
    screen.keys("R");
    assert_eq!((screen.told.as_slice(), screen.quit), (&[TrainCommand::Rescue][..], false));
    screen.train(TrainEvent::Rescued { step: 25, run_dir: "there-rescued-1".into() });
    screen.must_show("saved at step 25, and the run goes on in a new directory: there-rescued-1");
    screen.must_not_show("NOT SAVED");
    screen.keys("q").must_show("still training: q again stops it");
}

#[test]
fn the_trainer_is_told_and_its_state_is_a_word() {
    let mut screen = running();
    screen.keys("P");
    assert_eq!(screen.told, [TrainCommand::Pause]);
    screen.train(TrainEvent::State(RunState::Paused));
    screen.must_show("PAUSED");
    screen.keys("SP");
    assert_eq!(screen.told, [TrainCommand::Pause, TrainCommand::Step, TrainCommand::Resume]);
    let mode = Mode::Exploring { weights: "w.safetensors".into() };
    let mut screen = Setup { mode, ..Setup::default() }.screen();
    screen.keys("P");
    screen.must_show("nothing trains here");
    assert!(screen.told.is_empty());
}

#[test]
fn a_failed_run_says_so_for_good() {
    let mut screen = running();
    screen.train(TrainEvent::Step(StepMetrics { step: 21, epoch: 3, train_loss: f32::NAN, lr: 0.01 }));
    screen.train(TrainEvent::Failed("the loss is not a number".into()));
    screen.train(TrainEvent::State(RunState::Failed));
    for keys in ["2", "<esc>", "6", "1"] {
        screen.keys(keys);
        screen.must_show("TRAINING FAILED at step 21: the loss is not a number");
    }
    screen.must_show("NaN from step 21");
    screen.must_show("loss NaN");
}

#[test]
fn validation_sequences_go_round() {
    let mut screen = running();
    let last = screen.data.len(Split::Validation) - 1;
    screen.keys("N");
    screen.must_show(&format!("val {last}"));
    screen.keys("n");
    screen.must_show("val 0");
    screen.keys("r");
    screen.must_show("rand 0");
    screen.keys("r");
    screen.must_show("rand 1");
}

#[test]
fn the_residual_of_the_sum_is_on_screen_and_small() {
    let mut screen = running();
    screen.keys("3<end>");
    let line = screen.line("sum - logit");
    let residual: f32 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(residual.abs() < 1e-4, "{line}");
}

#[test]
fn exploring_opens_where_there_is_something_to_see() {
    let mode = Mode::Exploring { weights: "w.safetensors".into() };
    let mut screen = Setup { mode, ..Setup::default() }.screen();
    assert_eq!(screen.app.view().title(), "Attention");
    screen.must_show("reading the weights");
    screen.snapshot(420, trained());
    screen.must_show("weights @420");
    screen.keys("q");
    assert!(screen.quit);
}

#[test]
fn the_status_line_has_the_newest_numbers() {
    let screen = running();
    let text = screen.text();
    let status = text.lines().next().unwrap();
    for piece in ["majority", "training", "20/420", "13.9/s", "cpu", &format!("{:.3}", loss_at(20))] {
        assert!(status.contains(piece), "{piece}: {status}");
    }
}

#[test]
fn suspending_and_repainting_are_left_to_the_loop() {
    let mut screen = running();
    screen.keys("<ctrl-z><ctrl-l>");
    assert_eq!((screen.suspended, screen.repainted), (1, 1));
}

#[test]
fn the_cursor_stays_on_the_first_neuron_until_the_user_takes_one() {
    let mut screen = running();
    let chosen =
        |screen: &Screen| screen.line("▸").split_whitespace().find_map(|word| word.parse::<usize>().ok());
    let first = |screen: &Screen| {
        let text = screen.text();
        let heading = text.lines().position(|line| line.contains(" hook_post ")).unwrap();
        let line = text.lines().nth(heading + 1).unwrap();
        line.split_whitespace().find_map(|word| word.parse::<usize>().ok())
    };
    screen.keys("4");
    for _ in 0..5 {
        screen.keys("<right><right><right>");
        assert_eq!(chosen(&screen), first(&screen));
    }
    screen.keys("<down>");
    let taken = chosen(&screen);
    screen.keys("<right><right><right>");
    assert_eq!(chosen(&screen), taken);
}

#[test]
fn the_terminals_own_keys_work_while_typing_and_reading() {
    let mut screen = running();
    screen.keys("i<ctrl-l><ctrl-z><ctrl-c>");
    assert_eq!((screen.suspended, screen.repainted, screen.quit), (1, 1, false));
    screen.keys("?<ctrl-l><ctrl-z>");
    assert_eq!((screen.suspended, screen.repainted), (2, 2));
}

/// The studies that a key asks for.
fn topics(screen: &mut Screen, c: char) -> Vec<Question> {
    studies(&press(screen, c)).into_iter().map(|inquiry| inquiry.question).collect()
}

#[test]
fn studies_are_asked_for_once_and_not_at_every_snapshot() {
    let mut screen = running();
    for (c, topic) in [
        ('2', &[Question::Heads, Question::Repeated][..]),
        ('3', &[Question::Lens]),
        ('4', &[Question::Trackers]),
        ('6', &[Question::Damage]),
        ('5', &[Question::Circuits]),
    ] {
        assert_eq!(topics(&mut screen, c), topic);
        assert_eq!(topics(&mut screen, c), []);
    }
    screen.must_show("computing");
    let commands = screen
        .app
        .update(Event::Train(TrainEvent::Snapshot(std::sync::Arc::new(model::Snapshot::new(25, trained())))));
    assert!(studies(&commands).is_empty());
    // What comes late is of the snapshot before, and wanted; the newer one is asked for by hand.
    screen.keys("<enter>");
    screen.must_show("copying");
    screen.keys("<enter>");
    screen.must_show("nothing here is of an earlier step");
}

#[test]
fn an_overlay_asks_for_its_fit_and_only_then() {
    let mut screen = running();
    screen.keys("4");
    assert_eq!(topics(&mut screen, 'j'), []);
    let fit = topics(&mut screen, 'o');
    assert!(matches!(&fit[..], [Question::Fit { neurons, .. }] if neurons.len() == 1), "{fit:?}");
    screen.keys("b");
    screen.must_show("they track token");
    screen.keys("o");
    screen.must_show("R² sum, 30 seq.");
    // As many hypotheses as there is room for, the best first.
    let line = screen.line("R²");
    let fits: Vec<f64> =
        line.split_whitespace().filter_map(|word| word.strip_prefix('.')?.parse().ok()).collect();
    assert!(fits.len() == 5 && fits.is_sorted_by(|a, b| a >= b), "{line}");
    screen.keys("B");
    screen.must_show("✕ 4 off");
    screen.keys("B");
    screen.must_not_show("4 off");
}

#[test]
fn folding_says_which_weights_and_how_little_changes() {
    let mut screen = running();
    screen.keys("3");
    screen.must_show("trained weights");
    screen.keys("F");
    let text = screen.text();
    let (_, change) = text.split_once("folded weights: log-probabilities changed by at most ").unwrap();
    let change: f32 = change.split_whitespace().next().unwrap().parse().unwrap();
    assert!(change > 0.0 && change < 3e-5, "{change}");
    screen.keys("<esc>");
    screen.must_show("folded weights");
    screen.must_not_show("trained weights");
    screen.keys("F");
    screen.must_show("trained weights: log-probabilities changed");
}

#[test]
fn patterns_are_replaced_one_after_the_other_and_restored() {
    let mut screen = running();
    screen.keys("2");
    for (key, how) in [("a", "made uniform"), ("a", "made identity"), ("a", "made previous")] {
        screen.keys(key);
        screen.must_show(how);
        screen.must_show("1 pattern  here");
    }
    assert_eq!(screen.evaluations, 3);
    screen.keys("a");
    screen.must_not_show("✕");
    screen.keys("A6");
    screen.must_show("2 patterns replaced: 16512 cells of this sequence");
    screen.must_show("pattern 0.1: uniform");
    screen.keys("<down><space>");
    screen.must_not_show("pattern 0.1");
    screen.keys("uU");
    screen.must_show("pattern 0.0: uniform");
}

#[test]
fn a_path_takes_the_cursor_along_and_its_neuron_is_switched_off() {
    let mut screen = running();
    screen.keys("5JJ");
    // Token, head, neuron.
    let path = |screen: &Screen| {
        let line = screen.text().lines().find(|line| line[..].contains(" ▸ ")).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("no path is chosen:\n{}", screen.text()));
        let words = line.split(" ▸ ").nth(1).unwrap().split_whitespace();
        words.take(3).map(str::to_owned).collect::<Vec<_>>()
    };
    let chosen = path(&screen);
    screen.must_show(&format!("QK of tokens, head {}", chosen[1]));
    screen.must_show(&format!("query token {},", chosen[0]));
    screen.keys("<space>6");
    screen.must_show(&format!("✕ neuron 0.{}", chosen[2]));
    // Back in the map the same key is the head's.
    screen.keys("u5<down><space>6");
    screen.must_show(&format!("✕ head {}", chosen[1]));
    // The list goes on below the screen, and page keys go through it.
    screen.keys("u5J<pgdn>");
    assert_ne!(path(&screen), chosen);
    screen.keys("4");
    let neuron = screen.line("▸").split_whitespace().nth(1).unwrap().to_owned();
    screen.keys("5");
    assert_eq!(path(&screen)[2], neuron);
}

#[test]
fn a_neuron_of_several_paths_says_once_what_it_adds() {
    let mut screen = running();
    screen.keys("5");
    let text = screen.text();
    let paths = text.lines().skip_while(|line| !line.contains("neur weights")).skip(1);
    let mut seen = std::collections::HashSet::new();
    for line in paths.take(6) {
        let words: Vec<&str> = line.split_whitespace().rev().take(4).collect();
        assert_eq!(words[0] == "\"", !seen.insert(words[3].to_owned()), "{line}");
    }
}

#[test]
fn numbers_of_an_earlier_step_say_so() {
    let mut screen = running();
    screen.keys("4").must_not_show("tracks @20");
    screen.snapshot(25, trained());
    screen.must_show("tracks @20");
    screen.keys("<enter>").must_not_show("tracks @20");
    screen.keys("2").must_show("scores, 30 seq.");
    screen.snapshot(30, trained());
    screen.must_show("30 seq. @25");
    screen.keys("3v").must_show("all on, 30 seq. loss");
    screen.snapshot(35, trained());
    screen.must_show("all on, 30 seq. @30 loss");
}

#[test]
fn an_opened_run_is_validated_again_at_every_step_that_is_looked_at() {
    let mode = Mode::Exploring { weights: "run".into() };
    let mut screen = Setup { mode, width: 120, height: 40, ..Setup::default() }.screen();
    // A run's files do not keep the accuracy by position.
    let validation = analysis::Evaluation {
        accuracy_by_position: Vec::new(),
        loss_by_position: Vec::new(),
        by_situation: Vec::new(),
        answers: Vec::new(),
        confusion: Vec::new(),
        ..analysis::evaluate(&trained(), &Patch::default(), &screen.data.examples(Split::Validation))
    };
    screen.train(TrainEvent::Epoch(EpochMetrics {
        epoch: 3,
        step: 20,
        validation,
        train_accuracy: f64::NAN,
    }));
    screen.snapshot(10, Weights::initial(&ModelConfig::default(), 1));
    screen.snapshot(20, trained());
    screen.keys("1").must_show("lowest by position 0 to 127: 9");
    screen.must_show("── step 20 ──");
    screen.keys("[").must_show("── step 10 ──");
    screen.must_not_show("lowest by position 0 to 127: 9");
    screen.resize(160, 40);
    screen.keys("F").must_show("folded weights, step 10");
    // Until the answer is there the heading is that of the figures.
    press(&mut screen, ']');
    screen.must_show("folded weights, step 10");
    // So is one that is followed, at each of its checkpoints.
    screen.keys("]").snapshot(30, trained());
    screen.must_show("folded weights, step 30");
    let mode = Mode::Exploring { weights: "w.safetensors".into() };
    let mut screen = Setup { mode, ..Setup::default() }.screen();
    screen.snapshot(0, trained());
    screen.keys("1").must_show("── trained weights ──");
    screen.must_show("overall 99.");
}

#[test]
fn the_label_and_the_output_are_among_the_logits_shown() {
    let mut screen = running();
    screen.keys("4BB<home>4B6");
    for _ in 0..60 {
        screen.keys("<right>");
        let text = screen.text();
        let rows: Vec<&str> = text.lines().skip_while(|line| !line.contains("logits at")).collect();
        assert!(rows.iter().any(|line| line.contains(" L ") || line.contains(" LO ")), "{text}");
        assert!(rows.iter().any(|line| line.contains("  O ") || line.contains(" LO ")), "{text}");
    }
    screen.must_show("highest logits at position");
}

#[test]
fn a_key_that_would_do_nothing_is_not_offered() {
    let mut screen = running();
    screen.keys("3").must_show("vb lens");
    screen.resize(120, 40);
    screen.must_not_show("vb lens");
    // Traces and map are both in view: the key leads to the examples at once, and without data nowhere.
    screen.keys("4v").must_show("highest by sequence");
    let mode = Mode::Exploring { weights: "w.safetensors".into() };
    let mut screen = Setup { sequences: 0, mode, ..Setup::sized(120, 40) }.screen();
    screen.snapshot(0, trained());
    screen.keys("4").must_not_show("v map");
    screen.sized(80, 24).must_show("v map");
    let model = ModelConfig { d_mlp: 0, ..ModelConfig::default() };
    let weights = Weights::initial(&model, 1);
    let mut screen = Setup { model, ..Setup::default() }.screen();
    screen.snapshot(0, weights);
    screen.keys("3").must_not_show("o neuron");
    screen.keys("5J").must_show("this model has attention only: there are no neurons");
    screen.keys("5").must_not_show("JK path");
    let mut screen = running();
    screen.keys("1").must_not_show("off/on");
    screen.keys("6").must_not_show("off/on");
    screen.keys("4<space>6").must_show("off/on");
}

#[test]
fn a_bidirectional_model_shows_the_attention_to_later_keys() {
    let model =
        ModelConfig { attention_dir: AttentionDirection::Bidirectional, n_ctx: 12, ..ModelConfig::default() };
    let weights = Weights::initial(&model, 1);
    let mut screen = Setup { model, sequences: 4, ..Setup::default() }.screen();
    screen.snapshot(0, weights);
    screen.keys("2G");
    for _ in 0..11 {
        screen.keys("<up>");
    }
    screen.must_show("query     0");
    for _ in 0..20 {
        screen.keys("<right>");
    }
    screen.must_show("key       11");
    // Uniform over all twelve keys, for the first query too.
    screen.must_show("0.0833");
    // Every cell of the first line's row has a colour.
    let buffer = screen.buffer();
    let first = (0..12).map(|col| buffer[(5 + col, 8)].symbol().to_owned()).collect::<String>();
    assert!(!first.contains(' '), "{first:?}:\n{}", screen.text());
    // No earlier prediction is valid after a change of a later token.
    screen.keys("5vv").must_not_show("masked");
}

#[test]
fn paths_say_when_they_are_measured_at_another_step_than_their_weights() {
    let mut screen = running();
    screen.keys("5");
    let paths = |screen: &Screen| screen.text().lines().skip(16).map(str::to_owned).collect::<Vec<_>>();
    let weights = |screen: &Screen| {
        let score = |line: String| line.split_whitespace().rev().nth(2).map(str::to_owned);
        paths(screen).into_iter().map(score).take(6).collect::<Vec<_>>()
    };
    let before = weights(&screen);
    screen.snapshot(25, Weights::initial(&ModelConfig::default(), 7));
    assert_eq!(weights(&screen), before);
    assert!(screen.text().lines().any(|line| line.contains("paths at") && line.contains("@25")));
    screen.keys("<enter>");
    assert_ne!(weights(&screen), before);
    assert!(!screen.text().lines().any(|line| line.contains("paths at") && line.contains("@25")));
}

#[test]
fn trackers_that_are_not_known_say_whether_they_ever_will_be() {
    let mut screen = running();
    press(&mut screen, '4');
    press(&mut screen, 'B');
    screen.must_show("still computing which neurons track which token");
    let mut screen = Setup { sequences: 0, ..Setup::default() }.screen();
    screen.snapshot(0, trained());
    screen.keys("4B").must_show("without a validation set");
}

#[test]
fn trackers_that_would_not_fit_in_memory_are_not_asked_for_and_their_size_is_said() {
    let model = ModelConfig {
        d_vocab: 40_000,
        d_model: 2,
        d_head: 2,
        d_mlp: 1024,
        n_ctx: 4,
        ..ModelConfig::default()
    };
    let weights = Weights::initial(&model, 1);
    let mut screen = Setup { model, sequences: 4, width: 120, ..Setup::default() }.screen();
    screen.snapshot(0, weights);
    screen.keys("4B").must_show("which neurons track which of 40000 tokens would take ");
}

/// The commands that follow the next snapshot.
fn at_snapshot(screen: &mut Screen, step: usize) -> Vec<Command> {
    let snapshot = model::Snapshot::new(step, trained());
    screen.app.update(Event::Train(TrainEvent::Snapshot(std::sync::Arc::new(snapshot))))
}

#[test]
fn a_run_is_made_longer_while_it_trains_and_afterwards_the_key_says_how() {
    let mut screen = running();
    screen.keys("1E");
    assert_eq!(screen.told, [TrainCommand::Extend]);
    let by = Extension { from_step: 420, schedule: Extend::Decay, lr: 1e-3, final_lr: 4e-8 };
    screen.train(TrainEvent::Extended { total_steps: 630, by });
    screen.must_show("to step 630 now, extended at step 420: learning rate decays from 1.000e-3");
    screen.keys("<esc>").must_show("/630");
    screen.train(TrainEvent::State(RunState::Finished));
    screen.keys("E").must_show("the run has ended: headcount train --resume --epochs N --run ");
    let mode = Mode::Exploring { weights: "w.safetensors".into() };
    let mut screen = Setup { mode, ..Setup::default() }.screen();
    screen.keys("1E").must_show("nothing trains here: headcount train --resume --epochs N");
    assert!(screen.told.is_empty());
}

#[test]
fn an_answer_to_the_user_is_taken_although_a_newer_snapshot_is_there() {
    let mut screen = running();
    let asked = probe_of(&press(&mut screen, 'r'));
    let follows = probe_of(&at_snapshot(&mut screen, 25));
    screen.app.take_dirty();
    screen.answer(&asked);
    assert!(screen.app.take_dirty());
    // An answer that only follows the training is dropped once the user has asked for something else.
    press(&mut screen, 'r');
    screen.app.take_dirty();
    screen.answer(&follows);
    assert!(!screen.app.take_dirty());
}

#[test]
fn what_is_asked_at_the_start_is_of_the_newest_weights() {
    let mode = Mode::Exploring { weights: "run".into() };
    let mut screen = Setup { mode, ..Setup::default() }.screen();
    let steps = |commands: &[Command]| -> Vec<usize> {
        studies(commands).iter().map(|inquiry| inquiry.subject.step()).collect()
    };
    for step in [280, 350, 420] {
        // The heads on the validation set, and on repeated tokens.
        assert_eq!(steps(&at_snapshot(&mut screen, step)), [step; 2]);
    }
}

#[test]
fn numbers_are_taken_away_only_when_they_are_of_what_is_shown() {
    let mut screen = running();
    screen.keys("4");
    press(&mut screen, ' ');
    for key in ['y', 'e'] {
        assert!(press(&mut screen, key).is_empty());
        screen.must_show("still computing: again in a moment");
    }
    screen.keys("  e");
    assert_eq!(screen.exported.len(), 1);
}

#[test]
fn the_course_of_the_training_is_named_after_its_last_step() {
    let mut screen = running();
    screen.snapshot(0, trained());
    screen.keys("1{Fe");
    assert_eq!(screen.exported[0].name, "train-step-000020-trained");
}

#[test]
fn a_pause_that_is_pressed_twice_is_none() {
    let mut screen = running();
    screen.keys("PPPSP");
    let expected = [
        TrainCommand::Pause,
        TrainCommand::Resume,
        TrainCommand::Pause,
        TrainCommand::Step,
        TrainCommand::Resume,
    ];
    assert_eq!(screen.told, expected);
    // The trainer may say late what it was told first.
    screen.train(TrainEvent::State(RunState::Paused));
    screen.keys("P");
    assert_eq!(screen.told.last(), Some(&TrainCommand::Resume));
    // One that has failed is told nothing, whatever it was told before.
    let mut screen = running();
    screen.keys("P");
    screen.train(TrainEvent::Failed("gone".into()));
    screen.keys("P");
    assert_eq!(screen.told, [TrainCommand::Pause]);
}

#[test]
fn a_question_stands_above_messages_and_a_paste_takes_them_away() {
    let mut screen = running();
    screen.keys("q");
    screen.train(TrainEvent::Notice("something".into()));
    screen.must_show("still training: q again");
    screen.keys("<esc>i");
    screen.send(Event::Paste("abc".into()));
    screen.must_show("pasted text is not tokens");
    screen.send(Event::Paste("1 2 3".into()));
    screen.must_not_show("pasted text is not tokens");
}

#[test]
fn the_fit_follows_the_neuron_and_the_token_that_an_answer_brings() {
    let mut screen = running();
    screen.keys("4o");
    let mut asked = 0;
    for _ in 0..6 {
        screen.keys("n");
        let line = screen.line("R²");
        assert!(!line.contains("computing"), "{line}");
        asked += usize::from(line.contains("seq."));
    }
    assert_eq!(asked, 6);
}

#[test]
fn figures_of_replaced_patterns_say_their_step_and_give_way_in_order() {
    let mut screen = running();
    screen.resize(120, 40);
    screen.keys("2a").must_show("val(30) ");
    screen.snapshot(25, trained());
    screen.must_show("val(30) @20 ");
    screen.keys("<enter>").must_not_show("@20");
    screen.resize(80, 24);
    screen.keys("<space>");
    screen.must_show("1 pattern and 1 off");
    screen.must_show("val(30) ");
    screen.keys("v").must_show("mean of head 0.0");
    screen.snapshot(30, trained());
    let heading = screen.line("── mean of head");
    assert!(heading.contains("head 0.0 @25"), "{heading}");
}

#[test]
fn random_sets_leave_the_heads_as_they_are() {
    let mut screen = running();
    screen.keys("6p").must_show("random sets are of neurons: none is off");
    screen.keys("4<space>6").must_show(" sets of non-trackers");
    screen.keys("p").must_show("random sets of any neurons");
    screen.keys("p");
    let request = |screen: &mut Screen| {
        let commands = press(screen, '6');
        studies(&commands).into_iter().find(|inquiry| matches!(inquiry.question, Question::Ablation { .. }))
    };
    screen.keys("2");
    press(&mut screen, ' ');
    let edits = request(&mut screen).expect("something else is off").subject.edits;
    let activity = vec![vec![1.0; 256]];
    let (control, _) = analysis::controls::control(&edits, (&activity, &BTreeSet::new()), 1, 0).unwrap();
    assert_eq!((control.heads.len(), control.neurons.len()), (1, 1));
    assert_ne!(control.neurons, edits.neurons);
}

#[test]
fn errors_are_sorted_by_situation_and_by_wrong_prediction_before_and_after_edits() {
    let mode = Mode::Exploring { weights: "w.safetensors".into() };
    let mut screen = Setup { mode, ..Setup::sized(120, 40) }.screen();
    screen.snapshot(20, trained());
    screen.keys("1v").must_show("lead tie");
    screen.must_show("errors");
    screen.keys("v").must_show("kinds of wrong predictions");
    screen.keys("2<space>6").must_show("kinds of wrong predictions");
    screen.keys("v").must_show("at ties");
    screen.must_show("smallest");
    screen.keys("v").must_show("before");
    screen.keys("v").must_show("lead 3+");
    screen.must_show("after");
}

#[test]
fn ablation_goes_to_zero_to_the_mean_and_to_the_mean_at_each_position() {
    let mut screen = running();
    screen.keys("2<space>6").must_show("1 head to zero");
    screen.keys("m").must_show("ablating to the mean over sequences and positions");
    screen.keys("m").must_show("ablating to the mean at each position");
    screen.keys("<esc>").must_show("1 head to the mean at each position");
    screen.must_show("1 off: mean-position");
    // The same by hand.
    let edits = asked(&press(&mut screen, 'd')).len();
    assert_eq!(edits, 0);
    let examples = screen.data.examples(Split::Validation);
    let means = analysis::evaluation::means_by_position(&trained(), &examples);
    let head = model::HeadId { layer: 0, head: 0 };
    let off = model::Interventions {
        heads: [head].into(),
        kind: model::AblationKind::MeanPosition,
        ..model::Interventions::default()
    };
    let patch = off.patch(trained().config(), Some(&means));
    let after = analysis::evaluate(&trained(), &patch, &examples);
    screen.must_show(&if after.loss < 1.0 {
        format!("{:.4}", after.loss)
    } else {
        format!("{:.3}", after.loss)
    });
}

#[test]
fn resampling_is_offered_where_sequences_have_others_as_long_and_is_named() {
    let mut screen = running();
    screen.keys("2<space>6mmm").must_show("ablating to the values of another validation sequence");
    screen.keys("<esc>").must_show("1 head to another sequence's values");
    for view in ["2", "3", "4", "5", "6"] {
        screen.keys(view).must_show(": resample");
    }
    screen.keys("m").must_show("ablating to zero");
    // The only validation sequence has no other one.
    let mut alone = Setup { sequences: 2, ..Setup::default() }.screen();
    alone.run(20, &[(20, trained())]);
    alone.keys("2<space>6mmm").must_show("ablating to zero");
}

#[test]
fn the_damage_of_sets_is_scrolled_and_has_random_sets_beside_the_trackers() {
    let mut screen = running();
    screen.keys("6").must_show("head 0.0 zero");
    screen.keys(&"<down>".repeat(9)).must_show("random for 2");
    screen.must_show("trackers of 2");
}

#[test]
fn keys_that_show_nothing_here_are_not_offered_and_the_target_is_said() {
    let mut screen = running();
    screen.resize(120, 40);
    for view in ["1", "2", "6"] {
        screen.keys(view).must_not_show("T target");
        screen.keys("t").must_show("target: ");
        screen.keys("<esc>");
    }
    screen.keys("6").must_not_show("list");
    // What each set would cost is there.
    screen.must_show("e export");
    screen.keys("3").must_show("T target");
}

#[test]
fn a_token_that_no_neuron_tracks_has_none_picked_or_switched_off() {
    let mut screen = Setup::default().screen();
    let mut weights = trained();
    weights.values.fill(f32::NAN);
    screen.snapshot(0, weights);
    for key in ["b", "B"] {
        screen.keys("4").keys(key).must_show("no neuron of the last layer tracks token");
        screen.must_not_show("✕");
        screen.must_not_show("◆");
    }
}

#[test]
fn a_token_that_is_refused_becomes_no_other_one() {
    let model = ModelConfig { d_vocab: 5000, n_ctx: 16, ..ModelConfig::default() };
    let weights = Weights::initial(&model, 1);
    let mut screen = Setup { model, ..Setup::default() }.screen();
    screen.snapshot(0, weights);
    let before = screen.keys("<home>").line("token");
    screen.keys("i99999").must_show("99999 is not a token: the vocabulary is 0 to 4999");
    screen.keys("<enter>").must_show("99999 is not a token");
    screen.keys("<backspace>").must_show("9999 is not a token");
    screen.keys(" <enter>");
    assert_eq!(screen.line("token"), before, "the old one is kept");
}

/// What a key changes the subject of: the key, and the views where it does.
const SUBJECT_KEYS: [(&str, &str); 14] = [
    ("r", "23456"),
    ("n", "23456"),
    ("N", "23456"),
    ("i7", "23456"),
    ("<space>", "23456"),
    ("u", "23456"),
    ("m", "23456"),
    ("F", "23456"),
    ("[", "23456"),
    ("{", "23456"),
    ("f", "23456"),
    ("a", "2"),
    ("A", "26"),
    ("B", "4"),
];

#[test]
fn no_figure_of_an_earlier_question_stands_unmarked_under_a_newer_one() {
    for (keys, views) in SUBJECT_KEYS {
        for view in views.chars() {
            let mut screen = Setup::default().screen();
            let first = Weights::initial(&ModelConfig::default(), 1);
            screen.run(20, &[(1, first), (20, trained())]);
            screen.keys("4g<space>").keys(&view.to_string());
            screen.must_not_show(" computing ");
            screen.stop_answering();
            screen.keys(keys);
            // Below status, tabs and strip, which has a line more while something is off.
            let first = if screen.shows("ablated  ") { 7 } else { 6 };
            let heading = screen.text().lines().nth(first).unwrap_or_default().to_owned();
            assert!(heading.contains("computing"), "{keys} in view {view}:\n{}", screen.text());
            let buffer = screen.buffer();
            let panel = buffer.content.chunks(80).skip(first + 1).take(22 - first).flatten();
            let is_dim = |cell: &ratatui::buffer::Cell| cell.modifier.contains(ratatui::style::Modifier::DIM);
            assert!(panel.filter(|cell| cell.symbol() != " ").all(is_dim), "{keys} in view {view}");
            screen.go_on_answering();
            screen.must_not_show(" computing ");
        }
    }
}

#[test]
fn in_a_live_session_the_accuracy_follows_the_snapshot_that_is_looked_at() {
    let mut screen = Setup::default().screen();
    let first = Weights::initial(&ModelConfig::default(), 1);
    screen.run(21, &[(1, first), (20, trained())]);
    screen.keys("1").must_show("epoch 3, step 21");
    screen.keys("{").must_show("trained weights, step 1");
    screen.keys("}").must_show("epoch 3, step 21");
    screen.snapshot(25, trained());
    screen.keys("<enter>").must_show("trained weights, step 25");
    screen.keys("<enter>").must_show("nothing here is of an earlier step");
}

#[test]
fn picked_neurons_stay_with_the_token_that_they_were_picked_for() {
    let mut screen = running();
    screen.keys("4bo<home>");
    let fitted = screen.line("R²");
    let token = fitted.clone();
    for _ in 0..30 {
        screen.keys("<right>");
        assert_eq!(screen.line("R²"), token);
    }
    screen.keys("<home>T<enter>").must_show(", for token ");
    assert_eq!(screen.line("R²"), fitted);
}

#[test]
fn a_key_without_effect_says_what_would_have_one() {
    let mut screen = running();
    screen.keys("c").must_show("nothing is off");
    screen.keys("3<home>").keys(&"<down>".repeat(9)).keys("<space>");
    screen.must_show("bias stays on: it belongs to no activation alone");
    screen.keys("6A").must_show("every head attends uniformly");
    screen.must_show("2 patterns replaced");
}

#[test]
fn in_the_patching_view_a_key_that_has_no_cell_to_act_on_says_so() {
    let mut screen = running();
    screen.keys("7b").must_show("z, layer by head");
    screen.keys("v").must_show("attn_out, layer by position");
    screen.keys("b").must_show("this site has no heads or neurons");
    let mut screen = Setup { sequences: 0, ..Setup::default() }.screen();
    screen.keys("7<space>").must_show("there is no corrupted sequence to take the cell from");
}

#[test]
fn maps_over_a_large_vocabulary_are_shown_where_the_cursor_is() {
    let model =
        ModelConfig { d_vocab: 40_000, d_model: 2, d_head: 2, d_mlp: 0, n_ctx: 8, ..ModelConfig::default() };
    let weights = Weights::initial(&model, 1);
    let maps = HeadMaps::new(&weights, HeadId { layer: 0, head: 1 });
    assert!(maps.bytes() < 20 << 20, "{} bytes for 3.2e9 cells", maps.bytes());
    let mut screen = Setup { model, sequences: 4, ..Setup::default() }.screen();
    screen.snapshot(0, weights);
    screen.keys("5.").must_show("QK of tokens, head 0.1");
    screen.keys("<down><down><right>").must_show("query token 2, key token 1: ");
}

#[test]
fn the_help_says_what_the_numbers_are_and_dims_what_does_nothing() {
    let mut screen = running();
    screen.keys("6?");
    let text: Vec<String> = (0..30).map(|_| screen.keys("<down>").text()).collect();
    for words in ["edited_loss", "baseline:"] {
        assert!(text.iter().any(|text| text.contains(words)), "no {words} in {}", text[0]);
    }
    screen.keys("<esc>").keys("?");
    let buffer = screen.buffer();
    let style = |start: &str| {
        let text = screen.text();
        let line =
            text.lines().position(|line| line.trim_start().starts_with(start)).expect("the key is listed");
        buffer[(1, u16::try_from(line).unwrap())].style().fg
    };
    // Nothing is off: random sets have nothing to match, but there are positions.
    assert_ne!(style("p "), style("← h"));
}

#[test]
fn the_scale_of_a_raw_map_is_that_of_the_queries_in_view() {
    let mut screen = running();
    let top = |screen: &Screen| -> f64 {
        let text = screen.text();
        let (_, rest) = text.split_once('≥').expect("the legend says where it is clipped");
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    screen.keys("20");
    let first = top(&screen);
    screen.keys("$");
    assert!(top(&screen) < first / 2.0, "{first} for the first queries, {} for the last", top(&screen));
}

#[test]
fn an_edit_is_typed_shown_saved_cleared_and_loaded_again() {
    let mut screen = running();
    screen.keys("6a");
    screen.must_show("edit: ");
    screen.must_show(r#"site = "z", layer = 0"#);
    screen.keys("site = 'z', heads = [9], to = 'zero'<enter>");
    screen.must_show("heads: no head 9: the model has heads 0 to 1");
    screen.keys(&"<backspace>".repeat(32));
    screen.keys("<esc>");
    screen.keys("asite = 'mlp_out', positions = '3-5', scale = 0.5<enter>");
    screen.must_show("1 edit: ");
    screen.must_show("mlp_out at 3-5: times 0.5");
    // The key line offers to restore what was cleared, later.
    let shown = |screen: &mut Screen| {
        let text = screen.keys("dd").text();
        text.lines().take(23).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let with = shown(&mut screen);
    screen.keys("smine<enter>");
    assert!(screen.saved_edits["mine"].contains("scale = 0.5"), "{:?}", screen.saved_edits);
    screen.keys("u");
    screen.must_show("nothing is off");
    screen.keys("omine<enter>");
    screen.must_show("mlp_out at 3-5: times 0.5");
    assert_eq!(shown(&mut screen), with, "the same edits, the same numbers");
    screen.keys("ono such<enter>");
    screen.must_show("a name has letters");
    screen.keys("<esc> ");
    screen.must_show("nothing is off");
}

#[test]
fn a_component_and_a_cell_of_the_grid_become_edits_and_the_components_still_sum_to_the_logit() {
    let mut screen = running();
    screen.keys("3<home>").keys(&"<up>".repeat(9)).keys(" ");
    screen.must_show("embed: to zero");
    screen.must_show("1 edit");
    screen.keys(" ");
    screen.must_show("removed: embed: to zero");
    screen.keys("7 ");
    screen.must_show("from ");
    screen.keys("6");
    screen.must_show("1 edit: 32 cells of this sequence");
    screen.keys("3");
    let line = screen.line("sum - logit");
    assert!(line.contains("e-"), "{line}");
    screen.keys("7 6");
    screen.must_show("nothing is off");
}
