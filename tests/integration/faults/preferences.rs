//! Faults of the file in which the dashboard keeps its arrangement, and of the program's output.

use super::shim::{Action, Fault, Place, calls, train, train_with};
use super::{Case, Suite, Verdict, check};
use crate::support::terminal::Terminal;
use crate::support::{TINY, program};
use rustix::io::Errno;
use std::process::Stdio;

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("ENOSPC", "write", "*dashboard.toml*", Action::Error(Errno::NOSPC)),
        ("EROFS", "open", "*state/nsmc-tui/.unfinished-*", Action::Error(Errno::ROFS)),
        ("EIO of its rename", "rename", "* -> *dashboard.toml", Action::Error(Errno::IO)),
        ("short write", "write", "*dashboard.toml*", Action::Short),
    ]
    .into_iter()
    .map(|(name, call, path, action)| {
        Case::new(format!("preferences: {name}"), move |suite| {
            // They are written under a temporary name.
            let path = if call == "write" { "*state/nsmc-tui/*" } else { path };
            preferences(suite, Fault::once(call, path, action))
        })
    })
    .collect();
    cases.push(Case::new("stdout: closed by its reader", closed_output));
    cases.push(Case::new("stdout: a full disk", |suite| {
        let place = Place::new();
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let full = full.map_err(|error| format!("/dev/full: {error}"))?;
        let program = program().display().to_string();
        let command = [&[program.as_str()], &train(&[])[..]].concat();
        let outcome = suite.start(&place, None, &command, Some(full.into())).end()?;
        outcome.expect_code(1)?;
        let lines = outcome.reported("error: ", &["standard output", "No space left"]);
        check(lines.len() == 1, || format!("reported {} times: {}", lines.len(), outcome.stderr))?;
        suite.expect_whole(&place.outputs())?;
        Ok(Verdict::new("went on; reported at the end; exit 1", "the printed lines"))
    }));
    cases
}

/// Changes the arrangement on a dashboard whose preferences cannot be written.
fn preferences(suite: &Suite, fault: Fault) -> Result<Verdict, String> {
    let place = Place::after(&suite.whole.outputs().0);
    let states = place.file("state");
    let file = states.join("nsmc-tui/dashboard.toml");
    let outputs = place.outputs().0.display().to_string();
    // Arranges the panels in one more column each time.
    let arrange = |fault: Option<&Fault>| {
        let log = place.file("calls");
        let mut command = vec!["env".to_owned(), format!("XDG_STATE_HOME={}", states.display())];
        let variables = fault.map_or(Vec::new(), |fault| fault.variables(&suite.library, &log));
        command.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
        command.push(program().display().to_string());
        let arguments = ["replay", &outputs, "--speed", "max"];
        command.extend(arguments.map(str::to_owned));
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut terminal = Terminal::start_command(&command);
        terminal.wait_for("replay · finished");
        terminal.press("c");
        terminal.press("q");
        let code = terminal.exit_code();
        let text = terminal.text();
        (code, text, calls(&log).iter().any(|call| call.failed))
    };
    let (code, text, _) = arrange(None);
    check(code == 0 && file.is_file(), || format!("exit code {code}: {text}"))?;
    let before = std::fs::read(&file).unwrap_or_default();
    let (code, text, happened) = arrange(Some(&fault));
    check(happened, || format!("the fault never happened: {text}"))?;
    check(code == 0, || format!("exit code {code}: {text}"))?;
    let after = std::fs::read(&file).unwrap_or_default();
    let count = super::on_disk::entries(&states.join("nsmc-tui")).len();
    check(count == 1, || "a temporary file is left over".to_owned())?;
    let Some(error) = fault.error() else {
        check(after != before, || "nothing was written".to_owned())?;
        return Ok(Verdict::new("went on; exit 0", "nothing"));
    };
    check(after == before, || "the older file is gone".to_owned())?;
    let flat = text.replace('\n', "");
    check(flat.contains("dashboard.toml") && flat.contains(&error), || {
        format!("not reported: {text}")
    })?;
    Ok(Verdict::new("reported; exit 0", "the new arrangement"))
}

/// A run whose output is closed after its first line: it is stopped, and its model is saved.
fn closed_output(suite: &Suite) -> Result<Verdict, String> {
    use std::io::{BufRead, BufReader};
    let place = Place::new();
    let (reader, writer) = std::io::pipe().map_err(|error| error.to_string())?;
    let program = program().display().to_string();
    let endless = ["--num-train-epochs", "100000", "--save-steps", "1000000"];
    let flags = train_with(&[&TINY[..4], &TINY[6..], &endless].concat());
    let command = [&[program.as_str()], &flags[..]].concat();
    let running = suite.start(&place, None, &command, Some(Stdio::from(writer)));
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).map_err(|error| error.to_string())?;
    let outcome = running.end()?;
    outcome.expect_code(1)?;
    let lines =
        outcome.reported("The output was closed: stopping the run and saving the model", &[]);
    check(lines.len() == 1, || format!("reported {} times: {}", lines.len(), outcome.stderr))?;
    let outputs = place.outputs();
    super::on_disk::loads(&outputs.0)?;
    check(outputs.checkpoints().len() == 1, || "no checkpoint to resume from".to_owned())?;
    outputs.expect_names()?;
    Ok(Verdict::new("stopped; checkpoint and model saved; reported; exit 1", "the steps not done"))
}
