use super::*;
use crate::core::data::{Split, nsmc};

fn style(text: &str) -> QuotingStyle {
    detect(text.as_bytes(), true)
}

#[test]
fn files_of_pandas_r_and_spreadsheets_are_quoted() {
    for text in [
        // QUOTE_MINIMAL.
        "text\tlabel\n\"그는 \"\"최고\"\"라고 했다\"\t1\n별로\t0\n",
        "text\tlabel\r\n\"첫 줄\r\n둘째 줄\"\t1\r\n별로\t0\r\n",
        "text\tlabel\n\"a\tb\"\t1\nc\t0\n",
        // Spreadsheets also quote commas.
        "text\tlabel\n\"정말, 좋다\"\t1\n별로\t0\n",
        // QUOTE_ALL, QUOTE_NONNUMERIC, and R without row names.
        "\"text\"\t\"label\"\n\"좋다\"\t\"긍정\"\n\"별로\"\t\"부정\"\n",
        "\"text\"\t\"label\"\n\"좋다\"\t1\n\"별로\"\t0\n\"\"\t0\n",
        "text\tlabel\n정말\t\"긍정\"\n별로\t\"부정\"",
        "\u{feff}text\tlabel\n\"a \"\"b\"\"\"\t1",
    ] {
        assert_eq!(style(text), QuotingStyle::Quoted, "{text}");
    }
}

#[test]
fn lone_quotes_are_text() {
    for text in [
        "text\tlabel\n\"좋다\t1\n별로\t0\n",
        "text\tlabel\n\"좋다\" 라고\t1\n별로\t0\n",
        "text\tlabel\n그는 \"최고\"라고\t1\n별로\t0\n",
        // One text of several in quotes, which no writer does.
        "text\tlabel\n\"짱\"\t1\n별로\t0\n",
        // Two lone quotes would join three rows.
        "id\ttext\tlabel\n1\t\"좋다\t1\n2\t별로\t0\n3\t끝\"\t0\n",
        // A quote that is never closed.
        "text\tlabel\n\"a \"\"b\"\"\"\t1\n\"c\t0\n",
        "text\tlabel\nno quotes\t1\n",
    ] {
        assert_eq!(style(text), QuotingStyle::Raw, "{text}");
    }
}

#[test]
fn backslashes_before_quotes_are_recognized() {
    let text = "\"text\"\t\"label\"\n\"그는 \\\"최고\\\"라고\"\t\"a\"\n\"별로\"\t\"b\"\n";
    assert_eq!(style(text), QuotingStyle::BackslashEscaped);
    assert_eq!(style("text\tlabel\n\"c:\\\"\t1\n\"d:\\\"\t0\n"), QuotingStyle::Quoted);
}

#[test]
fn a_prefix_may_end_within_a_quoted_field() {
    let text = "text\tlabel\n\"a \"\"b\"\"\"\t1\n\"c, d";
    assert_eq!(detect(text.as_bytes(), false), QuotingStyle::Quoted);
    assert_eq!(detect(text.as_bytes(), true), QuotingStyle::Raw);
}

#[test]
fn nsmc_and_every_part_of_it_are_raw() -> anyhow::Result<()> {
    let rows = nsmc::load(Split::Test)?.rows;
    let line = |row: &crate::core::data::table::DataRow| {
        let label = u8::from(row.label == "positive");
        format!("{}\t{}\t{label}\n", row.id, row.text)
    };
    let header = "id\tdocument\tlabel\n";
    let all: String = rows.iter().take(20_000).map(line).collect();
    assert!(all.contains('"'));
    assert_eq!(style(&format!("{header}{all}")), QuotingStyle::Raw);
    let quoted: Vec<String> = rows.iter().filter(|row| row.text.contains('"')).map(line).collect();
    assert!(quoted.len() > 100);
    for part in quoted.chunks(70) {
        assert_eq!(style(&format!("{header}{}", part.concat())), QuotingStyle::Raw);
    }
    // Other reviews with NSMC's columns are read as they were written.
    let other = format!("{header}1\t\"그는 \"\"최고\"\"라고 했다\"\t1\n");
    assert_eq!(style(&other), QuotingStyle::Quoted);
    Ok(())
}
