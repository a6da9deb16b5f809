//! Enums whose variants have a name: the one that is typed, shown and written to files.

/// An enum of named variants, as [`named_enum!`] defines it.
pub trait Named: Copy + Send + Sync + 'static {
    /// All variants, in the order of their declaration.
    const VARIANTS: &'static [Self];

    /// The name.
    fn variant_name(self) -> &'static str;

    /// Older names that are still read, but no longer shown.
    fn old_names(self) -> &'static [&'static str];

    /// What the variant means: its doc comment.
    fn description(self) -> &'static str;
}

/// The variant of a name.
///
/// # Errors
/// If there is none: which names there are.
pub fn parse_name<T: Named>(text: &str) -> Result<T, String> {
    let has_name =
        |variant: &&T| variant.variant_name() == text || variant.old_names().contains(&text);
    T::VARIANTS.iter().find(has_name).copied().ok_or_else(|| {
        let names: Vec<&str> = T::VARIANTS.iter().map(|variant| variant.variant_name()).collect();
        match names.split_last() {
            Some((last, [])) => format!("expected {last}"),
            Some((last, others)) => format!("expected {} or {last}", others.join(", ")),
            None => "there is no value for it".to_owned(),
        }
    })
}

/// Defines an enum of named variants, with [`Named`], `Display` and `FromStr`. A variant's doc
/// comment is its description; `@default` marks the default; names behind `|` are old ones.
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $Enum:ident {
            $(
                $(#[doc = $doc:literal])+
                $(@$default:ident)? $Variant:ident = $name:literal $(| $old:literal)*,
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $Enum {
            $($(#[doc = $doc])+ $(#[$default])? $Variant,)+
        }

        impl $Enum {
            /// The name that is typed, shown and written to files.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }
        }

        impl $crate::core::named::Named for $Enum {
            const VARIANTS: &'static [Self] = &[$(Self::$Variant),+];

            fn variant_name(self) -> &'static str {
                self.name()
            }

            fn old_names(self) -> &'static [&'static str] {
                match self {
                    $(Self::$Variant => &[$($old),*],)+
                }
            }

            fn description(self) -> &'static str {
                match self {
                    $(Self::$Variant => concat!($($doc),+).trim_ascii_start(),)+
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $Enum {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                $crate::core::named::parse_name(text)
            }
        }
    };
}

pub(crate) use named_enum;

#[cfg(test)]
mod tests {
    use super::*;

    named_enum! {
        /// Some colors.
        #[derive(Default)]
        enum TestColor {
            /// The color of the sky,
            /// by day
            @default Blue = "blue" | "azure",
            /// Another one
            DarkRed = "dark-red",
        }
    }

    #[test]
    fn names_parse_back_and_old_names_are_still_read() {
        assert_eq!(TestColor::default(), TestColor::Blue);
        for color in TestColor::VARIANTS {
            assert_eq!(color.to_string().parse(), Ok(*color));
        }
        assert_eq!("azure".parse(), Ok(TestColor::Blue));
        assert_eq!(TestColor::Blue.description(), "The color of the sky, by day");
        let unknown = "Blue".parse::<TestColor>();
        assert_eq!(unknown, Err("expected blue or dark-red".to_owned()));
    }
}
