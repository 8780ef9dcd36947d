//! What most keys of a test's own have in common: they are texts, written and read as they are.
//!
//! Never says how they are hashed and ordered: that is what such a key is for.

/// A type around a text, with an order of its own, becomes a key; with what it says besides, if anything.
macro_rules! text_key {
    ($name:ident $({ $($besides:tt)+ })?) => {
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &$name) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl globe::Key for $name {
            fn encode(&self) -> globe::Result<String> {
                Ok(self.0.clone())
            }

            fn decode(text: &str) -> globe::Result<$name> {
                Ok($name(text.to_owned()))
            }

            $($($besides)+)?
        }
    };
}

pub(crate) use text_key;
