//! What can happen.
//!
//! Only says it: the world does it.

use proptest::prelude::*;

pub(crate) const KEYS: [&str; 6] = ["a", "a/1", "a/2", "ab", "b", "b/1"];

type Key = &'static str;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Open,
    Cut(usize, bool),
    Silence,
    Compact,
    Restore(bool),
    Pause(u64),
    Poll(usize, usize),
    RawPut(Key),
    RawDelete(Key),
    Elsewhere,
    Put(usize, Key),
    Create(usize, Key),
    PutIf(usize, Key),
    Update(usize, Key),
    PutAll(usize, Vec<Key>),
    Transact(usize, Key, Key),
    Delete(usize, Key),
    DeletePrefix(usize, Key),
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let node = 0..4_usize;
    let key = prop::sample::select(KEYS.as_slice());
    let at = || (node.clone(), key.clone());
    prop_oneof![
        1 => Just(Op::Open),
        3 => (node.clone(), any::<bool>()).prop_map(|(node, is_cut)| Op::Cut(node, is_cut)),
        1 => Just(Op::Silence),
        2 => Just(Op::Compact),
        1 => any::<bool>().prop_map(Op::Restore),
        3 => (0..3000_u64).prop_map(Op::Pause),
        8 => (node.clone(), 0..20_usize).prop_map(|(node, follower)| Op::Poll(node, follower)),
        5 => key.clone().prop_map(Op::RawPut),
        2 => key.clone().prop_map(Op::RawDelete),
        1 => Just(Op::Elsewhere),
        8 => at().prop_map(|(node, key)| Op::Put(node, key)),
        3 => at().prop_map(|(node, key)| Op::Create(node, key)),
        3 => at().prop_map(|(node, key)| Op::PutIf(node, key)),
        3 => at().prop_map(|(node, key)| Op::Update(node, key)),
        2 => (node.clone(), prop::collection::vec(key.clone(), 1..6)).prop_map(|(node, keys)| Op::PutAll(node, keys)),
        4 => (at(), key.clone()).prop_map(|((node, one), other)| Op::Transact(node, one, other)),
        4 => at().prop_map(|(node, key)| Op::Delete(node, key)),
        1 => at().prop_map(|(node, key)| Op::DeletePrefix(node, key)),
    ]
}
