//! What finds a key binding or a panel, and the order of the help.

use super::synonyms::{words_of, words_of_panel};
use super::{Binding, KeyContext};
use crate::core::initials;
use crate::screen::app::panels::Panel;
use crate::screen::app::{Page, State};
use crate::screen::lang::Lang;

/// Whether every word of a search occurs in what a binding is called.
pub fn matches_words(binding: &Binding, lang: Lang, search: &str) -> bool {
    let names = [binding.help, binding.context.title()].into_iter().chain(binding.footer);
    let mut words = vec![words_of(binding.action).to_owned()];
    words.extend(names.flat_map(|name| [name.to_owned(), lang.tr(name).to_owned()]));
    words.extend(binding.keys.iter().map(|key| key.name()));
    has_all_words(&words.join(" "), search)
}

/// Whether a text has every word of a search, or the initial consonants of the search.
fn has_all_words(text: &str, search: &str) -> bool {
    let text = text.to_lowercase();
    let is_in_text = |word: &str| text.contains(word) || initials::contains(&text, word);
    search.to_lowercase().split_whitespace().all(is_in_text)
}

/// What a panel shows, for the help.
pub fn about_panel(panel: Panel) -> &'static str {
    match panel {
        Panel::Loss => {
            "training and evaluation loss over the steps; P: paused, R: rate changed, C: \
             checkpoint, e: evaluation, !: not finite"
        }
        Panel::Accuracy => "accuracy and F1 over the steps",
        Panel::Epochs => "a table of the metrics of each epoch",
        Panel::Confusion => "true and predicted classes; Enter shows the reviews of a cell",
        Panel::Log => "the latest messages",
        Panel::LearningRate => "the schedule of the learning rate, with warm-up and changes",
        Panel::GradNorm => "the norm of the gradients before clipping",
        Panel::Throughput => "samples and tokens per second",
        Panel::System => "load of the CPU, the memory and the GPUs",
        Panel::Classes => "precision, recall and F1 of each class",
        Panel::Calibration => "reliability: accuracy by confidence, with its mean gap (ECE)",
        Panel::Probes => "the probabilities of pinned sentences over the run",
        Panel::Settings => "all settings with their sources",
    }
}

/// Whether every word of a search occurs in what a panel is called, or in what it shows.
pub fn matches_panel(panel: Panel, lang: Lang, search: &str) -> bool {
    let names = [panel.title(), about_panel(panel)];
    let names = names.into_iter().flat_map(|name| [name, lang.tr(name)]);
    let text = [words_of_panel(panel)].into_iter().chain(names).collect::<Vec<_>>().join(" ");
    has_all_words(&text, search)
}

/// The contexts of the help that can become active by page, that of the current page first.
pub fn help_groups(state: &State) -> Vec<(&'static str, Vec<KeyContext>)> {
    use KeyContext::{
        AllPages, Anywhere, Charts, LogInput, NoTextInput, Panels, Predict, PredictAlone,
        PredictInRun, RunCommands, RunControl, RunInput, RunPages, Runs, Scrolling, WordInput,
    };
    let mut groups: Vec<(Option<Page>, &'static str, Vec<KeyContext>)> = vec![
        (Some(Page::Train), "Train", vec![RunControl, RunCommands, Panels, Charts]),
        (Some(Page::Predict), "Predict", vec![Predict, PredictInRun, PredictAlone, WordInput]),
        (Some(Page::Log), "Log", vec![KeyContext::Log, LogInput]),
        (Some(Page::Mistakes), "Mistakes", vec![KeyContext::Mistakes, KeyContext::MistakesInput]),
        (Some(Page::Settings), "Settings, Log and help", vec![Scrolling]),
        (Some(Page::Runs), "Compare runs", vec![Runs, RunInput]),
        (None, "All pages", vec![RunPages, NoTextInput, AllPages, Anywhere]),
    ];
    let is_grouped = |context: &KeyContext| groups.iter().any(|group| group.2.contains(context));
    let rest = KeyContext::ALL.into_iter().filter(|context| !is_grouped(context)).collect();
    groups.push((None, "Dialogs and text input", rest));
    groups.sort_by_key(|(page, _, _)| *page != Some(state.page));
    for group in &mut groups {
        group.2.retain(|context| is_possible(state, *context));
    }
    groups.into_iter().map(|(_, title, contexts)| (title, contexts)).collect()
}

/// Whether a context can become active: there are no keys of a run on the pages of a saved model.
fn is_possible(state: &State, context: KeyContext) -> bool {
    use KeyContext::{
        AllPages, Anywhere, Help, HelpInput, NoTextInput, Palette, Predict, PredictAlone,
        Scrolling, TextInput, WordInput,
    };
    match context {
        PredictAlone => state.asked_model.is_some(),
        AllPages | Anywhere | Help | HelpInput | NoTextInput | Palette | Predict | Scrolling
        | TextInput | WordInput => true,
        _ => state.asked_model.is_none(),
    }
}
