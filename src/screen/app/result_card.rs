//! The result of a run that has ended: what the dashboard shows instead of its progress, and what is
//! printed when it closes.

use super::State;
use super::counts;
use super::log::Level;
use crate::core::train::event::{Evaluated, Finished};
use crate::core::train::verdict::Verdict;
use crate::run::command_line::path_argument;
use crate::run::summary::{can_resume, clock};
use crate::screen::lang::Lang;

/// A line of the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultFact {
    /// What the line is about.
    pub name: &'static str,
    /// The text.
    pub text: String,
    /// The text in a few words, if it has such a form.
    pub short: Option<String>,
    /// Whether it is a result, a warning or an error.
    pub level: Level,
}

/// A command that the user may want to run next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextCommand {
    /// What it does.
    pub purpose: String,
    /// Its arguments, without the name of the program.
    pub arguments: Vec<String>,
    /// Whether it is of use only once the dashboard is closed.
    pub is_for_later: bool,
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultCard {
    /// Lines, the most important ones first.
    pub facts: Vec<ResultFact>,
    /// Commands, the most useful one first.
    pub commands: Vec<NextCommand>,
}

/// The verdict on the run in the user's language.
pub struct ShownVerdict {
    /// What the curves say.
    pub headline: String,
    /// The numbers behind it.
    pub evidence: String,
    /// The most important of these.
    pub brief: String,
    /// Whether it is a warning.
    pub level: Level,
}

/// The verdict on the run so far; `None` if it is too early for one.
pub fn verdict(state: &State) -> Option<ShownVerdict> {
    let verdict = state.watch.verdict()?;
    let labels = state.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
    let translate = |text: &'static str| state.lang.tr(text).to_owned();
    let level = if verdict.is_problem() { Level::Warning } else { Level::Info };
    Some(ShownVerdict {
        headline: verdict.headline().filled(translate),
        evidence: verdict.evidence(labels).filled(translate),
        brief: verdict.brief_evidence(labels).filled(translate),
        level,
    })
}

/// The result; `None` while the run is under way, and of a run that never trained.
pub fn result_card(state: &State) -> Option<ResultCard> {
    if state.is_running() || state.steps_done() == 0 {
        return None;
    }
    let lang = state.lang;
    let mut facts = Vec::new();
    let mut fact = |name, text, short, level| facts.push(ResultFact { name, text, short, level });
    if let Some(failed) = &state.failed {
        fact("failed", lang.tr_filled(&failed.message), None, Level::Error);
        if let Some(hint) = &failed.hint {
            fact("hint", lang.tr_filled(hint), None, Level::Warning);
        }
    }
    if let Some(best) = &state.best {
        let (text, short) = best_text(best, state);
        fact("best", text, Some(short), Level::Result);
    }
    if let Some(ShownVerdict { headline, evidence, brief, level }) = verdict(state) {
        let short = format!("{headline}: {brief}");
        fact("verdict", format!("{headline}: {evidence}"), Some(short), level);
    }
    if let Some(finished) = &state.finished {
        let short = clock(finished.metrics.train_runtime);
        fact("time", time_text(finished, lang), Some(short), Level::Info);
    }
    match (&state.saved, &state.checkpoint) {
        (Some(saved), _) => {
            let mut text = lang.tr_with("model in {0}, of step {1}", &[&saved.path, &saved.step]);
            let mut short = saved.path.clone();
            if let Some(metric) = metric_of_the_model(state) {
                text += &lang.tr_with(", the best by {0}", &[&metric]);
            } else if let Some(best) = best_before(state, saved.step) {
                let better = if state.is_pretraining() {
                    "; step {0} had a lower loss"
                } else {
                    "; step {0} was more accurate"
                };
                let better = lang.tr_with(better, &[&best.step]);
                text += &better;
                short += &better;
            }
            fact("files", text, Some(short), Level::Info);
        }
        (None, Some(checkpoint)) => {
            let text = lang.tr_with("checkpoint in {0}", &[&checkpoint.path]);
            fact("files", text, Some(checkpoint.path.clone()), Level::Warning);
        }
        (None, None) => {
            fact("files", lang.tr("the model is not saved").to_owned(), None, Level::Warning);
        }
    }
    Some(ResultCard { facts, commands: commands(state) })
}

/// The best evaluation, if it was before a step, and better than the latest one.
fn best_before(state: &State, step: u64) -> Option<&Evaluated> {
    let (best, last) = (state.best.as_ref()?, state.evaluated.as_ref()?);
    let is_better = if state.is_pretraining() {
        best.metrics.eval_loss < last.metrics.eval_loss
    } else {
        best.metrics.eval_accuracy > last.metrics.eval_accuracy
    };
    Some(best).filter(|best| best.step < step && is_better)
}

