//! One item on one line: its signature, without its body.
//!
//! Never its attributes or its path: whoever lists it adds those.

use syn::punctuated::Punctuated;
use syn::{
    Attribute, Block, Field, Fields, File, FnArg, Item, ItemEnum, ItemFn, ItemImpl, ItemStruct,
    ItemTrait, ItemType, Pat, Signature, TraitItemType, Type, Variant, Visibility,
};

/// A function or a method.
pub(crate) fn function(visibility: &Visibility, signature: &Signature) -> String {
    let mut signature = signature.clone();
    signature.inputs.iter_mut().for_each(forget_mut);
    let item = ItemFn {
        attrs: Vec::new(),
        vis: visibility.clone(),
        sig: signature,
        block: Box::new(Block {
            brace_token: Default::default(),
            stmts: Vec::new(),
        }),
    };
    bare(Item::Fn(item))
}

/// `mut` before a parameter is the business of the body.
fn forget_mut(input: &mut FnArg) {
    match input {
        FnArg::Receiver(receiver) if receiver.reference.is_none() => receiver.mutability = None,
        FnArg::Receiver(_) => {}
        FnArg::Typed(typed) => {
            if let Pat::Ident(name) = &mut *typed.pat {
                name.mutability = None;
            }
        }
    }
}

pub(crate) fn of_trait(item: &ItemTrait) -> String {
    bare(Item::Trait(ItemTrait {
        attrs: Vec::new(),
        items: Vec::new(),
        ..item.clone()
    }))
}

pub(crate) fn implementation(item: &ItemImpl) -> String {
    bare(Item::Impl(ItemImpl {
        attrs: Vec::new(),
        items: Vec::new(),
        ..item.clone()
    }))
}

/// Any other item, without its attributes: what it is made of stays.
pub(crate) fn whole(item: Item) -> String {
    bare(item)
}

/// A struct without its public fields, which are listed by themselves: `pub struct Record` has no other, `pub struct
/// View<K, V> { .. }` has.
pub(crate) fn of_struct(item: &ItemStruct) -> String {
    let head = bare(Item::Struct(ItemStruct {
        attrs: Vec::new(),
        fields: Fields::Unit,
        semi_token: Some(Default::default()),
        ..item.clone()
    }));
    let is_private = |field: &Field| !matches!(field.vis, Visibility::Public(_));
    match &item.fields {
        Fields::Unit => format!("{head};"),
        Fields::Unnamed(fields) => format!("{head}{}", tuple(&fields.unnamed)),
        Fields::Named(fields) if fields.named.iter().any(is_private) => format!("{head} {{ .. }}"),
        Fields::Named(_) => head,
    }
}

/// An enum without its variants, which are listed by themselves.
pub(crate) fn of_enum(item: &ItemEnum) -> String {
    bare(Item::Enum(ItemEnum {
        attrs: Vec::new(),
        variants: Punctuated::new(),
        ..item.clone()
    }))
}

pub(crate) fn variant(given: &Variant) -> String {
    let fields = match &given.fields {
        Fields::Unit => String::new(),
        Fields::Unnamed(fields) => format!("({})", types(&fields.unnamed)),
        Fields::Named(fields) => {
            let fields = fields.named.iter().map(field).collect::<Vec<_>>();
            format!(" {{ {} }}", fields.join(", "))
        }
    };
    let value = given.discriminant.as_ref();
    let value = value.map(|(_, value)| format!(" = {}", tokens(value)));
    format!("{}{fields}{}", given.ident, value.unwrap_or_default())
}

/// The fields of a tuple, each private one as `_`.
fn tuple(fields: &Punctuated<Field, syn::Token![,]>) -> String {
    let fields = fields.iter().map(|field| match &field.vis {
        Visibility::Public(_) => format!("pub {}", type_of(&field.ty)),
        _ => "_".to_owned(),
    });
    format!("({})", fields.collect::<Vec<_>>().join(", "))
}

/// `name: Type`.
pub(crate) fn field(given: &Field) -> String {
    let name = given.ident.as_ref().map(|name| format!("{name}: "));
    format!("{}{}", name.unwrap_or_default(), type_of(&given.ty))
}

fn types(fields: &Punctuated<Field, syn::Token![,]>) -> String {
    let types = fields.iter().map(|field| type_of(&field.ty));
    types.collect::<Vec<_>>().join(", ")
}

pub(crate) fn type_of(given: &Type) -> String {
    let alias: ItemType = syn::parse_quote!(type T = #given;);
    let text = one_line(&print(Item::Type(alias)));
    text.trim_start_matches("type T = ")
        .trim_end_matches(';')
        .to_owned()
}

/// `#[cfg(feature = "etcd")]`.
pub(crate) fn attribute(given: &Attribute) -> String {
    let mut item: ItemFn = syn::parse_quote!(
        fn f() {}
    );
    item.attrs.push(given.clone());
    let text = one_line(&print(Item::Fn(item)));
    text.trim_end_matches("{}")
        .trim_end()
        .trim_end_matches("fn f()")
        .trim_end()
        .to_owned()
}

/// A type that a trait leaves to whoever implements it.
pub(crate) fn associated(item: &TraitItemType) -> String {
    let item = TraitItemType {
        attrs: Vec::new(),
        ..item.clone()
    };
    tokens(&item).trim_end_matches(';').to_owned()
}

/// What a macro is given, of which nothing else is known.
pub(crate) fn tokens(given: &impl quote::ToTokens) -> String {
    let line = one_line(&given.to_token_stream().to_string());
    let wide = [(" ,", ","), (" :", ":"), (" ;", ";"), ("$ ", "$")];
    wide.iter()
        .fold(line, |line, (from, to)| line.replace(from, to))
}

fn bare(item: Item) -> String {
    let text = one_line(&print(item));
    let text = text.strip_suffix("{}").unwrap_or(&text).trim_end();
    let text = text.strip_suffix([',', ';']).unwrap_or(text);
    text.to_owned()
}

fn print(item: Item) -> String {
    prettyplease::unparse(&File {
        shebang: None,
        attrs: Vec::new(),
        items: vec![item],
    })
}

/// What was broken into lines for people, on one.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let broken = [
        ("( ", "("),
        (", )", ")"),
        (" )", ")"),
        ("< ", "<"),
        (", >", ">"),
    ];
    broken
        .iter()
        .fold(line, |line, (from, to)| line.replace(from, to))
}
