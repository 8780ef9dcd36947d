//! Tuples by their parts: every mix in which `&str` stands for a `String`, to write a key, to look one up, and as the
//! beginning of keys.
//!
//! A part is never a pattern: it stands for the one part that is equal to it.

use std::cmp::Ordering;

use crate::entry::into_key::IntoKey;
use crate::entry::key::Key;
use crate::entry::lookup::{Finder, Lookup};
use crate::entry::prefix::KeyPrefix;

/// The parts that are given, then those that are chosen already (place, as given, as owned, how compared) with the type
/// parameters they need, then the parts that are not given.
macro_rules! parts {
    // Each part may be given as itself, or, where it is a `String`, as a text.
    ($mix:ident [$part:ident $index:tt $($todo:tt)*] [$($chosen:tt)*] [$($generic:ident)*] $rest:tt) => {
        parts!($mix [$($todo)*] [$($chosen)* {$index, $part, $part, in_order}] [$($generic)* $part] $rest);
        parts!(mixed [$($todo)*] [$($chosen)* {$index, &str, String, as_texts}] [$($generic)*] $rest);
    };
    // A whole key, as it is: `IntoKey` is there for every key.
    (same [] [$({$index:tt, $given:ty, $owned:ty, $order:ident})*] [$($generic:ident)*] []) => {
        impl<$($generic: Key),*> Lookup<($($owned,)*)> for ($($given,)*) {
            fn look_up<Find: Finder<($($owned,)*)>>(self, finder: Find) -> Find::Found {
                finder.find(&self)
            }
        }
    };
    // A whole key, some parts of which are texts.
    (mixed [] [$({$index:tt, $given:ty, $owned:ty, $order:ident})*] [$($generic:ident)*] []) => {
        impl<$($generic: Key),*> IntoKey<($($owned,)*)> for ($($given,)*) {
            fn into_key(self) -> ($($owned,)*) {
                ($(self.$index.into(),)*)
            }
        }

        impl<$($generic: Key),*> Lookup<($($owned,)*)> for ($($given,)*) {
            fn look_up<Find: Finder<($($owned,)*)>>(self, finder: Find) -> Find::Found {
                finder.find(&self.into_key())
            }
        }
    };
    // The beginning of keys.
    ($mix:ident [] [$({$index:tt, $given:ty, $owned:ty, $order:ident})*] [$($generic:ident)*] [$($rest:ident)+]) => {
        impl<$($generic: Key,)* $($rest: Key),+> KeyPrefix<($($owned,)* $($rest,)+)> for ($($given,)*) {
            type Kept = ($($owned,)*);

            fn place(&self, key: &($($owned,)* $($rest,)+)) -> Ordering {
                Ordering::Equal$(.then_with(|| $order(&key.$index, &self.$index)))*
            }

            fn keep(self) -> Self::Kept {
                ($(self.$index.into(),)*)
            }
        }
    };
}

fn in_order<A: Ord>(key: &A, part: &A) -> Ordering {
    key.cmp(part)
}

fn as_texts(key: &str, part: &str) -> Ordering {
    key.cmp(part)
}

parts!(same [A 0 B 1] [] [] []);
parts!(same [A 0 B 1 C 2] [] [] []);
parts!(same [A 0 B 1 C 2 D 3] [] [] []);

parts!(same [A 0] [] [] [B]);
parts!(same [A 0] [] [] [B C]);
parts!(same [A 0] [] [] [B C D]);
parts!(same [A 0 B 1] [] [] [C]);
parts!(same [A 0 B 1] [] [] [C D]);
parts!(same [A 0 B 1 C 2] [] [] [D]);
