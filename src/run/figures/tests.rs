//! Tests of the figures of finished, short and unusual runs.

use super::*;
use crate::core::train::fixtures::{ending, run, step};
use crate::run::journal::{JOURNAL, Journal};

fn drawn(events: &[TrainEvent]) -> Result<Vec<FigureFile>, FigureError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::create(&folder.path().join(JOURNAL)).expect("a journal");
    for event in events {
        journal.append(event).expect("a line");
    }
    draw(folder.path())
}

fn svg(figures: &[FigureFile], name: &str) -> String {
    let figure = figures.iter().find(|figure| figure.name == format!("{name}.svg"));
    String::from_utf8(figure.expect("a figure").bytes.clone()).expect("text")
}

#[test]
fn a_finished_run_has_curves_and_a_matrix_as_svg_and_png() {
    let figures = drawn(&[run(630), ending()].concat()).expect("figures");
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    let expected =
        ["loss_curves.svg", "loss_curves.png", "confusion_matrix.svg", "confusion_matrix.png"];
    assert_eq!(names, expected);
    for figure in figures.iter().filter(|figure| figure.is_png()) {
        assert!(figure.bytes.starts_with(b"\x89PNG"), "{}", figure.name);
    }
    let curves = svg(&figures, CURVES);
    // Ten evaluations on each of the three metric curves and on the loss curve.
    assert_eq!(curves.matches("<circle").count(), 40);
    assert!(curves.contains(">eval accuracy</text>") && curves.contains(">600</text>"));
    let matrix = svg(&figures, CONFUSION);
    for text in [">759</text>", ">75.9 %</text>", ">negative</text>", ">step 630, epoch 10</text>"]
    {
        assert!(matrix.contains(text), "{text} in {matrix}");
    }
}

#[test]
fn values_that_are_not_finite_are_drawn_as_marks() {
    let mut events = run(100);
    events.push(TrainEvent::Step(step(101, f64::NAN, 14.7)));
    events.push(TrainEvent::Step(step(102, f64::INFINITY, 14.8)));
    let figures = drawn(&events).expect("figures");
    let curves = svg(&figures, CURVES);
    assert_eq!(curves.matches(">!</text>").count(), 2);
    assert!(!curves.contains("NaN") && !curves.contains("inf"), "{curves}");
}

#[test]
fn short_runs_are_drawn() {
    assert!(matches!(drawn(&run(0)), Err(FigureError::Empty)));
    let figures = drawn(&run(1)).expect("figures");
    assert_eq!(figures.len(), 2, "there is no matrix without an evaluation");
    let missing = draw(std::path::Path::new("/nowhere"));
    assert!(matches!(missing, Err(FigureError::Journal(_))));
}

#[test]
fn names_are_escaped_and_any_number_of_classes_is_drawn() {
    for classes in [1usize, 2, 7, 13, 400] {
        let mut events = run(63);
        for event in &mut events {
            match event {
                TrainEvent::Started(started) => {
                    started.labels = vec!["</text><script>alert(1)</script>".to_owned(); classes];
                    started.model = "\"><b>".to_owned();
                }
                TrainEvent::Evaluated(evaluated) => {
                    evaluated.metrics.eval_confusion.counts = vec![vec![3; classes]; classes];
                }
                _ => {}
            }
        }
        let figures = drawn(&events).expect("figures");
        for name in [CURVES, CONFUSION] {
            let svg = svg(&figures, name);
            assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
            assert!(svg.len() < 1 << 20);
        }
    }
}

#[test]
fn characters_that_xml_does_not_have_are_drawn_as_replacements() {
    let mut events = run(63);
    if let Some(TrainEvent::Started(started)) = events.first_mut() {
        started.labels = vec!["L\u{ffff}0".to_owned(), "L\u{fffe}\u{1}1".to_owned()];
        started.model = "a\u{ffff}b".to_owned();
    }
    let figures = drawn(&events).expect("figures");
    assert_eq!(figures.len(), 4);
    assert!(svg(&figures, CONFUSION).contains(">L\u{fffd}0</text>"));
    assert!(svg(&figures, CURVES).contains("a\u{fffd}b"));
}

#[test]
fn figures_are_written_into_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::create(&folder.path().join(JOURNAL)).expect("a journal");
    for event in &run(70) {
        journal.append(event).expect("a line");
    }
    let written = write(folder.path(), folder.path()).expect("files");
    assert_eq!(written.len(), 4);
    assert!(written.iter().all(|file| file.is_file()));
    let blocked = write(folder.path(), &folder.path().join("nowhere"));
    assert!(blocked.is_err_and(|error| error.to_string().contains("nowhere")));
}
