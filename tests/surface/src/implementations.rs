//! What the public types can do and the public traits are implemented by, wherever in the crate that is written.
//!
//! It never expands a macro: a call of one that implements a public trait is listed as it is written.

use std::collections::BTreeSet;

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

    /// `unsigned_keys!(u8, u16)`: listed with each public trait that the macro implements, and with each public type that it
    /// is given.
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
        let given = signature::tokens(&item.mac.tokens);
        let heads = body
            .split("impl")
            .filter_map(|rest| rest.split_once(" for "));
        let traits = heads.filter_map(|(head, _)| identifiers(after_parameters(head)).next());
        let words = traits.chain(identifiers(&given));
        let meanings = words.map(|word| self.modules.meaning(from, &[word.to_owned()]));
        let places: BTreeSet<String> = meanings.filter_map(|one| self.public(&one)).collect();
        let around = merged(around, &conditions(&item.attrs));
        for place in places {
            let text = format!("{called}!({given})");
            self.lines.implementation(&place, &around, &text);
        }
    }
}

/// What follows the parameters of an `impl`, if it has any.
fn after_parameters(head: &str) -> &str {
    let mut depth = 0;
    for (at, sign) in head.char_indices() {
        match sign {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 && !sign.is_whitespace() {
            let rest = &head[at..];
            return rest.strip_prefix('>').unwrap_or(rest);
        }
    }
    head
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
    words.filter(|word| !word.is_empty())
}
