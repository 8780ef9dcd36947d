//! The surface of a crate: what a user can reach from its root, whatever the modules it is defined in.
//!
//! It never lists what cannot be named from outside, be it `pub`.

use std::collections::BTreeMap;

use syn::{Item, ItemUse};

use crate::attributes::conditions;
use crate::error::Result;
use crate::lines::{Lines, is_exported, merged};
use crate::modules::{Module, Modules, join};
use crate::names::{Defined, Meaning, imports, is_public, name_of};
use crate::sources::Sources;

/// The listing of the crate whose library is called `name`: one line for each public item, sorted. A module without a file,
/// or a file that is no Rust, is an error.
pub fn surface(name: &str, sources: &Sources) -> Result<String> {
    let modules = Modules::read(sources)?;
    let mut surface = Surface {
        modules: &modules,
        paths: BTreeMap::new(),
        lines: Lines::default(),
    };
    if let Some(root) = modules.all.get("") {
        surface.module("", root, name, &[]);
    }
    surface.macros(name);
    surface.implementations(name);
    Ok(surface.lines.text())
}

pub(crate) struct Surface<'a> {
    pub(crate) modules: &'a Modules,
    /// The first public path of each item that has one.
    pub(crate) paths: BTreeMap<Defined, String>,
    pub(crate) lines: Lines,
}

impl Surface<'_> {
    /// Lists what the module at `from` shows, as a user sees it: under `path`.
    fn module(&mut self, from: &str, module: &Module, path: &str, around: &[String]) {
        let around = merged(around, &module.conditions);
        let public = module.items.iter().filter(|item| is_public(item));
        for item in public {
            match item {
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    self.enter(&join(from, &name), &format!("{path}::{name}"), &around);
                }
                Item::Use(item) => self.imports(from, item, path, &around),
                item => {
                    if let Some(name) = name_of(item) {
                        let defined = Defined {
                            module: from.to_owned(),
                            name: name.to_string(),
                        };
                        self.item(&defined, &format!("{path}::{name}"), &around);
                    }
                }
            }
        }
    }

    fn enter(&mut self, from: &str, path: &str, around: &[String]) {
        if let Some(module) = self.modules.all.get(from) {
            self.module(from, module, path, around);
        }
    }

    fn imports(&mut self, from: &str, item: &ItemUse, path: &str, around: &[String]) {
        let around = merged(around, &conditions(&item.attrs));
        for import in imports(item) {
            let meaning = self.modules.meaning(from, &import.path);
            let here = match &import.name {
                Some(name) => format!("{path}::{name}"),
                None => path.to_owned(),
            };
            match meaning {
                Meaning::Module(module) => self.enter(&module, &here, &around),
                Meaning::Item(defined) => self.item(&defined, &here, &around),
                Meaning::Outside => {
                    let all = if import.name.is_none() { "::*" } else { "" };
                    let target = format!("{}{all}", import.path.join("::"));
                    self.lines.import(&here, &target, &around);
                }
            }
        }
    }

    fn item(&mut self, defined: &Defined, path: &str, around: &[String]) {
        let Some(module) = self.modules.all.get(&defined.module) else {
            return;
        };
        match self.paths.get(defined) {
            // A module that is shown twice.
            Some(first) if first == path => return,
            Some(first) => return self.lines.import(path, first, around),
            None => self.paths.insert(defined.clone(), path.to_owned()),
        };
        let around = merged(&module.conditions, around);
        let named = |item: &&Item| name_of(item).is_some_and(|name| *name == defined.name);
        for item in module
            .items
            .iter()
            .filter(named)
            .filter(|item| is_public(item))
        {
            self.lines.item(path, item, &around);
        }
    }

    fn macros(&mut self, name: &str) {
        for module in self.modules.all.values() {
            for item in &module.items {
                if let (Item::Macro(item), Some(ident)) = (item, macro_name(item)) {
                    let path = format!("{name}::{ident}!");
                    self.lines.exported(&path, item, &module.conditions);
                }
            }
        }
    }
}

fn macro_name(item: &Item) -> Option<&syn::Ident> {
    match item {
        Item::Macro(item) if is_exported(item) => item.ident.as_ref(),
        _ => None,
    }
}
