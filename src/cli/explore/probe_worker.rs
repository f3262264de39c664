//! The thread that answers probes and evaluations.
//!
//! The latest request of each kind wins, a probe before a study that has not let others go before it already. An
//! evaluation is done piece by piece, each piece reported as it comes, and dropped for a newer one between two pieces.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rayon::ThreadPool;

use super::super::threads;
use crate::analysis::evaluation::{control, means};
use crate::analysis::study::study;
use crate::analysis::{
    AblationReport, Controls, Evaluation, Known, Probe, ProbeRequest, Study, StudyRequest, evaluate,
    probe_after,
};
use crate::app::EvaluateRequest;
use crate::model::{AblationKind, FoldCache, Interventions, Means, Patch, Snapshot};
use crate::task::{Dataset, Split};

/// An answer.
pub enum Answer {
    /// To a probe.
    Probe(Box<Probe>),
    /// To an evaluation, as far as it has come.
    Evaluation(Box<AblationReport>),
    /// To a study.
    Study(Box<Study>),
}

#[derive(Default)]
struct Inbox {
    probe: Option<ProbeRequest>,
    evaluate: Option<EvaluateRequest>,
    studies: VecDeque<StudyRequest>,
    /// Probes that the first study has let go before it.
    let_go: usize,
    stop: bool,
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.probe.is_none() && self.evaluate.is_none() && self.studies.is_empty()
    }

    /// The study to do before the next probe, if it is its turn: while it trains there may always be another probe.
    fn study(&mut self) -> Option<StudyRequest> {
        let is_due = self.probe.is_none() || self.let_go >= PATIENCE;
        self.let_go = if is_due { 0 } else { self.let_go + 1 };
        if is_due { self.studies.pop_front() } else { None }
    }
}

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to the thread; it ends when this is dropped.
pub struct ProbeWorker {
    shared: Arc<Shared>,
}

impl ProbeWorker {
    /// Starts the thread. Sequences for evaluations come from `dataset`'s validation split; `answer` must not block.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn spawn(
        dataset: Arc<Dataset>,
        seed: u64,
        answer: impl Fn(Answer) + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        // Evaluations take whole cores for a while: half of them leaves the training room.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let pool = threads::pool(cores.div_ceil(2), "evaluate")?;
        let worker = Worker {
            shared: Arc::clone(&shared),
            dataset,
            seed,
            pool,
            averages: None,
            known: None,
            folded: FoldCache::default(),
            baseline: None,
        };
        thread::Builder::new().name("probe".into()).spawn(move || worker.run(&answer))?;
        Ok(Self { shared })
    }

    /// Asks for a probe in place of any that still waits.
    pub fn probe(&self, request: ProbeRequest) {
        self.shared.inbox().probe = Some(request);
        self.shared.arrived.notify_one();
    }

    /// Asks for an evaluation in place of any that waits or is under way.
    pub fn evaluate(&self, request: EvaluateRequest) {
        self.shared.inbox().evaluate = Some(request);
        self.shared.arrived.notify_one();
    }

    /// Asks for a study, in place of any on the same topic that still waits.
    pub fn study(&self, request: StudyRequest) {
        let mut inbox = self.shared.inbox();
        let same = |other: &StudyRequest| discriminant(&other.topic) == discriminant(&request.topic);
        inbox.studies.retain(|waiting| !same(waiting));
        inbox.studies.push_back(request);
        self.shared.arrived.notify_one();
    }
}

impl Drop for ProbeWorker {
    fn drop(&mut self) {
        // An answer that is under way is not waited for: it would hold up the way out.
        self.shared.inbox().stop = true;
        self.shared.arrived.notify_one();
    }
}

/// Probes that a study lets go before it.
const PATIENCE: usize = 2;

/// Mean and mean absolute activations over the validation set.
type Averages = (Arc<Means>, Arc<Vec<Vec<f32>>>);

struct Worker {
    shared: Arc<Shared>,
    dataset: Arc<Dataset>,
    seed: u64,
    pool: ThreadPool,
    /// Of the last snapshot they were needed for.
    averages: Option<(Arc<Snapshot>, Averages)>,
    /// What the last probe computed.
    known: Option<Known>,
    folded: FoldCache,
    baseline: Option<(Arc<Snapshot>, Evaluation)>,
}

/// An evaluation under way.
struct Job {
    request: EvaluateRequest,
    report: AblationReport,
}

