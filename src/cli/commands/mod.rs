//! The subcommands.

mod after_dashboard;
mod attach;
mod background;
mod bench;
mod dashboard;
mod data;
mod evaluate;
mod explain;
mod export;
mod figures;
mod foreground;
mod predict;
mod progress;
mod ranks;
mod replay;
mod runs;
mod saved;
#[cfg(feature = "serve")]
mod serve;
mod sweep;
mod tokenize;
mod train;

use crate::cli::flags::{Cli, CliCommand};
use crate::cli::output::{
    SanitizedOutput, handle_file_size_limit, print_clap_error, print_to_stderr,
};
use crate::cli::text_output::is_broken_pipe;
use crate::cli::train_request::RequestError;
use crate::core::data::{Split, nsmc};
use crate::core::tokenizer::vocabulary;
use crate::run::sweep::PlanError;
use crate::screen::lang::Lang;
use crate::screen::terminal::guardian;
use clap::CommandFactory;
use std::ffi::OsString;
use std::io::{BufRead, Read, Write};
use std::process::ExitCode;

/// The maximum length of a line of standard input, in bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// Runs the command of the command line. The exit code is 0 on success, 1 on failure, 2 if the
/// command line or an option is invalid, and 128 plus the signal's number if a signal stopped a
/// run.
pub fn main() -> ExitCode {
    handle_file_size_limit();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match crate::cli::flags::parse(arguments.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => return print_clap_error(error, &arguments),
    };
    match run(cli) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::FAILURE,
        Err(error) => {
            print_to_stderr(format_args!("error: {error:#}"));
            // An invalid option in a file has the same exit code as one on the command line.
            let is_request = error.is::<RequestError>()
                || matches!(error.downcast_ref(), Some(PlanError::Request(_)));
            if is_request { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// The licenses of this program and of what it contains.
fn licenses() -> String {
    let parts = [
        ("nsmc-tui", include_str!("../../../LICENSE")),
        ("the embedded model", include_str!("../../../assets/model/LICENSE")),
        ("the letters of figures (Nanum Gothic)", include_str!("../../../assets/font/OFL.txt")),
    ];
    parts.map(|(name, text)| format!("# {name}\n\n{}\n", text.trim_end())).join("\n")
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut out = SanitizedOutput::new(std::io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    match cli.command {
        None => code = train::run(cli.train, &mut out)?,
        Some(CliCommand::Train(flags)) => code = train::run(*flags, &mut out)?,
        Some(CliCommand::Pretrain(flags)) => code = train::pretrain(*flags, &mut out)?,
        Some(CliCommand::Attach(flags)) => code = attach::run(&flags, &mut out)?,
        Some(CliCommand::Replay(flags)) => code = replay::run(&flags, &mut out)?,
        Some(CliCommand::Sweep(flags)) => code = sweep::run(&flags, &mut out)?,
        Some(CliCommand::Runs(flags)) => code = runs::run(&flags, &mut out)?,
        Some(CliCommand::Figures(flags)) => figures::run(&flags, &mut out)?,
        Some(CliCommand::Evaluate(flags)) => evaluate::run(&flags, &mut out)?,
        Some(CliCommand::Predict(flags)) => code = predict::run(&flags, &mut out)?,
        #[cfg(feature = "serve")]
        Some(CliCommand::Serve(flags)) => code = serve::run(&flags, &mut out)?,
        Some(CliCommand::Export(flags)) => export::run(&flags, &mut out)?,
        Some(CliCommand::Data(flags)) => data::run(&flags, &mut out)?,
        Some(CliCommand::Tokenize(flags)) => tokenize::run(&flags, &mut out)?,
        Some(CliCommand::Bench(flags)) => bench::run(&flags, &mut out)?,
        Some(CliCommand::Completions { shell }) => {
            let (mut command, mut script) = (Cli::command(), Vec::new());
            // It panics where it cannot write.
            clap_complete::generate(shell, &mut command, "nsmc-tui", &mut script);
            out.write_all(&script)?;
        }
        Some(CliCommand::Man) => manual(&mut out)?,
        Some(CliCommand::Licenses) => out.write_all(licenses().as_bytes())?,
        Some(CliCommand::TrainTokenizer { vocab_size }) => {
            let rows = nsmc::load(Split::Train)?.rows;
            let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
            let json = vocabulary::train(&texts, vocab_size)?.to_json()?;
            // Not sanitized: every character belongs to the file.
            drop(out);
            let mut out = std::io::stdout().lock();
            writeln!(out, "{json}")?;
            out.flush()?;
            return Ok(code);
        }
        Some(CliCommand::GuardTerminal) => guardian::run(),
    }
    out.flush()?;
    Ok(code)
}

/// Writes the manual page: that of the program, and a section for each subcommand.
fn manual(out: &mut impl Write) -> std::io::Result<()> {
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(out)?;
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let page = clap_mangen::Man::new(command.clone());
        let name = command.get_name().to_uppercase();
        writeln!(out, ".SH \"NSMC\\-TUI {name}\"")?;
        page.render_description_section(out)?;
        page.render_options_section(out)?;
    }
    Ok(())
}

/// Calls `f` with batches of the arguments or, if there are none, of lines of standard input. A
/// batch has the lines that can be read without waiting.
fn each_text(
    arguments: &[String],
    lang: Lang,
    mut f: impl FnMut(&[&str]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    const AT_A_TIME: usize = 32;
    if !arguments.is_empty() {
        let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
        return texts.chunks(AT_A_TIME).try_for_each(f);
    }
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        print_to_stderr(lang.tr("Type a sentence and press Enter; Ctrl-D ends."));
    }
    let mut input = std::io::BufReader::new(std::io::stdin().lock());
    let mut number = 0;
    loop {
        let mut lines: Vec<String> = Vec::new();
        let mut problem = None;
        while lines.len() < AT_A_TIME && (lines.is_empty() || input.buffer().contains(&b'\n')) {
            let mut line = Vec::new();
            if Read::take(&mut input, LONGEST_LINE + 1).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            number += 1;
            let is_long = line.last() != Some(&b'\n') && line.len() as u64 > LONGEST_LINE;
            match String::from_utf8(line) {
                // Such a line is cut, perhaps within a character.
                _ if is_long => problem = Some(format!("a line longer than {LONGEST_LINE} bytes")),
                Ok(line) => lines.push(line.trim_end_matches(['\n', '\r']).to_owned()),
                Err(_) => {
                    problem =
                        Some("invalid UTF-8; fix this line and run again with the input from this line on".to_owned());
                }
            }
            if problem.is_some() {
                break;
            }
        }
        // The lines before an invalid one are still processed.
        if let Some(problem) = problem {
            f(&lines.iter().map(String::as_str).collect::<Vec<_>>())?;
            anyhow::bail!("standard input:{number}: {problem}");
        }
        if lines.is_empty() {
            return Ok(());
        }
        f(&lines.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
}
