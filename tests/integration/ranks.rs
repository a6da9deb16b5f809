//! Runs of several processes on this machine: started by the program itself, and as torchrun starts
//! them.

use crate::support::{
    RANKS, SMALL_MODEL, json_lines, nsmc_tui, program, stderr, stdout, values_of,
};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn events(output: &[u8]) -> Vec<Value> {
    json_lines(str::from_utf8(output).expect("UTF-8"))
}

fn assert_close(ranks: &[Value], one: &[Value]) {
    for (kind, name, bound) in
        [("step", "loss", 1e-5), ("step", "grad_norm", 1e-3), ("evaluated", "eval_loss", 1e-5)]
    {
        let (ranks, one) = (values_of(ranks, kind, name), values_of(one, kind, name));
        assert!(!one.is_empty() && ranks.len() == one.len(), "{kind} {ranks:?} {one:?}");
        for (a, b) in ranks.iter().zip(&one) {
            assert!((a - b).abs() < bound, "{name}: {ranks:?} {one:?}");
        }
    }
    for name in ["eval_accuracy", "eval_f1", "eval_samples"] {
        assert_eq!(
            values_of(ranks, "evaluated", name),
            values_of(one, "evaluated", name),
            "{name}"
        );
    }
}

/// Starts a process as torchrun does.
fn start(folder: &Path, rank: usize, port: u16, flags: &[&str]) -> Child {
    Command::new(program())
        .current_dir(folder)
        .env(SMALL_MODEL.0, SMALL_MODEL.1)
        .envs([("MASTER_ADDR", "127.0.0.1"), ("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2")])
        .env("MASTER_PORT", port.to_string())
        .env("RANK", rank.to_string())
        .env("LOCAL_RANK", rank.to_string())
        .args(RANKS)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn end(child: Child) -> Output {
    child.wait_with_output().expect("an end")
}

/// Reads the events of rank 0 up to a step, and returns the rest of its output.
fn read_to_step(rank: &mut Child, step: u64) -> impl Read + use<> {
    let mut reader = BufReader::new(rank.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while reader.read_line(&mut line).expect("a line") > 0 {
        let event: Value = serde_json::from_str(&line).expect("an event");
        if event["event"] == "step" && event["step"] == step {
            break;
        }
        line.clear();
    }
    reader
}

#[test]
fn processes_that_the_program_starts_train_as_one_with_the_same_global_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |output: &str, flags: &[&str]| {
        let run = nsmc_tui(folder.path())
            .args(RANKS)
            .args(["--output-dir", output])
            .args(flags)
            .assert()
            .success();
        assert_eq!(stderr(&run), "", "nothing but JSON");
        json_lines(&stdout(&run))
    };
    let two = run("two", &["--nproc-per-node", "2"]);
    let one = run("one", &["--gradient-accumulation-steps", "2"]);
    assert_eq!(values_of(&one, "step", "step").len(), 14);
    assert_close(&two, &one);
    let measured = two.iter().rfind(|event| event["event"] == "ranks").expect("measures");
    assert_eq!((&measured["step"], &measured["world_size"]), (&Value::from(14), &Value::from(2)));
    let ranks = measured["ranks"].as_array().expect("a list");
    assert_eq!(ranks.len(), 2);
    for (rank, number) in ranks.iter().zip(0..) {
        assert_eq!(rank["rank"], number, "{rank}");
        let positive = ["samples_per_second", "computed", "exchange", "waited"];
        assert!(positive.iter().all(|name| rank[name].as_f64() > Some(0.0)), "{rank}");
        assert!(rank["memory"].as_u64() > Some(1 << 20) && rank["lag"].as_f64() >= Some(0.0));
    }
    assert!(!one.iter().any(|event| event["event"] == "ranks"));
    let started = two.iter().find(|event| event["event"] == "started").expect("a start");
    let settings = started["settings"].as_array().expect("settings");
    let world_size = settings.iter().find(|setting| setting["name"] == "world_size");
    assert_eq!(world_size.map(|setting| &setting["value"]), Some(&Value::from("2")));
    assert!(folder.path().join("two/model.safetensors").is_file());
    // A resumed run may have another number of processes if a step has the same examples.
    let refused = nsmc_tui(folder.path())
        .args(RANKS)
        .args(["--output-dir", "two", "--resume-from-checkpoint", "last", "--max-steps", "16"])
        .assert()
        .failure();
    let reason = stdout(&refused);
    assert!(reason.contains("Pass --gradient-accumulation-steps 2"), "{reason}");
}

#[test]
fn only_rank_0_prints_and_other_settings_on_another_rank_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |rank, port, flags: &[&str]| start(folder.path(), rank, port, flags);
    let port = free_port();
    let (first, second) = (start(0, port, &[]), start(1, port, &[]));
    let (first, second) = (end(first), end(second));
    assert!(first.status.success() && second.status.success(), "{first:?} {second:?}");
    assert_eq!(values_of(&events(&first.stdout), "step", "step").len(), 14);
    assert!(second.stdout.is_empty() && second.stderr.is_empty(), "{second:?}");

    let port = free_port();
    let (first, second) = (start(0, port, &[]), start(1, port, &["--learning-rate", "3e-5"]));
    let (first, second) = (end(first), end(second));
    assert!(!first.status.success() && !second.status.success());
    let failed = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(failed.contains("rank 1 has another learning_rate than rank 0: 3e-5"), "{failed}");
    assert!(!failed.contains(r#""event":"step""#), "{failed}");
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(error.starts_with("[rank 1] error: rank 1 has another learning_rate"), "{error}");
}

#[test]
fn a_rank_that_is_killed_ends_the_run_with_a_checkpoint_that_one_process_continues() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = ["--max-steps", "1400", "--output-dir", "killed"];
    let port = free_port();
    let start = |rank| start(folder.path(), rank, port, &long);
    let (mut first, mut second) = (start(0), start(1));
    let mut rest = read_to_step(&mut first, 9);
    second.kill().expect("a kill");
    second.wait().expect("an end");
    let mut output = String::new();
    rest.read_to_string(&mut output).expect("UTF-8");
    let first = end(first);
    assert!(!first.status.success());
    let events = json_lines(&output);
    let failed = events.iter().find(|event| event["event"] == "failed").expect("a failure");
    let message = failed["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("rank 1 was lost"), "{message}");
    let step = failed["step"].as_u64().expect("a step");
    let saved = events.iter().find(|event| event["event"] == "checkpoint").expect("a checkpoint");
    assert_eq!((saved["step"].as_u64(), step >= 9), (Some(step), true));

    let last = (step + 3).to_string();
    let resumed = nsmc_tui(folder.path())
        .args(RANKS)
        .args(["--output-dir", "killed", "--resume-from-checkpoint", "last"])
        .args(["--gradient-accumulation-steps", "2", "--max-steps", &last])
        .assert()
        .success();
    let steps = values_of(&json_lines(&stdout(&resumed)), "step", "step");
    assert_eq!(steps, [1, 2, 3].map(|more| (step + more) as f64));
}

#[test]
fn a_connection_that_is_lost_ends_all_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = ["--max-steps", "1400", "--output-dir", "lost"];
    let (port, proxy) = (free_port(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let proxy_port = proxy.local_addr().expect("an address").port();
    let mut first = start(folder.path(), 0, port, &long);
    let second = start(folder.path(), 1, proxy_port, &long);
    let (outer, _) = proxy.accept().expect("a connection");
    let inner = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(inner) => break inner,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    let forward = |mut from: TcpStream, mut to: TcpStream| {
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
        })
    };
    let clone = |stream: &TcpStream| stream.try_clone().expect("a clone");
    let threads = [forward(clone(&outer), clone(&inner)), forward(clone(&inner), clone(&outer))];
    let mut rest = read_to_step(&mut first, 5);
    for stream in [&outer, &inner] {
        let _ = stream.shutdown(Shutdown::Both);
    }
    let mut output = String::new();
    rest.read_to_string(&mut output).expect("UTF-8");
    let (first, second) = (end(first), end(second));
    assert!(!first.status.success() && !second.status.success());
    assert!(output.contains("rank 1 was lost"), "{output}");
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(error.starts_with("[rank 1] error: rank 0 was lost"), "{error}");
    for thread in threads {
        let _ = thread.join();
    }
}

#[test]
fn several_processes_pretrain_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let texts =
        (0..80).map(|n| format!("정말 재미있는 영화 {n}번, 배우들의 연기가 {} 좋았다\n", n % 7));
    std::fs::write(folder.path().join("texts.txt"), texts.collect::<String>()).expect("texts");
    let run = |flags: &[&str]| {
        let run = nsmc_tui(folder.path())
            .args(["pretrain", "--json", "--train-file", "texts.txt", "--validation-split", "0.2"])
            .args(["--max-steps", "7", "--per-device-train-batch-size", "4", "--threads", "1"])
            .args(["--per-device-eval-batch-size", "3", "--bf16", "false"])
            .args(["--config-overrides", "hidden_size=24,intermediate_size=48,num_hidden_layers=1"])
            .args(flags)
            .assert()
            .success();
        json_lines(&stdout(&run))
    };
    for objective in ["mlm", "rtd"] {
        let two = run(&["--objective", objective, "--nproc-per-node", "2"]);
        let one = run(&["--objective", objective, "--gradient-accumulation-steps", "2"]);
        for (kind, name) in [("step", "loss"), ("evaluated", "eval_loss")] {
            let (two, one) = (values_of(&two, kind, name), values_of(&one, kind, name));
            assert!(!one.is_empty() && two.len() == one.len(), "{kind} {two:?} {one:?}");
            for (a, b) in two.iter().zip(&one) {
                assert!((a - b).abs() < 1e-5 * b.max(1.0), "{objective} {name}: {two:?} {one:?}");
            }
        }
    }
}

