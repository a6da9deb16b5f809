//! Columns whose values divide the rows into slices, such as the year of a review.

use super::table::DataRow;
use crate::core::text::truncate_width;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The most different values of a column.
pub const MAX_VALUES: usize = 64;

/// The columns that are read without being named, if they have few values or dates.
const USUAL: [&str; 3] = ["date", "year", "created_at"];

/// The most terminal columns of a value that are kept.
const MAX_WIDTH: usize = 60;

/// The seconds of a day.
const DAY: i64 = 86_400;

/// A column whose values divide the rows into slices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceColumn {
    /// Its name.
    pub name: String,
    /// Its different values, in the order in which they occur; of dates, the years.
    pub values: Vec<String>,
}

/// For each slice column, the index of a row's value; `None` for a row without a value.
pub type SliceValues = Box<[Option<u8>]>;

/// A column that is being read.
struct Collected {
    column: SliceColumn,
    is_requested: bool,
    /// Whether it has too many values.
    is_left_out: bool,
    /// Whether years were taken from longer dates.
    has_dates: bool,
}

/// Collects the values of slice columns.
#[derive(Default)]
pub(super) struct SliceCollector {
    /// The columns, once those of the first file are known.
    columns: Option<Vec<Collected>>,
}

impl SliceCollector {
    /// Finds the columns in a file with columns of these names: those that are requested, and in the
    /// first file the usual ones, except `used` columns. Of each, its index in the file.
    ///
    /// # Errors
    /// The name of a requested column that the file does not have.
    pub fn find(
        &mut self,
        names: &[&str],
        requested: &[String],
        used: &[usize],
    ) -> Result<Vec<Option<usize>>, String> {
        let columns = self.columns.get_or_insert_with(|| {
            let of = |name: &str, is_requested| Collected {
                column: SliceColumn { name: name.to_owned(), values: Vec::new() },
                is_requested,
                is_left_out: false,
                has_dates: false,
            };
            let is_usual = |name: &str| USUAL.iter().any(|usual| usual.eq_ignore_ascii_case(name));
            let usual = names.iter().enumerate().filter(|(index, name)| {
                let is_requested = requested.iter().any(|requested| requested == **name);
                is_usual(name) && !is_requested && !used.contains(index)
            });
            let requested = requested.iter().map(|name| of(name, true));
            requested.chain(usual.map(|(_, name)| of(name, false))).collect()
        });
        let find = |collected: &Collected| {
            let name = &collected.column.name;
            match names.iter().position(|own| own == name) {
                None if collected.is_requested => Err(name.clone()),
                found => Ok(found),
            }
        };
        columns.iter().map(find).collect()
    }

    /// Whether a column is one that the user has named.
    pub fn is_requested(&self, column: usize) -> bool {
        let columns = self.columns.iter().flatten();
        columns.map(|collected| collected.is_requested).nth(column).unwrap_or(false)
    }

