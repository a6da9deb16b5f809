//! Fine-tune a text classifier from a terminal, watch it train, and query it.
//!
//! Four wings, each of which may use only those before it: [`core`] trains and predicts, [`run`]
//! drives a run and records it, [`screen`] is the dashboard, [`cli`] the command line. The map is in
//! `src/README.md`.
//!
//! [`core`] is a library of its own. This trains a tiny BERT on ten rows and classifies a sentence:
//!
//! ```
//! use nsmc_tui::core::data::batching::Example;
//! use nsmc_tui::core::engine::{Engine, EngineOptions, build};
//! use nsmc_tui::core::model::{ModelConfig, SequenceClassifier, Weights};
//! use nsmc_tui::core::predict::classify;
//! use nsmc_tui::core::tokenizer::Tokenizer;
//! use nsmc_tui::core::train::{Command, Observer, TrainEvent, Trainer, TrainingArguments};
//!
//! /// Prints the loss of each step, and gives no commands.
//! struct PrintLoss;
//!
//! impl Observer for PrintLoss {
//!     fn publish(&mut self, event: TrainEvent) {
//!         if let TrainEvent::Step(step) = event {
//!             println!("step {}: loss {:.4}", step.step, step.loss);
//!         }
//!     }
//!
//!     fn next_command(&mut self, _engine: &mut dyn Engine, _paused: bool) -> Option<Command> {
//!         None
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let good = ["정말 재미있다", "최고의 영화", "또 보고 싶다", "감동적이다", "아주 좋다"];
//! let bad = ["너무 지루하다", "최악의 영화", "돈이 아깝다", "재미없다", "실망이다"];
//!
//! let tokenizer = Tokenizer::small()?;
//! let rows = bad.iter().map(|text| (*text, 0)).chain(good.iter().map(|text| (*text, 1)));
//! let examples: Vec<Example> = rows
//!     .map(|(text, label)| Ok(Example::new(tokenizer.encode(text, 32)?.ids, label)))
//!     .collect::<Result<_, nsmc_tui::core::tokenizer::TokenizerError>>()?;
//!
//! let shape = [("hidden_size", 32), ("num_attention_heads", 2), ("intermediate_size", 64)];
//! let shape = shape.map(|(name, value)| (name.to_owned(), value.into()));
//! let config = ModelConfig::parse(
//!     nsmc_tui::core::model::config::SMALL,
//!     "config.json".as_ref(),
//!     &shape,
//! )?;
//! let (model, _) = SequenceClassifier::new(config, Weights::none(), 42)?;
//! let mut engine = build(&model, &EngineOptions::default())?;
//!
//! let arguments = TrainingArguments {
//!     num_train_epochs: 15.0,
//!     per_device_train_batch_size: 5,
//!     learning_rate: 3e-3,
//!     ..TrainingArguments::default()
//! };
//! let trainer = Trainer::new(&model, &arguments, &examples, &examples);
//! let outcome = trainer.run(engine.as_mut(), &mut PrintLoss, None)?;
//! assert_eq!(outcome.finished.global_step, 30);
//!
//! let labels = ["negative".to_owned(), "positive".to_owned()];
//! let predictions = classify(engine.as_mut(), &labels, &tokenizer, &["최고의 영화"], 32)?;
//! assert_eq!(predictions[0].label, "positive");
//! # Ok(())
//! # }
//! ```

pub mod cli;
pub mod core;
pub mod run;
pub mod screen;
