//! `headcount completions`: a shell's completions of our commands and options.

use clap::CommandFactory;
use clap_complete::generate;

use super::Failure;
use super::args::{Cli, CompletionsArgs};
use super::output::to_stdout;

pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "headcount", &mut script);
    to_stdout(&script)
}