    /// The values of a row.
    ///
    /// # Errors
    /// The name of a requested column with too many values.
    pub fn read(&mut self, values: &[Option<Cow<'_, str>>]) -> Result<SliceValues, String> {
        let columns = self.columns.iter_mut().flatten();
        columns.zip(values).map(|(column, value)| column.read(value.as_deref())).collect()
    }

    /// The columns, without those that have too many values, which are left out of the rows, too; and
    /// notes on them.
    pub fn finish(self, rows: &mut [DataRow]) -> (Vec<SliceColumn>, Vec<String>) {
        let columns = self.columns.unwrap_or_default();
        let mut notes = Vec::new();
        for Collected { column, is_left_out, has_dates, .. } in &columns {
            let name = truncate_width(&column.name, 40);
            if *is_left_out {
                notes.push(format!(
                    "the column {name} has more than {MAX_VALUES} different values, so there is no \
                     accuracy by them"
                ));
            } else if *has_dates {
                notes.push(format!("the column {name} is read as years"));
            }
        }
        if columns.iter().any(|column| column.is_left_out) {
            for row in rows {
                let values = columns.iter().zip(&row.slices);
                row.slices =
                    values.filter(|(column, _)| !column.is_left_out).map(|(_, id)| *id).collect();
            }
        }
        let kept = columns.into_iter().filter(|column| !column.is_left_out);
        (kept.map(|collected| collected.column).collect(), notes)
    }
}

impl Collected {
    /// The index of a value.
    fn read(&mut self, value: Option<&str>) -> Result<Option<u8>, String> {
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        if self.is_left_out {
            return Ok(None);
        }
        let year = year_of(value).map(Cow::Borrowed);
        let year = year.or_else(|| {
            let seconds = if self.is_requested { None } else { unix_seconds(value) };
            seconds.map(|seconds| year_of_seconds(seconds).to_string().into())
        });
        self.has_dates |= year.as_ref().is_some_and(|year| year != value);
        let value = year.unwrap_or_else(|| truncate_width(value, MAX_WIDTH).into());
        let values = &mut self.column.values;
        let known = values.iter().position(|known| *known == value);
        let index = match known {
            Some(index) => index,
            None if values.len() == MAX_VALUES => {
                if self.is_requested {
                    return Err(self.column.name.clone());
                }
                self.is_left_out = true;
                return Ok(None);
            }
            None => {
                values.push(value.into_owned());
                values.len() - 1
            }
        };
        Ok(u8::try_from(index).ok())
    }
}

/// The year of a date: `2015`, `2015-03-01`, `2015.3.1 12:00`, `20150301`, `2015년 3월`, `3/1/2015`.
fn year_of(text: &str) -> Option<&str> {
    let is_number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_year = |text: &str| is_number(text, 4..=4) && text.starts_with(['1', '2']);
    if let Some((year, rest)) = text.split_at_checked(4).filter(|(year, _)| is_year(year)) {
        let has_next = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        let in_range = |digits: Option<&str>, range: std::ops::RangeInclusive<u8>| {
            digits.and_then(|digits| digits.parse().ok()).is_some_and(|n| range.contains(&n))
        };
        let is_date = rest.is_empty()
            || rest.starts_with('년')
            || rest.strip_prefix(['-', '/', '.']).is_some_and(has_next)
            || (is_number(rest, 4..=4)
                && in_range(rest.get(..2), 1..=12)
                && in_range(rest.get(2..), 1..=31));
        return is_date.then_some(year);
    }
    let mut parts = text.split_whitespace().next()?.split(['/', '.', '-']);
    let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
    let is_date = is_number(first, 1..=2) && is_number(second, 1..=2) && parts.next().is_none();
    (is_date && is_year(year)).then_some(year)
}

/// The seconds since 1970 of a number of seconds, or of their thousandths, millionths or billionths,
/// of a time between 2001 and 2286.
fn unix_seconds(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    let scale = match text.len() {
        10 => 1,
        13 => 1000,
        16 => 1_000_000,
        19 => 1_000_000_000,
        _ => return None,
    };
    Some(number / scale).filter(|seconds| *seconds >= 1_000_000_000)
}

/// The year, in UTC, of a time in seconds since 1970, in the proleptic Gregorian calendar (Howard
/// Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
pub(super) fn year_of_seconds(seconds: i64) -> i64 {
    /// The days of 400 years.
    const ERA: i64 = 146_097;
    // Years begin in March, so that the leap day is the last one.
    let days = seconds.div_euclid(DAY) + 719_468;
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let is_after_december = (5 * day_of_year + 2) / 153 >= 10;
    year + era * 400 + i64::from(is_after_december)
}

/// The year of a number of days since 1970.
pub(super) fn year_of_days(days: i64) -> i64 {
    year_of_seconds(days.saturating_mul(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_of_dates() {
        for date in [
            "2015",
            "2015-03-01",
            "2015/3/1",
            "2015.3.1 12:00",
            "20150301",
            "2015년 3월",
            "2015-03",
            "2015-03-01T12:00:00Z",
            "3/1/2015",
            "01.03.2015",
            "31-12-2015 09:00",
            "2015.0",
        ] {
            assert_eq!(year_of(date), Some("2015"), "{date}");
        }
        for other in [
            "",
            "20159",
            "20151301",
            "3215-01-01",
            "2015 films",
            "1/2",
            "1/2/15",
            "action",
            "2015-",
            "가나다라마",
        ] {
            assert_eq!(year_of(other), None, "{other}");
        }
    }

    #[test]
    fn years_of_times() {
        for (seconds, year) in [
            (0, 1970),
            (-1, 1969),
            (1_425_168_000, 2015),
            (951_868_799, 2000),
            (1_451_606_399, 2015),
            (1_451_606_400, 2016),
            (4_102_444_799, 2099),
        ] {
            assert_eq!(year_of_seconds(seconds), year, "{seconds}");
        }
        assert_eq!((year_of_days(16_801), year_of_days(16_800)), (2016, 2015));
        for text in ["1425168000", "1425168000000", "1425168000000000000"] {
            assert_eq!(unix_seconds(text), Some(1_425_168_000));
        }
        assert_eq!([unix_seconds("142516800"), unix_seconds("-142516800")], [None, None]);
    }

    /// The columns, the notes, and the values of the rows.
    type Found = (Vec<SliceColumn>, Vec<String>, Vec<SliceValues>);

    /// Reads rows of one value each.
    fn read(name: &str, requested: &[String], values: &[&str]) -> Result<Found, String> {
        let mut collector = SliceCollector::default();
        collector.find(&["text", name, "label"], requested, &[0, 2])?;
        let rows: Result<Vec<SliceValues>, String> =
            values.iter().map(|value| collector.read(&[Some((*value).into())])).collect();
        let mut rows: Vec<DataRow> = rows?
            .into_iter()
            .map(|slices| DataRow {
                id: String::new(),
                text: String::new(),
                text_pair: None,
                label: String::new(),
                location: None,
                slices,
            })
            .collect();
        let (columns, notes) = collector.finish(&mut rows);
        Ok((columns, notes, rows.into_iter().map(|row| row.slices).collect()))
    }

    #[test]
    fn usual_columns_are_read_as_years_unless_they_have_too_many_values() -> Result<(), String> {
        let (columns, notes, rows) =
            read("Date", &[], &["2015-01-01", " 2016-02-03 ", "", "2015", "1425168000"])?;
        assert_eq!(columns[0].values, ["2015", "2016"]);
        assert_eq!(notes, ["the column Date is read as years"]);
        assert_eq!(rows.concat(), [Some(0), Some(1), None, Some(0), Some(0)]);
        let many: Vec<String> = (0..=MAX_VALUES).map(|number| format!("day {number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (columns, notes, rows) = read("created_at", &[], &many)?;
        assert!(columns.is_empty() && rows.iter().all(|row| row.is_empty()));
        assert!(notes[0].contains("more than 64"), "{notes:?}");
        assert!(read("genre", &[], &["a"])?.0.is_empty(), "not a usual name");
        // A column that the user names has to have few values.
        let requested = ["genre".to_owned()];
        assert_eq!(read("genre", &requested, &many), Err("genre".to_owned()));
        let (columns, notes, _) = read("genre", &requested, &["drama", "1425168000"])?;
        assert_eq!(columns[0].values, ["drama", "1425168000"]);
        assert!(notes.is_empty());
        assert_eq!(read("label", &requested, &["a"]), Err("genre".to_owned()), "no such column");
        Ok(())
    }

    #[test]
    fn every_file_has_the_requested_columns() -> Result<(), String> {
        let requested = ["genre".to_owned()];
        let mut collector = SliceCollector::default();
        let found = collector.find(&["text", "year", "genre", "label"], &requested, &[0, 3])?;
        assert_eq!(found, [Some(2), Some(1)]);
        assert_eq!(
            collector.find(&["genre", "text", "label"], &requested, &[1, 2])?,
            [Some(0), None]
        );
        assert!(collector.find(&["text", "year", "label"], &requested, &[0, 2]).is_err());
        assert!(collector.is_requested(0) && !collector.is_requested(1));
        Ok(())
    }
}
