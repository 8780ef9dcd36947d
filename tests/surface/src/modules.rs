//! The modules of a crate as they were read: each with its items, and what it is there under.
//!
//! It never asks what a name means, and leaves out what is only there for tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::{Item, ItemMod};

use crate::attributes::{conditions, is_for_tests};
use crate::error::{Error, Result};
use crate::sources::Sources;

/// One module, in a file of its own or not.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) items: Vec<Item>,
    /// Its own and those of the modules around it.
    pub(crate) conditions: Vec<String>,
}

/// All modules of a crate by their path without `crate::`; the root is `""`.
#[derive(Default)]
pub(crate) struct Modules {
    pub(crate) all: BTreeMap<String, Module>,
}

impl Modules {
    pub(crate) fn read(sources: &Sources) -> Result<Modules> {
        let mut modules = Modules::default();
        let root = Path::new("lib.rs");
        let items = parse(sources, root, "")?;
        modules.add(sources, "", Path::new(""), items, Vec::new())?;
        Ok(modules)
    }

    /// Takes in a module, and those in it. `folder` is where the files of those lie.
    fn add(
        &mut self,
        sources: &Sources,
        path: &str,
        folder: &Path,
        items: Vec<Item>,
        conditions: Vec<String>,
    ) -> Result<()> {
        let items: Vec<Item> = items
            .into_iter()
            .filter(|item| !is_for_tests(attributes(item)))
            .collect();
        for item in &items {
            if let Item::Mod(child) = item {
                self.add_child(sources, path, folder, child, &conditions)?;
            }
        }
        let module = Module { items, conditions };
        self.all.insert(path.to_owned(), module);
        Ok(())
    }

    fn add_child(
        &mut self,
        sources: &Sources,
        parent: &str,
        folder: &Path,
        child: &ItemMod,
        around: &[String],
    ) -> Result<()> {
        let name = child.ident.to_string();
        let path = join(parent, &name);
        let items = match &child.content {
            Some((_, items)) => items.clone(),
            None => {
                let beside = folder.join(format!("{name}.rs"));
                let inside = folder.join(&name).join("mod.rs");
                let file = [beside, inside]
                    .into_iter()
                    .find(|file| sources.file(file).is_some());
                let file = file.ok_or_else(|| Error::NoFile {
                    module: path.clone(),
                })?;
                parse(sources, &file, &path)?
            }
        };
        let under = [around, &conditions(&child.attrs)].concat();
        self.add(sources, &path, &folder.join(&name), items, under)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.all.contains_key(path)
    }
}

fn parse(sources: &Sources, file: &Path, module: &str) -> Result<Vec<Item>> {
    let missing = || Error::NoFile {
        module: module.to_owned(),
    };
    let text = sources.file(file).ok_or_else(missing)?;
    let parsed = syn::parse_file(text).map_err(|source| Error::Syntax {
        path: PathBuf::from(file),
        source,
    })?;
    Ok(parsed.items)
}

/// `module::name`, and `name` in the root.
pub(crate) fn join(module: &str, name: &str) -> String {
    match module {
        "" => name.to_owned(),
        module => format!("{module}::{name}"),
    }
}

/// The attributes of an item of any kind.
pub(crate) fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
