//! A value of a file together with the place where it was written, or the wish to inherit it.
//!
//! Errors about what a value means are found after the file was read; they still name line and column.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// A line and a column, both from 1; zero where nothing can be pointed at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// A key that may be left out to inherit it. Written without a value (`null`) it is an error.
#[derive(Clone, Debug, Default)]
pub enum Setting<T> {
    /// Left out.
    #[default]
    Inherited,
    /// Written.
    Given(At<T>),
}

impl<T> Setting<T> {
    /// What was written, if anything.
    pub fn given(&self) -> Option<&At<T>> {
        match self {
            Self::Inherited => None,
            Self::Given(at) => Some(at),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        let place = Place {
            line: spanned.referenced.line(),
            column: spanned.referenced.column(),
        };
        Ok(Self {
            value: spanned.value,
            place,
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        At::deserialize(deserializer).map(Self::Given)
    }
}

// In the schema both are what they hold: the place is not written, it is where the value stands.
macro_rules! schema_of_what_it_holds {
    ($name:ident) => {
        impl<T: JsonSchema> JsonSchema for $name<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    };
}
schema_of_what_it_holds!(At);
schema_of_what_it_holds!(Setting);
