//! Chooses the next work: the user's latest question at once, studies in slices.
//!
//! Lanes, so that a running slice delays no question. Questions that follow the training share the lane of studies
//! and alternate with them: during training there may always be another. Points of curves have a lane of their own and
//! wait for everything else.

use super::bench::Bench;
use super::job::{Job, Progress};
use super::{Answer, AskedBy, Inquiry};

/// The lane of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Quick questions of the user.
    Questions,
    /// Other questions of the user, and those that follow the training.
    Studies,
    /// Points of curves.
    Curves,
}

impl Lane {
    /// All, more urgent first.
    pub const ALL: [Self; 3] = [Self::Questions, Self::Studies, Self::Curves];

    fn of(inquiry: &Inquiry) -> Self {
        match inquiry.by {
            AskedBy::Curve => Self::Curves,
            AskedBy::User | AskedBy::Comparison if inquiry.question.is_quick() => Self::Questions,
            AskedBy::User | AskedBy::Comparison | AskedBy::Training => Self::Studies,
        }
    }
}

/// Questions that go before the next slice of a study.
const PATIENCE: usize = 2;

/// The running computation of an answer.
pub struct Task {
    inquiry: Inquiry,
    job: Box<dyn Job>,
}

impl Task {
    /// The question.
    pub fn inquiry(&self) -> &Inquiry {
        &self.inquiry
    }

    /// Takes a step.
    pub fn step(&mut self, bench: &Bench) -> Progress {
        self.job.step(bench)
    }
}

/// A task during a step.
struct Running {
    inquiry: Inquiry,
    /// Whether a later question has replaced it.
    is_dropped: bool,
}

/// Waiting and running tasks.
#[derive(Default)]
pub struct Schedule {
    waiting: Vec<Task>,
    running: [Option<Running>; 3],
    /// Questions that went before the studies since their last slice.
    let_go: usize,
    /// Whether the last slice was for a question that follows the training.
    followed: bool,
}

impl Schedule {
    /// Adds a question, replacing one of its kind that waits or runs.
    pub fn ask(&mut self, inquiry: Inquiry) {
        let is_replaced =
            |known: &Inquiry| known.question.is_like(&inquiry.question) && known.by.is_like(inquiry.by);
        self.waiting.retain(|task| !is_replaced(&task.inquiry));
        for running in self.running.iter_mut().flatten() {
            running.is_dropped |= is_replaced(&running.inquiry);
        }
        let job = inquiry.question.ask(&inquiry.subject);
        self.waiting.push(Task { inquiry, job });
    }

    /// The next task of a lane.
    pub fn next(&mut self, lane: Lane) -> Option<Task> {
        let at = match lane {
            Lane::Questions => self.position(|task| Lane::of(&task.inquiry) == lane)?,
            Lane::Studies => self.next_study()?,
            Lane::Curves => self.next_point()?,
        };
        let task = self.waiting.remove(at);
        let (inquiry, is_dropped) = (task.inquiry.clone(), false);
        self.running[lane as usize] = Some(Running { inquiry, is_dropped });
        let is_let_go = lane == Lane::Questions && self.has_studies();
        self.let_go = if is_let_go { self.let_go + 1 } else { 0 };
        Some(task)
    }

    fn position(&self, is_it: impl Fn(&Task) -> bool) -> Option<usize> {
        self.waiting.iter().position(is_it)
    }

    /// A point of a curve, while nothing else waits or runs.
    fn next_point(&self) -> Option<usize> {
        let is_busy = self.running[..2].iter().any(Option::is_some);
        let is_point = |task: &Task| Lane::of(&task.inquiry) == Lane::Curves;
        let is_idle = !is_busy && self.waiting.iter().all(is_point);
        self.position(is_point).filter(|_| is_idle)
    }

    fn has_studies(&self) -> bool {
        self.position(|task| Lane::of(&task.inquiry) == Lane::Studies).is_some()
    }

    /// Alternates between questions that follow the training and the newest study.
    fn next_study(&mut self) -> Option<usize> {
        let has_question = self.position(|task| Lane::of(&task.inquiry) == Lane::Questions).is_some();
        if (has_question || self.running[0].is_some()) && self.let_go < PATIENCE {
            return None;
        }
        let follows = self.position(Self::follows);
        let studies = self.waiting.iter().enumerate();
        let studies = studies.filter(|(_, task)| {
            Lane::of(&task.inquiry) == Lane::Studies && !task.inquiry.question.is_quick()
        });
        let order = |inquiry: &Inquiry| (inquiry.by != AskedBy::Comparison, inquiry.generation);
        let study = studies.max_by_key(|(_, task)| order(&task.inquiry)).map(|(at, _)| at);
        let at = if self.followed { study.or(follows) } else { follows.or(study) }?;
        self.followed = Self::follows(&self.waiting[at]);
        Some(at)
    }

