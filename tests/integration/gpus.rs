//! The processes on a GPU, in the system panel: with a library in place of the driver's.

use crate::support::TINY;
use crate::support::terminal::Terminal;
use std::path::Path;
use std::process::Command;

/// Compiles a library in place of the driver's into a folder.
fn build_library(folder: &Path) {
    let source = folder.join("nvml.c");
    std::fs::write(&source, include_str!("gpus/nvml.c")).expect("a file");
    let library = folder.join("libnvidia-ml.so.1");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let compiled = compiler.output().expect("a C compiler");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

#[test]
fn the_processes_on_a_gpu_are_shown_with_owner_memory_and_command() {
    let folder = tempfile::tempdir().expect("a folder");
    build_library(folder.path());
    let mut other = Command::new("sleep").arg("600").spawn().expect("a process");
    let (library, other_id) = (folder.path().display().to_string(), other.id().to_string());
    let variables = [("LD_LIBRARY_PATH", library.as_str()), ("FAKE_NVML_PID", other_id.as_str())];
    let mut terminal = Terminal::start(120, 40, &[&["train"][..], &TINY].concat(), &variables);
    // The next page of panels begins with it.
    terminal.wait_for("throughput");
    terminal.press("\x04");
    let summary = terminal.wait("a summary", |text| text.contains("3 processes: "));
    assert!(summary.contains("14 GiB"), "of one user:\n{summary}");
    terminal.press("z");
    let text = terminal.wait("a table", |text| text.contains("sleep 600"));
    let line = |part: &str| text.lines().find(|line| line.contains(part)).unwrap_or_default();
    assert!(line("sleep 600").contains(" 12.0 GiB") && line("sleep 600").contains(&other_id));
    assert!(line("nsmc-tui train").contains(" 2.0 GiB"), "{text}");
    assert!(line("4194303").contains("unknown"), "{text}");
    assert!(line("GPU0 load").contains("87 %") && line("GPU0 load").contains("Fake"), "{text}");
    other.kill().expect("it is running");
    other.wait().expect("it was killed");
    terminal.wait_screen("the end", |screen| screen.contents().contains("finished"));
    terminal.press("q");
    terminal.end(0);
}
