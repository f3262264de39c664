//! `headcount runs`: the runs in a directory, and their progress.

use std::path::{Path, PathBuf};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::Failure;
use super::args::RunsArgs;
use super::output::print;
use crate::term::sanitize;
use crate::train::{Overview, RunDirError, find_runs};

/// Default directory of runs, without `--run`.
const RUNS: &str = "runs";
const HEADINGS: [&str; 6] = ["name", "task", "step", "val loss", "val accuracy", "state"];

/// A run; a damaged run has a problem instead of numbers.
#[derive(Default, Serialize)]
struct Row {
    name: String,
    path: String,
    task: Option<String>,
    step: Option<usize>,
    steps: Option<usize>,
    loss: Option<f64>,
    accuracy: Option<f64>,
    state: &'static str,
    trainer: Option<String>,
    problem: Option<String>,
}

impl Row {
    fn of(run: &Path) -> Self {
        let (name, path) = (name_of(run), run.display().to_string());
        let row = Self { name, path, ..Self::default() };
        Overview::of(run).map_or_else(|error| row.damaged(&error), |overview| row.told(overview))
    }

    fn damaged(&self, error: &RunDirError) -> Self {
        let (name, path) = (self.name.clone(), self.path.clone());
        Self { name, path, state: "damaged", problem: Some(error.to_string()), ..Self::default() }
    }

    fn told(&self, overview: Overview) -> Self {
        let state = match (&overview.trainer, overview.is_finished()) {
            (Some(_), _) => "training",
            (None, true) => "finished",
            (None, false) => "stopped",
        };
        let validation = overview.validation.as_ref().map(|epoch| &epoch.validation);
        Self {
            name: self.name.clone(),
            path: self.path.clone(),
            step: Some(overview.step),
            steps: Some(overview.config.total_steps()),
            loss: validation.map(|validation| validation.loss),
            accuracy: validation.map(|validation| validation.accuracy),
            task: Some(overview.config.task.name),
            state,
            trainer: overview.trainer,
            problem: None,
        }
    }

    fn cells(&self) -> [String; 6] {
        let count = |count: Option<usize>| count.map_or("-".into(), |count| count.to_string());
        let number = |number: Option<f64>| number.map_or("-".into(), |number| format!("{number:.4}"));
        let by = self.trainer.as_ref().map_or(String::new(), |trainer| format!(" by {trainer}"));
        [
            self.name.clone(),
            self.task.clone().unwrap_or_default(),
            format!("{}/{}", count(self.step), count(self.steps)),
            number(self.loss),
            number(self.accuracy),
            format!("{}{by}", self.state),
        ]
        .map(|cell| sanitize(&cell).into_owned())
    }
}

/// The directory's own name, also for `.` and similar paths.
fn name_of(run: &Path) -> String {
    let absolute = || run.canonicalize().ok();
    let name = run.file_name().map(ToOwned::to_owned);
    let name = name.or_else(|| absolute()?.file_name().map(ToOwned::to_owned));
    name.unwrap_or_else(|| run.as_os_str().to_owned()).to_string_lossy().into_owned()
}

pub fn run(args: &RunsArgs) -> Result<(), Failure> {
    let directory = args.directory.clone().unwrap_or_else(|| PathBuf::from(RUNS));
    // Before the first run the default directory does not exist, which is no error.
    let is_to_come = args.directory.is_none() && !directory.exists();
    let runs = if is_to_come { Vec::new() } else { find_runs(&directory)? };
    let mut rows: Vec<Row> = runs.iter().map(|run| Row::of(run)).collect();
    rows.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    if args.json {
        return print(&serde_json::to_string(&rows).map_err(|error| Failure::Failed(error.to_string()))?);
    }
    if rows.is_empty() {
        return print(&format!("no runs in {}", sanitize(&directory.display().to_string())));
    }
    print(&table(&rows))
}

fn table(rows: &[Row]) -> String {
    let cells: Vec<[String; 6]> = rows.iter().map(Row::cells).collect();
    let width = |column: usize| {
        let told = rows.iter().zip(&cells).filter(|(row, _)| column == 0 || row.problem.is_none());
        told.map(|(_, cells)| cells[column].width()).chain([HEADINGS[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            let gap = width.saturating_sub(cell.width());
            format!("{cell}{:gap$}", "")
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().zip(&cells).map(|(row, cells)| match &row.problem {
        Some(problem) => line(&[&cells[0], &format!("{}: {}", row.state, sanitize(problem))]),
        None => line(&cells.each_ref().map(String::as_str)),
    });
    [line(&HEADINGS)].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}
