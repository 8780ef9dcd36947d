//! JSON merge patches, as RFC 7396 says: what a layer holds, laid over what lies below it.
//!
//! Never looks at what a value means.

use serde_json::{Map, Value};

/// A value with a patch laid over it: objects field by field, where `null` takes a field away; everything else as a whole.
pub(crate) fn merged(below: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut fields = match below {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    for (name, patch) in patch {
        if patch.is_null() {
            fields.remove(name);
            continue;
        }
        let below = fields.remove(name).unwrap_or_default();
        fields.insert(name.clone(), merged(below, patch));
    }
    Value::Object(fields)
}

/// The patch that makes one value of another: the value itself, and `null` for the fields that only the other has. No patch
/// says that a field is `null`.
pub(crate) fn covering(below: &Value, value: &Value) -> Value {
    let (Value::Object(below), Value::Object(fields)) = (below, value) else {
        return value.clone();
    };
    let gone = below.keys().filter(|name| !fields.contains_key(*name));
    let mut patch: Map<_, _> = gone.map(|name| (name.clone(), Value::Null)).collect();
    for (name, value) in fields {
        let value = match below.get(name) {
            Some(below) => covering(below, value),
            None => value.clone(),
        };
        patch.insert(name.clone(), value);
    }
    Value::Object(patch)
}

/// The fields of a value that have no fields themselves, each by its JSON pointer (RFC 6901); of what has none, itself.
pub(crate) fn leaves(value: &Value) -> Vec<String> {
    let mut leaves = Vec::new();
    collect(value, String::new(), &mut leaves);
    leaves
}

fn collect(value: &Value, pointer: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(value, format!("{pointer}/{name}"), leaves);
            }
        }
        _ => leaves.push(pointer),
    }
}

/// Whether a patch decides what a field is.
pub(crate) fn decides(patch: &Value, pointer: &str) -> bool {
    let mut patch = patch;
    for name in pointer.split('/').skip(1) {
        let Value::Object(fields) = patch else {
            return true;
        };
        let name = name.replace("~1", "/").replace("~0", "~");
        match fields.get(&name) {
            Some(inner) => patch = inner,
            None => return false,
        }
    }
    // An empty object changes nothing where there is one already.
    patch.as_object().is_none_or(|fields| !fields.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of the RFC's appendix.
    #[test]
    fn patches_are_those_of_the_rfc() {
        let table = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (
                json!({"a":"b","b":"c"}),
                json!({"a":null}),
                json!({"b":"c"}),
            ),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (
                json!({}),
                json!({"a":{"bb":{"ccc":null}}}),
                json!({"a":{"bb":{}}}),
            ),
        ];
        for (below, patch, outcome) in table {
            assert_eq!(
                merged(below.clone(), &patch),
                outcome,
                "{below} with {patch}"
            );
        }
    }

    #[test]
    fn a_covering_patch_makes_one_value_of_another() {
        let values = [
            json!(7),
            json!([1, {"a": 1}]),
            json!({}),
            json!({"a": 1}),
            json!({"a": {"b": 1, "c": {}}, "d": [2]}),
            json!({"a": {"c": 2}, "e": "f"}),
        ];
        for below in &values {
            for value in &values {
                let patch = covering(below, value);
                assert_eq!(merged(below.clone(), &patch), *value, "{below} by {patch}");
            }
        }
    }

    #[test]
    fn a_field_is_decided_by_who_names_it_or_what_it_is_in() {
        let value = json!({"a":{"b":1,"c/d":2},"e":[1]});
        assert_eq!(leaves(&value), ["/a/b", "/a/c~1d", "/e"]);
        assert_eq!(leaves(&json!(7)), [""]);
        assert!(decides(&json!({"a":{"b":1}}), "/a/b"));
        assert!(!decides(&json!({"a":{"b":1}}), "/a/c~1d"));
        assert!(decides(&json!({"a":{"c/d":1}}), "/a/c~1d"));
        assert!(decides(&json!(7), ""));
        assert!(decides(&json!(7), "/a/b"));
        assert!(!decides(&json!({}), ""));
    }
}