/// The metric by which the saved model was chosen, if it is not the last one.
fn metric_of_the_model(state: &State) -> Option<&str> {
    let run = state.started.as_ref()?;
    let is_chosen = run.setting("load_best_model_at_end") == Some("true");
    run.setting("metric_for_best_model").filter(|_| is_chosen)
}

/// The best evaluation and when it was, in full and in a few words.
fn best_text(best: &Evaluated, state: &State) -> (String, String) {
    let (lang, metrics) = (state.lang, &best.metrics);
    let loss = format!("{:.4}", metrics.eval_loss);
    let (value, short) = if state.is_pretraining() {
        let value = lang.tr_with("loss {0}", &[&loss]);
        (value.clone(), value)
    } else {
        let [accuracy, f1] =
            [metrics.eval_accuracy, metrics.eval_f1].map(|value| format!("{value:.4}"));
        let value = "accuracy {0} (the highest), F1 {1}, loss {2}";
        let value = lang.tr_with(value, &[&accuracy, &f1, &loss]);
        (value, lang.tr_with("accuracy {0}", &[&accuracy]))
    };
    let epoch = (best.epoch * 100.0).round() / 100.0;
    let when = lang.tr_with("epoch {0}, step {1}", &[&epoch, &best.step]);
    let epoch = lang.tr_with("epoch {0}", &[&epoch]);
    (format!("{value} · {when}"), format!("{short}, {epoch}"))
}

fn time_text(finished: &Finished, lang: Lang) -> String {
    let metrics = &finished.metrics;
    let samples = format!("{:.0}", metrics.train_samples_per_second);
    let time = clock(metrics.train_runtime);
    let text = counts::time_text(finished.global_step, finished.stopped);
    lang.tr_with(text, &[&time, &finished.global_step, &samples])
}

fn commands(state: &State) -> Vec<NextCommand> {
    let lang = state.lang;
    let mut commands = Vec::new();
    let mut push = |purpose: &str, is_for_later: bool, arguments: Vec<String>| {
        let purpose = lang.tr(purpose).to_owned();
        commands.push(NextCommand { purpose, arguments, is_for_later });
    };
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    if let Some(saved) = &state.saved {
        // A recorded run may be elsewhere than it was while it trained.
        let is_of_run = state.started.as_ref().is_some_and(|run| run.output_dir == saved.path);
        let opened = state.replay.as_ref().and_then(|replay| replay.folder.as_ref());
        let path = match opened.filter(|_| is_of_run) {
            Some(folder) => path_argument(&folder.to_string_lossy()),
            None => path_argument(&saved.path),
        };
        let folder = ["--model-name-or-path", &path];
        if state.is_pretraining() {
            push("fine-tune it", false, [words(&["train"]), words(&folder)].concat());
        } else {
            let folder = if path == "outputs" { Vec::new() } else { words(&folder) };
            let example = if state.reads_pairs() {
                "A man sleeps ||| A man is awake"
            } else {
                "정말 재미있는 영화"
            };
            push(
                "classify texts",
                false,
                [words(&["predict"]), folder, words(&[example])].concat(),
            );
        }
    }
    let resumed = match (&state.started, &state.finished, &state.checkpoint) {
        (Some(started), Some(finished), checkpoint) => {
            can_resume(started, finished, checkpoint.as_ref()).then(|| started.output_dir.clone())
        }
        (_, None, Some(checkpoint)) if state.saved.is_none() => Some(checkpoint.path.clone()),
        _ => None,
    };
    let with_folder = |command: &[&str], folder: &str| {
        let folder = Some(path_argument(folder)).filter(|folder| folder != "outputs");
        words(command).into_iter().chain(folder).collect()
    };
    if let Some(folder) = resumed {
        push(
            "continue the run",
            false,
            with_folder(&["train", "--resume-from-checkpoint"], &folder),
        );
    } else if let (Some(run), Some(_), None) = (&state.started, &state.finished, &state.replay) {
        push("see the run again", true, with_folder(&["attach"], &run.output_dir));
        if keeps_overfitted_model(state) {
            let config = path_argument(&format!("{}/run.toml", run.output_dir));
            let again = words(&["train", "--config", &config, "--save-strategy", "best"]);
            let best = ["--load-best-model-at-end", "--metric-for-best-model", "accuracy"];
            push(
                "train again and keep the most accurate model",
                true,
                [again, words(&best)].concat(),
            );
        }
    }
    commands
}

