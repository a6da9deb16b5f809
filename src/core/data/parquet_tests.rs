use super::*;
use crate::core::data::row_collector::collect_rows;
use crate::core::data::table::{ColumnNames, DataTable};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::file::metadata::{KeyValue, ParquetMetaDataWriter};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, TrackedWrite};
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

/// The values of a column in one row group.
enum ColumnData {
    Bytes(Vec<Option<Vec<u8>>>),
    Int32(Vec<Option<i32>>),
    Int64(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
    Double(Vec<Option<f64>>),
    Fixed(Vec<Option<[u8; 2]>>),
}

fn texts(values: &[&str]) -> ColumnData {
    ColumnData::Bytes(values.iter().map(|value| Some(value.as_bytes().to_vec())).collect())
}

/// The values that are not null and, for an optional column, the level of each row.
fn split<V: Clone>(values: &[Option<V>], optional: bool) -> (Vec<V>, Option<Vec<i16>>) {
    let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
    (values.iter().flatten().cloned().collect(), optional.then_some(levels))
}

impl ColumnData {
    fn write(&self, column: &mut SerializedColumnWriter<'_>, optional: bool) {
        let written = match self {
            Self::Bytes(values) => {
                let (values, levels) = split(values, optional);
                let values: Vec<ByteArray> = values.into_iter().map(ByteArray::from).collect();
                column.typed::<ByteArrayType>().write_batch(&values, levels.as_deref(), None)
            }
            Self::Int32(values) => {
                let (values, levels) = split(values, optional);
                column.typed::<Int32Type>().write_batch(&values, levels.as_deref(), None)
            }
            Self::Int64(values) => {
                let (values, levels) = split(values, optional);
                column.typed::<Int64Type>().write_batch(&values, levels.as_deref(), None)
            }
            Self::Bool(values) => {
                let (values, levels) = split(values, optional);
                column.typed::<BoolType>().write_batch(&values, levels.as_deref(), None)
            }
            Self::Double(values) => {
                let (values, levels) = split(values, optional);
                column.typed::<DoubleType>().write_batch(&values, levels.as_deref(), None)
            }
            Self::Fixed(values) => {
                let (values, levels) = split(values, optional);
                let values: Vec<FixedLenByteArray> =
                    values.iter().map(|value| ByteArray::from(&value[..]).into()).collect();
                column.typed::<FixedLenByteArrayType>().write_batch(
                    &values,
                    levels.as_deref(),
                    None,
                )
            }
        };
        written.expect("values that fit the column");
    }
}

fn written(schema: &str, properties: WriterPropertiesBuilder, groups: &[Vec<ColumnData>]) -> File {
    let file = tempfile::tempfile().expect("a file");
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let copy = file.try_clone().expect("another handle");
    let properties = Arc::new(properties.build());
    let mut writer =
        SerializedFileWriter::new(copy, Arc::clone(&schema), properties).expect("a writer");
    for columns in groups {
        let mut group = writer.next_row_group().expect("a row group");
        for (data, field) in columns.iter().zip(schema.get_fields()) {
            let mut column = group.next_column().expect("a column").expect("as in the schema");
            data.write(&mut column, field.is_optional());
            column.close().expect("a column");
        }
        group.close().expect("a row group");
    }
    writer.close().expect("a file");
    file
}

fn parse(file: File, skip: bool) -> Result<DataTable, DataError> {
    let read = |collector: &mut RowCollector<'_>| read(file, collector);
    collect_rows(Path::new("a.parquet"), &ColumnNames::default(), skip, read)
}

fn parse_bytes(bytes: &[u8]) -> Result<DataTable, DataError> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("disk space");
    parse(file, true)
}

/// Reads a file of one row with the text "t" and this label, in a column of this type.
fn labelled(kind: &str, label: ColumnData) -> Result<DataTable, DataError> {
    let schema = format!("message m {{ REQUIRED BYTE_ARRAY text (UTF8); {kind}; }}");
    parse(written(&schema, WriterProperties::builder(), &[vec![texts(&["t"]), label]]), false)
}

