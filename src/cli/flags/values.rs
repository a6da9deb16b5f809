//! clap value parsers, made from the parsers of options.

use crate::core::named::{Named, parse_name};
use crate::run::options::{Given, ValueSource};
use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use std::ffi::{OsStr, OsString};

/// The value parser of a flag, made from the parser of its option.
pub(super) fn flag<T: Clone + Send + Sync + 'static>(
    parse: fn(&OsStr) -> Result<T, String>,
) -> impl TypedValueParser<Value = Given<T>> {
    OsStringValueParser::new()
        .try_map(move |text: OsString| Given::parse(parse, &text, ValueSource::Flag))
}

/// The value parser of a flag whose value is one of several names, which the help lists.
pub(super) fn choice<T: Named>(
    parse: fn(&OsStr) -> Result<T, String>,
) -> impl TypedValueParser<Value = Given<T>> {
    PossibleValuesParser::new(possible_values::<T>())
        .try_map(move |text| Given::parse(parse, OsStr::new(&text), ValueSource::Flag))
}

/// The value parser of [`choice`], without the source of the value.
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

/// The value parser of [`flag`], without the source of the value.
pub(super) fn value<T: Clone + Send + Sync + 'static>(
    parse: fn(&OsStr) -> Result<T, String>,
) -> impl TypedValueParser<Value = T> {
    OsStringValueParser::new().try_map(move |text: OsString| parse(&text))
}
