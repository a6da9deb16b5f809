//! Enums whose variants have names, for command-line flags, display and files.

/// An enum of named variants, as `named_enum!` defines it.
pub trait Named: Copy + Send + Sync + 'static {
    /// All variants, in the order of their declaration.
    const VARIANTS: &'static [Self];

    /// The name of the variant.
    fn variant_name(self) -> &'static str;

    /// Old names that are still parsed but no longer displayed.
    fn old_names(self) -> &'static [&'static str];

    /// The description of the variant, from its doc comment.
    fn description(self) -> &'static str;
}

/// Parses the name of a variant.
///
/// # Errors
/// If no variant has the name; the message lists the names.
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
/// comment is its description; `@default` marks the default; names after `|` are old names.
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
            /// The name used in command-line flags, display and files.
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
    fn names_and_old_names_can_be_parsed() {
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
