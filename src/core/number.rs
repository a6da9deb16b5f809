//! Serializes numbers that may not be finite. JSON has no such numbers, so they are written as the
//! strings `"NaN"`, `"Infinity"` and `"-Infinity"`. Earlier versions wrote some of them as `null`,
//! which is read as NaN.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Serializes a number.
///
/// # Errors
/// Errors of the serializer.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else {
        serializer.serialize_str(name(*value))
    }
}

fn name(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Deserializes a number.
///
/// # Errors
/// If the value is not a number, `null` or one of the three strings.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrName {
        Number(f64),
        Name(String),
        Null(()),
    }
    match NumberOrName::deserialize(deserializer)? {
        NumberOrName::Number(value) => Ok(value),
        NumberOrName::Null(()) => Ok(f64::NAN),
        NumberOrName::Name(name) => match name.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(serde::de::Error::custom("not a number")),
        },
    }
}

/// Serializes lists of numbers that may not be finite, for `#[serde(with = "number::list")]`.
pub mod list {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    /// A floating-point type.
    pub trait Float: Copy + Into<f64> + Serialize {
        /// The nearest value of this type.
        fn nearest(value: f64) -> Self;
    }

    impl Float for f64 {
        fn nearest(value: f64) -> Self {
            value
        }
    }

    impl Float for f32 {
        fn nearest(value: f64) -> Self {
            value as Self
        }
    }

    struct Item<T>(T);

    impl<T: Float> Serialize for Item<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let value = self.0.into();
            // A finite `f32` is written with the digits of an `f32`.
            if value.is_finite() {
                self.0.serialize(serializer)
            } else {
                super::serialize(&value, serializer)
            }
        }
    }

    impl<'de, T: Float> Deserialize<'de> for Item<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            super::deserialize(deserializer).map(|value| Self(T::nearest(value)))
        }
    }

    /// Serializes a list of numbers.
    ///
    /// # Errors
    /// Errors of the serializer.
    pub fn serialize<T: Float, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Item(*value)))
    }

    /// Deserializes a list of numbers.
    ///
    /// # Errors
    /// If the value is not a list, or one of its values is not a number, `null` or one of the three
    /// strings.
    pub fn deserialize<'de, T: Float, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let items = Vec::<Item<T>>::deserialize(deserializer)?;
        Ok(items.into_iter().map(|item| item.0).collect())
    }
}
