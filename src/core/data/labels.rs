//! Classes: from the labels of files to class indices and names.
//!
//! Names decide: a label is the class of the same name, whatever its number in a file. Only labels
//! whose names are unknown are class indices, and only two classes that are a known pair of synonyms
//! are matched by meaning; both are noted.

use super::label_values::canonical;
use super::table::{DataRow, DataTable};
use super::{DataError, join_names, sanitized};
use crate::core::text::truncate_width;
use std::collections::{BTreeSet, HashMap};

/// The largest number of classes; more indicate a wrong label column.
pub const MAX_CLASSES: usize = 1000;

/// Pairs of names that mean negative and positive.
const SENTIMENTS: [[&str; 2]; 7] = [
    ["negative", "positive"],
    ["neg", "pos"],
    ["bad", "good"],
    ["부정", "긍정"],
    ["부정적", "긍정적"],
    ["나쁨", "좋음"],
    ["별로", "최고"],
];

/// The classes of a classifier, by index, and how the labels of one table are matched with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    names: Vec<String>,
    by_name: HashMap<String, u32>,
    /// The classes whose name is an integer or a boolean, by its canonical spelling.
    by_value: HashMap<String, u32>,
    /// Whether a label may also be a class index.
    accepts_indices: bool,
    /// The names that the table declares, which are not indices.
    declared: Vec<String>,
    /// The classes of labels that are matched by meaning or by their index in the table.
    aliases: HashMap<String, u32>,
    notes: Vec<String>,
}

impl Classes {
    /// The classes of a model, matched with the labels of a table.
    pub fn of_model(names: &[String], table: &DataTable) -> Self {
        Self::new(names.to_vec(), true).for_table(table, "data rows", true)
    }

