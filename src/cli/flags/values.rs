//! clap's parsers of values, made from those of the options.

use crate::core::named::{Named, parse_name};
use crate::run::options::{Given, ValueSource};
use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use std::ffi::{OsStr, OsString};

/// A flag whose value an option's parser reads.
pub(super) fn flag<T: Clone + Send + Sync + 'static>(
    parse: fn(&OsStr) -> Result<T, String>,
) -> impl TypedValueParser<Value = Given<T>> {
    OsStringValueParser::new()
        .try_map(move |text: OsString| Given::parse(parse, &text, ValueSource::Flag))
}

/// A flag whose value is one of several names, which the help lists.
pub(super) fn choice<T: Named>(
    parse: fn(&OsStr) -> Result<T, String>,
) -> impl TypedValueParser<Value = Given<T>> {
    PossibleValuesParser::new(possible_values::<T>())
        .try_map(move |text| Given::parse(parse, OsStr::new(&text), ValueSource::Flag))
}

/// A value that is one of several names, which the help lists.
pub(super) fn choice_value<T: Named>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(possible_values::<T>()).try_map(|text| parse_name::<T>(&text))
}

fn possible_values<T: Named>() -> impl Iterator<Item = PossibleValue> {
    T::VARIANTS.iter().map(|variant| {
        PossibleValue::new(variant.variant_name())
            .aliases(variant.old_names().iter().copied())
            .help(variant.description())
    })
}

/// The parser of an option, for a flag of which only the value is needed.
pub(super) fn value<T: Clone + Send + Sync + 'static>(
    parse: fn(&OsStr) -> Result<T, String>,
) -> impl TypedValueParser<Value = T> {
    OsStringValueParser::new().try_map(move |text: OsString| parse(&text))
}
