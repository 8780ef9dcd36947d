//! What a keyspace holds that is not known: numbers and keys first, and then only the values that have changed.
//!
//! Never holds more than the keys of one part and the values of one page, and never mixes two revisions or two lives of the
//! log.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use etcd_client::proto::PbKeyValue;
use globe_log_client::{Change, Difference, Error, Keyspace, KnownKeys, Position, Record};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::Seen;
use crate::read::page_size::PageSize;
use crate::read::questions::{Questions, standing};
use crate::read::values::{self, Next, Placed};
use crate::read::windows::{self, Found, Item, Pace, by_all, by_news, is_crowded, part};
use crate::records::record;
use crate::records::reserved::is_reserved;
use crate::records::witness::{LastChange, Witness};

/// How many records are looked at by their keys with one request, but for those of one window.
const LOOK: usize = 4096;

/// Where the reading of a difference stands.
struct Changes {
    questions: Questions,
    pace: Pace,
    size: PageSize,
    /// How many operations a transaction takes.
    operations: usize,
    next: Step,
    last: Option<Witness>,
}

/// What is to be done next.
enum Step {
    /// How many records are in this part?
    Count(Range<usize>),
    /// So many are in this part: which of them are news?
    Compare(Range<usize>, usize),
    Look(Looking),
    Deliver(VecDeque<Placed>, Ahead),
    /// It is read as a snapshot is.
    ReadAll(Difference, Range<usize>),
    End,
}

/// The part after this one, and how many records are in it.
type Ahead = Option<(Range<usize>, usize)>;

/// The windows of a part in their order, of which some have to be looked at key by key.
struct Looking {
    windows: Vec<Looked>,
    ahead: Ahead,
}

/// A window, and what is not known in it; or how many records stand there, where the numbers do not tell.
struct Looked {
    window: Range<usize>,
    items: Result<Vec<Item>, usize>,
}

