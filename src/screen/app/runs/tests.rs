//! Runs that are found, sorted, filtered and compared.

use super::*;
use crate::core::train::fixtures::run;
use crate::run::run_index::{BestEvaluation, RunEntry, RunStatus, UnreadableRun, tests::entry};
use crate::screen::app::panels::Panel;
use crate::screen::app::{Action, Effect, Message, Overlay, Page, State, update};

/// Runs of these names and accuracies.
fn compared(runs: &[(&str, f64)]) -> State {
    let mut state = State {
        runs: Some(RunComparison::new("experiments".to_owned(), RunOrder::Name, false, "")),
        page: Page::Runs,
        ..State::idle()
    };
    for (name, accuracy) in runs {
        let mut found = entry(name);
        found.folder = PathBuf::from(name);
        if let Ok(summary) = &mut found.summary {
            let (step, eval_loss) = (630, 1.0 - accuracy);
            summary.best = Some(BestEvaluation {
                step,
                eval_loss,
                eval_accuracy: *accuracy,
                eval_f1: *accuracy,
            });
        }
        push(&mut state, RunIndexReport::Updated(Box::new(found)));
    }
    state
}

fn push(state: &mut State, report: RunIndexReport) -> Vec<Effect> {
    update(state, Message::RunIndex(report))
}

fn press(state: &mut State, action: RunsAction) -> Vec<Effect> {
    update(state, Message::Action(Action::Runs(action)))
}

fn names(state: &State) -> Vec<&str> {
    state.runs.as_ref().map(|runs| runs.shown().map(RunEntry::name).collect()).unwrap_or_default()
}

fn runs(state: &State) -> &RunComparison {
    state.runs.as_ref().expect("runs")
}

fn history(steps: u64) -> Box<History> {
    let mut history = History::default();
    for event in &run(steps) {
        history.apply(event);
    }
    Box::new(history)
}

#[test]
fn runs_are_sorted_and_filtered_and_the_selected_one_stays() {
    let mut state = compared(&[("b2", 0.7), ("a1", 0.6), ("c3", 0.8)]);
    assert_eq!(names(&state), ["a1", "b2", "c3"]);
    press(&mut state, RunsAction::Move(1));
    press(&mut state, RunsAction::NextOrder);
    assert_eq!((names(&state), runs(&state).selected), (vec!["c3", "b2", "a1"], 1));
    press(&mut state, RunsAction::Reverse);
    press(&mut state, RunsAction::Move(5));
    assert_eq!(runs(&state).selected_run().map(RunEntry::name), Some("c3"));
    press(&mut state, RunsAction::Filter);
    update(&mut state, Message::Paste("b2".to_owned()));
    assert_eq!(names(&state), ["b2"], "while it is typed");
    press(&mut state, RunsAction::CancelInput);
    assert_eq!(names(&state), ["a1", "b2", "c3"]);
    press(&mut state, RunsAction::Filter);
    update(&mut state, Message::Paste("finished".to_owned()));
    press(&mut state, RunsAction::ApplyInput);
    assert_eq!((names(&state).len(), runs(&state).filter.as_str()), (3, "finished"));
    for _ in 0..RunOrder::ALL.len() {
        press(&mut state, RunsAction::NextOrder);
    }
    assert_eq!(runs(&state).order, RunOrder::Accuracy);
}

#[test]
fn a_run_keeps_its_color_until_it_is_removed() {
    let mut state = compared(&[("a", 0.6), ("b", 0.7), ("c", 0.8)]);
    let read = |name: &str| vec![Effect::ReadCurves(PathBuf::from(name))];
    assert_eq!(press(&mut state, RunsAction::ToggleChart), read("a"));
    press(&mut state, RunsAction::Move(1));
    assert_eq!(press(&mut state, RunsAction::ToggleChart), read("b"));
    let curves = |name: &str, steps| RunIndexReport::Curves(name.into(), Ok(history(steps)));
    push(&mut state, curves("a", 100));
    push(&mut state, curves("b", 300));
    push(&mut state, curves("c", 600));
    assert_eq!(state.last_step(), 300.0, "the third is not in the chart");
    press(&mut state, RunsAction::Move(-1));
    assert_eq!(press(&mut state, RunsAction::ToggleChart), []);
    assert_eq!(runs(&state).chart_slot(Path::new("b")), Some(1));
    press(&mut state, RunsAction::Move(2));
    assert_eq!(press(&mut state, RunsAction::ToggleChart), [], "its curves are kept");
    assert_eq!(runs(&state).chart_slot(Path::new("c")), Some(0), "the first free slot");
    // A run with new events is read again, a deleted run is removed from the chart.
    let mut more = entry("b");
    more.folder = "b".into();
    assert_eq!(push(&mut state, RunIndexReport::Updated(Box::new(more))), read("b"));
    push(&mut state, RunIndexReport::Removed("b".into()));
    assert_eq!((names(&state), runs(&state).compared().count()), (vec!["a", "c"], 1));
    assert_eq!(press(&mut state, RunsAction::ToggleAll), []);
    assert_eq!(runs(&state).compared().count(), 0, "all removed");
    assert_eq!(press(&mut state, RunsAction::ToggleAll), [], "both were read");
    assert_eq!(runs(&state).compared().count(), 2);
}

