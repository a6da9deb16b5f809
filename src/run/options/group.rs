//! Groups of options: each option has a name, a type and the parser that validates its value.

use std::ffi::OsStr;
use std::fmt;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// On the command line.
    Flag,
    /// In an environment variable.
    Environment,
    /// In a file of this name.
    File(String),
    /// In the `run.toml` of the run that is resumed.
    RunToml,
    /// In the checkpoint that the run is resumed from.
    Checkpoint,
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File(name) => name,
            Self::RunToml => "run.toml",
            Self::Checkpoint => "checkpoint",
        })
    }
}

/// A value that was given explicitly, as opposed to a default.
#[derive(Clone, Debug, PartialEq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// The text it was parsed from.
    pub text: String,
    /// Where it was given.
    pub source: ValueSource,
}

impl<T> Given<T> {
    /// Parses a value.
    ///
    /// # Errors
    /// If the value is invalid; the error describes valid values.
    pub fn parse(
        parse: impl FnOnce(&OsStr) -> Result<T, String>,
        text: &OsStr,
        source: ValueSource,
    ) -> Result<Self, String> {
        Ok(Self { value: parse(text)?, text: text.to_string_lossy().into_owned(), source })
    }
}

impl<T: Clone + Default> Given<T> {
    /// The given value, or the default of its type.
    pub fn value_or_default(given: Option<&Self>) -> T {
        given.map(|given| given.value.clone()).unwrap_or_default()
    }
}

/// An option that was given, with its value as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenText<'a> {
    /// The option's name.
    pub name: &'static str,
    /// The text of its value.
    pub text: &'a str,
    /// Where it was given.
    pub source: &'a ValueSource,
}

/// Options that can be given by name.
pub trait OptionGroup: Default {
    /// The names of all options, in their order.
    fn names() -> Vec<&'static str>;

    /// Parses and sets an option, unless it is already set; `None` if there is no option of this
    /// name.
    fn set(&mut self, name: &str, text: &OsStr, source: &ValueSource)
    -> Option<Result<(), String>>;

    /// Merges two groups: an option that is not given in this group is taken from `lower`.
    #[must_use]
    fn or(self, lower: Self) -> Self;

    /// The options that are given, in their order.
    fn given(&self) -> Vec<GivenText<'_>>;
}

/// Defines a group of options from their names, types and parsers; a name behind `|` is an alias.
///
/// Each option becomes a field `Option<Given<Type>>`, and an associated function of the same name
/// that parses its value.
macro_rules! option_group {
    (
        $(#[$meta:meta])*
        pub struct $Group:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident $(| $alias:literal)*: $Type:ty = $parse:expr,
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $Group {
            $(
                $(#[doc = $doc])+
                pub $name: Option<$crate::run::options::Given<$Type>>,
            )+
        }

        impl $Group {
            $(
                /// Parses a value of the option of this name.
                ///
                /// # Errors
                /// If the value is invalid; the error describes valid values.
                pub fn $name(text: &std::ffi::OsStr) -> Result<$Type, String> {
                    ($parse)(text)
                }
            )+
        }

        impl $crate::run::options::OptionGroup for $Group {
            fn names() -> Vec<&'static str> {
                vec![$(stringify!($name)),+]
            }

            fn set(
                &mut self,
                name: &str,
                text: &std::ffi::OsStr,
                source: &$crate::run::options::ValueSource,
            ) -> Option<Result<(), String>> {
                match name {
                    $(
                        stringify!($name) $(| $alias)* => {
                            let given = $crate::run::options::Given::parse(
                                Self::$name,
                                text,
                                source.clone(),
                            );
                            Some(given.map(|given| {
                                self.$name.get_or_insert(given);
                            }))
                        }
                    )+
                    _ => None,
                }
            }

            fn or(self, lower: Self) -> Self {
                Self { $($name: self.$name.or(lower.$name)),+ }
            }

            fn given(&self) -> Vec<$crate::run::options::GivenText<'_>> {
                let options = [
                    $(self.$name.as_ref().map(|given| $crate::run::options::GivenText {
                        name: stringify!($name),
                        text: &given.text,
                        source: &given.source,
                    })),+
                ];
                options.into_iter().flatten().collect()
            }
        }
    };
}

/// Defines a group of options that consists of other groups.
macro_rules! compose_option_groups {
    (
        $(#[$meta:meta])*
        pub struct $Group:ident {
            $($(#[doc = $doc:literal])+ $name:ident: $Part:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $Group {
            $($(#[doc = $doc])+ pub $name: $Part,)+
        }

        impl $crate::run::options::OptionGroup for $Group {
            fn names() -> Vec<&'static str> {
                [$(<$Part>::names()),+].concat()
            }

            fn set(
                &mut self,
                name: &str,
                text: &std::ffi::OsStr,
                source: &$crate::run::options::ValueSource,
            ) -> Option<Result<(), String>> {
                None$(.or_else(|| self.$name.set(name, text, source)))+
            }

            fn or(self, lower: Self) -> Self {
                Self { $($name: self.$name.or(lower.$name)),+ }
            }

            fn given(&self) -> Vec<$crate::run::options::GivenText<'_>> {
                [$(self.$name.given()),+].concat()
            }
        }
    };
}

pub(crate) use {compose_option_groups, option_group};
