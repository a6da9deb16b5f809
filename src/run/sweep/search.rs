//! Which configurations a sweep tries: a grid, random draws, and the rungs of successive halving.

use super::setting::{Configuration, SEED, SweptSetting, four_digits};
use crate::core::data::sampling::Generator;
use crate::core::named::named_enum;
use crate::core::text::show_number;
use std::collections::BTreeSet;

/// The most trials of a sweep, which is the most runs that a list of runs has.
pub(super) const MAX_TRIALS: usize = 10_000;

/// How often a configuration is drawn again that was drawn before.
const MAX_REPEATED_DRAWS: usize = 1000;

named_enum! {
    /// How configurations are chosen.
    #[derive(Default)]
    pub enum SearchKind {
        /// Every combination of the listed values
        @default Grid = "grid",
        /// --trials combinations, drawn from lists and ranges
        Random = "random",
        /// Those of random or, without --trials, of grid; after a share of the epochs, the best
        /// 1/eta of them are trained anew for eta times as many
        Halving = "halving",
    }
}

/// Every combination of the listed values; the last setting varies fastest.
///
/// # Errors
/// If a setting has a range, or there are too many combinations.
pub(super) fn grid(settings: &[SweptSetting]) -> Result<Vec<Configuration>, String> {
    let mut all = vec![Configuration::new()];
    for setting in settings.iter().filter(|setting| setting.name != SEED) {
        let values = setting.list().ok_or_else(|| {
            format!(
                "a grid needs lists of values, and {setting} is a range: list values, or use \
                 --search random --trials N"
            )
        })?;
        if all.len() * values.len() > MAX_TRIALS {
            return Err(format!(
                "the grid has more than {MAX_TRIALS} combinations; use --search random --trials N"
            ));
        }
        let extended = all.iter().flat_map(|configuration| {
            values.iter().map(|value| {
                let mut configuration = configuration.clone();
                configuration.insert(setting.name.to_owned(), value.clone());
                configuration
            })
        });
        all = extended.collect();
    }
    Ok(all)
}

/// Draws different combinations. The same seed gives the same ones, and a larger number of them
/// begins with those of a smaller one.
///
/// # Errors
/// If there are not so many different ones.
pub(super) fn random(
    settings: &[SweptSetting],
    trials: usize,
    seed: u64,
) -> Result<Vec<Configuration>, String> {
    if trials > MAX_TRIALS {
        return Err(format!("--trials {trials} are more than {MAX_TRIALS} trials"));
    }
    let mut generator = Generator::new(seed);
    let settings: Vec<&SweptSetting> =
        settings.iter().filter(|setting| setting.name != SEED).collect();
    let (mut all, mut known) = (Vec::new(), BTreeSet::new());
    let mut repeated = 0;
    while all.len() < trials {
        let draw =
            |setting: &&SweptSetting| (setting.name.to_owned(), setting.draw(&mut generator));
        let drawn: Configuration = settings.iter().map(draw).collect();
        if known.insert(drawn.clone()) {
            all.push(drawn);
            repeated = 0;
            continue;
        }
        repeated += 1;
        if repeated > MAX_REPEATED_DRAWS {
            let count = all.len();
            return Err(format!(
                "--trials {trials} are not possible: only {count} different configurations were \
                 found. Use --trials {count}, or --search grid"
            ));
        }
    }
    Ok(all)
}

/// The number of configurations in each rung of successive halving (Jamieson and Talwalkar 2016,
/// AISTATS, Algorithm 1): the first has all, each further one ⌊n/eta⌋ of the one before, as long as
/// that is one or more.
pub(super) fn rung_sizes(configurations: usize, eta: u32) -> Vec<usize> {
    let sizes =
        std::iter::successors(Some(configurations), |size| Some(size / eta.max(2) as usize));
    sizes.take_while(|size| *size > 0).collect()
}

/// The epochs of each rung. The last one has `full` epochs, as a run of `train`, and each one before it
/// 1/eta of the next, with four significant digits.
pub fn budgets(configurations: usize, eta: u32, full: f64) -> Vec<String> {
    let rungs = rung_sizes(configurations, eta).len();
    let share = |rung: usize| f64::from(eta).powi((rungs - 1 - rung) as i32);
    (0..rungs)
        .map(|rung| {
            let epochs = full / share(rung);
            show_number(if rung + 1 == rungs { full } else { four_digits(epochs) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(texts: &[&str]) -> Result<Vec<SweptSetting>, String> {
        texts.iter().map(|text| text.parse()).collect()
    }

    fn values(configurations: &[Configuration], name: &str) -> Vec<String> {
        configurations.iter().filter_map(|each| each.get(name).cloned()).collect()
    }

    #[test]
    fn a_grid_has_every_combination_and_no_seeds() -> Result<(), String> {
        let all = grid(&settings(&["learning_rate=1e-5,1e-4", "seed=1,2", "weight_decay=0,0.1"])?)?;
        assert_eq!(values(&all, "learning_rate"), ["1e-5", "1e-5", "1e-4", "1e-4"]);
        assert_eq!(values(&all, "weight_decay"), ["0", "0.1", "0", "0.1"]);
        assert_eq!(values(&all, "seed"), [""; 0]);
        assert_eq!(grid(&settings(&["seed=1,2"])?)?, [Configuration::new()]);
        let error = grid(&settings(&["learning_rate=1e-5..1e-4"])?).err().unwrap_or_default();
        assert!(error.contains("learning_rate=1e-5..1e-4 is a range"), "{error}");
        Ok(())
    }

    #[test]
    fn the_same_seed_draws_the_same_configurations() -> Result<(), String> {
        let settings =
            settings(&["learning_rate=log:1e-5..1e-3", "lr_scheduler_type=linear,cosine"])?;
        let drawn = random(&settings, 20, 42)?;
        assert_eq!(drawn, random(&settings, 20, 42)?);
        assert_eq!(drawn[..5], random(&settings, 5, 42)?);
        assert_ne!(drawn, random(&settings, 20, 43)?);
        let schedulers = values(&drawn, "lr_scheduler_type");
        assert!(["linear", "cosine"].iter().all(|name| schedulers.iter().any(|s| s == name)));
        Ok(())
    }

    #[test]
    fn no_more_configurations_are_drawn_than_there_are() -> Result<(), String> {
        let settings = settings(&["weight_decay=0,0.1", "seed=1,2,3"])?;
        assert_eq!(random(&settings, 2, 1)?.len(), 2);
        let error = random(&settings, 3, 1).err().unwrap_or_default();
        assert!(error.contains("only 2 different configurations"), "{error}");
        Ok(())
    }

    #[test]
    fn each_rung_has_a_share_of_the_configurations_and_eta_times_the_epochs() {
        assert_eq!(rung_sizes(9, 3), [9, 3, 1]);
        assert_eq!(rung_sizes(10, 3), [10, 3, 1]);
        assert_eq!(rung_sizes(8, 3), [8, 2]);
        assert_eq!(rung_sizes(16, 2), [16, 8, 4, 2, 1]);
        assert_eq!(budgets(9, 3, 4.0), ["0.4444", "1.333", "4"]);
        assert_eq!(budgets(8, 2, 4.0), ["0.5", "1", "2", "4"]);
        assert_eq!(budgets(2, 3, 4.0), ["4"]);
    }
}
