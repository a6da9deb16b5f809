//! Classes: from the labels of files to class indices and names.

use super::table::{DataRow, DataTable};
use super::{DataError, join_names, sanitized};
use crate::core::text::truncate_width;
use std::collections::{BTreeSet, HashMap};

/// The largest number of classes; more indicate a wrong label column.
pub const MAX_CLASSES: usize = 1000;

/// The names of NSMC's labels 0 and 1.
const NSMC_NAMES: [&str; 2] = ["negative", "positive"];

/// Synonyms of negative and positive.
const SENTIMENTS: [&[&str]; 2] = [
    &["negative", "neg", "bad", "부정", "부정적", "나쁨", "별로"],
    &["positive", "pos", "good", "긍정", "긍정적", "좋음", "최고"],
];

/// The index into [`SENTIMENTS`] of the sentiment that a name is a synonym of.
fn sentiment(name: &str) -> Option<usize> {
    let name = name.trim().to_lowercase();
    SENTIMENTS.iter().position(|names| names.contains(&name.as_str()))
}

/// The classes of a classifier, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    names: Vec<String>,
    by_name: HashMap<String, u32>,
    /// Whether a label may also be a class index.
    accepts_indices: bool,
    /// The names of the data's integer labels, if they are known and differ from `names`.
    data_names: Option<Vec<String>>,
}

impl Classes {
    /// The classes of a model; the labels of the table are class names or indices.
    pub fn of_model(names: &[String], table: &DataTable) -> Self {
        Self::new(names.to_vec(), true).with_data_names(data_names(table))
    }

    /// Sets the names of the data's integer labels: for example, 0 is `negative`, even if that
    /// class has another index in the model. If the model has other class names, labels are class
    /// indices; see [`Self::note`].
    fn with_data_names(mut self, data_names: Option<Vec<String>>) -> Self {
        self.data_names = data_names.filter(|data_names| *data_names != self.names);
        self
    }

    /// The index of the class with this name, or else of the only class with a synonymous name.
    fn index_of_name(&self, name: &str) -> Option<u32> {
        if let Some(index) = self.by_name.get(name) {
            return Some(*index);
        }
        let expected = sentiment(name)?;
        let mut synonyms =
            self.names.iter().zip(0..).filter(|(name, _)| sentiment(name) == Some(expected));
        let (_, index) = synonyms.next()?;
        synonyms.next().is_none().then_some(index)
    }

    /// Whether each of the data's class names is the name of one of these classes.
    fn includes(&self, data_names: &[String]) -> bool {
        data_names.iter().all(|name| self.index_of_name(name).is_some())
    }

    /// Whether the names are transformers' placeholders.
    fn is_unnamed(&self) -> bool {
        self.names.iter().all(|name| name.starts_with("LABEL_"))
    }

    /// A note for the user if the data's classes are matched with the model's by index although
    /// their names differ.
    pub fn note(&self) -> Option<String> {
        let data_names = self.data_names.as_ref().filter(|names| !self.includes(names))?;
        (!self.is_unnamed()).then(|| {
            format!(
                "the model's classes {} and the data's classes {} have different names and are \
                 matched by index",
                join_names(&self.names),
                join_names(data_names)
            )
        })
    }