#[test]
fn the_selected_run_is_drawn_and_its_curves_are_kept() {
    let mut state = compared(&[("a", 0.6), ("b", 0.7), ("c", 0.8)]);
    let read = |name: &str| vec![Effect::ReadCurves(PathBuf::from(name))];
    let curves = |name: &str, steps| RunIndexReport::Curves(name.into(), Ok(history(steps)));
    assert_eq!(push(&mut state, RunIndexReport::Complete), read("a"));
    assert_eq!(state.last_step(), 0.0);
    // Then the run beside it is read, which is likely selected next.
    assert_eq!(push(&mut state, curves("a", 100)), read("b"));
    assert_eq!(state.last_step(), 100.0, "drawn without a key");
    // One run is read at a time: those that the selection has passed are not.
    assert_eq!(press(&mut state, RunsAction::Move(2)), []);
    assert_eq!(state.last_step(), 0.0, "those of another run are not drawn");
    assert_eq!(push(&mut state, curves("b", 200)), read("c"));
    assert_eq!(push(&mut state, curves("c", 300)), []);
    for (by, steps) in [(-1, 200.0), (-1, 100.0), (2, 300.0)] {
        assert_eq!(press(&mut state, RunsAction::Move(by)), [], "it was read");
        assert_eq!(state.last_step(), steps);
    }
    // Marked runs stay in the chart beside the selected one, which gets the next color.
    assert_eq!(press(&mut state, RunsAction::ToggleChart), []);
    press(&mut state, RunsAction::Move(-2));
    assert_eq!(state.last_step(), 300.0);
    let previewed = runs(&state).previewed().map(|(slot, found, _)| (slot, found.name()));
    assert_eq!(previewed, Some((Some(1), "a")));
    // A run whose journal changes is read again once it is selected.
    for (name, effects) in [("a", read("a")), ("b", vec![])] {
        let mut more = entry(name);
        more.folder = name.into();
        assert_eq!(push(&mut state, RunIndexReport::Updated(Box::new(more))), effects);
    }
    assert_eq!(push(&mut state, curves("a", 150)), []);
    assert_eq!(press(&mut state, RunsAction::Move(1)), read("b"));
    // What cannot be read says why, and is not read again and again.
    let reason = "b/events.jsonl: Permission denied".to_owned();
    assert_eq!(push(&mut state, RunIndexReport::Curves("b".into(), Err(reason.clone()))), []);
    assert_eq!(runs(&state).preview_problem(), Some(reason.as_str()));
}

#[test]
fn the_chart_has_at_most_as_many_runs_as_colors() {
    let list: Vec<(String, f64)> = (0..12).map(|n| (format!("run-{n}"), 0.5)).collect();
    let list: Vec<(&str, f64)> = list.iter().map(|(name, at)| (name.as_str(), *at)).collect();
    let mut state = compared(&list);
    assert_eq!(press(&mut state, RunsAction::ToggleAll).len(), MAX_COMPARED);
    press(&mut state, RunsAction::Move(11));
    assert_eq!(press(&mut state, RunsAction::ToggleChart), []);
    assert_eq!(runs(&state).compared().count(), MAX_COMPARED);
}

