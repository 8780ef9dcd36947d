//! What the public types can do and the public traits are implemented by, wherever in the crate that is written.
//!
//! It never expands a macro: a call of one that implements a public trait is listed as it is written.

use syn::{Item, ItemImpl, ItemMacro};

use crate::attributes::conditions;
use crate::lines::merged;
use crate::names::{Meaning, segments};
use crate::signature;
use crate::surface::Surface;

impl Surface<'_> {
    pub(crate) fn implementations(&mut self, name: &str) {
        let modules = self.modules;
        for (from, module) in &modules.all {
            for item in &module.items {
                match item {
                    Item::Impl(item) => {
                        let around = merged(&module.conditions, &conditions(&item.attrs));
                        self.implementation(from, item, name, &around);
                    }
                    Item::Macro(item) if item.ident.is_none() => {
                        self.call(from, item, &module.conditions);
                    }
                    _ => {}
                }
            }
        }
    }

    fn implementation(&mut self, from: &str, item: &ItemImpl, name: &str, around: &[String]) {
        let of = self.modules.meaning_of_type(from, &item.self_ty);
        let Some((_, path, _)) = &item.trait_ else {
            if let Some(path) = self.public(&of) {
                self.lines.inherent(&path, item, around);
            }
            return;
        };
        let given = self.modules.meaning(from, &segments(path));
        let place = match (&of, &given) {
            // A trait of ours that nobody outside can name.
            (_, Meaning::Item(_)) if self.public(&given).is_none() => None,
            (Meaning::Item(_), _) => self.public(&of),
            (_, Meaning::Item(_)) => self.public(&given),
            // `impl From<Ours> for Theirs`.
            _ => Some(name.to_owned()),
        };
        if let Some(place) = place {
            self.lines.implemented(&place, item, around);
        }
    }

    fn public(&self, meaning: &Meaning) -> Option<String> {
        match meaning {
            Meaning::Item(defined) => self.paths.get(defined).cloned(),
            Meaning::Module(_) | Meaning::Outside => None,
        }
    }

    /// `unsigned_keys!(u8, u16)`: listed with each public trait that the macro implements.
    fn call(&mut self, from: &str, item: &ItemMacro, around: &[String]) {
        let Some(called) = item.mac.path.get_ident() else {
            return;
        };
        let defined = self.modules.all.values().flat_map(|module| &module.items);
        let defined = defined.filter_map(|item| match item {
            Item::Macro(item) => item.ident.as_ref().map(|ident| (ident, item)),
            _ => None,
        });
        let Some(body) = defined
            .filter(|(ident, _)| *ident == called)
            .map(|(_, item)| signature::tokens(&item.mac.tokens))
            .next()
        else {
            return;
        };
        let words: Vec<&str> = body.split(' ').collect();
        for pair in words.windows(2).filter(|pair| pair[1] == "for") {
            let meaning = self.modules.meaning(from, &[pair[0].to_owned()]);
            if let Some(path) = self.public(&meaning) {
                let around = merged(around, &conditions(&item.attrs));
                let text = format!("{called}!({})", signature::tokens(&item.mac.tokens));
                self.lines.implementation(&path, &around, &text);
            }
        }
    }
}
