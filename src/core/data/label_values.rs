//! The values of labels, however they are spelled: numbers, booleans and missing values, as pandas
//! infers them for a column of a CSV file.

use std::borrow::Cow;

/// The texts that pandas reads as missing values.
const MISSING: [&str; 18] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Whether pandas reads this text as a missing value.
pub(super) fn is_missing(text: &str) -> bool {
    text.is_empty() || MISSING.contains(&text)
}

/// The label of a boolean, as Python spells it.
pub(super) fn boolean_label(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// The label of a floating-point number.
///
/// # Errors
/// If it is not an integer.
pub(super) fn integer_label(number: f64) -> Result<String, String> {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        Ok((number as i64).to_string())
    } else {
        Err(format!("expected an integer or a name as the label, found the number {number:?}"))
    }
}

/// The integer that a text spells: `1`, `+1`, `01`.
fn integer(text: &str) -> Option<i128> {
    text.parse().ok()
}

/// The number that a text spells, in decimal or scientific notation.
fn number(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['+', '-']);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || b".+-eE".contains(&byte));
    let is_infinite = ["inf", "infinity"].contains(&digits.to_ascii_lowercase().as_str());
    (is_number || is_infinite).then(|| text.parse().ok()).flatten()
}

/// The boolean that a text spells.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "True" | "TRUE" | "true" => Some(true),
        "False" | "FALSE" | "false" => Some(false),
        _ => None,
    }
}

/// The one spelling of an integer or a boolean: `1` for `01` and `1.0`, `True` for `true`. `None`
/// for other texts.
pub(super) fn canonical(text: &str) -> Option<String> {
    if let Some(value) = boolean(text) {
        return Some(boolean_label(value).to_owned());
    }
    match integer(text) {
        Some(integer) => Some(integer.to_string()),
        None => integer_label(number(text)?).ok(),
    }
}

/// The type of a column of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LabelType {
    Integers,
    Numbers,
    Booleans,
    Names,
}

impl LabelType {
    /// The label that a text is in a column of this type.
    ///
    /// # Errors
    /// If it is a number that is not an integer.
    pub fn label(self, text: &str) -> Result<Cow<'_, str>, String> {
        let label = match self {
            Self::Integers => integer(text).map(|integer| integer.to_string()),
            Self::Numbers => number(text).map(integer_label).transpose()?,
            Self::Booleans => boolean(text).map(|value| boolean_label(value).to_owned()),
            Self::Names => None,
        };
        Ok(label.map_or(Cow::Borrowed(text), Cow::Owned))
    }
}

/// Infers the type of a column as pandas does: a single name makes all labels names.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypeInference {
    integers: bool,
    numbers: bool,
    booleans: bool,
}

impl TypeInference {
    pub fn new() -> Self {
        Self { integers: true, numbers: true, booleans: true }
    }

    /// Takes a label into account.
    pub fn observe(&mut self, text: &str) {
        self.integers &= self.integers && integer(text).is_some();
        self.numbers &= self.numbers && number(text).is_some();
        self.booleans &= self.booleans && boolean(text).is_some();
    }

    /// The type of the labels so far.
    pub fn label_type(self) -> LabelType {
        match self {
            Self { integers: true, .. } => LabelType::Integers,
            Self { numbers: true, .. } => LabelType::Numbers,
            Self { booleans: true, .. } => LabelType::Booleans,
            _ => LabelType::Names,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of a column, or the error.
    fn column(texts: &str) -> Result<String, String> {
        let mut inference = TypeInference::new();
        let texts: Vec<&str> = texts.split(' ').collect();
        for text in &texts {
            inference.observe(text);
        }
        let labels = texts.iter().map(|text| inference.label_type().label(text));
        Ok(labels.collect::<Result<Vec<_>, _>>()?.join(" "))
    }

    #[test]
    fn labels_are_inferred_as_pandas_infers_a_column() {
        // The right-hand sides are those of pandas 3.1, integers without their fraction.
        for (texts, labels) in [
            ("-0 0 +1 01", "0 0 1 1"),
            ("1.0 0.0 -0.0", "1 0 0"),
            ("1e3 2", "1000 2"),
            (".5e1 5. 0.1e1", "5 5 1"),
            ("True true FALSE", "True True False"),
            ("True 1", "True 1"),
            ("True a true", "True a true"),
            ("a 01 1", "a 01 1"),
            ("1.0 a 1", "1.0 a 1"),
            ("0.5 a", "0.5 a"),
            ("1_0 2", "1_0 2"),
            ("0x1 2", "0x1 2"),
            ("- 1", "- 1"),
            ("+-1 1", "+-1 1"),
            ("1e 2", "1e 2"),
            ("１ 1", "１ 1"),
            ("yes no", "yes no"),
            ("18446744073709551615 1", "18446744073709551615 1"),
        ] {
            assert_eq!(column(texts).as_deref(), Ok(labels), "{texts}");
        }
        for texts in ["0.5 1", "inf 1", "-Infinity 1", "1e400 1"] {
            assert!(column(texts).is_err_and(|error| error.contains("found the number")));
        }
    }

    #[test]
    fn missing_values_are_those_of_pandas() {
        for text in ["", "NaN", "NA", "None", "null", "<NA>", "N/A", "n/a", "NULL", "nan", "#N/A"] {
            assert!(is_missing(text), "{text}");
        }
        for text in ["na", "none", "Null", "NAN", "0", "없음", "-"] {
            assert!(!is_missing(text), "{text}");
        }
    }

    #[test]
    fn a_value_has_one_canonical_spelling() {
        for (text, label) in [("01", "1"), ("+1", "1"), ("-0", "0"), ("1.0", "1"), ("true", "True")]
        {
            assert_eq!(canonical(text).as_deref(), Some(label), "{text}");
        }
        for text in ["a", "", "0.5", "1.2.3", "LABEL_1", "nan", "inf"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
