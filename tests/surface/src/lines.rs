//! The lines of a listing: what stands at each path.
//!
//! It never decides what is public: it is told what to write, and under which path.

use std::collections::BTreeSet;

use syn::{
    Fields, ImplItem, Item, ItemEnum, ItemImpl, ItemStruct, ItemTrait, TraitItem, Visibility,
};

use crate::attributes::{conditions, derives, has, is_for_tests, shown};
use crate::modules::attributes;
use crate::signature;

/// Sorted by path; at one path what it is comes before what it derives and implements.
#[derive(Default)]
pub(crate) struct Lines {
    all: BTreeSet<(String, Rank, String)>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Itself,
    Derived,
    Implemented,
}

impl Lines {
    /// An item that a user can name by `path`, and all that belongs to it but its `impl`s. `around` are the conditions of
    /// the modules and imports by which it comes there.
    pub(crate) fn item(&mut self, path: &str, item: &Item, around: &[String]) {
        let given = attributes(item);
        let around = merged(around, &conditions(given));
        let text = match item {
            Item::Struct(item) => {
                self.fields(path, item, &around);
                signature::of_struct(item)
            }
            Item::Enum(item) => {
                self.variants(path, item, &around);
                signature::of_enum(item)
            }
            Item::Trait(item) => {
                self.trait_items(path, item, &around);
                signature::of_trait(item)
            }
            Item::Fn(item) => signature::function(&item.vis, &item.sig),
            Item::Const(item) => constant("pub const", &item.ident, &item.ty),
            Item::Static(item) => constant("pub static", &item.ident, &item.ty),
            other => signature::whole(without_attributes(other)),
        };
        for derived in derives(given) {
            let text = with(&around, &[], &derived);
            self.all.insert((path.to_owned(), Rank::Derived, text));
        }
        self.add(path, &around, &shown(given), &text);
    }

    /// What another path already shows, or another crate.
    pub(crate) fn import(&mut self, path: &str, target: &str, around: &[String]) {
        self.add(path, around, &[], &format!("pub use {target}"));
    }

    fn fields(&mut self, path: &str, item: &ItemStruct, around: &[String]) {
        let Fields::Named(fields) = &item.fields else {
            return;
        };
        for field in &fields.named {
            if let (Visibility::Public(_), Some(name)) = (&field.vis, &field.ident) {
                let text = format!("pub {}", signature::field(field));
                let under = merged(around, &conditions(&field.attrs));
                self.add(
                    &format!("{path}::{name}"),
                    &under,
                    &shown(&field.attrs),
                    &text,
                );
            }
        }
    }

    fn variants(&mut self, path: &str, item: &ItemEnum, around: &[String]) {
        for variant in &item.variants {
            let under = merged(around, &conditions(&variant.attrs));
            let text = signature::variant(variant);
            let path = format!("{path}::{}", variant.ident);
            self.add(&path, &under, &shown(&variant.attrs), &text);
        }
    }

    fn trait_items(&mut self, path: &str, item: &ItemTrait, around: &[String]) {
        for part in &item.items {
            let (name, given, text) = match part {
                TraitItem::Fn(method) => {
                    let text = signature::function(&Visibility::Inherited, &method.sig);
                    let default = method.default.as_ref().map_or("", |_| " { .. }");
                    (&method.sig.ident, &method.attrs, format!("{text}{default}"))
                }
                TraitItem::Type(part) => (&part.ident, &part.attrs, signature::associated(part)),
                TraitItem::Const(part) => (
                    &part.ident,
                    &part.attrs,
                    constant("const", &part.ident, &part.ty),
                ),
                _ => continue,
            };
            let under = merged(around, &conditions(given));
            self.add(&format!("{path}::{name}"), &under, &shown(given), &text);
        }
    }

    /// The public items of an inherent `impl`.
    pub(crate) fn inherent(&mut self, path: &str, item: &ItemImpl, around: &[String]) {
        // What only some types of the generic parameters have is told by the `impl` it stands in.
        let head = signature::implementation(item);
        let only = if has_bounds(item) {
            format!(" // {head}")
        } else {
            String::new()
        };
        for part in &item.items {
            let (name, given, visibility, text) = match part {
                ImplItem::Fn(method) => {
                    let text = signature::function(&method.vis, &method.sig);
                    (&method.sig.ident, &method.attrs, &method.vis, text)
                }
                ImplItem::Const(part) => {
                    let text = constant("pub const", &part.ident, &part.ty);
                    (&part.ident, &part.attrs, &part.vis, text)
                }
                _ => continue,
            };
            if matches!(visibility, Visibility::Public(_)) && !is_for_tests(given) {
                let under = merged(around, &conditions(given));
                let path = format!("{path}::{name}");
                self.add(&path, &under, &shown(given), &format!("{text}{only}"));
            }
        }
    }

