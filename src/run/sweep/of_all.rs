//! The options of all runs of a sweep.

use super::search::SearchKind;
use super::setting::{OF_THE_SWEEP, SEED, SweptSetting};
use crate::run::options::{GivenText, OptionGroup, TrainOptions, ValueSource};
use std::collections::BTreeMap;

/// The options of every run, by name. Those that the sweep sets or varies itself are refused as flags,
/// and left out if they come from a file, such as another run's `run.toml`, or the environment.
///
/// # Errors
/// If a flag contradicts the sweep, or an option cannot be recorded.
pub(super) fn options_of_all(
    train: &TrainOptions,
    settings: &[SweptSetting],
    search: SearchKind,
) -> Result<BTreeMap<String, String>, String> {
    let varies = |name: &str| settings.iter().any(|setting| setting.name == name);
    if search == SearchKind::Halving && (varies("num_train_epochs") || varies("max_steps")) {
        return Err(
            "--search halving sets the epochs of each rung, so they cannot be varied: give \
                    --num-train-epochs for all runs, which is that of the last rung"
                .to_owned(),
        );
    }
    let sets_epochs = search == SearchKind::Halving || varies("num_train_epochs");
    let all = train.given();
    let mut kept = BTreeMap::new();
    for given in &all {
        let GivenText { name, text, source } = given;
        let is_flag = **source == ValueSource::Flag;
        let problem = if *name == "resume_from_checkpoint" {
            // Also in the environment: the options of that run would be mixed in.
            Some("each run resumes by itself")
        } else if OF_THE_SWEEP.contains(name) {
            Some("each run has a folder in that of the sweep, which is --output-dir before the --")
        } else if varies(name) {
            Some("--set varies it")
        } else if *name == "max_steps" && *text != "-1" && sets_epochs {
            Some("it would override the epochs that the sweep sets")
        } else {
            None
        };
        if let Some(problem) = problem {
            if is_flag || *name == "resume_from_checkpoint" {
                return Err(format!("{name} is given for all runs, but {problem}: leave it out"));
            }
            continue;
        }
        if varies(SEED) && follows_seed(given, &all) {
            continue;
        }
        if text.contains('\u{fffd}') {
            return Err(format!(
                "{name} is not UTF-8 text, which the plan of a sweep cannot record: rename it"
            ));
        }
        kept.insert((*name).to_owned(), (*text).to_owned());
    }
    Ok(kept)
}

/// Whether an option is the seed of the data's order as a `run.toml` has it, where it follows from the
/// seed.
fn follows_seed(given: &GivenText, all: &[GivenText]) -> bool {
    let is_seed = |other: &GivenText| other.name == SEED && other.source == given.source;
    given.name == "data_seed"
        && matches!(given.source, ValueSource::File(_))
        && all.iter().any(|other| is_seed(other) && other.text == given.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::options::assign;

    fn options(given: &[(&str, &str)], source: &ValueSource) -> Result<TrainOptions, String> {
        let mut options = TrainOptions::default();
        for (name, text) in given {
            assign(&mut options, name, text, source)?;
        }
        Ok(options)
    }

    fn settings(texts: &[&str]) -> Result<Vec<SweptSetting>, String> {
        texts.iter().map(|text| text.parse()).collect()
    }

    #[test]
    fn what_is_varied_is_left_out_of_a_file_of_another_run() -> Result<(), String> {
        let file = ValueSource::File("run.toml".to_owned());
        let given = [
            ("learning_rate", "1e-4"),
            ("max_steps", "50"),
            ("seed", "7"),
            ("data_seed", "7"),
            ("weight_decay", "0.1"),
            ("output_dir", "elsewhere"),
        ];
        let train = options(&given, &file)?;
        let all = options_of_all(
            &train,
            &settings(&["seed=1,2", "learning_rate=1,2", "num_train_epochs=1,2"])?,
            SearchKind::Grid,
        )?;
        assert_eq!(all, BTreeMap::from([("weight_decay".to_owned(), "0.1".to_owned())]));
        let all = options_of_all(&train, &settings(&["adam_beta1=0.8,0.9"])?, SearchKind::Grid)?;
        assert!(all.contains_key("data_seed") && all.contains_key("max_steps"));
        // Another seed of the data was chosen.
        let train = options(&[("seed", "7"), ("data_seed", "8")], &file)?;
        let all = options_of_all(&train, &settings(&["seed=1,2"])?, SearchKind::Grid)?;
        assert_eq!(all.keys().collect::<Vec<_>>(), ["data_seed"]);
        Ok(())
    }

    #[test]
    fn flags_that_contradict_the_sweep_are_refused() -> Result<(), String> {
        for (given, setting, search, expected) in [
            (("seed", "7"), "seed=1,2", SearchKind::Grid, "--set varies it"),
            (("output_dir", "here"), "seed=1,2", SearchKind::Grid, "which is --output-dir before"),
            (("max_steps", "9"), "num_train_epochs=1,2", SearchKind::Grid, "override the epochs"),
            (("max_steps", "9"), "weight_decay=0,1,2", SearchKind::Halving, "override the epochs"),
            (("seed", "7"), "max_steps=1,2,3", SearchKind::Halving, "cannot be varied"),
        ] {
            let train = options(&[given], &ValueSource::Flag)?;
            let error = options_of_all(&train, &settings(&[setting])?, search).err();
            let error = error.unwrap_or_default();
            assert!(error.contains(expected), "{given:?}: {error}");
        }
        let train = options(&[("resume_from_checkpoint", "auto")], &ValueSource::Environment)?;
        assert!(options_of_all(&train, &settings(&["seed=1,2"])?, SearchKind::Grid).is_err());
        Ok(())
    }
}