#[test]
fn an_unreadable_run_is_listed_but_not_compared() {
    let mut state = compared(&[("a", 0.6)]);
    let mut torn = entry("torn");
    torn.folder = "torn".into();
    torn.summary = Err(UnreadableRun { name: "torn".to_owned(), reason: "no event".to_owned() });
    push(&mut state, RunIndexReport::Updated(Box::new(torn)));
    assert_eq!(names(&state), ["a", "torn"]);
    press(&mut state, RunsAction::Move(1));
    assert_eq!(press(&mut state, RunsAction::ToggleChart), []);
    assert_eq!(runs(&state).compared_summaries().len(), 1);
    assert_eq!(runs(&state).compared_summaries()[0].1.status, RunStatus::Finished);
}

#[test]
fn charts_of_runs_have_the_same_view_actions() {
    use crate::screen::app::charts::ChartAction;
    let mut state = compared(&[("a", 0.6), ("b", 0.7)]);
    press(&mut state, RunsAction::ToggleAll);
    push(&mut state, RunIndexReport::Curves("a".into(), Ok(history(100))));
    push(&mut state, RunIndexReport::Curves("b".into(), Ok(history(300))));
    let look = |state: &mut State, action| {
        update(state, Message::Action(Action::Chart(action)));
    };
    look(&mut state, ChartAction::CursorToLast);
    assert_eq!(state.charts.cursor, Some(300.0));
    look(&mut state, ChartAction::StepCursor(-1));
    assert_eq!(state.charts.cursor, Some(299.0));
    look(&mut state, ChartAction::ZoomIn);
    assert_eq!(state.charts.visible_steps(state.last_step()), [149.5, 299.5]);
    look(&mut state, ChartAction::LogY);
    assert!(state.charts.log_y.contains(&Panel::Loss));
    let before = runs(&state).cursor_curve().and_then(Curve::last_smoothed);
    look(&mut state, ChartAction::AdjustSmoothing(-1));
    assert_ne!(runs(&state).cursor_curve().and_then(Curve::last_smoothed), before);
    for metric in RunMetric::ALL {
        assert_eq!(runs(&state).metric, metric);
        press(&mut state, RunsAction::NextMetric(1));
    }
    press(&mut state, RunsAction::NextMetric(-1));
    assert_eq!(runs(&state).metric, RunMetric::Throughput);
    assert_eq!(update(&mut state, Message::Action(Action::Quit)), [Effect::Quit]);
}

#[test]
fn a_filter_with_an_error_leaves_the_list_as_it_was() {
    let mut state = compared(&[("a", 0.6), ("b", 0.7), ("c", 0.8)]);
    press(&mut state, RunsAction::Filter);
    for (typed, shown, at) in [
        ("eval_accuracy >", vec!["a", "b", "c"], Some(16)),
        (" 0.65", vec!["b", "c"], None),
        (" AND NOT (", vec!["b", "c"], Some(31)),
        ("name=c OR name=a)", vec!["b"], None),
    ] {
        update(&mut state, Message::Paste(typed.to_owned()));
        assert_eq!(names(&state), shown, "{typed}");
        assert_eq!(runs(&state).filter_error.as_ref().map(|error| error.at), at, "{typed}");
    }
    update(&mut state, Message::Paste(" (".to_owned()));
    press(&mut state, RunsAction::ApplyInput);
    assert!(runs(&state).is_typing(), "until it is corrected");
    press(&mut state, RunsAction::CancelInput);
    assert_eq!((names(&state).len(), &runs(&state).filter_error), (3, &None));
    press(&mut state, RunsAction::Filter);
    update(&mut state, Message::Paste("learning_rat > 1 AND seed=7".to_owned()));
    assert_eq!(runs(&state).unknown_names, ["learning_rat"]);
}

#[test]
fn a_run_is_changed_by_what_is_typed() {
    let mut state = compared(&[("a", 0.6), ("b", 0.7)]);
    if let Some(runs) = &mut state.runs {
        let mut tagged = entry("a");
        tagged.folder = "a".into();
        if let Ok(summary) = &mut tagged.summary {
            "old".clone_into(&mut summary.notes.note);
            summary.notes.tags = vec!["x".to_owned(), "y".to_owned()];
        }
        runs.push_report(RunIndexReport::Updated(Box::new(tagged)), 0.9);
    }
    let folder = || PathBuf::from("a");
    for (action, edit) in [
        (RunsAction::EditNote, RunEdit::Note(folder(), "old!".to_owned())),
        (RunsAction::EditTags, RunEdit::Tags(folder(), "x y!".to_owned())),
        (RunsAction::Rename, RunEdit::Rename(folder(), "a!".to_owned())),
    ] {
        press(&mut state, action);
        update(&mut state, Message::Paste("!".to_owned()));
        assert_eq!(names(&state), ["a", "b"], "the filter stays");
        assert_eq!(press(&mut state, RunsAction::ApplyInput), [Effect::EditRun(edit)]);
        press(&mut state, action);
        assert_eq!(press(&mut state, RunsAction::CancelInput), []);
        assert!(!runs(&state).is_typing());
    }
}

