//! `headcount man`: one manual page with every command.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Failure;
use super::args::Cli;
use super::output::to_stdout;

const EXIT_STATUS: &str = "0 for success, 2 for a request that makes no sense, 1 for one that failed, 3 when another \
    process is training in the run directory, and 128 plus the number of the signal that ended the program.";

pub fn run() -> Result<(), Failure> {
    let page = page().map_err(|error| Failure::Failed(format!("cannot write the manual page: {error}")))?;
    to_stdout(tidied(&String::from_utf8_lossy(&page)).as_bytes())
}

fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    // By hand: the library omits the empty date, and the version would take its place.
    writeln!(page, ".TH headcount 1 \"\" \"headcount {}\"", env!("CARGO_PKG_VERSION"))?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    heading("SH", "COMMANDS").to_writer(&mut page)?;
    command.get_subcommands().try_for_each(|command| describe(command, &mut page))?;
    heading("SH", "EXIT STATUS").text([roman(EXIT_STATUS)]).to_writer(&mut page)?;
    heading("SH", "EXAMPLES").to_writer(&mut page)?;
    examples(&command).to_writer(&mut page)?;
    Ok(page)
}

/// A command under its full name, followed by its subcommands.
fn describe(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    heading("SS", command.get_bin_name().unwrap_or_else(|| command.get_name())).to_writer(page)?;
    let man = Man::new(command.clone());
    page.extend(section(|out| man.render_description_section(out))?);
    control("PP").to_writer(page)?;
    page.extend(section(|out| man.render_synopsis_section(out))?);
    page.extend(section(|out| man.render_options_section(out))?);
    control("PP").text([roman("Examples:")]).control("PP", []).to_writer(page)?;
    examples(command).to_writer(page)?;
    command.get_subcommands().try_for_each(|command| describe(command, page))
}

fn heading(level: &str, name: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control(level, [name]);
    roff
}

fn control(name: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control(name, []);
    roff
}

/// The commands of the examples, line by line.
fn examples(command: &Command) -> Roff {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut roff = control("EX");
    for line in help.lines().skip(1) {
        roff.text([roman(line.trim())]);
    }
    roff.control("EE", []);
    roff
}

/// A section without its heading: the page has one heading for each command.
fn section(render: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut rendered = Vec::new();
    render(&mut rendered)?;
    let lines = rendered.split_inclusive(|byte| *byte == b'\n');
    Ok(lines.filter(|line| !line.starts_with(b".SH ")).flatten().copied().collect())
}

/// Joins the parts to one page: definitions that every part repeats appear once, no blank lines, and ASCII only, which
/// every formatter reads.
fn tidied(page: &str) -> String {
    let is_definition = |line: &str| line.starts_with(".ie ") || line.starts_with(".el ");
    let definitions = page.lines().filter(|line| is_definition(line)).take(2);
    let title = page.lines().take(1);
    let rest = page.lines().skip(1).filter(|line| !is_definition(line));
    let page: String = definitions.chain(title).chain(rest).flat_map(|line| [line, "\n"]).collect();
    let escaped = |c: char| {
        if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) }
    };
    page.replace("\n.br\n\n.br\n", "\n.sp\n").chars().map(escaped).collect()
}
