//! The confusion matrix as JSON: the list of its rows or, for a matrix of many classes with few
//! counts, its number of classes and the cells that are not 0:
//! `{"classes":1000,"cells":[[true class,predicted class,count],…]}`.

use super::Confusion;
use crate::core::model::config::MAX_LABELS;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most classes of a matrix that is always written as rows, which all versions read. Its text
/// is shorter than a megabyte.
const MAX_ROWS: usize = 256;

/// The text of a cell as `[true class,predicted class,count]` is about this many times as long as
/// that of a 0 in a row.
const CELL_LENGTH: usize = 6;

impl Serialize for Confusion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let classes = self.counts.len();
        let is_square = self.counts.iter().all(|row| row.len() == classes);
        if classes <= MAX_ROWS || !is_square {
            return self.counts.serialize(serializer);
        }
        let rows = self.counts.iter().enumerate();
        let cells = rows.flat_map(|(label, row)| {
            let cells = row.iter().enumerate().filter(|(_, count)| **count > 0);
            cells.map(move |(predicted, count)| (label, predicted, *count))
        });
        let cells: Vec<(usize, usize, u64)> = cells.collect();
        if cells.len() > classes * classes / CELL_LENGTH {
            return self.counts.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("classes", &classes)?;
        map.serialize_entry("cells", &cells)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Confusion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MatrixVisitor)
    }
}

struct MatrixVisitor;

impl<'de> Visitor<'de> for MatrixVisitor {
    type Value = Confusion;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a confusion matrix")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Confusion, A::Error> {
        let mut counts = Vec::new();
        while let Some(row) = rows.next_element()? {
            counts.push(row);
        }
        Ok(Confusion { counts })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Confusion, A::Error> {
        let (mut classes, mut cells) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "classes" => classes = Some(map.next_value::<usize>()?),
                "cells" => cells = Some(map.next_value::<Vec<(usize, usize, u64)>>()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let classes = classes.ok_or_else(|| Error::missing_field("classes"))?;
        let cells = cells.ok_or_else(|| Error::missing_field("cells"))?;
        if classes > MAX_LABELS {
            return Err(Error::custom("a confusion matrix of too many classes"));
        }
        let mut matrix = Confusion::new(classes);
        for (label, predicted, count) in cells {
            let cell = matrix.counts.get_mut(label).and_then(|row| row.get_mut(predicted));
            match cell {
                Some(cell) if *cell == 0 => *cell = count,
                _ => return Err(Error::custom("a cell beyond the confusion matrix, or repeated")),
            }
        }
        Ok(matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix with one more count in each cell, from 0, up to `cells` cells.
    fn matrix(classes: usize, cells: usize) -> Confusion {
        let mut matrix = Confusion::new(classes);
        for (count, cell) in matrix.counts.iter_mut().flatten().take(cells).enumerate() {
            *cell = count as u64;
        }
        matrix
    }

    #[test]
    fn matrices_round_trip_and_those_of_many_classes_are_short() -> serde_json::Result<()> {
        for (classes, cells, begin) in [
            (2, 4, "[[0,1],[2,3]]"),
            (0, 0, "[]"),
            (MAX_ROWS, 9, "[[0,1,2,"),
            (MAX_ROWS + 1, 3, r#"{"classes":257,"cells":[[0,1,1],[0,2,2]]}"#),
            (MAX_LABELS, 2000, r#"{"classes":1000,"cells":[[0,1,1],"#),
            (MAX_LABELS, 1_000_000, "[[0,1,2,"),
        ] {
            let matrix = matrix(classes, cells);
            let text = serde_json::to_string(&matrix)?;
            assert!(text.starts_with(begin), "{}", &text[..text.len().min(80)]);
            assert!(cells > 2000 || text.len() < 1 << 20);
            assert_eq!(serde_json::from_str::<Confusion>(&text)?, matrix);
            // Events are read through a buffer of values.
            let value: serde_json::Value = serde_json::from_str(&text)?;
            assert_eq!(serde_json::from_value::<Confusion>(value)?, matrix);
        }
        Ok(())
    }

    #[test]
    fn a_matrix_that_does_not_fit_is_refused() {
        for text in [
            r#"{"classes":1001,"cells":[]}"#,
            r#"{"classes":2,"cells":[[2,0,1]]}"#,
            r#"{"classes":2,"cells":[[0,1,1],[0,1,1]]}"#,
            r#"{"classes":2}"#,
            r#"{"cells":[]}"#,
            r#"{"classes":-1,"cells":[]}"#,
            r#""a""#,
        ] {
            assert!(serde_json::from_str::<Confusion>(text).is_err(), "{text}");
        }
    }
}