#[test]
fn a_renamed_run_stays_selected_and_in_the_chart() {
    let mut state = compared(&[("a", 0.6), ("b", 0.7), ("c", 0.8)]);
    press(&mut state, RunsAction::Move(1));
    press(&mut state, RunsAction::ToggleChart);
    push(&mut state, RunIndexReport::Curves("b".into(), Ok(history(100))));
    let rename = RunEdit::Rename("b".into(), "z".to_owned());
    push(&mut state, RunIndexReport::Edited(rename.clone(), Ok("z".into())));
    assert!(state.notice.as_ref().is_some_and(|notice| notice.text == "renamed to z"));
    // What the index finds then.
    push(&mut state, RunIndexReport::Removed("b".into()));
    let mut renamed = entry("z");
    renamed.folder = "z".into();
    push(&mut state, RunIndexReport::Updated(Box::new(renamed)));
    assert_eq!(names(&state), ["a", "c", "z"]);
    assert_eq!(runs(&state).selected_run().map(RunEntry::name), Some("z"));
    assert_eq!((runs(&state).chart_slot(Path::new("z")), state.last_step()), (Some(0), 100.0));
    push(&mut state, RunIndexReport::Edited(rename, Err("z exists".to_owned())));
    assert!(state.notice.as_ref().is_some_and(|notice| notice.text == "not changed: z exists"));
}

#[test]
fn deleting_is_asked_for_the_run_that_was_selected() {
    let mut state = compared(&[("a", 0.6), ("a/b", 0.7), ("c", 0.8)]);
    assert_eq!(press(&mut state, RunsAction::Delete), []);
    assert_eq!(state.overlay, Some(Overlay::ConfirmDelete));
    assert_eq!(runs(&state).runs_inside_deleted(), 1);
    // The order changes while the dialog is open.
    press(&mut state, RunsAction::Move(1));
    let delete = Effect::EditRun(RunEdit::Delete("a".into()));
    assert_eq!(press(&mut state, RunsAction::ConfirmDelete), [delete]);
    assert_eq!((state.overlay, press(&mut state, RunsAction::ConfirmDelete)), (None, vec![]));
}

#[test]
fn a_run_in_use_is_opened_but_not_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let lock = crate::run::lock_output_dir(folder.path()).expect("a lock");
    crate::run::run_index::tests::write_run(folder.path());
    let used = crate::run::run_index::read_entry(folder.path(), folder.path()).expect("a run");
    drop(lock);
    let mut state = compared(&[]);
    push(&mut state, RunIndexReport::Updated(Box::new(used)));
    assert_eq!(press(&mut state, RunsAction::Delete), []);
    assert!(state.overlay.is_none() && state.notice.is_some());
    assert_eq!(press(&mut state, RunsAction::Open), [Effect::Quit]);
    let opened = state.runs.as_mut().and_then(RunComparison::take_opening);
    assert_eq!(opened.map(|entry| entry.folder), Some(folder.path().to_path_buf()));
    assert!(runs(&state).opening.is_none());
}

#[test]
fn escape_clears_cursor_and_zoom_and_then_the_filter() {
    let mut state = compared(&[("a", 0.7), ("b", 0.8)]);
    press(&mut state, RunsAction::Filter);
    update(&mut state, Message::Paste("eval_accuracy > 0.75".to_owned()));
    press(&mut state, RunsAction::ApplyInput);
    state.charts.cursor = Some(3.0);
    assert_eq!(names(&state), ["b"]);
    update(&mut state, Message::Action(Action::ClearView));
    assert_eq!((names(&state), state.charts.cursor), (vec!["b"], None));
    update(&mut state, Message::Action(Action::ClearView));
    assert_eq!(names(&state), ["a", "b"]);
}
