//! The log: claims, leases, its lives, and one backup.
//!
//! Never knows what its clients want; it applies what reaches it, if its guards hold.

use std::sync::Arc;

/// A claim that stands. Its key is its client and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Record {
    pub created: u8,
    pub client: u8,
    pub number: u8,
    pub lease: u8,
    pub reads: bool,
}

/// What stood at one moment. Only creations are counted as revisions: nothing else is ever compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Content {
    pub epoch: u8,
    /// The newest creation.
    pub last: u8,
    /// In the order of their creation.
    pub records: Vec<Record>,
}

impl Content {
    pub(crate) fn at(&self, client: u8, number: u8) -> Option<&Record> {
        let mut records = self.records.iter();
        records.find(|record| (record.client, record.number) == (client, number))
    }

    /// It without some records.
    pub(crate) fn without(&self, gone: impl Fn(&Record) -> bool) -> Content {
        let mut next = self.clone();
        next.records.retain(|record| !gone(record));
        next
    }
}

/// A lease, by its client and how many that one had before. No id is ever granted twice.
pub type Lease = (u8, u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Log {
    /// From the oldest that a client still sees to the newest.
    pub history: Vec<Arc<Content>>,
    pub leases: Vec<Lease>,
    pub backup: (Arc<Content>, Vec<Lease>),
    pub is_backed_up: bool,
}

impl Log {
    /// An empty one, in which each client has its first lease.
    pub(crate) fn new(clients: u8) -> Log {
        let content = Arc::new(Content {
            epoch: 1,
            last: 0,
            records: Vec::new(),
        });
        let leases: Vec<Lease> = (0..clients).map(|client| (client, 1)).collect();
        Log {
            history: vec![Arc::clone(&content)],
            backup: (content, leases.clone()),
            leases,
            is_backed_up: false,
        }
    }

    pub(crate) fn head(&self) -> &Content {
        &self.history[self.history.len() - 1]
    }

    /// Where a view that shows everything is.
    pub(crate) fn end(&self) -> u8 {
        self.history.len() as u8 - 1
    }

    fn push(&mut self, content: Content) {
        if *self.head() != content {
            self.history.push(Arc::new(content));
        }
    }

    /// Creates a claim; the commit that did, or what stands there already.
    pub(crate) fn create(&mut self, record: Record, epoch: u8) -> Result<u8, Option<Record>> {
        let mut next = self.head().clone();
        let is_alive = self.leases.contains(&(record.client, record.lease));
        if next.epoch != epoch || !is_alive {
            return Err(None);
        }
        if let Some(record) = next.at(record.client, record.number) {
            return Err(Some(*record));
        }
        next.last += 1;
        let created = next.last;
        next.records.push(Record { created, ..record });
        self.push(next);
        Ok(created)
    }

    pub(crate) fn delete(&mut self, gone: impl Fn(&Record) -> bool) {
        self.push(self.head().without(gone));
    }

    /// A lease ends, with all that is under it.
    pub(crate) fn end_lease(&mut self, lease: Lease) {
        self.leases.retain(|other| *other != lease);
        self.delete(|record| (record.client, record.lease) == lease);
    }

    pub(crate) fn back_up(&mut self) {
        let head = Arc::clone(&self.history[self.history.len() - 1]);
        self.backup = (head, self.leases.clone());
        self.is_backed_up = true;
    }

    pub(crate) fn forget_backup(&mut self) {
        let head = Arc::clone(&self.history[self.history.len() - 1]);
        self.backup = (head, Vec::new());
        self.is_backed_up = true;
    }

    /// What was backed up, in another life. The leases of then live again, and end by themselves.
    pub(crate) fn restore(&mut self) {
        let epoch = self.head().epoch + 1;
        let (content, leases) = self.backup.clone();
        self.leases = leases;
        self.push(Content {
            epoch,
            ..(*content).clone()
        });
    }

    /// Forgets what nobody sees any more; by how much the views are off then.
    pub(crate) fn forget_before(&mut self, oldest: u8) {
        self.history.drain(..usize::from(oldest));
    }
}