    /// Finds the classes of the training rows, which the evaluation rows have to share: the first
    /// of these that fits every label.
    ///
    /// - `model_names`, the class names of the model that is fine-tuned, if it has any
    /// - the names that the training files declare; those of NSMC's labels are known
    /// - if the training labels are integers, the names that the evaluation files declare
    /// - the integers from 0, named `LABEL_0`, `LABEL_1`, … as in transformers
    /// - the sorted labels, as in transformers' `run_classification.py`
    ///
    /// The result is matched with the training rows; see [`Self::for_evaluation`].
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
        let declared = train.declared_names.as_deref();
        let are_integers = declared.is_none() && labels.iter().all(|label| is_integer(label));
        let evaluation_names =
            evaluation.and_then(|table| table.declared_names.as_deref()).filter(|_| are_integers);
        let fits = |classes: &Self| {
            let indices: Vec<_> = labels.iter().map(|label| classes.index(label)).collect();
            // Two different training labels must not become one class.
            let distinct: BTreeSet<_> = indices.iter().collect();
            distinct.len() == indices.len()
                && indices.iter().all(Option::is_some)
                && evaluation.is_none_or(|table| classes.unknown_row(table).is_none())
        };
        let candidates = [model_names, declared, evaluation_names].into_iter().flatten();
        let found = candidates
            .map(|names| Self::new(names.to_vec(), true).for_table(train, "training rows", false))
            .find(fits);
        let mut classes = match (found, declared, labels.len()) {
            (Some(classes), ..) => classes,
            // A label that is not one of them is reported below.
            (None, Some(names), _) => {
                Self::new(names.to_vec(), true).for_table(train, "training rows", false)
            }
            (None, None, 0 | 1) => {
                let label = labels.first().copied().unwrap_or_default();
                return Err(DataError::OneClass { label: truncate_width(label, 40) });
            }
            (None, None, _) => Self::of_labels(&labels).for_table(train, "training rows", false),
        };
        if let Some(row) = train.rows.iter().find(|row| classes.index(&row.label).is_none()) {
            return Err(classes.unknown_label(row));
        }
        if let Some(row) = evaluation.and_then(|table| classes.unknown_row(table)) {
            return Err(classes.unknown_label(row));
        }
        if let Some(names) = model_names.filter(|names| **names != classes.names) {
            classes.notes.push(format!(
                "the model's classes {} do not fit the labels, so that the data's classes {} \
                 replace them",
                join_names(names),
                join_names(&classes.names)
            ));
        }
        Ok(classes)
    }

    /// These classes, matched with the labels of the evaluation rows.
    #[must_use]
    pub fn for_evaluation(&self, table: &DataTable) -> Self {
        self.for_table(table, "evaluation rows", false)
    }

    /// These classes, matched with the labels of rows that correct others.
    #[must_use]
    pub fn for_corrections(&self, table: &DataTable) -> Self {
        self.for_table(table, "corrections", false)
    }

    /// The first row of an evaluation table whose label is not one of the classes.
    fn unknown_row<'a>(&self, table: &'a DataTable) -> Option<&'a DataRow> {
        let classes = self.for_evaluation(table);
        table.rows.iter().find(|row| classes.index(&row.label).is_none())
    }

    /// Matches the labels of a table, which notes call `rows`. With `by_index`, names
    /// none of which is a class of this model are matched by index.
    fn for_table(&self, table: &DataTable, rows: &str, by_index: bool) -> Self {
        let mut classes = Self {
            declared: table.declared_names.clone().unwrap_or_default(),
            aliases: HashMap::new(),
            notes: Vec::new(),
            ..self.clone()
        };
        let labels = distinct_labels(table);
        let is_declared = |label: &str| classes.declared.iter().any(|name| name == label);
        let (numbers, names): (Vec<&str>, Vec<&str>) = labels
            .into_iter()
            .chain(classes.declared.iter().map(String::as_str))
            .partition(|label| is_integer(label) && !is_declared(label));
        let names: BTreeSet<&str> = names.into_iter().collect();
        let known = names.iter().filter(|name| self.index_of_name(name).is_some()).count();
        let unnamed = self.is_unnamed();
        let (mut aliases, mut note) = (HashMap::new(), None);
        if known < names.len() {
            let same_count = classes.declared.len() == self.names.len();
            let few = classes.declared.len() <= self.names.len();
            if let Some(found) = self.synonyms(&names) {
                note = Some(format!(
                    "the labels {} of the {rows} are taken as the classes {} by their meaning",
                    join_names(&in_order(&found)),
                    join_names(&self.names)
                ));
                aliases = found;
            } else if known == 0
                && !classes.declared.is_empty()
                && ((unnamed && few) || (by_index && same_count))
            {
                let declared = classes.declared.iter().cloned();
                aliases = declared.zip(0..).collect();
                note = Some(format!(
                    "the model's classes {} and the classes {} of the {rows} have different \
                     names and are matched by index",
                    join_names(&self.names),
                    join_names(&classes.declared)
                ));
            }
        }
        (classes.aliases, classes.notes) = (aliases, note.into_iter().collect());
        let indices: BTreeSet<u32> = numbers
            .iter()
            .filter(|label| self.index_of_name(label).is_none())
            .filter_map(|label| classes.index(label))
            .collect();
        if !indices.is_empty() && !unnamed {
            let meanings: Vec<String> = indices
                .iter()
                .map(|&index| {
                    format!("{index} is {}", truncate_width(&self.names[index as usize], 30))
                })
                .collect();
            classes.notes.push(format!(
                "the labels of the {rows} are numbers without names and are taken as class \
                 indices: {}",
                join_names(&meanings)
            ));
        }
        classes
    }

    /// The classes of two labels that are a known pair, if these two classes are another one.
    fn synonyms(&self, labels: &BTreeSet<&str>) -> Option<HashMap<String, u32>> {
        let [first, second] = &self.names[..] else {
            return None;
        };
        let position = |pair: &[&str; 2], name: &str| {
            let name = name.trim().to_lowercase();
            pair.iter().position(|word| *word == name)
        };
        let classes = SENTIMENTS.iter().find_map(|pair| {
            let (first, second) = (position(pair, first)?, position(pair, second)?);
            (first != second).then_some([first, second])
        })?;
        SENTIMENTS.iter().find_map(|pair| {
            let meanings = labels.iter().map(|label| Some((*label, position(pair, label)?)));
            let meanings: HashMap<&str, usize> = meanings.collect::<Option<_>>()?;
            let distinct: BTreeSet<&usize> = meanings.values().collect();
            (distinct.len() == meanings.len()).then(|| {
                let index = |meaning| u32::from(classes[1] == meaning);
                meanings
                    .iter()
                    .map(|(label, &meaning)| ((*label).to_owned(), index(meaning)))
                    .collect()
            })
        })
    }

    /// The index of the class with this name, or of the same integer or boolean.
    fn index_of_name(&self, name: &str) -> Option<u32> {
        let by_value = || self.by_value.get(&canonical(name)?);
        self.by_name.get(name).or_else(by_value).copied()
    }

    /// Whether the names are transformers' placeholders.
    fn is_unnamed(&self) -> bool {
        self.names.iter().all(|name| name.starts_with("LABEL_"))
    }

    /// What the user should know of how the labels are matched with the classes.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn of_labels(labels: &BTreeSet<&str>) -> Self {
        let integers: Option<BTreeSet<usize>> =
            labels.iter().map(|label| label.parse().ok()).collect();
        if integers.is_some_and(|integers| integers.into_iter().eq(0..labels.len())) {
            return Self::new((0..labels.len()).map(|n| format!("LABEL_{n}")).collect(), true);
        }
        let mut names: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        let integer = |name: &String| name.parse::<i128>().ok();
        if names.iter().all(|name| integer(name).is_some()) {
            names.sort_by_key(integer);
        }
        Self::new(names, false)
    }

    fn new(names: Vec<String>, accepts_indices: bool) -> Self {
        // If all names are integers, an integer is a name and not an index.
        let accepts_indices = accepts_indices && !names.iter().all(|name| is_integer(name));
        let mut by_name = HashMap::new();
        let mut by_value: HashMap<String, Vec<u32>> = HashMap::new();
        for (name, index) in names.iter().zip(0..) {
            by_name.entry(name.clone()).or_insert(index);
            if let Some(value) = canonical(name) {
                by_value.entry(value).or_default().push(index);
            }
        }
        // A value that several names spell is none of them.
        let by_value = by_value
            .into_iter()
            .filter_map(|(value, indices)| {
                Some((value, *indices.first().filter(|_| indices.len() == 1)?))
            })
            .collect();
        Self {
            names,
            by_name,
            by_value,
            accepts_indices,
            declared: Vec::new(),
            aliases: HashMap::new(),
            notes: Vec::new(),
        }
    }

    /// The names, by index.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The class index of a label of the table.
    pub fn index(&self, label: &str) -> Option<u32> {
        if let Some(index) = self.aliases.get(label) {
            return Some(*index);
        }
        if let Some(index) = self.index_of_name(label) {
            return Some(index);
        }
        let is_index = self.accepts_indices && !self.declared.iter().any(|name| name == label);
        let number: usize = label.parse().ok().filter(|_| is_index)?;
        (number < self.names.len()).then_some(number as u32)
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

/// The labels of a map in the order of their classes.
fn in_order(aliases: &HashMap<String, u32>) -> Vec<&String> {
    let mut labels: Vec<(&u32, &String)> =
        aliases.iter().map(|(label, index)| (index, label)).collect();
    labels.sort_unstable();
    labels.into_iter().map(|(_, label)| label).collect()
}

fn is_integer(label: &str) -> bool {
    label.parse::<i128>().is_ok()
}

fn distinct_labels(table: &DataTable) -> BTreeSet<&str> {
    table.rows.iter().map(|row| row.label.as_str()).collect()
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