#[test]
fn labels_may_have_any_plain_type() -> Result<(), DataError> {
    for (kind, data, label) in [
        ("REQUIRED INT32 label", ColumnData::Int32(vec![Some(-3)]), "-3"),
        ("OPTIONAL INT32 label (INT_8)", ColumnData::Int32(vec![Some(5)]), "5"),
        ("OPTIONAL INT64 label", ColumnData::Int64(vec![Some(4)]), "4"),
        ("OPTIONAL BOOLEAN label", ColumnData::Bool(vec![Some(true)]), "True"),
        ("REQUIRED DOUBLE label", ColumnData::Double(vec![Some(1.0)]), "1"),
        ("OPTIONAL BYTE_ARRAY label (UTF8)", texts(&[" 긍정"]), "긍정"),
    ] {
        let rows = labelled(kind, data)?.rows;
        let found: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(found, [label], "{kind}");
    }
    let missing = labelled("OPTIONAL DOUBLE label", ColumnData::Double(vec![Some(f64::NAN)]));
    let message = missing.map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("a.parquet: row 1: the label is missing (NaN)"), "{message}");
    let half = labelled("OPTIONAL DOUBLE label", ColumnData::Double(vec![Some(0.5)]));
    let message = half.map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("a.parquet: row 1: expected an integer or a name"), "{message}");
    Ok(())
}

#[test]
fn nulls_and_invalid_texts_are_invalid_rows() -> Result<(), DataError> {
    let schema = "message m { OPTIONAL BYTE_ARRAY text (UTF8); OPTIONAL INT64 label; }";
    let text = vec![
        Some("가\u{1b}".into()),
        None,
        Some(b"\xff".to_vec()),
        Some(vec![b'x'; (1 << 20) + 1]),
        Some(Vec::new()),
        Some("끝".into()),
    ];
    let label = vec![Some(0), Some(1), Some(1), Some(1), None, Some(1)];
    let file = || {
        let columns = vec![ColumnData::Bytes(text.clone()), ColumnData::Int64(label.clone())];
        written(schema, WriterProperties::builder(), &[columns])
    };
    let table = parse(file(), true)?;
    assert_eq!((table.rows.len(), table.skipped), (2, 4));
    assert_eq!((&*table.rows[1].id, &*table.rows[1].text), ("6", "끝"));
    let message = parse(file(), false).map_err(|error| error.to_string());
    assert!(message.is_err_and(|message| message.contains("a.parquet: row 2: the text is null")));
    Ok(())
}

#[test]
fn rows_span_groups_pages_and_reads() -> Result<(), DataError> {
    let count = 2 * READ_ROWS + 7;
    let column = |name: &str| {
        let values = (0..count).map(|n| Some(format!("{name}{}", n % 50).into_bytes()));
        ColumnData::Bytes(values.collect())
    };
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_data_page_row_count_limit(100);
        let schema = "message m { OPTIONAL BYTE_ARRAY label; OPTIONAL BYTE_ARRAY content; \
                      OPTIONAL INT64 id; }";
        let ids = || ColumnData::Int64((0..count).map(|n| (n > 0).then_some(n as i64)).collect());
        let groups = [
            vec![column("class"), column("text"), ids()],
            vec![
                ColumnData::Bytes(Vec::new()),
                ColumnData::Bytes(Vec::new()),
                ColumnData::Int64(Vec::new()),
            ],
            vec![column("class"), column("text"), ids()],
        ];
        let rows = parse(written(schema, properties, &groups), false)?.rows;
        assert_eq!(rows.len(), 2 * count);
        for (n, row) in rows.iter().enumerate() {
            let in_group = n % count;
            let id = if in_group == 0 { n + 1 } else { in_group };
            let expected = (
                id.to_string(),
                format!("text{}", in_group % 50),
                format!("class{}", in_group % 50),
            );
            assert_eq!((&row.id, &row.text, &row.label), (&expected.0, &expected.1, &expected.2));
        }
    }
    Ok(())
}

#[test]
fn class_names_are_read_from_the_metadata_of_datasets() -> Result<(), DataError> {
    // As `Dataset.to_parquet` writes it for a `ClassLabel` column.
    let metadata = r#"{"info": {"features": {"text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["부정", "긍정\u001b"], "_type": "ClassLabel"}}}}"#;
    let schema = "message m { OPTIONAL BYTE_ARRAY text (UTF8); OPTIONAL INT64 label; }";
    let of = |key: &str, value: &str| {
        let pairs = vec![KeyValue::new(key.to_owned(), value.to_owned())];
        let properties = WriterProperties::builder().set_key_value_metadata(Some(pairs));
        let columns = vec![texts(&["t"]), ColumnData::Int64(vec![Some(1)])];
        parse(written(schema, properties, &[columns]), false)
    };
    let names = of("huggingface", metadata)?.declared_names;
    assert_eq!(names, Some(vec!["부정".to_owned(), "긍정�".to_owned()]));
    assert_eq!(of("pandas", metadata)?.declared_names, None);
    for broken in ["", "{", "[]", r#"{"info":{"features":{"label":{"names":[1]}}}}"#] {
        assert_eq!(of("huggingface", broken)?.declared_names, None);
    }
    Ok(())
}