    /// That a trait is implemented, with the types it is given.
    pub(crate) fn implemented(&mut self, path: &str, item: &ItemImpl, around: &[String]) {
        let types = item.items.iter().filter_map(|part| match part {
            ImplItem::Type(part) => Some(format!(
                "type {} = {};",
                part.ident,
                signature::type_of(&part.ty)
            )),
            _ => None,
        });
        let types = types.collect::<Vec<_>>().join(" ");
        let types = if types.is_empty() {
            types
        } else {
            format!(" {{ {types} }}")
        };
        let text = format!("{}{types}", signature::implementation(item));
        self.implementation(path, around, &text);
    }

    pub(crate) fn implementation(&mut self, path: &str, around: &[String], text: &str) {
        let text = with(around, &[], text);
        self.all.insert((path.to_owned(), Rank::Implemented, text));
    }

    /// A macro that users call: what it may be given.
    pub(crate) fn exported(&mut self, path: &str, item: &syn::ItemMacro, around: &[String]) {
        let around = merged(around, &conditions(&item.attrs));
        let text = format!("macro_rules! {}", matchers(item).join("; "));
        self.add(path, &around, &shown(&item.attrs), &text);
    }

    fn add(&mut self, path: &str, around: &[String], attributes: &[String], text: &str) {
        let text = with(around, attributes, text);
        self.all.insert((path.to_owned(), Rank::Itself, text));
    }

    pub(crate) fn text(&self) -> String {
        let lines = self.all.iter();
        lines
            .map(|(path, _, text)| format!("{path}: {text}\n"))
            .collect()
    }
}

/// Both, each condition once.
pub(crate) fn merged(around: &[String], own: &[String]) -> Vec<String> {
    let new = own.iter().filter(|condition| !around.contains(condition));
    around.iter().chain(new).cloned().collect()
}

fn with(around: &[String], attributes: &[String], text: &str) -> String {
    let before = around.iter().chain(attributes).map(String::as_str);
    before.chain([text]).collect::<Vec<_>>().join(" ")
}

/// Not its value: that is no part of its type.
fn constant(words: &str, name: &syn::Ident, of: &syn::Type) -> String {
    format!("{words} {name}: {}", signature::type_of(of))
}

/// Whether an `impl` holds for some arguments of its type only.
fn has_bounds(item: &ItemImpl) -> bool {
    let bounded = |given: &syn::TypeParam| !given.bounds.is_empty();
    let concrete = matches!(&*item.self_ty, syn::Type::Path(path)
        if item.generics.params.is_empty()
            && path.path.segments.iter().any(|segment| !segment.arguments.is_none()));
    item.generics.where_clause.is_some() || item.generics.type_params().any(bounded) || concrete
}

/// Aliases and unions: all of them is their surface.
fn without_attributes(item: &Item) -> Item {
    let mut item = item.clone();
    match &mut item {
        Item::Type(item) => item.attrs.clear(),
        Item::Union(item) => item.attrs.clear(),
        _ => {}
    }
    item
}

/// What stands left of each `=>` of a macro.
fn matchers(item: &syn::ItemMacro) -> Vec<String> {
    let mut found = Vec::new();
    let mut last = None;
    let mut tokens = item.mac.tokens.clone().into_iter();
    while let Some(token) = tokens.next() {
        match &token {
            proc_macro2::TokenTree::Punct(sign) if sign.as_char() == '=' => {
                found.extend(last.take());
                // The rest of the arrow, and what the macro becomes.
                let _ = (tokens.next(), tokens.next());
            }
            _ => last = Some(signature::tokens(&token)),
        }
    }
    found
}

/// Whether `#[macro_export]` shows a macro to other crates.
pub(crate) fn is_exported(item: &syn::ItemMacro) -> bool {
    has(&item.attrs, "macro_export")
}