/// Whether the model that is saved is over-fitted, and an earlier one was more accurate.
fn keeps_overfitted_model(state: &State) -> bool {
    let is_overfitted = matches!(state.watch.verdict(), Some(Verdict::Overfitting { .. }));
    let better = state.saved.as_ref().and_then(|saved| best_before(state, saved.step));
    is_overfitted && better.is_some() && metric_of_the_model(state).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::TrainEvent;
    use crate::core::train::fixtures::{ending, failure, run};
    use crate::run::protocol::{Activity, RunReport};
    use crate::screen::app::{Message, update};

    fn ended(lang: Lang, events: Vec<TrainEvent>) -> State {
        let mut state = State { lang, ..State::default() };
        for event in events {
            update(&mut state, Message::Report(RunReport::Event(event)));
        }
        assert_eq!(result_card(&state), None, "it is under way");
        update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
        state
    }

    #[test]
    fn best_time_and_files_have_a_short_form() {
        let state = ended(Lang::English, [run(630), ending()].concat());
        let card = result_card(&state).expect("it has ended");
        let short = |name| {
            let fact = card.facts.iter().find(|fact| fact.name == name);
            fact.and_then(|fact| fact.short.clone()).unwrap_or_default()
        };
        assert!(short("best").starts_with("accuracy 0.7"), "{:?}", card.facts);
        assert!(short("best").contains(", epoch "), "{:?}", card.facts);
        assert_eq!([short("time"), short("files")], ["1:39", "outputs"]);
    }

    fn names(card: &ResultCard) -> Vec<&'static str> {
        card.facts.iter().map(|fact| fact.name).collect()
    }

    #[test]
    fn a_finished_run_has_its_best_evaluation_its_time_and_the_next_command() {
        let state = ended(Lang::English, [run(630), ending()].concat());
        let card = result_card(&state).expect("it has ended");
        assert_eq!(names(&card), ["best", "verdict", "time", "files"]);
        assert!(card.facts[0].text.starts_with("accuracy 0.7"), "{:?}", card.facts);
        assert!(card.facts[2].text.starts_with("1:39, 630 steps"), "{:?}", card.facts);
        assert_eq!(card.commands[0].arguments, ["predict", "정말 재미있는 영화"]);
        assert_eq!(card.commands[1].arguments, ["attach"], "a finished run is not continued");
        assert_eq!(card.commands.len(), 2);
    }

    #[test]
    fn after_over_fitting_a_command_keeps_the_most_accurate_model() {
        for (rises, is_offered) in [(true, true), (false, false)] {
            let mut evaluations = 0.0;
            let events = run(630).into_iter().map(|event| match event {
                TrainEvent::Evaluated(mut evaluated) if rises => {
                    evaluations += 1.0;
                    evaluated.metrics.eval_loss = 0.4 + 0.05 * evaluations;
                    evaluated.metrics.eval_accuracy = 0.8 - 0.01 * evaluations;
                    TrainEvent::Evaluated(evaluated)
                }
                event => event,
            });
            let state = ended(Lang::English, events.chain(ending()).collect());
            let card = result_card(&state).expect("it has ended");
            let files = card.facts.iter().find(|fact| fact.name == "files");
            let files = files.map(|fact| fact.text.as_str());
            let better = "model in outputs, of step 630; step 63 was more accurate";
            assert_eq!(files == Some(better), is_offered, "{files:?}");
            let again = card.commands.iter().find(|command| command.arguments[0] == "train");
            let again = again.map(|command| command.arguments.join(" "));
            let wanted = "train --config outputs/run.toml --save-strategy best \
                          --load-best-model-at-end --metric-for-best-model accuracy";
            assert_eq!(again.as_deref(), is_offered.then_some(wanted));
        }
    }

    #[test]
    fn an_evaluation_with_the_same_accuracy_was_not_better() {
        let events = run(630).into_iter().map(|event| match event {
            TrainEvent::Evaluated(mut evaluated) => {
                evaluated.metrics.eval_accuracy = 1.0;
                TrainEvent::Evaluated(evaluated)
            }
            event => event,
        });
        let state = ended(Lang::English, events.chain(ending()).collect());
        let card = result_card(&state).expect("it has ended");
        let files = card.facts.iter().find(|fact| fact.name == "files");
        assert!(
            files.is_some_and(|fact| fact.text == "model in outputs, of step 630"),
            "{files:?}"
        );
    }

    #[test]
    fn a_failed_run_says_why_first() {
        let state = ended(Lang::English, [run(100), vec![failure()]].concat());
        let card = result_card(&state).expect("it has ended");
        assert_eq!(names(&card)[..2], ["failed", "hint"]);
        assert_eq!(card.facts[0].level, Level::Error);
        assert!(card.commands.is_empty(), "there is nothing to continue from");
    }

    #[test]
    fn no_english_is_left_in_korean() {
        let state = ended(Lang::Korean, [run(630), ending()].concat());
        let card = result_card(&state).expect("it has ended");
        for fact in &card.facts {
            let name = Lang::Korean.tr(fact.name);
            assert!(!name.is_ascii() && !fact.text.is_ascii(), "{name}: {}", fact.text);
        }
        assert!(card.commands.iter().all(|command| !command.purpose.is_ascii()));
    }
}
