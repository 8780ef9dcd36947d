//! A table as people read it: who owns what.
//!
//! Only words.

use std::collections::BTreeMap;

use globe::shards::Table;

/// One line for each member, and one for what nobody owns.
pub(crate) fn of(table: &Table) -> String {
    let mut owned: BTreeMap<String, Vec<u32>> = table
        .members()
        .map(|member| (member.id().to_owned(), Vec::new()))
        .collect();
    for shard in table.shards() {
        let owner = table.owner_of_shard(shard);
        let owner = owner.map_or_else(
            || "nobody".to_owned(),
            |owner| owner.member().id().to_owned(),
        );
        owned.entry(owner).or_default().push(shard);
    }
    let lines = owned.iter().map(|(who, shards)| {
        let shards: Vec<String> = shards.iter().map(|shard| format!("{shard:2}")).collect();
        match shards.is_empty() {
            true => format!("{who:>6} owns nothing"),
            false => format!("{who:>6} owns {}", shards.join(" ")),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How many shards each member owns.
pub(crate) fn counts(table: &Table) -> BTreeMap<String, u64> {
    let members = table.members().map(|member| (member.id().to_owned(), 0));
    let mut counts: BTreeMap<_, _> = members.collect();
    for owner in table
        .shards()
        .filter_map(|shard| table.owner_of_shard(shard))
    {
        *counts.entry(owner.member().id().to_owned()).or_default() += 1;
    }
    counts
}
