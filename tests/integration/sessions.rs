//! Leaving a run and coming back to it: `--detach`, `attach`, several front ends, connections that
//! end.

use crate::support::terminal::{TIMEOUT, Terminal};
use crate::support::{SMALL_MODEL, TINY, json_lines, nsmc_tui, program, stderr, stdout};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The variable that pauses a run after a step.
const PAUSE: &str = "NSMC_TUI_TEST_PAUSE";

/// A run in the background, which is killed with its test.
struct Background {
    folder: tempfile::TempDir,
    pid: u32,
}

impl Background {
    /// Starts a run in `out` that pauses after a step.
    fn start(pause: &str, arguments: &[&str]) -> Self {
        Self::start_model(pause, &[&TINY, arguments].concat())
    }

    /// As [`Self::start`], with a model of the usual size unless the arguments say otherwise.
    fn start_model(pause: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = nsmc_tui(folder.path());
        command.args(["train", "--detach", "--json", "--output-dir", "out"]);
        let assert = command.args(arguments).env(PAUSE, pause).assert().success();
        let started: Value = serde_json::from_str(&stdout(&assert)).expect("JSON");
        assert_eq!(started["run"], "out");
        let pid = started["pid"].as_u64().expect("a process") as u32;
        let run = Self { folder, pid };
        run.wait_paused();
        run
    }