#[test]
fn several_processes_label_texts_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let texts = (0..40).map(|n| format!("영화 {n} {}\n", ["최고 재미", "별로 지루"][n % 2]));
    std::fs::write(folder.path().join("texts.txt"), texts.collect::<String>()).expect("texts");
    let run = |flags: &[&str]| {
        let run = nsmc_tui(folder.path())
            .args(RANKS)
            .args(["--unlabelled", "texts.txt", "--unlabelled-batch-size", "7"])
            .args(["--pseudo-label-warmup", "0.3", "--pseudo-label-threshold", "0.5"])
            .args(["--max-tokens-per-batch", "60"])
            .args(flags)
            .assert()
            .success();
        json_lines(&stdout(&run))
    };
    let two = run(&["--nproc-per-node", "2", "--auto-find-batch-size"]);
    let one = run(&["--gradient-accumulation-steps", "2"]);
    assert_close(&two, &one);
    let labelled = |events| values_of(events, "step", "pseudo_labelled");
    assert!(!labelled(&one).is_empty());
    assert_eq!(labelled(&two), labelled(&one));
}

#[test]
fn wrong_variables_are_refused_and_processes_that_do_not_start_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = nsmc_tui(folder.path())
        .args(RANKS)
        .env("RANK", "2")
        .env("WORLD_SIZE", "2")
        .assert()
        .failure();
    assert!(stderr(&wrong).contains("rank 2 of 2"), "{}", stderr(&wrong));
    // A process that does not start is named with what it has printed.
    let both = nsmc_tui(folder.path())
        .args(RANKS)
        .args(["--nproc-per-node", "2", "--train-file", "missing.tsv"])
        .assert()
        .failure();
    assert!(stdout(&both).contains("missing.tsv"), "{}", stdout(&both));
}
