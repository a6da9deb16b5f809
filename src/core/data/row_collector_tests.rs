use super::*;

fn row<'a>(text: &'a str, label: &'a str) -> RawRow<'a> {
    RawRow {
        id: None,
        text: text.into(),
        text_pair: None,
        label: label.into(),
        slices: Vec::new(),
        kept: String::new(),
    }
}

fn collector(columns: &ColumnNames, skip: bool) -> RowCollector<'_> {
    let mut collector = RowCollector::new(columns, skip);
    collector.start_file(Path::new("folder/a.tsv"));
    collector.find_columns(&["text", "label"]).expect("both columns");
    collector
}

/// The labels of rows with these labels, and the notes; or the error.
fn labels(texts: &[&str], skip: bool) -> Result<(Vec<String>, Vec<String>), String> {
    let columns = ColumnNames::default();
    let mut collector = collector(&columns, skip);
    collector.read_missing_values();
    for (number, label) in texts.iter().enumerate() {
        let position = RowPosition::Line(number + 2);
        collector.push(position, Ok(row("t", label))).map_err(|error| error.to_string())?;
    }
    let table = collector.finish().map_err(|error| error.to_string())?;
    assert_eq!(table.rows.len() + table.skipped, texts.len());
    Ok((table.rows.into_iter().map(|row| row.label).collect(), table.notes))
}

#[test]
fn labels_of_one_value_are_one_label() -> Result<(), String> {
    assert_eq!(labels(&["-0", "0", "+1", "01", "1"], false)?.0, ["0", "0", "1", "1", "1"]);
    assert_eq!(labels(&["1.0", "0.0", "1"], false)?.0, ["1", "0", "1"]);
    assert_eq!(labels(&["True", "false", "TRUE"], false)?.0, ["True", "False", "True"]);
    assert_eq!(labels(&["01", "별로", "1.0"], false)?.0, ["01", "별로", "1.0"]);
    Ok(())
}

#[test]
fn missing_labels_are_refused_or_skipped_and_told() -> Result<(), String> {
    let texts = ["0", "1", "NaN", "None", "null", "<NA>", "N/A"];
    let error = labels(&texts, false).err().unwrap_or_default();
    assert!(error.contains("folder/a.tsv:4: the label is missing (pandas reads NaN as"), "{error}");
    let (found, notes) = labels(&texts, true)?;
    assert_eq!(found, ["0", "1"]);
    assert_eq!(notes.len(), 4);
    assert!(notes[0].starts_with("left out: folder/a.tsv:4: the label is missing"), "{notes:?}");
    assert_eq!(notes[3], "left out: 2 more rows");
    Ok(())
}

#[test]
fn numbers_that_are_not_integers_are_invalid_labels_of_a_column_of_numbers() -> Result<(), String> {
    let error = labels(&["1", "0.5", "2"], false).err().unwrap_or_default();
    assert!(error.contains("folder/a.tsv:3: expected an integer or a name"), "{error}");
    let (found, notes) = labels(&["0.5", "1.0", "0.5", "2", "inf"], true)?;
    assert_eq!((found, notes.len()), (vec!["1".to_owned(), "2".to_owned()], 3));
    Ok(())
}

#[test]
fn integers_are_the_declared_names() -> Result<(), DataError> {
    let columns = ColumnNames::default();
    let mut collector = collector(&columns, true);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let push = |collector: &mut RowCollector<'_>, label: &str| {
        collector.push(RowPosition::Row(1), Ok(row("t", label)))
    };
    collector.declare_names(names(&["나쁨", "좋음"]));
    for label in ["1", "0", "-1", "2"] {
        push(&mut collector, label)?;
    }
    // Another file of the same split, with the names in another order and one more.
    collector.start_file(Path::new("b.parquet"));
    collector.declare_names(names(&["좋음", "보통", "나쁨"]));
    push(&mut collector, "0")?;
    push(&mut collector, "1")?;
    // A file without names.
    collector.start_file(Path::new("c.csv"));
    push(&mut collector, "01")?;
    let table = collector.finish()?;
    let labels: Vec<&str> = table.rows.iter().map(|row| &*row.label).collect();
    assert_eq!(labels, ["좋음", "나쁨", "좋음", "보통", "1"]);
    assert_eq!(table.declared_names, Some(names(&["나쁨", "좋음", "보통"])));
    assert!(table.notes[0].contains("-1, which marks a row without one"), "{:?}", table.notes);
    assert!(table.notes[1].contains("is 2, but the file declares 2"), "{:?}", table.notes);
    Ok(())
}

#[test]
fn the_memory_of_rows_is_bounded_by_what_they_allocate() {
    let columns = ColumnNames::default();
    let mut collector = collector(&columns, false);
    collector.max_bytes = 8 << 20;
    let mut count = 0;
    let error = loop {
        match collector.push(RowPosition::Line(count + 2), Ok(row("a", "1"))) {
            Ok(()) => count += 1,
            Err(error) => break error.to_string(),
        }
    };
    let expected = format!(
        "more than 8 MiB of memory, which is the limit for one split (reached after {count} rows)"
    );
    assert!(error.contains(&expected) && error.contains("Pass a smaller file"), "{error}");
    // Each row has three blocks of at least 32 bytes.
    assert!(count * (size_of::<DataRow>() + 96) <= 8 << 20);
    assert!(count * (size_of::<DataRow>() + 96) > 5 << 20);
    assert_eq!([0, 1, 24, 25, 100].map(allocated), [0, 32, 32, 48, 112]);
}
