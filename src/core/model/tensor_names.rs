//! From the names of stored tensors to those of a model's parameters, as transformers 5 does
//! (`rename_source_key` and `convert_and_load_state_dict_in_model`).

use std::collections::HashSet;

/// The names that older checkpoints give a normalization's scale and shift.
const LEGACY: [(&str, &str); 2] = [("gamma", "weight"), ("beta", "bias")];

/// The name of the parameter that a stored tensor is for: older names are replaced by current ones,
/// and the encoder's prefix is removed or added where that makes the name one of `parameters`.
pub(super) fn current_name(stored: &str, prefix: &str, parameters: &HashSet<&str>) -> String {
    let mut name = stored.to_owned();
    for (old, new) in LEGACY {
        if let Some(found) = legacy_part(&name, old) {
            name = name.replacen(&found, &format!("LayerNorm.{new}"), 1);
        }
    }
    // transformers removes the prefix with the regular expression `^prefix.`, whose dot is any
    // character.
    let mut rest = name.strip_prefix(prefix).unwrap_or_default().chars();
    if rest.next().is_some_and(|dot| dot != '\n') && parameters.contains(rest.as_str()) {
        return rest.as_str().to_owned();
    }
    let prefixed = format!("{prefix}.{name}");
    if parameters.contains(prefixed.as_str()) { prefixed } else { name }
}

/// The part of a name that the regular expression `LayerNorm.{old}(?!\w)` matches, if any.
fn legacy_part(name: &str, old: &str) -> Option<String> {
    name.match_indices("LayerNorm").find_map(|(start, found)| {
        let mut rest = name[start + found.len()..].chars();
        let dot = rest.next().filter(|dot| *dot != '\n')?;
        let next = rest.as_str().strip_prefix(old)?.chars().next();
        let ends = next.is_none_or(|next| !next.is_alphanumeric() && next != '_');
        ends.then(|| format!("{found}{dot}{old}"))
    })
}

/// A part of a name in transformers' order (`dot_natural_key`): numbers first, by value; texts
/// without the digits at their end, then by these digits.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyPart {
    Number(Digits),
    Text(String, Option<Digits>),
}

/// The length of a decimal number without leading zeros, and its digits: orders numbers of any
/// length by value.
type Digits = (usize, String);

/// The sort key of a stored name. Where several tensors are for one parameter, transformers takes
/// the first in this order.
pub(super) fn sort_key(name: &str) -> Vec<KeyPart> {
    let digits = |text: &str| {
        let text = text.trim_start_matches('0');
        (text.len(), text.to_owned())
    };
    let part = |part: &str| {
        let text = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let end = &part[text.len()..];
        match (text, end) {
            ("", end) if !end.is_empty() => KeyPart::Number(digits(end)),
            (text, "") => KeyPart::Text(text.to_owned(), None),
            (text, end) => KeyPart::Text(text.to_owned(), Some(digits(end))),
        }
    };
    name.split('.').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_in_transformers() {
        // sorted(names, key=transformers.core_model_loading.dot_natural_key)
        let sorted = [
            "2.a", "10.a", "a", "a.2", "a.10", "a.b", "a.b.c", "a.b1", "a.b2", "a.b10", "a.bc", "b",
        ];
        let mut names = sorted;
        names.reverse();
        names.sort_by_cached_key(|name| sort_key(name));
        assert_eq!(names, sorted);
    }
}
