//! Snapshots of the system panel.

use super::*;
use crate::core::train::event::{RankMeasured, RanksMeasured};
use crate::run::system_metrics::GpuProcess;
use crate::screen::app::replay::Replay;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const GIB: u64 = 1 << 30;

/// A state after this many samples of a computer with this many GPUs.
fn sampled(gpus: u32, samples: u32) -> State {
    let mut state = State::default();
    for i in 0..samples {
        let wave = 0.5 + 0.45 * (f64::from(i) * 0.4).sin();
        let gpu = |index: u32| GpuSample {
            index,
            name: "NVIDIA H200 141GB HBM3e".to_owned(),
            load: (index != 3).then_some(wave),
            memory_used: u64::from(i % 100) * GIB,
            memory_total: 140 * GIB,
            temperature_celsius: (index != 3).then_some(40.0 + 30.0 * wave),
            power_watts: Some(100.0 + 500.0 * wave),
            power_limit_watts: (index != 2).then_some(700.0),
            processes: Vec::new(),
        };
        state.system.push(SystemSample {
            cpu: wave,
            process_cpu: 16.0 * wave,
            memory_used: 3 * GIB + u64::from(i) * GIB / 4,
            memory_total: 24 * GIB,
            process_memory: 2 * GIB,
            gpus: (0..gpus).map(gpu).collect(),
            elapsed: f64::from(i) * 2.0,
        });
    }
    state
}

/// Two GPUs that three users share, one of whom trains here.
fn shared(processes: u32) -> State {
    let mut state = sampled(2, 50);
    let process = |number: u32| GpuProcess {
        pid: 1_000_000 + number,
        user: (number != 3).then(|| ["kim", "lee", "김영희"][number as usize % 3].to_owned()),
        memory: (number != 2).then_some(u64::from(20 - number) * GIB),
        command: (number != 3)
            .then(|| format!("python train.py --seed {number} --output-dir 실험")),
        is_own: number == 0,
    };
    if let Some(sample) = &mut state.system.last {
        sample.gpus[0].processes = (0..processes).map(process).collect();
        // The first process uses both GPUs.
        sample.gpus[1].processes = vec![process(0)];
    }
    state
}

#[test]
fn users_of_the_gpus_at_every_size() {
    for lang in [Lang::English, Lang::Korean] {
        let state = State { lang, ..shared(4) };
        for (columns, rows) in [(26, 6), (40, 9), (60, 8), (100, 14), (100, 12)] {
            let name = format!("system_shared_{lang:?}_{columns}x{rows}").to_lowercase();
            insta::assert_snapshot!(name, drawn(&state, columns, rows));
        }
    }
    insta::assert_snapshot!("system_shared_by_many_100x18", drawn(&shared(19), 100, 18));
    for processes in [1, 2, 19] {
        let state = shared(processes);
        for columns in (0..70).chain([120]) {
            for rows in 0..30 {
                drawn(&state, columns, rows);
            }
        }
    }
}

/// A run of three processes, of which the last is slow and has a GPU.
fn ranked(state: State) -> State {
    let rank = |rank: u32| RankMeasured {
        samples_per_second: 312.4 - f64::from(rank * 40),
        computed: 0.05 + f64::from(rank) * 0.0082,
        memory: (u64::from(rank) + 1) * GIB / 2,
        gpu_memory: (rank == 2).then_some(17 * GIB),
        ..RankMeasured::default()
    };
    let measured = RanksMeasured::new(120, 9.5, (0..3).map(rank).collect());
    let system = SystemHistory { ranks: Some(measured), ..state.system.clone() };
    State { system, ..state }
}

#[test]
fn each_process_of_a_run_has_a_line() {
    for lang in [Lang::English, Lang::Korean] {
        let state = State { lang, ..ranked(sampled(1, 50)) };
        for (columns, rows) in [(26, 6), (60, 9), (100, 14)] {
            let name = format!("system_ranks_{lang:?}_{columns}x{rows}").to_lowercase();
            insta::assert_snapshot!(name, drawn(&state, columns, rows));
        }
    }
    // A replay has no samples of the computer.
    let replayed = ranked(State::default());
    insta::assert_snapshot!("system_ranks_replayed_60x4", drawn(&replayed, 60, 4));
    for state in [&replayed, &ranked(sampled(2, 5))] {
        for columns in (0..70).chain([120]) {
            for rows in 0..20 {
                drawn(state, columns, rows);
            }
        }
    }
}

fn drawn(state: &State, columns: u16, rows: u16) -> TestBackend {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) =
        terminal.draw(|frame| draw(frame, frame.area(), Block::new(), state, Theme::new(true)));
    terminal.backend().clone()
}