    /// Waits until the run has paused by itself.
    fn wait_paused(&self) {
        let began = Instant::now();
        let is_paused = || {
            let journal = std::fs::read_to_string(self.out().join("events.jsonl"));
            journal.is_ok_and(|journal| journal.contains("\"steering\":\"paused\""))
        };
        while !is_paused() {
            assert!(began.elapsed() < TIMEOUT, "the run does not pause");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn attach(&self, arguments: &[&str]) -> assert_cmd::assert::Assert {
        nsmc_tui(self.folder.path()).args(["attach", "out"]).args(arguments).assert()
    }

    /// Sends a command and returns what comes of it.
    fn send(&self, command: &Value) -> Value {
        let assert = self.attach(&["--send", &command.to_string()]).success();
        serde_json::from_str(&stdout(&assert)).expect("JSON")
    }

    fn kill(&self) {
        let _ = Command::new("kill").args(["-KILL", &self.pid.to_string()]).output();
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Waits until the process has ended.
    fn wait(&self) {
        let began = Instant::now();
        while is_running(self.pid) {
            assert!(began.elapsed() < TIMEOUT, "the process does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A process without a parent that waits for it stays as a zombie.
    !stat.is_empty() && !stat.contains(") Z ")
}

/// The journal's events without the times.
fn journal(folder: &Path) -> Vec<Value> {
    json_lines(&std::fs::read_to_string(folder.join("events.jsonl")).expect("a journal"))
}

#[test]
fn a_run_in_the_background_takes_commands_and_streams_its_events() {
    let run = Background::start("2", &[]);
    let pause = json!({"command": "pause"});
    // The event is in the journal before the run reports that it waits.
    run.send(&pause);
    assert_eq!(run.send(&pause), json!({"activity": "paused"}));
    let answer = run.send(&json!({"command": "predict", "text": "정말 재미있는 영화"}));
    assert_eq!(answer["text"], "정말 재미있는 영화");
    assert_eq!(answer["probabilities"].as_array().map(Vec::len), Some(2));
    let words = run.send(&json!({"command": "explain", "text": "정말 재미있는 영화"}));
    let parts = words["parts"].as_array().cloned().unwrap_or_default();
    let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(text, "정말 재미있는 영화");
    assert_eq!(parts.iter().filter(|part| part["contribution"].is_f64()).count(), 3);
    let method = json!("integrated_gradients");
    let explain = json!({"command": "explain", "text": "정말 재미있는 영화", "method": method});
    assert!(run.send(&explain)["integrals"]["gap"].is_f64());
    let rate = run.send(&json!({"command": "set_learning_rate", "rate": 3e-5}));
    assert_eq!((&rate["event"], &rate["to"]), (&json!("steered"), &json!(3e-5)));
    let refused = run.attach(&["--send", r#"{"command":"set_learning_rate","rate":7}"#]).failure();
    assert!(stderr(&refused).contains("at most 1"), "{}", stderr(&refused));
    let saved = run.send(&json!({"command": "save_checkpoint"}));
    assert_eq!((&saved["event"], &saved["step"]), (&json!("checkpoint"), &json!(2)));
    let pinned = run.send(&json!({"command": "pin", "text": "정말 재미있는 영화"}));
    assert_eq!((&pinned["steering"], &pinned["step"]), (&json!("sentence_pinned"), &json!(2)));
    let other = json!({"command": "pin", "text": "재미없다"});
    assert_eq!(run.send(&other)["steering"], "sentence_pinned");
    let unpin = json!({"command": "unpin", "text": "재미없다"}).to_string();
    assert_eq!(
        run.send(&serde_json::from_str(&unpin).expect("JSON"))["steering"],
        "sentence_unpinned"
    );
    run.attach(&["--send", &unpin]).failure();
    let nonsense = [
        "",
        "pause",
        r#"{"command":"dance"}"#,
        r#"{"command":"take_keys"}"#,
        r#"{"command":"pause","after":3}"#,
        r#"{"command":"stop","evaluate":true,"save":false}"#,
    ];
    for nonsense in nonsense {
        run.attach(&["--send", nonsense]).failure();
    }
    let named = std::fs::read_to_string(format!("/proc/{}/comm", run.pid)).expect("a process");
    assert_eq!(named, "nsmc-tui\n", "as lists of processes show it");

    // The stream begins with the start of the run and ends with its end.
    let mut streaming = Command::new(program());
    streaming.args(["attach", "out", "--json"]).current_dir(run.folder.path());
    let streaming = streaming.stdout(Stdio::piped()).spawn().expect("a process");
    assert_eq!(run.send(&json!({"command": "resume"}))["steering"], "resumed");
    let output = streaming.wait_with_output().expect("an exit");
    assert!(output.status.success());
    let events = json_lines(&String::from_utf8_lossy(&output.stdout));
    run.wait();
    assert_eq!(events, journal(&run.out()));
    assert_eq!(events[0]["event"], "started");
    assert_eq!(events.last().expect("events")["event"], "finished");
    let has_probe = |event: &Value| event["probes"][0]["text"] == "정말 재미있는 영화";
    assert!(events.iter().any(has_probe), "the pinned sentence is classified");
    let has_unpinned = |event: &Value| event["probes"][1].is_object();
    assert!(!events.iter().any(has_unpinned), "the unpinned one is not");
    assert!(!run.out().join(".nsmc-tui.sock").exists());

    // Of a run that has ended, it prints what there is.
    let assert = run.attach(&["--json"]).success();
    assert_eq!(json_lines(&stdout(&assert)), events);
    let late = run.attach(&["--send", r#"{"command":"pause"}"#]).failure();
    assert!(stderr(&late).contains("no run of this computer"), "{}", stderr(&late));
}

#[test]
fn errors_before_a_run_begins_are_shown_where_it_was_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = nsmc_tui(folder.path());
    command.args(["train", "--detach", "--json", "--train-file", "missing.csv"]);
    let assert = command.assert().failure();
    assert!(stderr(&assert).contains("missing.csv"), "{}", stderr(&assert));
    assert_eq!(stdout(&assert), "");
}

#[test]
fn a_socket_that_a_killed_run_has_left_is_removed_or_replaced() {
    let run = Background::start("2", &[]);
    run.kill();
    run.wait();
    let socket = run.out().join(".nsmc-tui.sock");
    assert!(socket.exists());
    let refused = run.attach(&["--send", r#"{"command":"pause"}"#]).failure();
    assert!(stderr(&refused).contains("no run of this computer"), "{}", stderr(&refused));
    let cut = run.attach(&["--json"]).failure();
    assert!(stderr(&cut).contains("the run was killed after step 2 of 6"), "{}", stderr(&cut));
    assert!(!socket.exists(), "attaching has removed it");
    // On a terminal, the whole run is shown, as one that was killed.
    let mut terminal = shell(run.folder.path(), (120, 40));
    terminal.press(&nsmc_tui_line("attach out"));
    terminal.wait_for("dead · step 2/6");
    terminal.press("q");
    terminal.wait("the shell", |text| {
        text.contains("the run was killed after step 2 of 6") && text.trim_end().ends_with('$')
    });
    // As if the folder were that of another computer, on a shared file system.
    let lock = run.out().join(".nsmc-tui.lock");
    std::fs::write(&lock, format!("{:<10} {:<64}\n", run.pid, "gpu-2")).expect("a lock");
    terminal.press(&nsmc_tui_line("attach out"));
    terminal.wait_for("training · step 2/6");
    terminal.press("K");
    terminal.wait_for("the run is on another computer: it can only be watched");
    terminal.press("q");
    terminal.wait_for("the run was started on gpu-2; it is watched through its journal");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("another socket"));
    nsmc_tui(run.folder.path())
        .args(["train", "--json", "--output-dir", "out"])
        .args(TINY)
        .assert()
        .success();
    assert!(!socket.exists());
}

#[test]
fn sigterm_ends_a_run_that_somebody_watches() {
    let hello = br#"{"version":2,"message":{"name":"viewer","purpose":"watch"}}"#;
    for ends_first in [false, true] {
        let run = Background::start("2", &[]);
        let socket = run.out().join(".nsmc-tui.sock");
        let mut viewer = std::os::unix::net::UnixStream::connect(socket).expect("a connection");
        viewer.write_all(&[&hello[..], b"\n"].concat()).expect("a message");
        if ends_first {
            run.send(&json!({"command": "stop", "evaluate": false}));
            std::thread::sleep(Duration::from_millis(500));
            assert!(is_running(run.pid), "it waits for the viewer");
        }
        let sent = Command::new("kill").args(["-TERM", &run.pid.to_string()]).status();
        assert!(sent.expect("kill runs").success());
        run.wait();
        assert!(run.out().join("model.safetensors").exists());
    }
}

/// The nanoseconds that the threads of a process have computed: those that serve front ends, and
/// those that train.
fn computed(pid: u32) -> [u64; 2] {
    let mut sums = [0; 2];
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process").flatten() {
        let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let time = read("schedstat");
        let time: u64 = time.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0);
        match read("comm").trim_end() {
            "hub" | "session" | "front end" | "reports" => sums[0] += time,
            name if name.starts_with("compute") || name == "trainer" => sums[1] += time,
            _ => {}
        }
    }
    sums
}

#[test]
fn front_ends_cost_training_no_step_and_less_than_a_hundredth_of_its_time() {
    let arguments = ["--max-train-samples", "960", "--max-eval-samples", "64"];
    let run = Background::start_model("2", &arguments);
    let mut streaming = Command::new(program());
    streaming.args(["attach", "out", "--json"]).current_dir(run.folder.path());
    let mut streaming = streaming.stdout(Stdio::null()).spawn().expect("a process");
    let mut watching = shell(run.folder.path(), (120, 40));
    watching.press(&nsmc_tui_line("attach out"));
    watching.wait_for("paused");
    // One that is stopped, as a dashboard in a suspended shell is.
    let hello = br#"{"version":2,"message":{"name":"frozen","purpose":"watch"}}"#;
    let socket = run.out().join(".nsmc-tui.sock");
    let mut frozen = std::os::unix::net::UnixStream::connect(socket).expect("a connection");
    frozen.write_all(&[&hello[..], b"\n"].concat()).expect("a message");
    std::thread::sleep(Duration::from_millis(300));

    let before = computed(run.pid);
    run.send(&json!({"command": "resume"}));
    let steps = || {
        let events = journal(&run.out());
        let steps = events.iter().filter(|event| event["event"] == "step");
        steps.filter_map(|step| step["step"].as_u64()).collect::<Vec<_>>()
    };
    let began = Instant::now();
    while steps().len() < 32 {
        assert!(began.elapsed() < TIMEOUT, "the run does not train");
        std::thread::sleep(Duration::from_millis(50));
    }
    run.send(&json!({"command": "pause"}));
    let after = computed(run.pid);
    let steps = steps();
    assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());
    let [serving, training] = [0, 1].map(|at| after[at] - before[at]);
    assert!(serving > 0 && training > 0);
    assert!(serving * 100 < training, "{serving} ns beside {training} ns of training");
    run.kill();
    let _ = streaming.wait();
}

#[test]
fn a_run_that_is_being_prepared_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rows = String::from("id\tdocument\tlabel\n0\t나쁜\t0\n");
    for row in 1..20_000 {
        writeln!(rows, "{row}\t좋은 영화 {row}\t1").expect("a string");
    }
    std::fs::write(folder.path().join("rows.tsv"), rows).expect("a file");
    let data = ["--train-file", "rows.tsv", "--validation-file", "rows.tsv", "--quoting", "none"];
    let mut training = Command::new(program());
    training.args(["train", "--plain", "--output-dir", "out", "--max-steps", "4"]).args(data);
    training.args(["--max-train-samples", "all", "--max-eval-samples", "96"]);
    training.args(&TINY[6..]).env("NSMC_TUI_MODEL_NAME_OR_PATH", "random");
    let training = training.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = training.spawn().expect("a process");
    let lock = folder.path().join("out/.nsmc-tui.lock");
    let began = Instant::now();
    while !lock.exists() {
        assert!(began.elapsed() < TIMEOUT, "the folder is not locked");
        std::thread::sleep(Duration::from_millis(1));
    }
    let attach = |arguments: &[&str]| {
        nsmc_tui(folder.path()).args(["attach", "out"]).args(arguments).assert()
    };
    let early = attach(&["--send", r#"{"command":"pause"}"#]).failure();
    assert!(stderr(&early).contains("the run is being prepared"), "{}", stderr(&early));
    let events = json_lines(&stdout(&attach(&["--json"]).success()));
    assert_eq!(events.last().expect("events")["event"], "finished");
    assert!(process.wait().expect("an end").success());

    // A signal ends the preparation of another run at once, and the folder is as it was.
    std::fs::remove_file(&lock).expect("a lock");
    let mut process = training.spawn().expect("a process");
    while !lock.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(process.wait().expect("an end").code(), Some(128 + 15));
    assert_eq!(journal(&folder.path().join("out")), events);
}

#[test]
fn another_user_cannot_attach() {
    if !rustix::process::geteuid().is_root() {
        // Only root can start a process of another user. The mode of the socket is tested in any
        // case.
        return;
    }
    let run = Background::start("2", &[]);
    // The other user may enter the folder.
    for folder in [run.folder.path(), &run.out()] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).expect("permissions");
    }
    // A copy, since the other user may not enter the folder of the program.
    let copy = run.folder.path().join("nsmc-tui");
    std::fs::copy(program(), &copy).expect("a copy");
    let mut other = Command::new(copy);
    other.args(["attach", "out", "--send", r#"{"command":"pause"}"#]);
    let output = other.current_dir(run.folder.path()).uid(65534).gid(65534).output();
    let output = output.expect("a process");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("ermission denied"), "{error}");
    assert_eq!(run.send(&json!({"command": "resume"}))["steering"], "resumed");
}

/// A shell in a pseudo-terminal, in the folder of a run.
fn shell(folder: &Path, size: (u16, u16)) -> Terminal {
    let mut terminal = Terminal::start_shell(size.0, size.1, folder);
    terminal.press("PS1='$ '; clear\n");
    terminal.wait_for("$ ");
    terminal
}

fn nsmc_tui_line(arguments: &str) -> String {
    format!("clear; '{}' {arguments}\n", program().display())
}

#[test]
fn d_leaves_a_run_and_two_dashboards_share_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = shell(folder.path(), (120, 40));
    let tiny = TINY.join(" ");
    first.press(&nsmc_tui_line(&format!("train --output-dir out {tiny}")));
    first.wait_for("paused");
    first.press("q");
    let asked = first.wait_for("Keep training");
    let keys = asked.find("Leave the run running").zip(asked.find("Stop, save the model and quit"));
    assert!(keys.is_some_and(|(leave, stop)| leave < stop), "leaving is offered first:\n{asked}");
    first.press("d");
    first.wait_for("the run is paused, as process");
    first.wait_for("attach out");

    // The dashboard comes back with the whole run, and the keys.
    first.press(&nsmc_tui_line("attach out"));
    first.wait("the dashboard", |text| text.contains("paused · step 2/6") && text.contains("2/6"));
    let mut second = shell(folder.path(), (80, 24));
    // A replay of a run under way leads to the run itself.
    second.press(&nsmc_tui_line("replay out"));
    second.wait_for("watching");
    second.press(" ");
    second.wait_for("has the keys; K takes them over");
    second.press("K");
    second.wait_for("you have the keys");
    first.wait_for("watching");
    second.press("2정말 재미있는 영화\r");
    second.wait_for("%");
    second.press("\t\t\t\t ");
    for terminal in [&first, &second] {
        terminal.wait_for("finished");
    }
    for terminal in [&mut first, &mut second] {
        terminal.press("q");
        terminal.wait_for("classify texts:");
    }
}

/// The parameters of a model.
fn parameters(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).expect("a model")
}

/// A server for logins over the loopback interface, by a key.
struct SshServer {
    folder: tempfile::TempDir,
    port: u16,
    process: std::process::Child,
}

impl SshServer {
    /// Starts the server; `None` where there is no OpenSSH.
    fn start() -> Option<Self> {
        let sshd = ["/usr/sbin/sshd", "/usr/bin/sshd"]
            .into_iter()
            .find(|path| Path::new(path).exists())?;
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)])
                .status()
                .ok()?;
            assert!(made.success());
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile {}\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n",
            path("host"),
            path("user.pub"),
            path("pid"),
        );
        std::fs::write(path("config"), config).expect("a file");
        // The folder of its processes without privileges, which a system makes at its start.
        let _ = std::fs::create_dir_all("/run/sshd");
        let process = Command::new(sshd)
            .args(["-D", "-e", "-f", &path("config")])
            .stderr(std::fs::File::create(path("log")).expect("a file"))
            .spawn()
            .expect("a server");
        let server = Self { folder, port, process };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < TIMEOUT, "{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether this user may log in: the system may have locked the account.
    fn accepts_logins(&self) -> bool {
        let line = self.login_line("true");
        let status = Command::new(&line[0]).args(&line[1..]).stdin(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// A login in a pseudo-terminal that runs a command.
    fn login(&self, command: &str) -> Terminal {
        let line = self.login_line(command);
        Terminal::start_command(&line.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The command line of a login that runs a command.
    fn login_line(&self, command: &str) -> Vec<String> {
        let (port, key) = (self.port.to_string(), self.folder.path().join("user"));
        let key = key.display().to_string();
        let user = Command::new("id").arg("-un").output().expect("a name").stdout;
        let target = format!("{}@127.0.0.1", String::from_utf8_lossy(&user).trim());
        let options =
            ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
        let mut line = vec!["ssh", "-tt", "-p", &port, "-i", &key];
        for option in options {
            line.extend(["-o", option]);
        }
        line.extend([target.as_str(), command]);
        line.into_iter().map(str::to_owned).collect()
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_run_outlives_its_connection_and_ends_as_if_nothing_had_happened() {
    let Some(server) = SshServer::start().filter(SshServer::accepts_logins) else {
        eprintln!("there is no sshd, or it accepts no login: a lost connection is not tested");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (program, tiny) = (program().display().to_string(), TINY.join(" "));
    let at = |command: &str| {
        let (model, value) = SMALL_MODEL;
        format!(
            "cd '{}' && LC_ALL=C.UTF-8 {model}={value} {PAUSE}=2 '{program}' {command}",
            folder.path().display()
        )
    };
    let mut first = server.login(&at(&format!("train --output-dir out {tiny}")));
    first.wait_for("paused · step 2/6");
    // The connection is lost without a farewell.
    let killed = Command::new("kill").args(["-KILL", &first.process()]).status();
    assert!(killed.expect("kill runs").success());
    first.exit_code();

    // A new login comes back to the run, asks it, changes its rate, and leaves it.
    let mut second = server.login(&at("attach out"));
    second.wait("the dashboard", |text| text.contains("step 2/6"));
    second.press("2");
    second.wait_for("type a review");
    second.press("정말 재미있는 영화\r");
    second.wait_for("%");
    second.press("\t\t\t\t");
    second.wait_for("paused · step 2/6");
    second.press("r");
    second.wait_for("learning rate");
    second.press("\u{15}3e-5\r");
    second.wait_for("learning rate changed");
    second.press(" ");
    second.press("d");
    second.exit_code();
    let out = folder.path().join("out");
    let began = Instant::now();
    while !out.join("model.safetensors").exists() || out.join(".nsmc-tui.sock").exists() {
        assert!(began.elapsed() < TIMEOUT, "the run does not end: {}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }

    // The same rate at the same step, without a terminal.
    let undisturbed = Background::start("2", &[]);
    undisturbed.send(&json!({"command": "set_learning_rate", "rate": 3e-5}));
    undisturbed.send(&json!({"command": "resume"}));
    undisturbed.wait();
    assert!(parameters(&out) == parameters(&undisturbed.out()), "the parameters differ");
    std::io::stderr().flush().expect("standard error");
}

#[test]
fn a_running_run_is_opened_from_the_list_of_runs_and_left_running() {
    let run = Background::start("2", &[]);
    run.send(&json!({"command": "pause"}));
    let listed = nsmc_tui(run.folder.path()).args(["runs", "--json"]).assert().success();
    let listed = json_lines(&stdout(&listed));
    assert_eq!((&listed[0]["status"], &listed[0]["pid"]), (&json!("running"), &json!(run.pid)));
    let folder = run.folder.path().display().to_string();
    let mut terminal = Terminal::start(120, 40, &["runs", &folder], &[]);
    terminal.wait_for("running");
    terminal.press("D");
    terminal.wait_for("a process is using this run");
    terminal.press("\r");
    terminal.wait_for("paused · step 2/6");
    terminal.press("d");
    terminal.wait_for("1 run");
    terminal.press("q");
    terminal.end(0);
    assert!(is_running(run.pid));
}
