//! Training and inference as a library: no command line, no screen.

pub mod atomic_write;
pub mod attribution;
pub mod bounded_file;
pub mod caught_panic;
pub mod collective;
pub mod data;
pub mod engine;
pub mod initials;
pub mod label_errors;
pub mod model;
pub mod named;
pub mod number;
pub mod onnx;
pub mod ops;
pub mod predict;
pub mod statistics;
pub mod text;
pub mod tokenizer;
pub mod train;
pub mod user_folders;
pub mod write_advice;