#[test]
fn the_panel_at_every_size() {
    for (name, gpus) in
        [("unmeasured", None), ("no_gpu", Some(0)), ("one_gpu", Some(1)), ("eight_gpus", Some(8))]
    {
        let state = gpus.map_or_else(State::default, |gpus| sampled(gpus, 50));
        for (columns, rows) in [(26, 6), (60, 8), (100, 12)] {
            let name = format!("system_{name}_{columns}x{rows}");
            insta::assert_snapshot!(name, drawn(&state, columns, rows));
        }
    }
}

#[test]
fn no_size_of_the_panel_panics() {
    for gpus in [0, 1, 3, 8] {
        for samples in [0, 1, 200] {
            let state = sampled(gpus, samples);
            for columns in (0..70).chain([120, 300]) {
                for rows in (0..14).chain([40]) {
                    drawn(&state, columns, rows);
                }
            }
        }
    }
}

#[test]
fn the_smallest_panel_shows_cpu_memory_and_a_gpu() {
    let text = drawn(&sampled(1, 3), 24, 3).to_string();
    for value in ["CPU", "RAM", "GPU0", "4/24 GiB", "82 %"] {
        assert!(text.contains(value), "{value} is missing in\n{text}");
    }
}

#[test]
fn a_recorded_run_shows_the_load_that_it_has_recorded() {
    use crate::core::train::event::{SystemMeasured, TrainEvent};
    use crate::run::protocol::RunReport;
    use crate::screen::app::{Message, update};
    let mut state = State { replay: Some(Replay::new(20.0)), ..State::default() };
    let text = drawn(&state, 40, 3).to_string();
    assert!(text.contains("no system metrics so far"), "{text}");
    // Ten values, of which the last one is the highest.
    for number in 0..10 {
        let measured = SystemMeasured {
            elapsed: f64::from(number),
            cpu: if number < 5 { 0.1 } else { 1.0 },
            memory_used: 1 << 30,
            memory_total: 1 << 31,
            ..SystemMeasured::default()
        };
        let event = TrainEvent::System(measured);
        update(&mut state, Message::Report(RunReport::Event(event.clone())));
        // On the dashboard of a run under way, the load is sampled instead.
        let mut live = State::default();
        update(&mut live, Message::Report(RunReport::Event(event)));
        assert_eq!(live.system.last, None);
    }
    let text = drawn(&state, 60, 14).to_string();
    assert!(text.contains("100 %") && text.contains("1.0/2.0 GiB"), "{text}");
    // The graph of the CPU has all of the run: the second half is full, from its middle on.
    let full = text.lines().find(|line| line.contains("100 %┤"));
    assert_eq!(full.map(|line| line.matches('█').count()), Some(25), "{text}");
    // Below the graphs, the time since training began.
    let axis = text.lines().last().unwrap_or_default();
    assert!(axis.contains("0:00") && axis.contains("0:09"), "{text}");
}

#[test]
fn an_enlarged_panel_has_graphs_with_scales_and_times() {
    for lang in [Lang::English, Lang::Korean] {
        for (gpus, size) in [(0, (78, 18)), (1, (118, 32)), (2, (198, 50))] {
            let state = State { lang, ..sampled(gpus, 120) };
            let name = format!("system_graphs_{lang:?}_{}x{}", size.0, size.1).to_lowercase();
            let shown = drawn(&state, size.0, size.1);
            let text = shown.to_string();
            for expected in ["100 %┤", "  0 %┤", " GiB┤", lang.tr("now")] {
                assert!(text.contains(expected), "{expected}: {text}");
            }
            insta::assert_snapshot!(name, shown);
        }
    }
}

#[test]
fn small_changes_of_memory_are_seen_and_the_total_is_named() {
    let mut state = State::default();
    for number in 0..60u64 {
        // 20.0 to 20.6 of 1000 GiB.
        let memory_used = 20 * GIB + number * GIB / 100;
        let (memory_total, elapsed) = (1000 * GIB, number as f64);
        state.system.push(SystemSample {
            cpu: 0.5,
            memory_used,
            memory_total,
            elapsed,
            ..SystemSample::default()
        });
    }
    let text = drawn(&state, 70, 20).to_string();
    assert!(text.contains("RAM: 20.0 to 20.6 of 1000.0 GiB"), "{text}");
    let graph: Vec<&str> = text.lines().skip_while(|line| !line.contains("RAM: ")).collect();
    let filled = |line: &str| line.matches(|c: char| ('▁'..='█').contains(&c)).count();
    let rows: Vec<usize> = graph[1..].iter().map(|line| filled(line)).collect();
    // Higher and higher from the left to the right.
    assert!(rows[1] > 3 && rows[1] < rows[3] && rows[3] < rows[5], "{rows:?}\n{text}");
}
