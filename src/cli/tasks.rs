//! `headcount tasks`: the tasks that models can be trained for.

use serde::Serialize;

use super::Failure;
use super::args::TasksArgs;
use super::output::print;
use crate::task::{Definition, TASKS, TaskConfig};
use crate::train::{RunConfig, Settings};

/// A task with its recipe in numbers.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    question: &'static str,
    rule: &'static str,
    model: String,
    sequences: usize,
    steps: usize,
    /// Of the whole recipe, on two cores.
    time: &'static str,
    published: &'static str,
    tokens: String,
    classes: String,
    features: Vec<&'static str>,
    situations: Vec<&'static str>,
    tour: Vec<&'static str>,
}

impl Row {
    fn of(task: &Definition) -> Result<Self, Failure> {
        let config = recipe(task)?;
        let fitted = config.task.task(config.model.shape())?;
        Ok(Self {
            name: task.name,
            question: task.question,
            rule: task.rule,
            model: shape(&config),
            sequences: config.task.sequences,
            steps: config.total_steps(),
            time: task.time,
            published: task.published,
            tokens: fitted.vocabulary().described(),
            classes: fitted.outputs().described(),
            features: fitted.features().iter().map(|feature| feature.name).collect(),
            situations: fitted.situations().iter().map(|situation| situation.name).collect(),
            tour: task.tour.lines().collect(),
        })
    }

    /// Its lines in the list of all tasks.
    fn listed(&self) -> String {
        let Self { name, question, model, steps, time, published, .. } = self;
        let rest =
            [format!("{model}; {steps} steps, {time} on two cores"), format!("published: {published}")];
        let rest = rest.map(|line| format!("\n{:18}{line}", ""));
        format!("{name:18}{question}{}", rest.concat())
    }

    /// What is known of it, as comments above its recipe.
    fn explained(&self) -> String {
        let Self { name, question, rule, model, steps, time, published, .. } = self;
        let mut lines = vec![
            format!("{name}: {question}"),
            format!("rule       {rule}"),
            format!("tokens     {}", self.tokens),
            format!("classes    {}", self.classes),
            format!("features   {}", self.features.join(", ")),
            format!("situations {}", self.situations.join(", ")),
            format!("model      {model}; {steps} steps, {time} on two cores"),
            format!("published  {published}"),
            String::new(),
            "a tour of the trained model:".into(),
            format!("  headcount train --task {name} --seed 1"),
            format!("  headcount --run runs/{name}-1"),
        ];
        lines.extend(self.tour.iter().map(|line| format!("  {line}")));
        lines.extend([String::new(), "the recipe; as --config it trains this task:".into()]);
        let comments: Vec<String> = lines.iter().map(|line| format!("# {line}").trim_end().into()).collect();
        comments.join("\n")
    }
}

/// `1L, d64, 2h x 32, mlp 256 solu_ln`.
fn shape(config: &RunConfig) -> String {
    let model = &config.model;
    let mlp = if model.has_mlp() { format!(", mlp {} {}", model.d_mlp, model.act_fn) } else { String::new() };
    format!("{}L, d{}, {}h x {}{mlp}", model.n_layers, model.d_model, model.n_heads, model.d_head)
}

fn recipe(task: &Definition) -> Result<RunConfig, Failure> {
    let mut settings = Settings::default();
    let named = settings.set(&format!("task.name={}", task.name)).and_then(|()| settings.run());
    named.map_err(|error| Failure::Failed(error.to_string()))
}

pub fn run(args: &TasksArgs) -> Result<(), Failure> {
    let name = args.name.clone();
    let chosen = name.map(|name| TaskConfig { name, ..TaskConfig::default() }.definition()).transpose()?;
    let tasks = chosen.map_or(TASKS.to_vec(), |task| vec![task]);
    let rows = tasks.iter().map(|task| Row::of(task)).collect::<Result<Vec<_>, _>>()?;
    match (args.json, chosen) {
        (true, _) => {
            print(&serde_json::to_string(&rows).map_err(|error| Failure::Failed(error.to_string()))?)
        }
        (false, Some(task)) => {
            print(&format!("{}\n{}", rows[0].explained(), recipe(task)?.to_toml().trim_end()))
        }
        (false, None) => rows.iter().try_for_each(|row| print(&row.listed())),
    }
}
