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
    published: &'static str,
}

impl Row {
    fn of(task: &Definition) -> Result<Self, Failure> {
        let config = recipe(task)?;
        let model = &config.model;
        let mlp =
            if model.has_mlp() { format!(", mlp {} {}", model.d_mlp, model.act_fn) } else { String::new() };
        Ok(Self {
            name: task.name,
            question: task.question,
            rule: task.rule,
            model: format!(
                "{}L, d{}, {}h x {}{mlp}",
                model.n_layers, model.d_model, model.n_heads, model.d_head
            ),
            sequences: config.task.sequences,
            steps: config.total_steps(),
            published: task.published,
        })
    }
}

fn recipe(task: &Definition) -> Result<RunConfig, Failure> {
    let mut settings = Settings::default();
    let named = settings.set(&format!("task.name={}", task.name)).and_then(|()| settings.run());
    named.map_err(|error| Failure::Failed(error.to_string()))
}

pub fn run(args: &TasksArgs) -> Result<(), Failure> {
    let name = args.name.clone();
    let tasks =
        match name.map(|name| TaskConfig { name, ..TaskConfig::default() }.definition()).transpose()? {
            Some(task) => vec![task],
            None => TASKS.to_vec(),
        };
    let rows = tasks.iter().map(|task| Row::of(task)).collect::<Result<Vec<_>, _>>()?;
    if args.json {
        return print(&serde_json::to_string(&rows).map_err(|error| Failure::Failed(error.to_string()))?);
    }
    for (row, task) in rows.iter().zip(&tasks) {
        print(&format!("{:18}{}", row.name, row.question))?;
        print(&format!("{:18}{}; {} steps", "", row.model, row.steps))?;
        print(&format!("{:18}published: {}", "", row.published))?;
        if args.name.is_some() {
            print(&format!("{:18}rule: {}\n\n{}", "", row.rule, recipe(task)?.to_toml().trim_end()))?;
        }
    }
    Ok(())
}
