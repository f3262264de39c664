//! The `headcount` command.

fn main() -> std::process::ExitCode {
    headcount::cli::main()
}
