//! Keys for the mistakes page.

use super::super::KeyContext;
use super::super::key::{char, control, key};
use super::{Binding, binding};
use crate::screen::app::Action;
use crate::screen::app::mistakes::MistakesAction;
use crossterm::event::KeyCode;

const fn here(
    keys: &'static [super::Key],
    action: MistakesAction,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    binding(KeyContext::Mistakes, keys, Action::Mistakes(action), help, footer)
}

pub(super) const BINDINGS: &[Binding] = {
    use KeyCode::{Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Up};
    use KeyContext::MistakesInput;
    use MistakesAction::{
        ApplyInput, CancelInput, Copy, Evaluation, First, Last, Move, NextCell, NextKind,
        NextLength, NextOrder, NextUnknown, Open, Relabel, Reverse, ScrollReview, Search, ShowAll,
        Slices,
    };
    &[
        here(&[key(Up), char('k')], Move(-1), "Previous review", Some("select")),
        here(&[key(Down), char('j')], Move(1), "Next review", None),
        here(&[key(PageUp), control('u')], Move(-10), "Ten reviews up", None),
        here(&[key(PageDown), control('d'), char(' ')], Move(10), "Ten reviews down", None),
        here(&[key(Home), char('g')], First, "First review", None),
        here(&[key(End), char('G')], Last, "Last review", None),
        here(&[key(Right)], ScrollReview(1), "Read on in a long review", Some("read on")),
        here(&[key(Left)], ScrollReview(-1), "Back in a long review", None),
        here(&[key(Enter)], Open, "Classify the review on the Predict page", Some("classify")),
        here(
            &[char('L')],
            Relabel,
            "Correct the label: the next class, or its own",
            Some("relabel"),
        ),
        here(
            &[char('s')],
            NextOrder,
            "Order: loss, confidence, length or change over evaluations",
            Some("order"),
        ),
        here(&[char('R')], Reverse, "Reverse the order", None),
        here(
            &[char('v')],
            NextKind,
            "Show: mistakes, suspected label errors, corrected labels or all",
            Some("show"),
        ),
        here(&[char('c')], NextCell, "Next cell of the confusion matrix, or all", Some("cell")),
        here(&[char('b')], NextLength, "Next range of lengths, or all", Some("length")),
        here(&[char('u')], NextUnknown, "Share of unknown tokens, or any", None),
        here(&[char('/')], Search, "Search the reviews", Some("search")),
        here(&[char('t')], Slices, "Accuracy by class, length, [UNK], emoji, year", Some("slices")),
        here(&[char('y')], Copy, "Copy the review", None),
        here(&[char(',')], Evaluation(-1), "Previous evaluation", None),
        here(&[char('.')], Evaluation(1), "Next evaluation", None),
        here(&[key(Esc)], ShowAll, "All mistakes of the last evaluation", Some("show all")),
        binding(MistakesInput, &[key(Enter)], Action::Mistakes(ApplyInput), "Apply", Some("apply")),
        binding(
            MistakesInput,
            &[key(Esc)],
            Action::Mistakes(CancelInput),
            "Clear the search",
            Some("cancel"),
        ),
    ]
};
