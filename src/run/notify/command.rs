//! Executes the user's command for a notification. What happened is in its environment and on its
//! standard input, never in the line that the shell reads.

use crate::core::text::{sanitize_for_terminal, to_json, truncate_width};
use crate::run::protocol::Notification;
use crossbeam_channel::{Receiver, bounded};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The end of the command's error output that is kept.
const MAX_OUTPUT: usize = 4096;

/// How often it is checked whether the command has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long the error output is waited for after the command has ended: a process that it left
/// behind may keep it open.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(200);

/// Executes a command in the shell, and waits for its end, at most `limit`. After that, its process
/// group is killed.
///
/// # Errors
/// If the command cannot be started, fails or takes too long; the error has the last line of its
/// error output, sanitized for the terminal.
pub(super) fn execute(
    line: &str,
    notification: &Notification,
    limit: Duration,
) -> Result<(), String> {
    let mut command = shell(line);
    command
        .env("NSMC_TUI_EVENT", notification.event.name())
        .env("NSMC_TUI_RUN", &notification.run)
        .env("NSMC_TUI_MESSAGE", &notification.message)
        .env("NSMC_TUI_STEP", notification.step.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let output = collect_output(&mut child);
    if let Some(mut input) = child.stdin.take() {
        let object = to_json(notification).unwrap_or_default() + "\n";
        // A pipe has room for it. A command that does not read it may have closed it.
        let _ = input.write_all(object.as_bytes());
    }
    let ended = wait(&mut child, limit);
    let last_line = || {
        let output = output.as_ref().and_then(|output| output.recv_timeout(OUTPUT_TIMEOUT).ok());
        let output = output.unwrap_or_default();
        let text = String::from_utf8_lossy(&output).into_owned();
        let line = text.lines().rev().find(|line| !line.trim().is_empty());
        line.map_or_else(String::new, |line| {
            format!(": {}", truncate_width(&sanitize_for_terminal(line.trim()), 200))
        })
    };
    match ended {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("{status}{}", last_line())),
        Ok(None) => {
            kill(&mut child);
            Err(format!(
                "it took more than {} s, and was killed{}",
                limit.as_secs_f64(),
                last_line()
            ))
        }
        Err(error) => {
            kill(&mut child);
            Err(error.to_string())
        }
    }
}

#[cfg(unix)]
fn shell(line: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("sh");
    // A group of its own, so that Ctrl-C in the terminal does not end it, and all of it can be ended.
    command.arg("-c").arg(line).process_group(0);
    command
}

#[cfg(not(unix))]
fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd");
    command.arg("/C").arg(line);
    command
}

/// The end of the process; `None` after `limit`.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() >= limit {
            return Ok(None);
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Kills the process and its group.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = rustix::process::Pid::from_raw(child.id() as i32) {
        // The group may have ended meanwhile.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads the error output on another thread, which sends the end of it.
fn collect_output(child: &mut Child) -> Option<Receiver<Vec<u8>>> {
    let mut output = child.stderr.take()?;
    let (sender, received) = bounded(1);
    let work = move || {
        let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..count]);
            let beyond = kept.len().saturating_sub(MAX_OUTPUT);
            kept.drain(..beyond);
        }
        // The command may have been given up.
        let _ = sender.send(kept);
    };
    std::thread::Builder::new().name("command-output".to_owned()).spawn(work).ok()?;
    Some(received)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::run::protocol::NotifyEvent;

    const LIMIT: Duration = Duration::from_secs(30);

    fn notification(message: &str) -> Notification {
        Notification {
            event: NotifyEvent::Nan,
            run: "my runs/한글".to_owned(),
            message: message.to_owned(),
            step: 7,
            max_steps: 9,
            seconds: 1.5,
            loss: None,
            eval_loss: None,
            eval_accuracy: None,
        }
    }

    #[test]
    fn the_command_has_the_event_in_its_environment_and_on_its_input() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("seen");
        let hostile = "$(touch PWNED); `id` \"' row";
        let line = format!(
            "cd '{}'; printf '%s|%s|%s|%s\\n' \"$NSMC_TUI_EVENT\" \"$NSMC_TUI_RUN\" \
             \"$NSMC_TUI_MESSAGE\" \"$NSMC_TUI_STEP\" > seen; cat >> seen; echo output",
            folder.path().display()
        );
        execute(&line, &notification(hostile), LIMIT).map_err(anyhow::Error::msg)?;
        let seen = std::fs::read_to_string(file)?;
        let (first, second) = seen.split_once('\n').unwrap_or_default();
        assert_eq!(first, format!("nan|my runs/한글|{hostile}|7"));
        let object: Notification = serde_json::from_str(second)?;
        assert_eq!(object, notification(hostile));
        assert!(!folder.path().join("PWNED").exists());
        Ok(())
    }

    #[test]
    fn a_failure_has_the_last_line_of_the_error_output() {
        let run = |line: &str| execute(line, &notification(""), LIMIT).err().unwrap_or_default();
        let line = "echo one >&2; printf 'two \\033[2J\\n\\n' >&2; exit 3";
        assert_eq!(run(line), "exit status: 3: two \u{fffd}[2J");
        assert!(run("no-such-command-here").contains("not found"));
        let long = run("i=0; while [ $i -lt 3000 ]; do echo $i >&2; i=$((i+1)); done; exit 1");
        assert_eq!(long, "exit status: 1: 2999");
        // It does not read its input, and leaves a process behind.
        assert!(execute("sleep 20 & exec <&-", &notification(""), LIMIT).is_ok());
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed_with_its_group() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("late");
        let line = format!("(sleep 1; echo late > '{}') & echo waits >&2; wait", file.display());
        let began = Instant::now();
        let error = execute(&line, &notification(""), Duration::from_millis(200)).err();
        let error = error.unwrap_or_default();
        assert_eq!(error, "it took more than 0.2 s, and was killed: waits");
        assert!(began.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!file.exists(), "a process of the group is still running");
        Ok(())
    }
}
