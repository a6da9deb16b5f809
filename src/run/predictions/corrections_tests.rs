//! Corrections are read back, and by the reader of training files.

use super::*;
use crate::core::data::labels::Classes;

fn review(id: &str, text: &str, text_pair: Option<&str>) -> Review {
    Review {
        id: id.to_owned(),
        text: text.to_owned(),
        text_pair: text_pair.map(str::to_owned),
        label: 0,
        tokens: 3,
        unknown: 0,
    }
}

fn of(reviews: Vec<Review>) -> Predictions {
    Predictions { reviews, ..Predictions::default() }
}

fn names() -> Vec<String> {
    ["negative", "positive"].map(str::to_owned).to_vec()
}

/// Changes that give reviews these classes.
fn given(classes: &Corrections) -> Changes {
    classes.iter().map(|(index, class)| (*index, Some(*class))).collect()
}

/// The rows as `train --train-file` reads them.
fn as_training_rows(run: &Path) -> anyhow::Result<Vec<(String, String, String)>> {
    let files = [run.join(FILE)];
    let table = read_files(&files, &ColumnNames::default(), Quoting::Auto, false)?;
    let classes = Classes::find(&table, None, None)?;
    assert_eq!(classes.names(), names());
    Ok(table.rows.into_iter().map(|row| (row.id, row.text, row.label)).collect())
}

#[test]
fn corrections_are_read_back_and_can_be_trained_on() -> anyhow::Result<()> {
    for texts in [["재미없다", "\"최고\"라더니"], ["a\tb", "두\n\"줄\""]] {
        let folder = tempfile::tempdir()?;
        let predictions = of(vec![review("7", texts[0], None), review("9", texts[1], None)]);
        let corrections = Corrections::from([(0, 1), (1, 0)]);
        let written = write(folder.path(), &predictions, &names(), &given(&corrections));
        assert_eq!(written.as_ref(), Ok(&corrections));
        let read_back = read(folder.path(), &predictions, &names()).map_err(anyhow::Error::msg)?;
        assert_eq!(read_back, corrections);
        let row =
            |id: &str, text: &str, label: &str| (id.to_owned(), text.to_owned(), label.to_owned());
        let expected = [row("7", texts[0], "positive"), row("9", texts[1], "negative")];
        assert_eq!(as_training_rows(folder.path())?, expected);
        let taken_back = Changes::from([(0, None), (1, None)]);
        let written = write(folder.path(), &predictions, &names(), &taken_back);
        assert_eq!(written, Ok(Corrections::new()));
        assert!(!folder.path().join(FILE).exists());
    }
    Ok(())
}

#[test]
fn rows_of_other_texts_remain() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let earlier = of(vec![review("1", "옛 글", None), review("2", "둘", None)]);
    let both = Corrections::from([(0, 1), (1, 0)]);
    write(folder.path(), &earlier, &names(), &given(&both)).map_err(anyhow::Error::msg)?;
    let now = of(vec![review("2", "둘", None), review("3", "셋", None)]);
    let read_back = read(folder.path(), &now, &names()).map_err(anyhow::Error::msg)?;
    assert_eq!(read_back, Corrections::from([(0, 0)]));
    let changes = Changes::from([(0, None), (1, Some(1))]);
    write(folder.path(), &now, &names(), &changes).map_err(anyhow::Error::msg)?;
    let text = std::fs::read_to_string(folder.path().join(FILE))?;
    assert_eq!(text, "id\tdocument\tlabel\n1\t옛 글\tpositive\n3\t셋\tpositive\n");
    std::fs::write(folder.path().join(FILE), "id\tlabel\n1\tpositive\n")?;
    let unreadable = write(folder.path(), &now, &names(), &given(&both));
    assert!(unreadable.is_err(), "a file that cannot be read is not replaced");
    Ok(())
}

#[test]
fn pairs_have_two_columns_of_texts() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let predictions = of(vec![review("1", "앞", Some("뒤"))]);
    let corrections = Corrections::from([(0, 1)]);
    write(folder.path(), &predictions, &names(), &given(&corrections))
        .map_err(anyhow::Error::msg)?;
    let text = std::fs::read_to_string(folder.path().join(FILE))?;
    assert_eq!(text, "id\ttext\ttext_pair\tlabel\n1\t앞\t뒤\tpositive\n");
    assert_eq!(read(folder.path(), &predictions, &names()), Ok(corrections));
    Ok(())
}

#[test]
fn two_programs_that_show_a_run_keep_each_others_corrections() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let reviews = ["하나", "둘", "셋"].iter().zip(["1", "2", "3"]);
    let predictions = of(reviews.map(|(text, id)| review(id, text, None)).collect());
    let write = |changes: &Changes| write(folder.path(), &predictions, &names(), changes);
    write(&Changes::from([(0, Some(1))])).map_err(anyhow::Error::msg)?;
    // Another one, which had read the folder before.
    let written = write(&Changes::from([(2, Some(0))]));
    assert_eq!(written, Ok(Corrections::from([(0, 1), (2, 0)])));
    let written = write(&Changes::from([(0, None), (1, Some(1))]));
    assert_eq!(written, Ok(Corrections::from([(1, 1), (2, 0)])));
    Ok(())
}