impl Cluster {
    /// What somebody does not know who stands at `since`, and knows these keys. The first count is read here, and fixes the
    /// revision of all that is read.
    pub(crate) async fn difference(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference, Error> {
        let begun = self.begin_difference(keyspace, since, known).await;
        let changes = begun.map_err(|fault| failed(fault, keyspace))?;
        let position = changes.questions.position;
        self.life.aim(keyspace, position);
        let stream = futures::stream::try_unfold(changes, |mut changes| async move {
            let page = changes.next_page().await?;
            Ok(page.map(|page| (page, changes)))
        });
        Ok(Difference::new(position, stream))
    }

    async fn begin_difference(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Changes, Fault> {
        let deadline = self.endpoints.deadline();
        match self.check_start(keyspace, since, deadline).await {
            // What is forgotten was there.
            Err(fault) if fault.class != Class::Compacted => return Err(fault),
            _ => {}
        }
        // One place each for the witness, for the epoch marker, and for the count of the next part.
        let operations = self.capabilities().max_operations.saturating_sub(2);
        let pace = Pace::new(operations);
        let first = part(known.as_slice().len(), 0, pace);
        let mut questions = Questions {
            cluster: Arc::clone(self),
            keyspace: keyspace.clone(),
            since,
            known,
            position: since,
        };
        let count = [questions.count(&first)];
        let options = self.page_call_options();
        let reading = self.read(keyspace, &count, Some(since.epoch), options);
        let reading = reading.await?;
        questions.position = reading.position;
        Ok(Changes {
            questions,
            pace,
            size: PageSize::new(self.endpoints.settings.page_size),
            operations: operations.max(1),
            next: Step::Compare(first, standing(reading.answers.first())),
            last: None,
        })
    }
}

impl Changes {
    /// The next page, which may be empty: each is one request. Nothing at the end.
    async fn next_page(&mut self) -> Result<Option<Vec<Change>>, Error> {
        match self.step().await {
            Ok(page) => Ok(page),
            Err(Stop::Fault(fault)) => Err(failed(fault, &self.questions.keyspace)),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    async fn step(&mut self) -> Result<Option<Vec<Change>>, Stop> {
        match std::mem::replace(&mut self.next, Step::End) {
            Step::Count(part) => {
                let count = [self.questions.count_there(&part)];
                let answers = self.questions.read(&count).await?;
                self.next = Step::Compare(part, standing(answers.first()));
            }
            Step::Compare(part, standing) if is_crowded(part.len(), standing) => {
                self.next = self.read_all(part)?;
            }
            Step::Compare(part, _) => self.next = self.compare(part).await?,
            Step::Look(looking) => self.next = self.look(looking).await?,
            Step::Deliver(items, ahead) => return Ok(Some(self.deliver(items, ahead).await?)),
            Step::ReadAll(mut all, part) => match all.next_page().await.map_err(Stop::Error)? {
                Some(page) => {
                    self.next = Step::ReadAll(all, part);
                    return Ok(Some(page));
                }
                None => self.next = self.after(&part).map_or(Step::End, Step::Count),
            },
            Step::End => {
                self.remember();
                return Ok(None);
            }
        }
        Ok(Some(Vec::new()))
    }

    /// All records of a part, as a snapshot has them.
    fn read_all(&self, part: Range<usize>) -> Result<Step, Stop> {
        let snapshot = self.questions.snapshot(&part);
        let known = KnownKeys::new(self.questions.known_in(&part).to_vec());
        let known = known.map_err(Stop::Error)?;
        let all = Difference::of_snapshot(snapshot, self.questions.since, known);
        Ok(Step::ReadAll(all.map_err(Stop::Error)?, part))
    }

    /// Asks for the keys of what is news in a part, and with it for the number of records in the next one.
    async fn compare(&mut self, part: Range<usize>) -> Result<Step, Fault> {
        let windows = windows::windows(&part);
        let next = self.after(&part);
        let news = windows.iter().map(|window| self.questions.news(window));
        let count = next.iter().map(|next| self.questions.count_there(next));
        let all: Vec<_> = news.chain(count).collect();
        let asked = Instant::now();
        let mut answers = match self.questions.read(&all).await {
            Err(fault) if is_too_much(fault.class) && self.pace.slow_down() => {
                return Ok(Step::Count(self.part(part.start)));
            }
            answers => answers?.into_iter(),
        };
        self.pace.took(asked.elapsed());
        let windows = windows.into_iter().map(|window| {
            let answer = answers.next().unwrap_or_default();
            let standing = standing(Some(&answer));
            let found = self.questions.found(answer).into_iter();
            let news: Vec<_> = found.map(|found| found.key).collect();
            let items = by_news(self.questions.known_in(&window), &news, standing);
            Looked {
                window,
                items: items.ok_or(standing),
            }
        });
        let windows = windows.collect();
        let standing = standing(answers.next().as_ref());
        let ahead = next.map(|next| (next, standing));
        Ok(Looking { windows, ahead }.next())
    }

    /// Asks for all keys of some windows in which the numbers do not tell.
    async fn look(&mut self, mut looking: Looking) -> Result<Step, Fault> {
        let (mut places, mut records) = (Vec::new(), 0);
        for (place, looked) in looking.windows.iter().enumerate() {
            if let Err(standing) = looked.items
                && (places.is_empty() || records + standing <= LOOK)
                && places.len() < self.operations
            {
                places.push(place);
                records += standing;
            }
        }
        let all = places.iter().map(|place| &looking.windows[*place].window);
        let all: Vec<_> = all.map(|window| self.questions.keys(window)).collect();
        let answers = match self.questions.read(&all).await {
            Err(fault) if is_too_much(fault.class) && self.operations > 1 => {
                self.operations = places.len().div_ceil(2);
                return Ok(Step::Look(looking));
            }
            answers => answers?,
        };
        for (place, answer) in places.into_iter().zip(answers) {
            let mut standing = self.questions.found(answer);
            // Records of Globe's own, which nobody knows.
            standing.retain(|found| found.is_news || !is_reserved(&found.key));
            let looked = &mut looking.windows[place];
            let known = self.questions.known_in(&looked.window);
            looked.items = Ok(by_all(known, standing));
        }
        Ok(looking.next())
    }

    /// Reads the values of the next items, and gives out all changes up to there.
    async fn deliver(
        &mut self,
        mut items: VecDeque<Placed>,
        ahead: Ahead,
    ) -> Result<Vec<Change>, Fault> {
        let next = values::next(&items, self.size.next(), self.operations);
        let found = match self.questions.values(&next).await {
            Err(fault) if self.can_ask_for_less(&fault, &next) => {
                self.next = Step::Deliver(items, ahead);
                return Ok(Vec::new());
            }
            Err(fault) if fault.class == Class::TooLargeToDecode => {
                self.tell_left_out(&next, &fault);
                None
            }
            found => Some(found?),
        };
        self.size.fit(found.as_deref().unwrap_or_default());
        let settled = items.drain(..next.items).map(|(_, item)| item);
        let changes = self.changes(settled, found)?;
        self.next = match (items.is_empty(), ahead) {
            (false, ahead) => Step::Deliver(items, ahead),
            (true, Some((part, standing))) => Step::Compare(part, standing),
            (true, None) => Step::End,
        };
        Ok(changes)
    }

    /// What becomes of these items, by the records that were found for them; by none, if there is one that is too large, which
    /// then is not there for anybody, as in a snapshot.
    fn changes(
        &mut self,
        items: impl Iterator<Item = Item>,
        found: Option<Vec<PbKeyValue>>,
    ) -> Result<Vec<Change>, Fault> {
        let mut changes = Vec::new();
        let mut found = found.map(Vec::into_iter);
        for item in items {
            let change = match (item, &mut found) {
                (Item::Gone(key), _) => Some(Change::delete(key)),
                (Item::Stands(Found { key, .. }), Some(found)) => {
                    let found = found.next().map(|found| self.taken(found));
                    let is_it = |found: &Record| found.key == key;
                    let text = "a key stood at a revision, and then it did not";
                    let missing = || Fault::new(Class::NotExecuted, text);
                    let found = found.filter(is_it).ok_or_else(missing)?;
                    Some(Change::Put(found))
                }
                (Item::Stands(Found { key, .. }), None) => {
                    let is_known = self.questions.known.as_slice().binary_search(&key).is_ok();
                    is_known.then(|| Change::delete(key))
                }
            };
            changes.extend(change);
        }
        Ok(changes)
    }

    /// The record, of which the newest is remembered.
    fn taken(&mut self, found: PbKeyValue) -> Record {
        let seen = self.last.as_ref().map_or(0, |last| last.revision);
        if u64::try_from(found.mod_revision).is_ok_and(|at| at > seen) {
            self.last = Some(Witness::of(&found));
        }
        record(
            &self.questions.cluster.keys,
            &self.questions.keyspace,
            found,
        )
    }

    /// What was seen of the keyspace, for the tail that comes after it.
    fn remember(&mut self) {
        let Some(last) = self.last.take() else {
            return;
        };
        let at = self.questions.position.revision.0;
        let seen = Seen {
            at,
            changed: at,
            last: Some(LastChange::Put(last)),
        };
        let life = &self.questions.cluster.life;
        life.saw(
            &self.questions.keyspace,
            self.questions.position.epoch,
            seen,
        );
    }

    /// Less is asked for from now on, if there is less than that.
    fn can_ask_for_less(&mut self, fault: &Fault, asked: &Next) -> bool {
        match fault.class {
            Class::TooLargeToDecode if asked.records > 1 => {
                while self.size.next() >= asked.records && self.size.shrink() {}
                true
            }
            Class::TooManyOperations | Class::TooManyBytes if asked.runs.len() > 1 => {
                self.operations = asked.runs.len() / 2;
                true
            }
            _ => false,
        }
    }

    /// The part from a known key on.
    fn part(&self, from: usize) -> Range<usize> {
        part(self.questions.known.as_slice().len(), from, self.pace)
    }

    /// The part after one, if there is one.
    fn after(&self, passed: &Range<usize>) -> Option<Range<usize>> {
        (passed.end < self.questions.known.as_slice().len()).then(|| self.part(passed.end))
    }

    fn tell_left_out(&self, asked: &Next, fault: &Fault) {
        for run in &asked.runs {
            let (keyspace, key) = (
                &self.questions.keyspace,
                String::from_utf8_lossy(&run.first),
            );
            let limit = self.questions.cluster.endpoints.settings.max_message_bytes;
            tracing::error!(%keyspace, %key, limit, reason = %fault, "a record is larger than this client accepts, and is left out");
        }
    }
}

impl Looking {
    /// What is to be done now.
    fn next(self) -> Step {
        if self.windows.iter().any(|looked| looked.items.is_err()) {
            return Step::Look(self);
        }
        let windows = self.windows.into_iter().enumerate();
        let items = windows.flat_map(|(window, looked)| {
            let items = looked.items.unwrap_or_default().into_iter();
            items.map(move |item| (window, item))
        });
        Step::Deliver(items.collect(), self.ahead)
    }
}

/// Why there is no page.
enum Stop {
    Fault(Fault),
    Error(Error),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

fn is_too_much(class: Class) -> bool {
    matches!(
        class,
        Class::TooLargeToDecode | Class::TooManyOperations | Class::TooManyBytes
    )
}

fn failed(fault: Fault, keyspace: &Keyspace) -> Error {
    let doing = format_args!("reading what has changed in keyspace {keyspace}");
    fault.into_error().while_doing(doing)
}
