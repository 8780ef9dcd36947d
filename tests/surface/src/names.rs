//! What a path means where it stands: an item of this crate, a module of it, or something outside.
//!
//! It never looks into another crate.

use std::slice;

use syn::{Ident, Item, ItemUse, Type, UseTree, Visibility};

use crate::modules::{Modules, join};

/// An item of this crate: where it is defined, and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Defined {
    pub(crate) module: String,
    pub(crate) name: String,
}

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Item(Defined),
    Module(String),
    /// Of another crate, a generic parameter, or unknown.
    Outside,
}

/// One name that a `use` brings in; no name is everything (`*`).
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) name: Option<String>,
}

/// A `use` of a `use` of a `use`: more than these is a circle.
const LONGEST_CHAIN: usize = 32;

impl Modules {
    pub(crate) fn meaning(&self, from: &str, path: &[String]) -> Meaning {
        self.follow(from, path, LONGEST_CHAIN)
            .unwrap_or(Meaning::Outside)
    }

    /// What the type of an `impl` means, be it behind a reference.
    pub(crate) fn meaning_of_type(&self, from: &str, given: &Type) -> Meaning {
        match given {
            Type::Path(path) => self.meaning(from, &segments(&path.path)),
            Type::Reference(reference) => self.meaning_of_type(from, &reference.elem),
            _ => Meaning::Outside,
        }
    }

    fn follow(&self, from: &str, path: &[String], left: usize) -> Option<Meaning> {
        let left = left.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match (&**first, rest) {
            ("crate", []) => Some(Meaning::Module(String::new())),
            ("crate", rest) => self.follow("", rest, left),
            ("self", []) => Some(Meaning::Module(from.to_owned())),
            ("self", rest) => self.follow(from, rest, left),
            ("super", rest) => {
                let parent = from.rsplit_once("::").map_or("", |(parent, _)| parent);
                match rest {
                    [] => Some(Meaning::Module(parent.to_owned())),
                    rest => self.follow(parent, rest, left),
                }
            }
            (name, []) => self
                .item(from, name, left)
                .or_else(|| self.module(from, name)),
            (name, rest) => match self
                .module(from, name)
                .or_else(|| self.item(from, name, left))?
            {
                Meaning::Module(module) => self.follow(&module, rest, left),
                // A variant or an associated item: it is shown with what it belongs to.
                Meaning::Item(_) | Meaning::Outside => None,
            },
        }
    }

    fn module(&self, from: &str, name: &str) -> Option<Meaning> {
        let path = join(from, name);
        self.has(&path).then_some(Meaning::Module(path))
    }

    fn item(&self, from: &str, name: &str, left: usize) -> Option<Meaning> {
        let items = &self.all.get(from)?.items;
        let named = |item: &Item| name_of(item).is_some_and(|ident| ident == name);
        if items.iter().any(named) {
            return Some(Meaning::Item(Defined {
                module: from.to_owned(),
                name: name.to_owned(),
            }));
        }
        let uses = items.iter().filter_map(|item| match item {
            Item::Use(item) => Some(item),
            _ => None,
        });
        let imports: Vec<Import> = uses.flat_map(imports).collect();
        let by_name = imports
            .iter()
            .filter(|import| import.name.as_deref() == Some(name));
        let found = by_name
            .filter_map(|import| self.follow(from, &import.path, left))
            .next();
        let globs = || imports.iter().filter(|import| import.name.is_none());
        found.or_else(|| globs().find_map(|glob| self.through(from, glob, name, left)))
    }

    fn through(&self, from: &str, glob: &Import, name: &str, left: usize) -> Option<Meaning> {
        match self.follow(from, &glob.path, left)? {
            // `use super::*` inside what it looks through.
            Meaning::Module(module) if module == from => None,
            Meaning::Module(module) => {
                self.follow(&module, slice::from_ref(&name.to_owned()), left)
            }
            Meaning::Item(_) | Meaning::Outside => None,
        }
    }
}

pub(crate) fn segments(path: &syn::Path) -> Vec<String> {
    path.segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect()
}

/// Everything a `use` brings in.
pub(crate) fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    unfold(&item.tree, &mut Vec::new(), &mut found);
    found
}

fn unfold(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Import>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            unfold(&path.tree, before, found);
            before.pop();
        }
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| unfold(tree, before, found)),
        UseTree::Glob(_) => found.push(Import {
            path: before.clone(),
            name: None,
        }),
        UseTree::Name(name) => found.push(import(before, &name.ident, &name.ident)),
        UseTree::Rename(rename) => found.push(import(before, &rename.ident, &rename.rename)),
    }
}

fn import(before: &[String], ident: &Ident, name: &Ident) -> Import {
    // `use a::b::{self}` brings in `b`.
    if ident == "self" && !before.is_empty() {
        let name = if name == "self" {
            before.last().cloned()
        } else {
            Some(name.to_string())
        };
        return Import {
            path: before.to_vec(),
            name,
        };
    }
    Import {
        path: [before, &[ident.to_string()]].concat(),
        name: Some(name.to_string()),
    }
}

/// The name of an item that can be named; modules are named by the tree of them.
pub(crate) fn name_of(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

pub(crate) fn is_public(item: &Item) -> bool {
    let visibility = match item {
        Item::Const(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Mod(item) => &item.vis,
        Item::Static(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Union(item) => &item.vis,
        Item::Use(item) => &item.vis,
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_))
}
