//! Ranges of etcd-client, page by page, as large as Globe's: what everybody has to read who wants all records.
//!
//! It never decodes what it reads: that is left to who looks at a page.

use etcd_client::{Client, GetOptions, KeyValue};
use globe_bench::Done;

use crate::filling::name;

/// The records of the first page and of the others, as `EtcdLog` asks for them when they are this small.
const PAGES: (usize, usize) = (1_000, 3_000);

/// Where a page ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Where so many records are read: it is done so without a thought, and the server counts what is left for each page.
    Counted,
    /// At a key that is named, by one who knows all keys.
    Known,
}

/// Reads so many records, and shows each page.
pub(crate) async fn read(
    client: &mut Client,
    keyspace: &str,
    entries: usize,
    ends: Ends,
    mut look: impl FnMut(&[KeyValue]) -> Done,
) -> Done {
    let mut client = client.kv_client().max_decoding_message_size(64 << 20);
    let (mut start, mut revision, mut count) = (format!("{keyspace}/").into_bytes(), 0, 0);
    loop {
        let size = if count == 0 { PAGES.0 } else { PAGES.1 };
        let end = match count + size {
            next if ends == Ends::Known && next < entries => name(keyspace, next),
            _ => format!("{keyspace}0"),
        };
        let options = GetOptions::new()
            .with_range(end)
            .with_limit(i64::try_from(size)?)
            .with_revision(revision);
        let page = client.get(start, Some(options)).await?;
        revision = page.header().map_or(0, |header| header.revision());
        count += page.kvs().len();
        look(page.kvs())?;
        match page.kvs().last() {
            Some(last) if count < entries => start = [last.key(), b"\0"].concat(),
            _ => break,
        }
    }
    if count != entries {
        return Err(format!("read {count} records of {entries}").into());
    }
    Ok(())
}
