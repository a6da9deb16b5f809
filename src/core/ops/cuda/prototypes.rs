//! The prototypes of the kernels in `kernels/prototypes.h`, which the emulator checks launches
//! against.

use super::driver::{ElementType, KernelArgument};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The types of every kernel's arguments in `kernels/prototypes.h`.
pub(super) static PROTOTYPES: LazyLock<HashMap<&'static str, Vec<ArgumentType>>> =
    LazyLock::new(|| prototypes(include_str!("kernels/prototypes.h")));

/// The type of an argument of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArgumentType {
    Pointer { element: ElementType, mutable: bool },
    Int,
    Word,
    Float,
    Double,
    Long,
}

impl ArgumentType {
    pub(super) fn of(argument: &KernelArgument<'_>) -> Self {
        match *argument {
            KernelArgument::Pointer { element, mutable, .. } => Self::Pointer { element, mutable },
            KernelArgument::Int(_) => Self::Int,
            KernelArgument::Word(_) => Self::Word,
            KernelArgument::Float(_) => Self::Float,
            KernelArgument::Double(_) => Self::Double,
            KernelArgument::Long(_) => Self::Long,
        }
    }

    /// Parses the declaration of an argument in C: `const float *x`.
    fn parse(argument: &str) -> Self {
        let mut words = argument.split_whitespace().peekable();
        let mutable = words.next_if_eq(&"const").is_none();
        let element = words.next();
        if argument.contains('*') {
            let element = match element {
                Some("act") => ElementType::Activation,
                Some("float") => ElementType::Float,
                Some("double") => ElementType::Double,
                Some("u32") => ElementType::Word,
                Some("u64") => ElementType::Long,
                other => panic!("a pointer to {other:?}"),
            };
            return Self::Pointer { element, mutable };
        }
        match element {
            Some("int") => Self::Int,
            Some("u32") => Self::Word,
            Some("float") => Self::Float,
            Some("double") => Self::Double,
            Some("u64") => Self::Long,
            other => panic!("an argument of type {other:?}"),
        }
    }
}

/// Reads `KERNEL name(type argument, …);`.
fn prototypes(header: &'static str) -> HashMap<&'static str, Vec<ArgumentType>> {
    let kernels = header.split("\nKERNEL ").skip(1);
    let prototype = |text: &'static str| {
        let (name, rest) = text.split_once('(').expect("an argument list");
        let (arguments, _) = rest.split_once(");").expect("the end of one");
        (name, arguments.split(',').map(ArgumentType::parse).collect())
    };
    kernels.map(prototype).collect()
}

#[test]
fn prototypes_are_read() {
    assert!(PROTOTYPES.len() > 20);
    let float = |mutable| ArgumentType::Pointer { element: ElementType::Float, mutable };
    assert_eq!(PROTOTYPES["fill"], [float(true), ArgumentType::Long, ArgumentType::Float]);
    assert_eq!(PROTOTYPES["classify"][1], float(false));
}
