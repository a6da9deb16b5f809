//! Slice columns of files.

use super::DataError;
use super::files::read_files;
use super::quoting::Quoting;
use super::table::{ColumnNames, DataRow, DataTable};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

fn columns(requested: &[&str]) -> ColumnNames {
    let slices = requested.iter().map(|&name| name.to_owned()).collect();
    ColumnNames { slices: Some(slices), ..ColumnNames::default() }
}

fn read(suffix: &str, content: &[u8], requested: &[&str]) -> anyhow::Result<DataTable> {
    let file = tempfile::Builder::new().suffix(suffix).tempfile()?;
    std::fs::write(file.path(), content)?;
    let files = [file.path().to_path_buf()];
    Ok(read_files(&files, &columns(requested), Quoting::Auto, true)?)
}

/// The values of each row in each slice column.
fn values(table: &DataTable) -> Vec<Vec<&str>> {
    let of_row = |row: &DataRow| {
        let values = row.slices.iter().zip(&table.slice_columns);
        values
            .map(|(value, column)| {
                value.map_or("", |value| column.values[usize::from(value)].as_str())
            })
            .collect()
    };
    table.rows.iter().map(of_row).collect()
}

#[test]
fn text_formats() -> anyhow::Result<()> {
    let tsv =
        b"text\tlabel\tdate\tgenre\na\t1\t2015-01-02\tdrama\nb\t0\t\taction\nbad\t \t2020\tx\n";
    let table = read(".tsv", tsv, &["genre"])?;
    assert_eq!(values(&table), [["drama", "2015"], ["action", ""]]);
    let names: Vec<&str> = table.slice_columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, table.skipped), (vec!["genre", "date"], 1), "a bad row adds no value");
    let json = b"{\"text\":\"a\",\"label\":1,\"year\":2015,\"good\":true}\n\
                 {\"text\":\"b\",\"label\":0,\"good\":null}\n";
    assert_eq!(values(&read(".jsonl", json, &["good"])?), [["True", "2015"], ["", ""]]);
    let plain = read(".csv", b"text,label\na,1\n", &[])?;
    assert!(plain.slice_columns.is_empty() && plain.rows[0].slices.is_empty());
    let missing = read(".csv", b"text,label\na,1\n", &["genre"]);
    let message = missing.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("no column named genre; its columns are text, label."), "{message}");
    assert!(message.contains("--slice-column"), "{message}");
    let rows: Vec<String> = (0..70).map(|number| format!("a,1,g{number}")).collect();
    let rows = format!("text,label,genre\n{}\n", rows.join("\n"));
    let many = read(".csv", rows.as_bytes(), &["genre"]);
    let message = many.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("its column genre has more than 64 different values"), "{message}");
    Ok(())
}

#[test]
fn dates_of_parquet_files() -> anyhow::Result<()> {
    let schema = "message m { REQUIRED BYTE_ARRAY text (UTF8); REQUIRED INT32 label; OPTIONAL INT32 \
                  date (DATE); REQUIRED INT64 seen (TIMESTAMP_MILLIS); OPTIONAL group year (LIST) { \
                  REPEATED INT32 item; } }";
    let file = tempfile::Builder::new().suffix(".parquet").tempfile()?;
    let properties = Arc::new(WriterProperties::builder().build());
    let schema = Arc::new(parse_message_type(schema)?);
    let mut writer = SerializedFileWriter::new(file.reopen()?, schema, properties)?;
    let mut group = writer.next_row_group()?;
    let mut number = 0;
    while let Some(mut column) = group.next_column()? {
        match number {
            0 => {
                let texts = ["a", "b"].map(ByteArray::from);
                column.typed::<ByteArrayType>().write_batch(&texts, None, None)?
            }
            1 => column.typed::<Int32Type>().write_batch(&[0, 1], None, None)?,
            2 => column.typed::<Int32Type>().write_batch(&[16_801], Some(&[1, 0]), None)?,
            3 => {
                let times = [1_425_168_000_000, 1_500_000_000_000];
                column.typed::<Int64Type>().write_batch(&times, None, None)?
            }
            _ => column.typed::<Int32Type>().write_batch(&[1, 2], Some(&[1, 1]), Some(&[0, 0]))?,
        };
        column.close()?;
        number += 1;
    }
    group.close()?;
    writer.close()?;
    let files = [file.path().to_path_buf()];
    let read = |requested: &[&str]| {
        read_files(&files, &columns(requested), Quoting::Auto, false).map_err(|error| match error {
            DataError::Unreadable { reason, .. } => reason,
            other => other.to_string(),
        })
    };
    let table = read(&["seen"]).map_err(anyhow::Error::msg)?;
    assert_eq!(values(&table), [["2015", "2016"], ["2017", ""]]);
    let nested = read(&["year.item"]).err().unwrap_or_default();
    assert!(nested.contains("strings, numbers or dates") && nested.contains("--slice-column"));
    Ok(())
}
