//! A member as it stands in the log: JSON that people can read and write.
//!
//! Never says who it is: that is the key.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::recipes::registry::member::{Member, State, WEIGHT};

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Record<T> {
    #[serde(default)]
    pub(crate) state: State,
    #[serde(default = "weight")]
    weight: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(serialize_with = "write", deserialize_with = "read")]
    data: Arc<T>,
}

fn weight() -> u32 {
    WEIGHT
}

fn write<T: Serialize, S: Serializer>(data: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
    data.as_ref().serialize(serializer)
}

fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Arc<T>, D::Error> {
    T::deserialize(deserializer).map(Arc::new)
}

impl<T> Record<T> {
    pub(crate) fn of(member: &Member<T>) -> Record<T> {
        Record {
            state: member.state,
            weight: member.weight,
            zone: member.zone.clone(),
            data: Arc::clone(&member.data),
        }
    }

    pub(crate) fn member(&self, id: &str) -> Member<T> {
        Member {
            id: id.to_owned(),
            state: self.state,
            weight: self.weight,
            zone: self.zone.clone(),
            data: Arc::clone(&self.data),
        }
    }
}

impl<T: Serialize> Record<T> {
    /// Whether it says of the member what is known of it. A session that was lost writes its entries again, which is no news:
    /// nobody has to connect anew for it.
    pub(crate) fn says_no_more_than(&self, member: &Member<T>) -> bool {
        self.state == member.state
            && self.weight == member.weight
            && self.zone == member.zone
            && is_same(&self.data, &member.data)
    }
}

/// Whether two are the same, as they stand in the log: a `T` need not be comparable.
pub(crate) fn is_same<T: Serialize>(one: &Arc<T>, other: &Arc<T>) -> bool {
    // Whoever panics here is a `Serialize` of the caller's.
    let text = |data: &T| {
        let text = catch_unwind(AssertUnwindSafe(|| serde_json::to_vec(data)));
        text.ok()?.ok()
    };
    Arc::ptr_eq(one, other) || text(one).is_some_and(|one| Some(one) == text(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_can_be_read_and_written_by_people() {
        let member = Member::new("web-7", 80_u16).weight(50).zone("a");
        let text = r#"{"state":"up","weight":50,"zone":"a","data":80}"#;
        assert_eq!(serde_json::to_string(&Record::of(&member)).unwrap(), text);
        let read = |text| serde_json::from_str::<Record<u16>>(text).unwrap();
        assert_eq!(read(text).member("web-7"), member);
        let by_hand = read(r#"{"id":"other","data":80,"since":"today"}"#);
        assert_eq!(by_hand.member("web-8"), Member::new("web-8", 80));
    }

    #[test]
    fn a_record_that_says_the_same_is_no_news() {
        let member = Member::new("web-7", vec![1_u8]);
        let of = |member: Member<Vec<u8>>| Record::of(&member);
        assert!(of(Member::new("web-7", vec![1])).says_no_more_than(&member));
        let others = [
            Member::new("web-7", vec![2]),
            Member::new("web-7", vec![1]).weight(1),
            Member::new("web-7", vec![1]).zone("a"),
            Member::new("web-7", vec![1]).state(State::Down),
        ];
        for other in others {
            assert!(!of(other.clone()).says_no_more_than(&member), "{other:?}");
        }
    }
}