impl Worker {
    fn run(mut self, answer: &dyn Fn(Answer)) {
        let mut job: Option<Job> = None;
        loop {
            let mut inbox = self.shared.inbox();
            while !inbox.stop && inbox.is_empty() && job.is_none() {
                inbox = self.shared.arrived.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            if inbox.stop {
                return;
            }
            let study = inbox.study();
            let (request, evaluation) = (inbox.probe.take(), inbox.evaluate.take());
            drop(inbox);
            if let Some(request) = study {
                answer(Answer::Study(Box::new(self.study(request))));
            }
            if let Some(request) = request {
                answer(Answer::Probe(Box::new(self.probe(request))));
            }
            if let Some(request) = evaluation {
                job = Some(self.begin(request));
            } else if let Some(current) = &mut job
                && !self.go_on(current)
            {
                job = None;
                continue;
            }
            if let Some(job) = &job {
                answer(Answer::Evaluation(Box::new(job.report.clone())));
            }
        }
    }

    fn study(&mut self, request: StudyRequest) -> Study {
        let folded = self.folded.of(&request.snapshot);
        let looked_at = if request.folded { Arc::clone(&folded) } else { Arc::clone(&request.snapshot) };
        let examples = self.dataset.examples(Split::Validation);
        self.pool.install(|| study(request, &looked_at, &folded, &examples, self.dataset.task().features()))
    }

    fn probe(&mut self, mut request: ProbeRequest) -> Probe {
        if request.folded {
            request.snapshot = self.folded.of(&request.snapshot);
        }
        if request.interventions.kind == AblationKind::Mean && !request.interventions.is_empty() {
            request.means = Some(self.averages(&request.snapshot).0);
        }
        let probe = probe_after(request, self.known.as_ref());
        self.known = Some(Known::of(&probe));
        probe
    }

    /// The first piece: nothing switched off.
    fn begin(&mut self, mut request: EvaluateRequest) -> Job {
        if request.folded {
            request.snapshot = self.folded.of(&request.snapshot);
        }
        let before = match &self.baseline {
            Some((of, evaluation)) if Arc::ptr_eq(of, &request.snapshot) => evaluation.clone(),
            _ => self.evaluate(&request.snapshot, &Patch::default()),
        };
        self.baseline = Some((Arc::clone(&request.snapshot), before.clone()));
        let controls = (!request.interventions.neurons.is_empty())
            .then(|| Controls { planned: request.controls, ..Controls::default() });
        let step = request.snapshot.step;
        let report = AblationReport { generation: request.generation, step, before, after: None, controls };
        Job { request, report }
    }

    /// The next piece; `false` when there is none.
    fn go_on(&mut self, Job { request, report }: &mut Job) -> bool {
        if report.after.is_none() {
            report.after = Some(self.ablated(request, &request.interventions));
            return true;
        }
        let Some(controls) = &mut report.controls else { return false };
        let done = controls.losses.len();
        if done >= controls.planned {
            return false;
        }
        let activity = self.averages(&request.snapshot).1;
        match control(&request.interventions, &activity, self.seed, done as u64) {
            Some(set) => {
                let evaluation = self.ablated(request, &set);
                controls.losses.push(evaluation.loss);
                controls.accuracies.push(evaluation.accuracy);
            }
            // Too few other neurons to draw from: there is no control.
            None => report.controls = None,
        }
        true
    }

    fn ablated(&mut self, request: &EvaluateRequest, interventions: &Interventions) -> Evaluation {
        let means = (interventions.kind == AblationKind::Mean).then(|| self.averages(&request.snapshot).0);
        let patch = interventions.patch(request.snapshot.config(), means.as_deref());
        self.evaluate(&request.snapshot, &patch)
    }

    fn evaluate(&self, snapshot: &Snapshot, patch: &Patch) -> Evaluation {
        self.pool.install(|| evaluate(&snapshot.weights, patch, &self.dataset.examples(Split::Validation)))
    }

    fn averages(&mut self, snapshot: &Arc<Snapshot>) -> Averages {
        if let Some((of, averages)) = &self.averages
            && Arc::ptr_eq(of, snapshot)
        {
            return averages.clone();
        }
        let examples = self.dataset.examples(Split::Validation);
        let (means, activity) = self.pool.install(|| means(&snapshot.weights, &examples));
        let averages = (Arc::new(means), Arc::new(activity));
        self.averages = Some((Arc::clone(snapshot), averages.clone()));
        averages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Topic;
    use crate::model::{ModelConfig, Weights};
    use crate::task::Targets;

    #[test]
    fn a_study_has_its_turn_however_many_probes_there_are() {
        let snapshot = Arc::new(Snapshot::new(0, Weights::initial(&ModelConfig::default(), 1)));
        let probe = ProbeRequest {
            generation: 0,
            snapshot: Arc::clone(&snapshot),
            folded: false,
            tokens: Arc::from([1]),
            targets: Targets::none(1),
            interventions: Interventions::default(),
            means: None,
        };
        let study = StudyRequest {
            snapshot,
            folded: false,
            interventions: Interventions::default(),
            topic: Topic::Lens,
        };
        let mut inbox = Inbox::default();
        inbox.studies.extend([study.clone(), study]);
        let turns: Vec<bool> = (0..7)
            .map(|_| {
                inbox.probe = Some(probe.clone());
                inbox.study().is_some()
            })
            .collect();
        assert_eq!(turns, [false, false, true, false, false, true, false]);
    }
}