#[test]
fn unsupported_column_types_are_errors() {
    let error = |schema: &str, columns: Vec<ColumnData>| {
        let file = written(schema, WriterProperties::builder(), &[columns]);
        parse(file, true).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let number = error(
        "message m { REQUIRED INT64 text; REQUIRED INT64 label; }",
        vec![ColumnData::Int64(vec![Some(1)]), ColumnData::Int64(vec![Some(1)])],
    );
    assert!(number.contains("its column text holds INT64 values"), "{number}");
    assert!(number.contains("--text-column-name"), "{number}");
    let decimal = error(
        "message m { REQUIRED BYTE_ARRAY text; REQUIRED INT32 label (DECIMAL(4,1)); }",
        vec![texts(&["t"]), ColumnData::Int32(vec![Some(10)])],
    );
    assert!(decimal.contains("its column label holds INT32 values"), "{decimal}");
    let fixed = error(
        "message m { REQUIRED BYTE_ARRAY text; REQUIRED FIXED_LEN_BYTE_ARRAY(2) label; }",
        vec![texts(&["t"]), ColumnData::Fixed(vec![Some([b'a'; 2])])],
    );
    assert!(fixed.contains("its column label holds FIXED_LEN_BYTE_ARRAY"), "{fixed}");
    let nested = error(
        "message m { REQUIRED group text { REQUIRED BYTE_ARRAY ko; } REQUIRED INT32 label; }",
        vec![texts(&["t"]), ColumnData::Int32(vec![Some(1)])],
    );
    assert!(nested.contains("its columns are text.ko, label. "), "{nested}");
}

#[test]
fn a_truncated_file_is_an_error() -> std::io::Result<()> {
    let schema = "message m { OPTIONAL BYTE_ARRAY text (UTF8); OPTIONAL INT64 label; }";
    let columns = vec![texts(&["t", "u"]), ColumnData::Int64(vec![Some(1), Some(0)])];
    let file = written(schema, WriterProperties::builder(), &[columns]);
    let length = file.metadata()?.len();
    for kept in (0..length).rev().step_by(7) {
        file.set_len(kept)?;
        assert!(parse(file.try_clone()?, true).is_err(), "{kept} of {length} bytes");
    }
    let message = parse_bytes(b"").map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("a.parquet: cannot be read as Parquet"), "{message}");
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(parse_bytes(&bytes).is_err());
        // Between the magic numbers of a Parquet file, they are parsed as its metadata.
        let length = (bytes.len() as u32).to_le_bytes();
        let framed = [&b"PAR1"[..], &bytes, &length, b"PAR1"].concat();
        prop_assert!(parse_bytes(&framed).is_err());
    }
}

#[test]
fn pairs_are_read_and_a_null_second_text_is_an_invalid_row() -> Result<(), DataError> {
    let schema = "message m { REQUIRED BYTE_ARRAY question (UTF8); \
                  OPTIONAL BYTE_ARRAY sentence (UTF8); OPTIONAL INT64 label; }";
    let second = vec![Some("하나".into()), None, Some(Vec::new())];
    let file = || {
        let labels = ColumnData::Int64(vec![Some(0), Some(1), Some(1)]);
        let columns = vec![texts(&["a", "b", "c"]), ColumnData::Bytes(second.clone()), labels];
        written(schema, WriterProperties::builder(), &[columns])
    };
    let table = parse(file(), true)?;
    let pairs: Vec<_> =
        table.rows.iter().map(|row| (&*row.text, row.text_pair.as_deref())).collect();
    assert_eq!(pairs, [("a", Some("하나")), ("c", Some(""))]);
    assert_eq!((table.skipped, table.text_columns.join(" ")), (1, "question sentence".to_owned()));
    let message = parse(file(), false).map_err(|error| error.to_string());
    assert!(message.is_err_and(|message| message.contains("row 2: the second text is null")));
    let schema = "message m { REQUIRED BYTE_ARRAY text (UTF8); REQUIRED INT32 text_pair; \
                  REQUIRED INT64 label; }";
    let numbers = || ColumnData::Int32(vec![Some(1)]);
    let columns = vec![texts(&["a"]), numbers(), ColumnData::Int64(vec![Some(1)])];
    let message = parse(written(schema, WriterProperties::builder(), &[columns]), false);
    let message = message.map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("text_pair holds INT32 values") && message.contains("--text-pair-"));
    Ok(())
}

