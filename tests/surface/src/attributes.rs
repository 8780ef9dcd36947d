//! The attributes of an item that are part of its surface: what it needs, what it asks of its user.
//!
//! Never documentation, lints or the reasons given: they may change without a caller's noticing.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

use crate::signature::attribute;

/// What is shown before an item, in the order of the source; conditions are left to [`conditions`].
pub(crate) fn shown(attributes: &[Attribute]) -> Vec<String> {
    attributes.iter().filter_map(show).collect()
}

fn show(given: &Attribute) -> Option<String> {
    let name = name(given)?;
    match &*name {
        // Its reason is a text for people.
        "must_use" => Some("#[must_use]".to_owned()),
        "deprecated" => Some("#[deprecated]".to_owned()),
        "non_exhaustive" | "async_trait" | "repr" => Some(attribute(given)),
        "doc" if is_hidden(given) => Some("#[doc(hidden)]".to_owned()),
        _ => None,
    }
}

/// The conditions under which an item is there: `#[cfg(feature = "etcd")]`.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<String> {
    let conditions = attributes
        .iter()
        .filter(|given| given.path().is_ident("cfg"));
    conditions.map(attribute).collect()
}

/// Whether an item is only there for tests.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    conditions(attributes)
        .iter()
        .any(|condition| condition == "#[cfg(test)]" || condition.starts_with("#[cfg(all(test,"))
}

pub(crate) fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|given| given.path().is_ident(name))
}

/// The traits an item derives, in one text for each condition it derives some under: `derives Clone, Debug`.
pub(crate) fn derives(attributes: &[Attribute]) -> Vec<String> {
    let mut found = BTreeMap::new();
    for given in attributes {
        derived(&given.meta, "", &mut found);
    }
    let texts = found.into_iter().map(|(condition, traits)| {
        let traits = traits.into_iter().collect::<Vec<_>>().join(", ");
        format!("{condition}derives {traits}")
    });
    texts.collect()
}

fn derived(meta: &Meta, condition: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let Ok(list) = meta.require_list() else {
        return;
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let Ok(parts) = parts else {
        return;
    };
    let texts = parts.iter().map(|part| part.to_token_stream().to_string());
    if list.path.is_ident("derive") {
        let under = found.entry(condition.to_owned()).or_default();
        under.extend(texts.map(|name| name.replace(' ', "")));
    } else if list.path.is_ident("cfg_attr") {
        let under: String = texts.take(1).collect();
        let under = format!("{condition}#[cfg({under})] ");
        parts
            .iter()
            .skip(1)
            .for_each(|part| derived(part, &under, found));
    }
}

/// The last segment: `async_trait` may be written with the crate it comes from.
fn name(given: &Attribute) -> Option<String> {
    given
        .path()
        .segments
        .last()
        .map(|last| last.ident.to_string())
}

fn is_hidden(given: &Attribute) -> bool {
    let list = given.meta.require_list();
    list.is_ok_and(|list| list.tokens.to_string() == "hidden")
}