    /// Finds the classes of the training rows, which the evaluation rows have to share: the first
    /// of these that fits every label.
    ///
    /// - `model_names`, the class names of the model that is fine-tuned, if it has any
    /// - the names that a file declares, or those of NSMC's labels
    /// - the integers from 0, named `LABEL_0`, `LABEL_1`, … as in transformers
    /// - the sorted labels, as in transformers' `run_classification.py`
    ///
    /// # Errors
    /// If there are too many classes, only one, or a label that is not one of them.
    pub fn find(
        train: &DataTable,
        evaluation: Option<&DataTable>,
        model_names: Option<&[String]>,
    ) -> Result<Self, DataError> {
        let labels = distinct_labels(train);
        if labels.len() > MAX_CLASSES {
            let column = train.label_column.clone();
            return Err(DataError::TooManyClasses { column, found: labels.len() });
        }
        let train_names = data_names(train);
        let evaluation_names = evaluation.and_then(data_names);
        let are_integers = labels.iter().all(|label| label.parse::<i64>().is_ok());
        // If the model has another number of classes, its indices have other meanings.
        let model_names = model_names
            .filter(|model| train_names.as_ref().is_none_or(|train| train.len() == model.len()));
        let candidates = [
            model_names.map(<[String]>::to_vec),
            train_names.clone(),
            evaluation_names.clone().filter(|_| are_integers),
        ];
        let all_labels =
            || labels.iter().copied().chain(evaluation.into_iter().flat_map(distinct_labels));
        // Two different names in the training rows must not become one class.
        let keeps_names_apart = |classes: &Self| {
            let names = labels.iter().filter(|label| label.parse::<i64>().is_err());
            let indices: Vec<_> = names.map(|label| classes.index(label)).collect();
            indices.iter().collect::<BTreeSet<_>>().len() == indices.len()
        };
        let mut candidates = candidates
            .into_iter()
            .flatten()
            .map(|names| Self::new(names, true).with_data_names(train_names.clone()));
        if let Some(classes) = candidates.find(|candidate| {
            keeps_names_apart(candidate)
                && all_labels().all(|label| candidate.index(label).is_some())
        }) {
            return Ok(classes);
        }
        let classes = match (&train.declared_names, labels.len()) {
            // A label that is not one of them is reported below.
            (Some(names), _) => Self::new(names.clone(), true),
            (None, 0 | 1) => {
                let label = labels.first().copied().unwrap_or_default();
                return Err(DataError::OneClass { label: truncate_width(label, 40) });
            }
            (None, _) => {
                Self::of_labels(&labels).with_data_names(evaluation_names.filter(|_| !are_integers))
            }
        };
        let mut rows =
            train.rows.iter().chain(evaluation.into_iter().flat_map(|table| &table.rows));
        match rows.find(|row| classes.index(&row.label).is_none()) {
            Some(row) => Err(classes.unknown_label(row)),
            None => Ok(classes),
        }
    }

    fn of_labels(labels: &BTreeSet<&str>) -> Self {
        let integers: Option<BTreeSet<usize>> =
            labels.iter().map(|label| label.parse().ok()).collect();
        if integers.is_some_and(|integers| integers.into_iter().eq(0..labels.len())) {
            return Self::new((0..labels.len()).map(|n| format!("LABEL_{n}")).collect(), true);
        }
        let mut names: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        let integer = |name: &String| name.parse::<i64>().ok();
        if names.iter().all(|name| integer(name).is_some()) {
            names.sort_by_key(integer);
        }
        Self::new(names, false)
    }

    fn new(names: Vec<String>, accepts_indices: bool) -> Self {
        // If all names are integers, an integer is a name and not an index.
        let accepts_indices =
            accepts_indices && !names.iter().all(|name| name.parse::<i64>().is_ok());
        let mut by_name = HashMap::new();
        for (name, index) in names.iter().zip(0..) {
            by_name.entry(name.clone()).or_insert(index);
        }
        Self { names, by_name, accepts_indices, data_names: None }
    }

    /// The names, by index.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The class index of a label, which is a name or else an index.
    pub fn index(&self, label: &str) -> Option<u32> {
        if let Some(index) = self.index_of_name(label) {
            return Some(index);
        }
        let number: u32 = label.parse().ok()?;
        match &self.data_names {
            Some(data_names) if self.includes(data_names) => {
                self.index_of_name(data_names.get(number as usize)?)
            }
            // Neither the names nor the number of classes match.
            Some(data_names) if data_names.len() != self.names.len() => None,
            _ => (self.accepts_indices && (number as usize) < self.names.len()).then_some(number),
        }
    }

