//! Occlusion: the change of a probability when tokens are replaced (Zeiler & Fergus, 2014, for words).

use super::Occludable;
use crate::core::data::batching::{Example, PackedBatch};
use crate::core::engine::logits::softmax;
use crate::core::engine::{Engine, Logits};
use crate::core::predict::PredictError;

/// The most tokens that are computed at once, unless one text has more.
const MAX_ROWS: usize = 2048;

/// The probability of `class` minus that with each token of the text replaced; 0 for the special tokens
/// around it.
pub(super) fn of_tokens(
    engine: &mut dyn Engine,
    text: &Occludable,
    class: u32,
) -> Result<Vec<f64>, PredictError> {
    let content: Vec<usize> =
        (0..text.is_content.len()).filter(|&index| text.is_content[index]).collect();
    let replaced = content.iter().map(|&index| vec![index]).collect::<Vec<_>>();
    let logits = &mut |batch: &_| engine.logits(batch);
    let known = probabilities(logits, text, &replaced, MAX_ROWS, &mut || true)?;
    let probabilities = known.unwrap_or_default();
    let of_class =
        |probabilities: &Vec<f64>| probabilities.get(class as usize).copied().unwrap_or(f64::NAN);
    let mut values = vec![0.0; text.is_content.len()];
    let Some((original, others)) = probabilities.split_first() else {
        return Ok(values);
    };
    for (index, other) in content.into_iter().zip(others) {
        values[index] = of_class(original) - of_class(other);
    }
    Ok(values)
}

/// The probabilities of all classes: of the text, and of the text with the tokens of each group
/// replaced. At most `rows` tokens are computed at once, unless one text has more; before each
/// computation `continues` is asked, and `None` is returned if it says no.
pub(super) fn probabilities(
    logits: &mut Logits<'_>,
    text: &Occludable,
    groups: &[Vec<usize>],
    rows: usize,
    continues: &mut dyn FnMut() -> bool,
) -> Result<Option<Vec<Vec<f64>>>, PredictError> {
    let at_once = (rows / text.example.ids.len().max(1)).max(1);
    let unchanged = Vec::new();
    let all: Vec<&Vec<usize>> = std::iter::once(&unchanged).chain(groups).collect();
    let mut probabilities = Vec::with_capacity(all.len());
    for groups in all.chunks(at_once) {
        let examples: Vec<Example> = groups.iter().map(|group| without(text, group)).collect();
        if !continues() {
            return Ok(None);
        }
        let logits = logits(&PackedBatch::new(&examples, 0))?;
        let classes = (logits.len() / examples.len()).max(1);
        probabilities.extend(logits.chunks_exact(classes).map(softmax));
    }
    Ok(Some(probabilities))
}

/// The text with these tokens replaced.
fn without(text: &Occludable, group: &[usize]) -> Example {
    let mut example = text.example.clone();
    for &index in group {
        if let Some(id) = example.ids.get_mut(index) {
            *id = text.replacement.id;
        }
    }
    example
}
