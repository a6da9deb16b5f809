//! From the labels of files to the numbers of classes, and their names.

use super::row_collector::listed;
use super::table::{Row, Table};
use super::{DataError, shown};
use crate::core::text::truncate_width;
use std::collections::{BTreeSet, HashMap};

/// The most classes there may be; more are the sign of a wrong column.
pub const MOST_CLASSES: usize = 1000;

/// What NSMC's 0 and 1 mean.
const NSMC: [&str; 2] = ["negative", "positive"];

/// What negative and positive are called elsewhere.
const SENTIMENTS: [&[&str]; 2] = [
    &["negative", "neg", "bad", "부정", "부정적", "나쁨", "별로"],
    &["positive", "pos", "good", "긍정", "긍정적", "좋음", "최고"],
];

/// Which sentiment a name stands for, if it does.
fn sentiment(name: &str) -> Option<usize> {
    let name = name.trim().to_lowercase();
    SENTIMENTS.iter().position(|names| names.contains(&name.as_str()))
}

/// The classes, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    names: Vec<String>,
    by_name: HashMap<String, u32>,
    /// Whether a label may also be a class's number.
    numbered: bool,
    /// What the data's own numbers mean, where that is known and is not the classes' order.
    meaning: Option<Vec<String>>,
}

impl Classes {
    /// The classes of a model, which the labels of a table may name or number.
    pub fn of_model(names: &[String], table: &Table) -> Self {
        Self::new(names.to_vec(), true).meaning(meaning(table))
    }

    /// Takes the data's numbers for what they mean: 0 is `negative`, say, whatever number the
    /// model has given that name. Where the model has other names, numbers are all there is to go
    /// by; see [`Self::note`].
    fn meaning(mut self, meaning: Option<Vec<String>>) -> Self {
        self.meaning = meaning.filter(|meaning| *meaning != self.names);
        self
    }

    /// The class that goes by this name, or by another word for the same sentiment.
    fn called(&self, name: &str) -> Option<u32> {
        if let Some(number) = self.by_name.get(name) {
            return Some(*number);
        }
        let wanted = sentiment(name)?;
        let mut meant = self.names.iter().zip(0..).filter(|(n, _)| sentiment(n) == Some(wanted));
        let (_, number) = meant.next()?;
        meant.next().is_none().then_some(number)
    }

    /// Whether each class that the data means is one of these, in whatever order.
    fn means_the_same(&self, meaning: &[String]) -> bool {
        meaning.iter().all(|name| self.called(name).is_some())
    }

    /// Whether the names say nothing, so that numbers are all there is.
    fn is_unnamed(&self) -> bool {
        self.names.iter().all(|name| name.starts_with("LABEL_"))
    }

    /// What the user should know of how labels were taken.
    pub fn note(&self) -> Option<String> {
        let meaning = self.meaning.as_ref().filter(|meaning| !self.means_the_same(meaning))?;
        (!self.is_unnamed()).then(|| {
            format!(
                "the model's classes {} are taken for the data's {}, by their numbers",
                listed(&self.names),
                listed(meaning)
            )
        })
    }

    /// Finds the classes of the training rows, which the evaluation rows have to share. They are,
    /// whichever is the first to fit every label:
    ///
    /// - `named`, the classes of the model that is trained further (if it names them);
    /// - what a file declares, or what NSMC's own 0 and 1 mean;
    /// - the integers from 0, named `LABEL_0`, `LABEL_1`, … as transformers does;
    /// - the labels themselves in order, as transformers' `run_classification.py` numbers them.
    ///
    /// # Errors
    /// If there are too many classes or too few, or if a label is none of them.
    pub fn find(
        train: &Table,
        evaluation: Option<&Table>,
        named: Option<&[String]>,
    ) -> Result<Self, DataError> {
        let labels = distinct(train);
        if labels.len() > MOST_CLASSES {
            let column = train.label_column.clone();
            return Err(DataError::TooManyClasses { column, found: labels.len() });
        }
        let meaning = meaning(train);
        let judged_by = evaluation.and_then(self::meaning);
        let numbers = labels.iter().all(|label| label.parse::<i64>().is_ok());
        // With another number of classes, the model's numbers mean something else.
        let named = named.filter(|named| meaning.as_ref().is_none_or(|m| m.len() == named.len()));
        let known =
            [named.map(<[String]>::to_vec), meaning.clone(), judged_by.clone().filter(|_| numbers)];
        let all_labels = || labels.iter().copied().chain(evaluation.into_iter().flat_map(distinct));
        // Two words of the training rows must not become one class.
        let apart = |classes: &Self| {
            let words = labels.iter().filter(|label| label.parse::<i64>().is_err());
            let numbers: Vec<_> = words.map(|label| classes.number(label)).collect();
            numbers.iter().collect::<BTreeSet<_>>().len() == numbers.len()
        };
        let known = known.into_iter().flatten();
        let mut known = known.map(|names| Self::new(names, true).meaning(meaning.clone()));
        if let Some(classes) =
            known.find(|c| apart(c) && all_labels().all(|label| c.number(label).is_some()))
        {
            return Ok(classes);
        }
        let classes = match (&train.declared_names, labels.len()) {
            // Some label is none of them, which is told below.
            (Some(names), _) => Self::new(names.clone(), true),
            (None, 0 | 1) => {
                let label = labels.first().copied().unwrap_or_default();
                return Err(DataError::OneClass { label: truncate_width(label, 40) });
            }
            (None, _) => Self::of_labels(&labels).meaning(judged_by.filter(|_| !numbers)),
        };
        let mut rows =
            train.rows.iter().chain(evaluation.into_iter().flat_map(|table| &table.rows));
        match rows.find(|row| classes.number(&row.label).is_none()) {
            Some(row) => Err(classes.unknown(row)),
            None => Ok(classes),
        }
    }

