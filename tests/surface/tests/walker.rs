//! What is listed of small sources, and what is not.
//!
//! It never reads the sources of Globe.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use globe_surface::{Error, Sources, difference, surface};

fn listed<const N: usize>(files: [(&str, &str); N]) -> String {
    surface("house", &Sources::from(files)).unwrap()
}

#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let found = listed([("lib.rs", source)]);
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn only_what_can_be_named_from_outside_is_listed() {
    check(
        "mod hidden { pub fn unreachable() {} pub(crate) fn inner() {} }
         fn private() {}
         pub(crate) fn within() {}
         pub fn shown(name: &str) -> bool { true }",
        &["house::shown: pub fn shown(name: &str) -> bool"],
    );
}

#[test]
fn an_item_is_listed_where_it_is_shown_and_not_where_it_is_defined() {
    let files = [
        (
            "lib.rs",
            "mod deep; pub use deep::{Top as Renamed, inner::Low}; pub mod open;",
        ),
        (
            "deep/mod.rs",
            "pub mod inner; pub struct Top { pub(crate) a: u8 }",
        ),
        (
            "deep/inner.rs",
            "pub struct Low; impl Low { pub fn go(&self) {} fn stay(&self) {} }",
        ),
        ("open.rs", "pub use super::deep::inner::*; pub fn near() {}"),
    ];
    assert_eq!(
        listed(files),
        "house::Low: pub struct Low;\n\
         house::Low::go: pub fn go(&self)\n\
         house::Renamed: pub struct Top { .. }\n\
         house::open::Low: pub use house::Low\n\
         house::open::near: pub fn near()\n"
    );
}

#[test]
fn what_is_shown_twice_is_listed_once_and_named_there_again() {
    check(
        "mod a { pub struct One; } pub use a::One; pub use a::One as Same;",
        &[
            "house::One: pub struct One;",
            "house::Same: pub use house::One",
        ],
    );
}

#[test]
fn a_re_export_through_another_one_is_followed_to_the_item() {
    check(
        "mod a { pub use self::b::Thing; mod b { pub enum Thing { First(u8), Second { x: u8 } } } } pub use a::Thing;",
        &[
            "house::Thing: pub enum Thing",
            "house::Thing::First: First(u8)",
            "house::Thing::Second: Second { x: u8 }",
        ],
    );
}

#[test]
fn another_crates_items_are_named_and_not_looked_into() {
    check(
        "pub use elsewhere::{Error, nested::Deep}; pub use elsewhere as there; pub use elsewhere::prelude::*;",
        &[
            "house: pub use elsewhere::prelude::*",
            "house::Deep: pub use elsewhere::nested::Deep",
            "house::Error: pub use elsewhere::Error",
            "house::there: pub use elsewhere",
        ],
    );
}

#[test]
fn uses_in_a_circle_end() {
    check(
        "pub use self::b as a; pub use self::a as b;",
        &["house::a: pub use self::b", "house::b: pub use self::a"],
    );
}

#[test]
fn of_a_struct_the_public_fields_are_listed_and_that_there_are_others() {
    check(
        "#[non_exhaustive] pub struct Open { pub a: Vec<u8> }
         pub struct Half<T: Clone> where T: Send { pub a: T, b: u8 }
         pub struct Pair(pub u8, u16);",
        &[
            "house::Half: pub struct Half<T: Clone> where T: Send { .. }",
            "house::Half::a: pub a: T",
            "house::Open: #[non_exhaustive] pub struct Open",
            "house::Open::a: pub a: Vec<u8>",
            "house::Pair: pub struct Pair(pub u8, _)",
        ],
    );
}

#[test]
fn of_a_trait_it_is_told_what_has_a_body_already() {
    check(
        "pub trait Speak: Send { /// One.
 type Word: Clone; const LOUD: bool; fn say(&self) -> Self::Word; fn shout(&self) { } }",
        &[
            "house::Speak: pub trait Speak: Send",
            "house::Speak::LOUD: const LOUD: bool",
            "house::Speak::Word: type Word: Clone",
            "house::Speak::say: fn say(&self) -> Self::Word",
            "house::Speak::shout: fn shout(&self) { .. }",
        ],
    );
}

