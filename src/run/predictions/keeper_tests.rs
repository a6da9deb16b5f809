//! Evaluations are kept, removed with the steps of a run, and read back.

use super::*;
use crate::core::data::Sample;
use crate::core::data::batching::Example;
use crate::core::data::slice_columns::SliceColumn;
use crate::core::tokenizer::Tokenizer;
use crate::core::train::evaluation::ExampleResult;
use crate::run::predictions::Predictions;

fn texts(count: u32) -> anyhow::Result<EvaluationTexts> {
    let sample = |number: u32| Sample {
        id: number.to_string(),
        document: format!("{number}번째 글\u{1b}"),
        text_pair: None,
        label: number % 2,
        slices: [(number > 0).then_some(0)].into(),
    };
    let samples: Vec<Sample> = (0..count).map(sample).collect();
    let examples: Vec<Example> = (0..count).map(|id| Example::new(vec![2, 9, 3], id % 2)).collect();
    let columns = [SliceColumn { name: "year".to_owned(), values: vec!["2015".to_owned()] }];
    let texts = EvaluationTexts::new(&samples, &examples, &Tokenizer::small()?, &columns);
    texts.ok_or_else(|| anyhow::anyhow!("too long"))
}

fn outcomes(count: usize, logit: f32) -> Outcomes {
    let mut outcomes = Outcomes::new(count, 2).unwrap_or_default();
    for index in 0..count {
        outcomes.set(ExampleResult { index, logits: &[0.0, logit], loss: f64::from(logit) });
    }
    outcomes
}

fn begin(
    run: &Path,
    texts: EvaluationTexts,
    resumed: Option<Resumed<'_>>,
) -> Result<PredictionKeeper> {
    let (keeper, begun) = PredictionKeeper::begin(run, Some(texts), resumed);
    begun?;
    keeper.ok_or_else(|| ErrorKind::NotFound.into())
}

fn read(run: &Path) -> anyhow::Result<Predictions> {
    let found = Predictions::read(run).map_err(anyhow::Error::msg)?;
    found.ok_or_else(|| anyhow::anyhow!("there is nothing"))
}

fn kept_steps(run: &Path) -> anyhow::Result<Vec<u64>> {
    Ok(read(run)?.evaluations.iter().map(|evaluation| evaluation.step).collect())
}

#[test]
fn evaluations_are_read_back_up_to_the_step_of_a_resumption() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let run = folder.path().join("run");
    std::fs::create_dir(&run)?;
    assert!(Predictions::read(&run).is_ok_and(|found| found.is_none()));
    let keeper = begin(&run, texts(3)?, None)?;
    for step in [9, 63, 126] {
        keeper.keep(step, step as f64 / 63.0, &outcomes(3, step as f32))?;
    }
    let found = read(&run)?;
    assert_eq!((found.reviews.len(), found.problems.len()), (3, 0));
    assert_eq!(found.reviews[1].text, "1번째 글\u{1b}", "it is not changed");
    assert_eq!(found.evaluations[1].outcomes, outcomes(3, 63.0));
    assert_eq!(found.evaluations[2].epoch, 2.0);
    keeper.truncate_after(63)?;
    assert_eq!(kept_steps(&run)?, [9, 63]);

    // Resumed in its folder, and in another one.
    let other = folder.path().join("other");
    std::fs::create_dir(&other)?;
    let resumed = Resumed { run: &run, step: 9 };
    begin(&other, texts(3)?, Some(resumed))?.keep(70, 1.1, &outcomes(3, 1.0))?;
    assert_eq!((kept_steps(&other)?, kept_steps(&run)?), (vec![9, 70], vec![9, 63]));
    begin(&run, texts(3)?, Some(resumed))?;
    assert_eq!(kept_steps(&run)?, [9]);

    // Other evaluation texts, and a new run.
    begin(&run, texts(2)?, Some(resumed))?.keep(12, 0.2, &outcomes(2, 1.0))?;
    assert_eq!(kept_steps(&run)?, [12]);
    begin(&run, texts(2)?, None)?;
    assert_eq!(kept_steps(&run)?, [0; 0]);
    remove_after(&run, None)?;
    assert!(Predictions::read(&run).is_ok_and(|found| found.is_none()));
    Ok(())
}

#[test]
fn the_number_of_evaluations_is_bounded() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let keeper = begin(folder.path(), texts(1)?, None)?;
    for step in 1..=200 {
        keeper.keep(step, 1.0, &outcomes(1, 1.0))?;
    }
    let kept = kept_steps(folder.path())?;
    assert_eq!(kept.len(), MAX_FILES);
    assert_eq!((kept.first(), kept.last()), (Some(&1), Some(&200)));
    let widest = kept.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(widest.is_some_and(|gap| gap <= 8), "they are spread over the run: {kept:?}");
    Ok(())
}

#[test]
fn damage_is_named_and_the_folder_is_made_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let keeper = begin(folder.path(), texts(2)?, None)?;
    std::fs::remove_dir_all(folder.path().join(FOLDER))?;
    keeper.keep(1, 1.0, &outcomes(2, 1.0))?;
    keeper.keep(2, 2.0, &outcomes(2, 1.0))?;
    let file = folder.path().join(FOLDER).join(step_file(1));
    let mut bytes = std::fs::read(&file)?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes)?;
    std::fs::write(folder.path().join(FOLDER).join("step-03.bin"), "another file")?;
    let found = read(folder.path())?;
    assert_eq!(found.evaluations.len(), 1);
    assert!(found.problems.len() == 1 && found.problems[0].contains("checksum"));
    std::fs::write(folder.path().join(FOLDER).join(TEXTS), "no frame")?;
    assert!(Predictions::read(folder.path()).is_err_and(|error| error.contains(TEXTS)));
    Ok(())
}