/// The same file, declaring `size` bytes after decompression for each of its columns.
fn with_declared_size(mut file: File, size: i64) -> std::io::Result<File> {
    let metadata = SerializedFileReader::new(file.try_clone()?)?.metadata().clone();
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let length = u32::from_le_bytes(std::array::from_fn(|i| bytes[bytes.len() - 8 + i]));
    bytes.truncate(bytes.len() - 8 - length as usize);
    let mut builder = metadata.into_builder();
    let groups = builder.take_row_groups().into_iter().map(|group| {
        let mut group = group.into_builder();
        let columns = group.take_columns().into_iter();
        let columns = columns
            .map(|column| column.into_builder().set_total_uncompressed_size(size).build())
            .collect::<Result<_, _>>()?;
        group.set_column_metadata(columns).build()
    });
    let metadata = builder.set_row_groups(groups.collect::<Result<_, _>>()?).build();
    // The writer counts positions itself, from the start of what it is given.
    let mut written = TrackedWrite::new(tempfile::tempfile()?);
    written.write_all(&bytes)?;
    let handle = written.inner().try_clone()?;
    ParquetMetaDataWriter::new_with_tracked(written, &metadata).finish()?;
    Ok(handle)
}

#[test]
fn pages_decompress_to_no_more_than_their_column_declares() -> std::io::Result<()> {
    let schema = "message m { OPTIONAL BYTE_ARRAY text (UTF8); OPTIONAL INT64 label; }";
    let gzip = Compression::GZIP(GzipLevel::default());
    let brotli = Compression::BROTLI(BrotliLevel::default());
    for (codec, version) in [gzip, brotli].into_iter().flat_map(|codec| {
        [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0].map(|version| (codec, version))
    }) {
        let file = || {
            let columns = vec![texts(&[&"가".repeat(300_000)]), ColumnData::Int64(vec![Some(1)])];
            let properties = WriterProperties::builder();
            let properties = properties.set_compression(codec).set_writer_version(version);
            written(schema, properties, &[columns])
        };
        let honest = with_declared_size(file(), 2_000_000)?;
        assert_eq!(parse(honest, false).map(|table| table.rows[0].text.len()).ok(), Some(900_000));
        let message = parse(with_declared_size(file(), 1_000)?, false);
        let message = message.map_or_else(|error| error.to_string(), |_| String::new());
        let expected = "a page decompresses to more than the 1000 bytes declared or allowed for it";
        assert!(message.contains(expected), "{codec:?} {version:?}: {message}");
    }
    Ok(())
}

#[test]
fn all_columns_are_kept_where_that_is_asked() -> Result<(), DataError> {
    let schema = "message m { OPTIONAL INT32 date (DATE); OPTIONAL BYTE_ARRAY text (UTF8); \
                  REQUIRED INT64 id; OPTIONAL DOUBLE stars; }";
    let group = |id: i64, text: Option<&str>| {
        vec![
            ColumnData::Int32(vec![None, Some(16_495)]),
            ColumnData::Bytes(vec![text.map(|text| text.as_bytes().to_vec()), Some(b"b".to_vec())]),
            ColumnData::Int64(vec![Some(id), Some(id + 1)]),
            ColumnData::Double(vec![Some(4.5), None]),
        ]
    };
    let groups = [group(7, Some("a")), group(9, None)];
    let gzip = WriterProperties::builder().set_compression(Compression::GZIP(GzipLevel::default()));
    let file = written(schema, gzip, &groups);
    let columns = ColumnNames { unlabelled: true, keeps_all: true, ..ColumnNames::default() };
    let read = |collector: &mut RowCollector<'_>| read(file, collector);
    let table = collect_rows(Path::new("a.parquet"), &columns, true, read)?;
    assert_eq!((table.rows.len(), table.skipped), (3, 1));
    let kept = table.kept.expect("columns");
    assert_eq!(kept.names(), ["date", "text", "id", "stars"]);
    let rows =
        table.rows.iter().enumerate().map(|(index, row)| kept.values(index, &row.text, None));
    let rows: Vec<Vec<Option<serde_json::Value>>> = rows.collect();
    let expected = [
        serde_json::json!([null, "a", 7, 4.5]),
        serde_json::json!(["2015-03-01", "b", 8, null]),
        serde_json::json!(["2015-03-01", "b", 10, null]),
    ];
    for (row, expected) in rows.iter().zip(expected) {
        let row: Vec<serde_json::Value> = row.iter().flatten().cloned().collect();
        assert_eq!(serde_json::Value::from(row), expected);
    }
    Ok(())
}