#[test]
fn methods_and_traits_are_found_wherever_they_are_written() {
    check(
        "mod a { pub struct One<T>(T); }
         mod far { use crate::a::One; impl<T: Clone> One<T> { pub const SIZE: usize = 1; #[must_use = \"why\"] pub fn new(mut self) -> u8 { 1 } } }
         impl<T> Iterator for a::One<T> { type Item = u8; fn next(&mut self) -> Option<u8> { None } }
         pub use a::One;",
        &[
            "house::One: pub struct One<T>(_)",
            "house::One: impl<T> Iterator for a::One<T> { type Item = u8; }",
            "house::One::SIZE: pub const SIZE: usize // impl<T: Clone> One<T>",
            "house::One::new: #[must_use] pub fn new(self) -> u8 // impl<T: Clone> One<T>",
        ],
    );
}

#[test]
fn a_trait_nobody_can_name_is_not_listed_and_one_of_ours_is_with_those_it_is_for() {
    check(
        "mod sealed { pub trait Sealed {} } pub trait Ours {} pub struct One;
         impl sealed::Sealed for One {} impl Ours for One {} impl Ours for u8 {} impl<T: Ours> Ours for Box<T> {}
         impl From<One> for String { fn from(_: One) -> String { String::new() } }",
        &[
            "house: impl From<One> for String",
            "house::One: pub struct One;",
            "house::One: impl Ours for One",
            "house::Ours: pub trait Ours",
            "house::Ours: impl Ours for u8",
            "house::Ours: impl<T: Ours> Ours for Box<T>",
        ],
    );
}

#[test]
fn a_condition_is_shown_with_everything_under_it() {
    let files = [
        (
            "lib.rs",
            "#[cfg(feature = \"far\")] mod far; #[cfg(feature = \"far\")] pub use far::Far;",
        ),
        (
            "far.rs",
            "pub struct Far; impl Far { #[cfg(unix)] pub fn go(&self) {} } #[cfg(test)] pub fn test() {}",
        ),
    ];
    assert_eq!(
        listed(files),
        "house::Far: #[cfg(feature = \"far\")] pub struct Far;\n\
         house::Far::go: #[cfg(feature = \"far\")] #[cfg(unix)] pub fn go(&self)\n"
    );
}

#[test]
fn what_is_only_there_for_tests_is_not_listed() {
    check(
        "#[cfg(test)] mod tests { pub fn a() {} } #[cfg(all(test, unix))] pub fn b() {}
         pub struct One; impl One { #[cfg(test)] pub fn c(&self) {} } #[cfg(test)] impl One { pub fn d(&self) {} }",
        &["house::One: pub struct One;"],
    );
}

#[test]
fn derives_are_listed_in_order_and_with_their_conditions() {
    check(
        "#[derive(Debug, Clone)] #[cfg_attr(feature = \"serde\", derive(serde::Serialize))] #[derive(Copy)] pub struct One;",
        &[
            "house::One: pub struct One;",
            "house::One: #[cfg(feature = \"serde\")] derives serde::Serialize",
            "house::One: derives Clone, Copy, Debug",
        ],
    );
}

#[test]
fn a_macro_that_implements_a_public_trait_is_listed_as_it_is_called() {
    check(
        "pub trait Key {} macro_rules! keys { ($($int:ty: $n:literal),*) => {$( impl Key for $int {} )*}; }
         macro_rules! other { ($a:ty) => { impl Clone for $a {} }; }
         keys!(u8: 3, u16: 5); other!(u8);",
        &[
            "house::Key: pub trait Key",
            "house::Key: keys!(u8: 3, u16: 5)",
        ],
    );
}

#[test]
fn a_macro_is_listed_with_a_trait_that_has_parameters_and_with_the_types_it_is_given() {
    check(
        "pub trait Key {} pub trait From<K> {} pub struct One; struct Own;
         macro_rules! made { ($a:ty => $b:ty) => { impl<K: Key> From<$b> for $a {} }; }
         macro_rules! shown { ($($a:ty),*) => {$( impl Display for $a {} )*}; }
         made!(u8 => u16); shown!(One, Own);",
        &[
            "house::From: pub trait From<K>",
            "house::From: made!(u8 => u16)",
            "house::Key: pub trait Key",
            "house::One: pub struct One;",
            "house::One: shown!(One, Own)",
        ],
    );
}

#[test]
fn an_exported_macro_is_listed_in_the_root_with_what_it_may_be_given() {
    let files = [
        ("lib.rs", "mod deep;"),
        (
            "deep.rs",
            "#[macro_export] macro_rules! suite { ($h:ty) => { f(|a| a => 1) }; ($h:ty, $n:expr) => {}; } macro_rules! own { () => {} }",
        ),
    ];
    assert_eq!(
        listed(files),
        "house::suite!: macro_rules! ($h: ty); ($h: ty, $n: expr)\n"
    );
}

#[test]
fn a_signature_is_one_line_however_long_it_is() {
    check(
        "pub async fn transact<'a, K: Ord, V>(first: impl FnMut(&mut Vec<K>) -> Result<V, Box<dyn std::error::Error + Send + Sync>>, second: Vec<(K, V)>, third: [u8; 32]) -> Result<(), V> where K: 'a, V: Clone + 'a {}",
        &[
            "house::transact: pub async fn transact<'a, K: Ord, V>(first: impl FnMut(&mut Vec<K>) -> Result<V, Box<dyn std::error::Error + Send + Sync>>, second: Vec<(K, V)>, third: [u8; 32]) -> Result<(), V> where K: 'a, V: Clone + 'a",
        ],
    );
}

#[test]
fn aliases_constants_and_statics_are_listed_by_their_types() {
    check(
        "pub type Outcome<T> = Result<T, u8>; pub const LIMIT: usize = 4; pub static NAME: &str = \"x\"; pub const fn two() -> u8 { 2 }",
        &[
            "house::LIMIT: pub const LIMIT: usize",
            "house::NAME: pub static NAME: &str",
            "house::Outcome: pub type Outcome<T> = Result<T, u8>",
            "house::two: pub const fn two() -> u8",
        ],
    );
}

#[test]
fn a_module_without_a_file_and_a_file_that_is_no_rust_are_told() {
    let missing = surface("house", &Sources::from([("lib.rs", "mod gone;")]));
    assert!(matches!(missing, Err(Error::NoFile { module }) if module == "gone"));
    let broken = surface("house", &Sources::from([("lib.rs", "pub fn (")]));
    assert!(matches!(broken, Err(Error::Syntax { .. })));
}

#[test]
fn a_difference_shows_what_was_beside_what_is() {
    let was = "a::A: one\na::B: two\na::C: three\n";
    let is = "a::A: one\na::B: 2\na::D: four\n";
    assert_eq!(
        difference(was, is),
        "- a::B: two\n+ a::B: 2\n- a::C: three\n+ a::D: four\n"
    );
    assert_eq!(difference(was, was), "");
}

#[test]
fn a_name_that_came_by_a_star_is_found() {
    check(
        "mod a { pub trait Ours {} pub struct One; } mod b { use crate::a::*; impl Ours for One {} } pub use a::{One, Ours};",
        &[
            "house::One: pub struct One;",
            "house::One: impl Ours for One",
            "house::Ours: pub trait Ours",
        ],
    );
}

#[test]
fn the_conditions_of_the_way_to_an_item_and_of_its_home_are_both_shown() {
    check(
        "mod plain { pub struct One; } #[cfg(a)] pub mod way { pub use crate::plain::One; pub use elsewhere::Two; }
         #[cfg(b)] mod home { pub struct Three; } pub use home::Three;",
        &[
            "house::Three: #[cfg(b)] pub struct Three;",
            "house::way::One: #[cfg(a)] pub struct One;",
            "house::way::Two: #[cfg(a)] pub use elsewhere::Two",
        ],
    );
}