    fn of_labels(labels: &BTreeSet<&str>) -> Self {
        let numbers: Option<BTreeSet<usize>> =
            labels.iter().map(|label| label.parse().ok()).collect();
        if numbers.is_some_and(|numbers| numbers.into_iter().eq(0..labels.len())) {
            return Self::new((0..labels.len()).map(|n| format!("LABEL_{n}")).collect(), true);
        }
        let mut names: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        let integer = |name: &String| name.parse::<i64>().ok();
        if names.iter().all(|name| integer(name).is_some()) {
            names.sort_by_key(integer);
        }
        Self::new(names, false)
    }

    fn new(names: Vec<String>, numbered: bool) -> Self {
        // Where the names are numbers themselves, a number is a name.
        let numbered = numbered && !names.iter().all(|name| name.parse::<i64>().is_ok());
        let mut by_name = HashMap::new();
        for (name, number) in names.iter().zip(0..) {
            by_name.entry(name.clone()).or_insert(number);
        }
        Self { names, by_name, numbered, meaning: None }
    }

    /// The names, by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of the class that a label stands for, by its name, else by its number.
    pub fn number(&self, label: &str) -> Option<u32> {
        if let Some(number) = self.called(label) {
            return Some(number);
        }
        let number: u32 = label.parse().ok()?;
        match &self.meaning {
            Some(meaning) if self.means_the_same(meaning) => {
                self.called(meaning.get(number as usize)?)
            }
            // Another number of other classes: nothing says which is which.
            Some(meaning) if meaning.len() != self.names.len() => None,
            _ => (self.numbered && (number as usize) < self.names.len()).then_some(number),
        }
    }

    /// The label of this row is none of the classes.
    pub(super) fn unknown(&self, row: &Row) -> DataError {
        DataError::UnknownLabel {
            label: truncate_width(&row.label, 40),
            row: match &row.from {
                Some((file, place)) => format!("{}{place}: the row", shown(&file.display())),
                None => format!("the row with id {}", truncate_width(&row.id, 40)),
            },
            classes: listed(&self.names),
        }
    }
}

/// The labels there are, each once.
fn distinct(table: &Table) -> BTreeSet<&str> {
    table.rows.iter().map(|row| row.label.as_str()).collect()
}

