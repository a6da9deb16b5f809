//! Compares what the ranks of a run are about to train before its first step.

use super::{Collective, CollectiveError};
use crate::core::text::sanitize_for_terminal;

/// What has to be equal on all ranks: names, such as those of settings, with their values.
pub type Facts = Vec<(String, String)>;

/// The longest value in an error message, in characters.
const SHOWN: usize = 80;

/// Checks that all ranks have the same facts.
///
/// # Errors
/// If a rank is lost, or has another value than rank 0; the error names the fact and both values.
pub fn check_equal(collective: &dyn Collective, facts: &Facts) -> Result<(), CollectiveError> {
    if collective.world_size() == 1 {
        return Ok(());
    }
    let bytes = serde_json::to_vec(facts).map_err(|error| unreadable(collective.rank(), &error))?;
    let all = collective.all_gather_bytes(&bytes)?;
    let all = all.iter().enumerate().map(|(rank, bytes)| {
        serde_json::from_slice::<Facts>(bytes).map_err(|error| unreadable(rank, &error))
    });
    let all = all.collect::<Result<Vec<Facts>, _>>()?;
    let Some((first, others)) = all.split_first() else { return Ok(()) };
    for (other, rank) in others.iter().zip(1..) {
        if let Some(problem) = difference(first, rank, other) {
            return Err(CollectiveError::Different(problem));
        }
    }
    Ok(())
}

fn unreadable(rank: usize, error: &serde_json::Error) -> CollectiveError {
    CollectiveError::Different(format!("the settings of rank {rank} cannot be read: {error}"))
}

/// The first difference between the facts of rank 0 and those of another rank.
fn difference(first: &Facts, rank: usize, other: &Facts) -> Option<String> {
    let of = |facts: &Facts, name: &str| {
        let found = facts.iter().find(|(own, _)| own == name);
        found.map_or_else(|| "no value".to_owned(), |(_, value)| shortened(value))
    };
    let names = first.iter().chain(other).map(|(name, _)| name);
    names.into_iter().find_map(|name| {
        let (here, there) = (first.iter(), other.iter());
        let value = |mut facts: std::slice::Iter<'_, (String, String)>| {
            facts.find(|(own, _)| own == name).map(|(_, value)| value.clone())
        };
        (value(here) != value(there)).then(|| {
            format!(
                "rank {rank} has another {} than rank 0: {} instead of {}. Start all ranks with the \
                 same program, options, files and environment",
                shortened(name),
                of(other, name),
                of(first, name)
            )
        })
    })
}

fn shortened(text: &str) -> String {
    let text = sanitize_for_terminal(text);
    if text.chars().count() <= SHOWN {
        return text.into_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(values: &[(&str, &str)]) -> Facts {
        values.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn the_first_difference_is_named_with_both_values() {
        let first = facts(&[("seed", "42"), ("learning_rate", "5e-5")]);
        assert_eq!(difference(&first, 1, &first), None);
        let other = facts(&[("seed", "42"), ("learning_rate", "1e-4")]);
        let problem = difference(&first, 3, &other).unwrap_or_default();
        assert!(
            problem.contains("rank 3 has another learning_rate than rank 0: 1e-4 instead of 5e-5"),
            "{problem}"
        );
        let more = facts(&[("seed", "42"), ("learning_rate", "5e-5"), ("tf32", "true")]);
        let problem = difference(&first, 1, &more).unwrap_or_default();
        assert!(
            problem.contains("another tf32 than rank 0: true instead of no value"),
            "{problem}"
        );
    }
}