    fn follows(task: &Task) -> bool {
        task.inquiry.by == AskedBy::Training && task.inquiry.question.is_quick()
    }

    /// Returns a task after a step. Returns the answer, whole or partial, if it is still wanted.
    pub fn stepped(&mut self, lane: Lane, task: Task, progress: Progress, bench: &Bench) -> Option<Answer> {
        let is_dropped = self.running[lane as usize].take().is_some_and(|running| running.is_dropped);
        match progress {
            // A quick answer counts even if a newer question waits: questions may come faster than answers.
            Progress::Done(findings) => Some(Answer::new(task.inquiry, findings, bench)),
            Progress::More | Progress::Partial(_) if is_dropped => None,
            // Half of a curve's point is none.
            Progress::Partial(findings) if lane != Lane::Curves => {
                let answer = Answer::new(task.inquiry.clone(), findings, bench);
                self.waiting.push(task);
                Some(answer)
            }
            Progress::More | Progress::Partial(_) => {
                self.waiting.push(task);
                None
            }
        }
    }

    /// Abandons the running task of a lane.
    pub fn give_up(&mut self, lane: Lane) -> Option<Inquiry> {
        self.running[lane as usize].take().map(|running| running.inquiry)
    }

    /// Runs tasks until there is an answer; `None` when nothing is left.
    pub fn run(&mut self, bench: &Bench) -> Option<Answer> {
        loop {
            let next = Lane::ALL.into_iter().find_map(|lane| Some((lane, self.next(lane)?)));
            let (lane, mut task) = next?;
            let progress = task.step(bench);
            if let Some(answer) = self.stepped(lane, task, progress, bench) {
                return Some(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::analysis::{ControlPool, NeuronHook};
    use crate::inquiry::{Over, Question, Subject, WeightForm};
    use crate::model::{AblationKind, HeadId, Interventions, ModelConfig, NeuronId, Snapshot, Weights};
    use crate::task::TaskConfig;

    struct Desk {
        snapshot: Arc<Snapshot>,
        bench: Bench,
        schedule: Schedule,
        asked: u64,
    }

    impl Desk {
        fn new() -> Self {
            // Wide enough that one pass covers only a part of the validation set.
            let config = ModelConfig { n_layers: 2, d_mlp: 1 << 16, n_ctx: 24, ..ModelConfig::default() };
            let data = TaskConfig { sequences: 10, train_fraction: 0.2, ..TaskConfig::default() };
            let data = data.dataset(config.shape(), 1).unwrap();
            let snapshot = Arc::new(Snapshot::new(0, Weights::initial(&config, 1)));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
            let bench = Bench::new(Arc::new(data), 1, Some(pool));
            Self { snapshot, bench, schedule: Schedule::default(), asked: 0 }
        }

        fn ask(&mut self, by: AskedBy, question: Question, edits: &Interventions) {
            self.asked += 1;
            let over = match question {
                Question::Circuits => Over::Weights,
                _ if question.is_quick() => Over::Sequence(vec![self.asked as u16 % 10; 24].into()),
                _ => Over::Validation,
            };
            let subject = Subject::weights(&self.snapshot, WeightForm::Trained).over(over).edited(edits);
            self.schedule.ask(Inquiry { generation: self.asked, by, subject, question });
        }

        /// One turn of a lane: its question, the passes it took, and the answer.
        fn turn(&mut self, lane: Lane) -> Option<(Question, usize, Option<Answer>)> {
            let before = self.bench.passes();
            let mut task = self.schedule.next(lane)?;
            let question = task.inquiry().question.clone();
            let progress = task.step(&self.bench);
            let answer = self.schedule.stepped(lane, task, progress, &self.bench);
            Some((question, self.bench.passes() - before, answer))
        }
    }

    fn neurons(kind: AblationKind) -> Interventions {
        let neurons = (0..3).map(|neuron| NeuronId { layer: 1, neuron }).collect();
        Interventions { neurons, kind, ..Interventions::default() }
    }

    #[test]
    fn a_question_waits_for_no_study_and_a_slice_is_one_pass_per_thread() {
        let fit = Question::Fit {
            neurons: vec![NeuronId { layer: 0, neuron: 1 }],
            class: 3,
            hook: NeuronHook::Post,
        };
        for (study, edits) in [
            (Question::Circuits, Interventions::default()),
            (Question::Lens, Interventions::default()),
            (Question::Heads, neurons(AblationKind::Mean)),
            (fit, Interventions::default()),
            (Question::Trackers, Interventions::default()),
            (Question::Accuracy, Interventions::default()),
            (Question::Ablation { controls: 2, pool: ControlPool::NonTrackers }, neurons(AblationKind::Zero)),
        ] {
            let mut desk = Desk::new();
            desk.ask(AskedBy::User, study.clone(), &edits);
            for _ in 0..4 {
                if let Some((done, passes, _)) = desk.turn(Lane::Studies) {
                    assert!(done.is_like(&study) && passes <= 2, "{passes} passes of {done:?}");
                }
            }
            desk.ask(AskedBy::User, Question::Probe, &Interventions::default());
            assert!(desk.turn(Lane::Studies).is_none(), "the question goes first");
            let (done, passes, answer) = desk.turn(Lane::Questions).expect("a question waits");
            assert!(answer.is_some() && passes == 1, "{passes} passes from question to answer: {done:?}");
            // The study still runs to its end.
            let last = std::iter::from_fn(|| desk.schedule.run(&desk.bench)).last();
            assert!(last.is_none_or(|answer| answer.inquiry.question == study));
        }
    }

    #[test]
    fn a_study_gets_its_turn_under_any_number_of_questions() {
        for by in [AskedBy::User, AskedBy::Training] {
            let mut desk = Desk::new();
            desk.ask(AskedBy::User, Question::Lens, &Interventions::default());
            let mut slices = 0;
            for _ in 0..12 {
                desk.ask(by, Question::Probe, &Interventions::default());
                let turns = [desk.turn(Lane::Studies), desk.turn(Lane::Questions)];
                slices += turns.iter().flatten().filter(|(done, ..)| *done == Question::Lens).count();
            }
            assert!((4..=6).contains(&slices), "{by:?}: {slices} slices among 12 questions");
        }
    }

    #[test]
    fn the_newest_study_goes_first_and_the_others_continue() {
        let mut desk = Desk::new();
        for question in [Question::Heads, Question::Lens, Question::Circuits] {
            desk.ask(AskedBy::User, question, &Interventions::default());
        }
        desk.turn(Lane::Studies);
        let order = std::iter::from_fn(|| desk.schedule.run(&desk.bench));
        let order: Vec<Question> = order.map(|answer| answer.inquiry.question).collect();
        assert_eq!(order, [Question::Circuits, Question::Lens, Question::Heads]);
    }

    #[test]
    fn points_of_curves_wait_for_everything_and_are_replaced_by_nothing_else() {
        let mut desk = Desk::new();
        desk.ask(AskedBy::Curve, Question::Probe, &Interventions::default());
        desk.ask(AskedBy::Curve, Question::Accuracy, &Interventions::default());
        desk.ask(AskedBy::User, Question::Lens, &Interventions::default());
        desk.ask(AskedBy::User, Question::Probe, &Interventions::default());
        desk.ask(AskedBy::User, Question::Accuracy, &Interventions::default());
        assert!(desk.turn(Lane::Curves).is_none());
        let order: Vec<u64> =
            std::iter::from_fn(|| desk.schedule.run(&desk.bench)).map(|a| a.inquiry.generation).collect();
        assert_eq!(order, [4, 5, 3, 1, 2]);
    }

    #[test]
    fn a_later_question_replaces_a_waiting_or_running_one() {
        let mut desk = Desk::new();
        desk.ask(AskedBy::User, Question::Lens, &Interventions::default());
        let mut task = desk.schedule.next(Lane::Studies).expect("it waits");
        desk.ask(AskedBy::User, Question::Lens, &Interventions::default());
        let progress = task.step(&desk.bench);
        assert!(desk.schedule.stepped(Lane::Studies, task, progress, &desk.bench).is_none());
        let answers: Vec<u64> =
            std::iter::from_fn(|| desk.schedule.run(&desk.bench)).map(|a| a.inquiry.generation).collect();
        assert_eq!(answers, [2]);
    }

    #[test]
    fn figures_do_not_depend_on_the_number_of_threads() {
        let bits = |threads: usize| {
            let mut desk = Desk::new();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                desk.bench.without_pool();
                let head = HeadId { layer: 0, head: 0 };
                let edits =
                    Interventions { heads: [head].into(), kind: AblationKind::Mean, ..Default::default() };
                desk.ask(AskedBy::User, Question::Heads, &edits);
                desk.ask(AskedBy::User, Question::Lens, &Interventions::default());
                desk.ask(AskedBy::User, Question::Accuracy, &Interventions::default());
                let answers = std::iter::from_fn(|| desk.schedule.run(&desk.bench));
                answers.map(|answer| format!("{:?}", answer.findings)).collect::<Vec<_>>()
            })
        };
        assert!(bits(1) == bits(3));
    }
}