/// What the numbers among a table's labels mean, where that is known.
fn meaning(table: &Table) -> Option<Vec<String>> {
    let nsmc = || table.is_nsmc.then(|| NSMC.map(str::to_owned).to_vec());
    table.declared_names.clone().or_else(nsmc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Rows with these labels, which stand between spaces.
    fn table(labels: &str) -> Table {
        let row = |(n, label): (usize, &str)| Row {
            id: n.to_string(),
            text: String::new(),
            label: label.to_owned(),
            from: None,
        };
        let rows = labels.split(' ').enumerate().map(row).collect();
        Table { rows, label_column: "label".to_owned(), ..Table::default() }
    }

    fn nsmc(labels: &str) -> Table {
        Table { is_nsmc: true, ..table(labels) }
    }

    fn split(names: &str) -> Vec<String> {
        names.split(' ').map(str::to_owned).collect()
    }

    /// The names found, between spaces, or the error.
    fn found(train: &Table, evaluation: Option<&Table>, named: Option<&str>) -> String {
        let named = named.map(split);
        match Classes::find(train, evaluation, named.as_deref()) {
            Ok(classes) => classes.names().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn integers_from_zero_keep_their_numbers_and_other_labels_are_sorted() {
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
    fn a_number_that_is_a_name_is_no_number() -> Result<(), DataError> {
        let stars = Classes::find(&table("1 2 3"), None, None)?;
        assert_eq!(["1", "3", "0"].map(|label| stars.number(label)), [Some(0), Some(2), None]);
        let numbered = Classes::find(&table("0 1"), None, None)?;
        let labels = ["0", "1", "01", "2", "LABEL_1", "-1"];
        let numbers = [Some(0), Some(1), Some(1), None, Some(1), None];
        assert_eq!(labels.map(|label| numbered.number(label)), numbers);
        Ok(())
    }

    #[test]
    fn a_model_keeps_its_classes_where_they_fit() {
        let named = Some("부정 중립 긍정");
        assert_eq!(found(&table("긍정 부정"), None, named), "부정 중립 긍정");
        assert_eq!(found(&table("2 부정"), None, named), "부정 중립 긍정");
        assert_eq!(found(&table("1"), Some(&table("0")), named), "부정 중립 긍정");
        assert_eq!(found(&table("3 0"), None, named), "0 3");
        assert_eq!(found(&table("긍정 나쁨"), None, named), "부정 중립 긍정");
        assert_eq!(found(&table("긍정 나쁨 부정"), None, named), "긍정 나쁨 부정");
        assert_eq!(found(&table("긍정 지루함"), None, named), "긍정 지루함");
        // NSMC's 1 is not the second of three.
        assert_eq!(found(&nsmc("1 0"), None, named), "negative positive");
        assert_eq!(found(&nsmc("1 0"), None, Some("부정 긍정")), "부정 긍정");
    }

    #[test]
    fn numbers_are_taken_for_what_they_mean_not_for_where_the_model_has_it() -> Result<(), DataError>
    {
        let turned = split("positive negative");
        let classes = Classes::find(&nsmc("1 0"), None, Some(&turned))?;
        assert_eq!(classes.names(), turned);
        assert_eq!([classes.number("0"), classes.number("1")], [Some(1), Some(0)]);
        assert_eq!(classes.note(), None);
        let classes = Classes::of_model(&turned, &nsmc("0"));
        assert_eq!(classes.number("0"), Some(1));
        // Other words for the same, in whatever order.
        let korean = Classes::of_model(&split("긍정 부정 중립"), &nsmc("0"));
        assert_eq!([korean.number("0"), korean.number("1")], [Some(1), Some(0)]);
        assert_eq!(korean.note(), None);
        let stars = Classes::of_model(&split("하나 둘 셋"), &nsmc("0"));
        assert_eq!(stars.number("0"), None);
        // Other names: by number, and told. Names that tell nothing: by number.
        let korean = Classes::of_model(&split("슬픔 기쁨"), &nsmc("0"));
        assert_eq!(korean.number("0"), Some(0));
        assert!(korean.note().is_some_and(|note| note.contains("슬픔, 기쁨 are taken for")));
        assert_eq!(Classes::of_model(&split("LABEL_0 LABEL_1"), &nsmc("0")).note(), None);
        // Stars are no numbers of classes.
        assert_eq!(Classes::of_model(&split("1 5 10"), &table("2 0")).number("2"), None);
        Ok(())
    }

    #[test]
    fn what_the_numbers_mean_is_declared_or_nsmcs() {
        let nsmc = nsmc("1 1");
        assert_eq!(found(&nsmc, None, None), "negative positive");
        assert_eq!(found(&table("0 1"), Some(&nsmc), None), "negative positive");
        assert_eq!(found(&table("0 1 2"), Some(&nsmc), None), "LABEL_0 LABEL_1 LABEL_2");
        let declared =
            |labels| Table { declared_names: Some(split("나쁨 좋음")), ..table(labels) };
        assert_eq!(found(&declared("1"), Some(&table("나쁨")), None), "나쁨 좋음");
        let unlabelled = found(&declared("0 1 -1"), None, None);
        assert!(unlabelled.contains("id 2 has the label \"-1\", but the classes are 나쁨, 좋음"));
    }

    #[test]
    fn what_cannot_be_learnt_is_an_error() {
        let korean = table("긍정 부정");
        assert_eq!(found(&korean, Some(&nsmc("1 0")), None), "긍정 부정");
        let strange = found(&table("슬픔 기쁨"), Some(&nsmc("1 0")), None);
        assert!(strange.contains("row with id 0 has the label \"1\""), "{strange}");
        assert!(strange.contains("the classes are 기쁨, 슬픔. "), "{strange}");
        let one = found(&table("x\u{1b} x\u{1b}"), Some(&korean), None);
        assert!(one.contains("every training row has the label \"x�\""), "{one}");
        let many: Vec<String> = (0..=MOST_CLASSES).map(|n| n.to_string()).collect();
        let many = found(&table(&many.join(" ")), None, None);
        assert!(many.contains("the column label holds 1001 different labels"), "{many}");
    }

    proptest! {
        #[test]
        fn every_label_of_the_training_rows_gets_a_number(
            labels in proptest::collection::vec("[0-3]|-1|a|b|01", 1..20),
        ) {
            match Classes::find(&table(&labels.join(" ")), None, None) {
                Ok(classes) => {
                    let count = classes.names().len() as u32;
                    for label in &labels {
                        prop_assert!(classes.number(label).is_some_and(|number| number < count));
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
