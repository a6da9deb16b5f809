//! The columns of a Parquet file that are kept beside the texts.

use super::kept_columns::{KeptColumns, encode, value_of_field};
use super::parquet_pages::BoundedPages;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::PageReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, RowGroupMetaData};
use parquet::file::reader::RowGroupReader;
use parquet::record::reader::{ReaderIter, RowIter, TreeBuilder};
use parquet::schema::types::{SchemaDescriptor, Type};
use std::fs::File;
use std::sync::Arc;

/// Begins a file: its columns are those of the schema, of which some may be nested.
pub(super) fn start(
    kept: &mut KeptColumns,
    metadata: &FileMetaData,
    text: &str,
    text_pair: Option<&str>,
) {
    let fields = metadata.schema_descr().root_schema().get_fields();
    let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    let find = |name: &str| names.iter().position(|own| *own == name);
    if let Some(text) = find(text) {
        kept.start(&names, text, text_pair.and_then(find));
    }
}

/// The kept values of the rows of a row group.
pub(super) struct KeptRows {
    rows: ReaderIter,
    /// The numbers of the columns that are read.
    columns: Vec<usize>,
}

impl KeptRows {
    /// The rows of a group, without the texts.
    ///
    /// # Errors
    /// If the group is damaged.
    pub fn open(
        file: &Arc<File>,
        group: &RowGroupMetaData,
        kept: &KeptColumns,
    ) -> Result<Self, ParquetError> {
        let schema = group.schema_descr();
        let fields = schema.root_schema().get_fields().iter().enumerate();
        let (columns, fields) = fields
            .filter(|(column, _)| !kept.is_text(*column))
            .map(|(column, field)| (column, Arc::clone(field)))
            .unzip();
        let root = Type::group_type_builder(schema.name()).with_fields(fields).build()?;
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
        let rows = TreeBuilder::new().as_iter(schema, &BoundedGroup { file, group })?;
        Ok(Self { rows, columns })
    }

    /// The next row, encoded.
    ///
    /// # Errors
    /// If it is damaged, or there is none.
    pub fn next_row(&mut self) -> Result<String, ParquetError> {
        let end = || ParquetError::General("columns of different lengths".to_owned());
        let row = self.rows.next().ok_or_else(end)??;
        let values = row.get_column_iter().map(|(_, field)| value_of_field(field));
        Ok(encode(self.columns.iter().copied().zip(values)))
    }
}

/// A row group whose pages are decompressed within a limit.
struct BoundedGroup<'a> {
    file: &'a Arc<File>,
    group: &'a RowGroupMetaData,
}

impl RowGroupReader for BoundedGroup<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.group
    }

    fn num_columns(&self) -> usize {
        self.group.num_columns()
    }

    fn get_column_page_reader(&self, index: usize) -> Result<Box<dyn PageReader>, ParquetError> {
        Ok(Box::new(BoundedPages::open(self.file, self.group, index)?))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>, ParquetError> {
        RowIter::from_row_group(projection, self)
    }
}
