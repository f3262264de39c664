//! The examples at the end of each command's help.

pub const EXPLORE: &str = "\
Examples:
  headcount                                 # train the default task and look inside
  headcount --run runs/majority-23          # go on with a run, or open a finished one
  headcount --weights runs/majority-23      # explore weights without training
  headcount --watch 'out/step-*.safetensors' --config model.json   # while another program trains";

pub const TRAIN: &str = "\
Examples:
  headcount train --seed 7 --epochs 60
  headcount train --seed 7 --resume         # go on from the newest checkpoint
  headcount train --task modular-addition --set task.p=53 --set train.steps=10000
  headcount train --config mine.toml --json > metrics.jsonl";

pub const INSPECT: &str = "\
Examples:
  headcount inspect summary --weights runs/majority-23
  headcount inspect trackers --weights runs/majority-23 --json
  headcount inspect cache --weights runs/majority-23 --tokens 1,5,3 --out cache.safetensors";

pub const CACHE: &str = "\
Examples:
  headcount inspect cache --weights runs/majority-23 --tokens 1,5,3 --out cache.safetensors
  headcount inspect cache --weights W.safetensors --tokens @tokens.txt:2 --folded --out -
  headcount inspect cache --weights W.safetensors --tokens 1,5,3 --edits e.toml --out e.safetensors";

pub const ATTRIBUTION: &str = "\
Examples:
  headcount inspect attribution --weights runs/majority-23 --tokens 1,5,3 --out parts.safetensors
  headcount inspect attribution --weights W.safetensors --tokens @- --out parts.safetensors";

pub const CIRCUITS: &str = "\
Examples:
  headcount inspect circuits --weights runs/majority-23 --out circuits.safetensors
  headcount inspect circuits --weights W.safetensors --folded --out circuits.safetensors";

pub const TRACKERS: &str = "\
Examples:
  headcount inspect trackers --weights runs/majority-23
  headcount inspect trackers --weights runs/majority-23 --top 2 --controls 20 --json";

pub const FOLD: &str = "\
Examples:
  headcount inspect fold --weights runs/majority-23 --out folded.safetensors
  headcount inspect fold --weights W.safetensors --center-reading --fold-value-biases --out -";

pub const SUMMARY: &str = "\
Examples:
  headcount inspect summary --weights runs/majority-23
  headcount inspect summary --weights W.safetensors --set model.act_fn=gelu";

pub const EVAL: &str = "\
Examples:
  headcount eval --run runs/majority-23 --by class,position
  headcount eval --run runs/majority-23 --step 210 --json
  headcount eval --weights W.safetensors --data own.safetensors";

pub const PATCH: &str = "\
Examples:
  headcount patch --weights runs/majority-23 --clean 1,2,2 --corrupted 1,2,1
  headcount patch --run runs/addition-1 --data pairs.jsonl --site resid_pre --normalize
  headcount patch --run runs/majority-23 --clean 1,2,2 --corrupted 1,2,1 --by head-position --json
  headcount patch --weights W --clean 1,2,2 --corrupted 1,2,1 --from z --to q   # path patching";

pub const ABLATE: &str = "\
Examples:
  headcount ablate --weights runs/majority-23 --tokens 1,5,3 --neurons 93,103
  headcount ablate --weights runs/majority-23 --tokens @tokens.txt --heads 0 --kind mean --json
  headcount ablate --weights W.safetensors --data own.safetensors --heads 0.1 --kind mean-position
  headcount ablate --run runs/majority-23 --neurons 93,103 --scale 0,0.5,2   # dose-response";

pub const SHOW: &str = "\
Examples:
  headcount show --list
  headcount show attention --run runs/majority-23
  headcount show curve accuracy_by_class --run runs/majority-23 --format csv
  headcount show neuron_list --run runs/majority-23 --step 210 --minus step=420";

pub const TASKS: &str = "\
Examples:
  headcount tasks
  headcount tasks modular-addition          # with its rule and its recipe
  headcount tasks --json";

pub const RUNS: &str = "\
Examples:
  headcount runs
  headcount runs /data/runs --json";

pub const COMPLETIONS: &str = "\
Examples:
  headcount completions bash > ~/.local/share/bash-completion/completions/headcount
  headcount completions zsh > ~/.zfunc/_headcount
  headcount completions fish > ~/.config/fish/completions/headcount.fish";

pub const MAN: &str = "\
Examples:
  headcount man > ~/.local/share/man/man1/headcount.1
  headcount man | man -l -";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use super::super::Cli;

    /// Each example, with the command whose help contains it.
    fn examples(command: &Command) -> Vec<(String, String)> {
        let help = command.get_after_help().expect("every command has examples").to_string();
        let name = command.get_name();
        let own = help.lines().skip(1).map(|line| (name.to_owned(), line.trim().to_owned()));
        let commands = command.get_subcommands().filter(|command| command.get_name() != "help");
        own.chain(commands.flat_map(examples)).collect()
    }

    /// The arguments of the line, without a comment, redirection or pipe.
    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().take_while(|word| !["#", ">", "|"].contains(word)).collect()
    }

    #[test]
    fn every_example_is_a_request_that_makes_sense_and_of_its_command() {
        for (command, line) in examples(&Cli::command()) {
            assert!(Cli::try_parse_from(words(&line)).is_ok(), "{line}");
            assert!(words(&line).contains(&command.as_str()) || command == "explore", "{command}: {line}");
            assert!(line.len() < 98, "wrapped by the help: {line}");
        }
    }
}