    /// The error for a row whose label is not one of the classes.
    pub(super) fn unknown_label(&self, row: &DataRow) -> DataError {
        DataError::UnknownLabel {
            label: truncate_width(&row.label, 40),
            row: match &row.location {
                Some((file, position)) => {
                    format!("{}{position}: the row", sanitized(&file.display()))
                }
                None => format!("the row with id {}", truncate_width(&row.id, 40)),
            },
            classes: join_names(&self.names),
        }
    }
}

fn distinct_labels(table: &DataTable) -> BTreeSet<&str> {
    table.rows.iter().map(|row| row.label.as_str()).collect()
}

/// The names of a table's integer labels, if they are known.
fn data_names(table: &DataTable) -> Option<Vec<String>> {
    let nsmc = || table.is_nsmc.then(|| NSMC_NAMES.map(str::to_owned).to_vec());
    table.declared_names.clone().or_else(nsmc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Rows with these labels, separated by spaces.
    fn table(labels: &str) -> DataTable {
        let row = |(n, label): (usize, &str)| DataRow {
            id: n.to_string(),
            text: String::new(),
            text_pair: None,
            label: label.to_owned(),
            location: None,
        };
        let rows = labels.split(' ').enumerate().map(row).collect();
        DataTable { rows, label_column: "label".to_owned(), ..DataTable::default() }
    }

    fn nsmc(labels: &str) -> DataTable {
        DataTable { is_nsmc: true, ..table(labels) }
    }

    fn split(names: &str) -> Vec<String> {
        names.split(' ').map(str::to_owned).collect()
    }

    /// The names found, separated by spaces, or the error.
    fn found(
        train: &DataTable,
        evaluation: Option<&DataTable>,
        model_names: Option<&str>,
    ) -> String {
        let model_names = model_names.map(split);
        match Classes::find(train, evaluation, model_names.as_deref()) {
            Ok(classes) => classes.names().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn integers_from_zero_are_indices_and_other_labels_are_sorted() {
        for (labels, names) in [
            ("1 0 2 1", "LABEL_0 LABEL_1 LABEL_2"),
            ("5 10 1", "1 5 10"),
            ("1 -1 0", "-1 0 1"),
            ("2 0", "0 2"),
            ("긍정 부정 긍정 중립", "긍정 부정 중립"),
            ("true false", "false true"),
            ("10 9 b", "10 9 b"),
        ] {
            assert_eq!(found(&table(labels), None, None), names);
        }
    }

    #[test]
    fn an_integer_that_is_a_name_is_not_an_index() -> Result<(), DataError> {
        let stars = Classes::find(&table("1 2 3"), None, None)?;
        assert_eq!(["1", "3", "0"].map(|label| stars.index(label)), [Some(0), Some(2), None]);
        let indexed = Classes::find(&table("0 1"), None, None)?;
        let labels = ["0", "1", "01", "2", "LABEL_1", "-1"];
        let indices = [Some(0), Some(1), Some(1), None, Some(1), None];
        assert_eq!(labels.map(|label| indexed.index(label)), indices);
        Ok(())
    }

    #[test]
    fn a_model_keeps_its_classes_if_they_fit() {
        let model = Some("부정 중립 긍정");
        assert_eq!(found(&table("긍정 부정"), None, model), "부정 중립 긍정");
        assert_eq!(found(&table("2 부정"), None, model), "부정 중립 긍정");
        assert_eq!(found(&table("1"), Some(&table("0")), model), "부정 중립 긍정");
        assert_eq!(found(&table("3 0"), None, model), "0 3");
        assert_eq!(found(&table("긍정 나쁨"), None, model), "부정 중립 긍정");
        assert_eq!(found(&table("긍정 나쁨 부정"), None, model), "긍정 나쁨 부정");
        assert_eq!(found(&table("긍정 지루함"), None, model), "긍정 지루함");
        // NSMC's 1 is not the second of three classes.
        assert_eq!(found(&nsmc("1 0"), None, model), "negative positive");
        assert_eq!(found(&nsmc("1 0"), None, Some("부정 긍정")), "부정 긍정");
    }

    #[test]
    fn integer_labels_are_matched_by_name_before_index() -> Result<(), DataError> {
        let reversed = split("positive negative");
        let classes = Classes::find(&nsmc("1 0"), None, Some(&reversed))?;
        assert_eq!(classes.names(), reversed);
        assert_eq!([classes.index("0"), classes.index("1")], [Some(1), Some(0)]);
        assert_eq!(classes.note(), None);
        let classes = Classes::of_model(&reversed, &nsmc("0"));
        assert_eq!(classes.index("0"), Some(1));
        // Synonyms, in any order.
        let korean = Classes::of_model(&split("긍정 부정 중립"), &nsmc("0"));
        assert_eq!([korean.index("0"), korean.index("1")], [Some(1), Some(0)]);
        assert_eq!(korean.note(), None);
        let stars = Classes::of_model(&split("하나 둘 셋"), &nsmc("0"));
        assert_eq!(stars.index("0"), None);
        // Different names are matched by index, with a note; placeholders without one.
        let korean = Classes::of_model(&split("슬픔 기쁨"), &nsmc("0"));
        assert_eq!(korean.index("0"), Some(0));
        assert!(korean.note().is_some_and(|note| note.contains("classes 슬픔, 기쁨 and")));
        assert_eq!(Classes::of_model(&split("LABEL_0 LABEL_1"), &nsmc("0")).note(), None);
        // Integer names are not indices.
        assert_eq!(Classes::of_model(&split("1 5 10"), &table("2 0")).index("2"), None);
        Ok(())
    }

    #[test]
    fn names_of_integer_labels_are_declared_or_those_of_nsmc() {
        let nsmc = nsmc("1 1");
        assert_eq!(found(&nsmc, None, None), "negative positive");
        assert_eq!(found(&table("0 1"), Some(&nsmc), None), "negative positive");
        assert_eq!(found(&table("0 1 2"), Some(&nsmc), None), "LABEL_0 LABEL_1 LABEL_2");
        let declared =
            |labels| DataTable { declared_names: Some(split("나쁨 좋음")), ..table(labels) };
        assert_eq!(found(&declared("1"), Some(&table("나쁨")), None), "나쁨 좋음");
        let unlabelled = found(&declared("0 1 -1"), None, None);
        assert!(unlabelled.contains("id 2 has the label \"-1\", but the classes are 나쁨, 좋음"));
    }

    #[test]
    fn unsuitable_labels_are_errors() {
        let korean = table("긍정 부정");
        assert_eq!(found(&korean, Some(&nsmc("1 0")), None), "긍정 부정");
        let strange = found(&table("슬픔 기쁨"), Some(&nsmc("1 0")), None);
        assert!(strange.contains("row with id 0 has the label \"1\""), "{strange}");
        assert!(strange.contains("the classes are 기쁨, 슬픔. "), "{strange}");
        let one = found(&table("x\u{1b} x\u{1b}"), Some(&korean), None);
        assert!(one.contains("every training row has the label \"x�\""), "{one}");
        let many: Vec<String> = (0..=MAX_CLASSES).map(|n| n.to_string()).collect();
        let many = found(&table(&many.join(" ")), None, None);
        assert!(many.contains("the column label contains 1001 different labels"), "{many}");
    }

    proptest! {
        #[test]
        fn every_training_label_gets_an_index(
            labels in proptest::collection::vec("[0-3]|-1|a|b|01", 1..20),
        ) {
            match Classes::find(&table(&labels.join(" ")), None, None) {
                Ok(classes) => {
                    let count = classes.names().len() as u32;
                    for label in &labels {
                        prop_assert!(classes.index(label).is_some_and(|index| index < count));
                    }
                }
                Err(error) => {
                    let is_one_class = matches!(error, DataError::OneClass { .. });
                    prop_assert!(is_one_class && labels.iter().all(|label| *label == labels[0]));
                }
            }
        }
    }
}
