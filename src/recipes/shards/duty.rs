//! The task of one member: it is a member as long as it can be, and tells its worker what to do.
//!
//! Never lets the member own what its clocks, its record or its row do not say it owns.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::ground::backoff::Backoff;
use crate::recipes::shards::budget::Budget;
use crate::recipes::shards::common::Common;
use crate::recipes::shards::jobs::{Jobs, Standing};
use crate::recipes::shards::membership::Membership;
use crate::recipes::shards::post::Post;
use crate::recipes::shards::record::RowId;
use crate::recipes::shards::row::Mode;
use crate::recipes::shards::saying::{Outcome, say};
use crate::recipes::shards::shard_member::{MemberState, ShardMember};
use crate::recipes::shards::steps::Told;
use crate::recipes::shards::table::Table;
use crate::{ErrorKind, Loss, Position, Result, Session, SessionState};

/// How long what is to be said is collected, to be committed together.
const TOGETHER: Duration = Duration::from_millis(5);

/// After how long a row is tried again that nobody could read.
const UNREADABLE: Duration = Duration::from_secs(1);

/// Something under way, and what came of it.
enum Errand {
    /// What is to be said was collected for long enough.
    Collected,
    Said(Vec<RowId>, Result<Outcome>),
    /// After a pause it is to be said again.
    SayAgain(Vec<RowId>),
    /// The table shows what became of these rows.
    Shown(Vec<RowId>),
    /// After a pause rows that nobody could read are to be tried again.
    TryAgain(Vec<RowId>),
    Joined(Result<Membership>),
    /// The member is known to be leaving, or is none any more.
    Marked,
    Ended(Result<()>),
}

type Errands = FuturesUnordered<Pin<Box<dyn Future<Output = Errand> + Send>>>;

/// How far a member has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    No,
    /// It tells the others.
    Marking,
    /// It gives away what it has.
    Draining,
    /// It drops what nobody took.
    Stopping,
    /// It deletes its record.
    Ending,
    Left,
}

/// The task of one member.
pub(crate) struct Duty {
    common: Arc<Common>,
    session: Session,
    id: String,
    member: ShardMember,
    post: Arc<Post>,
    membership: Option<Arc<Membership>>,
    jobs: Jobs,
    table: Arc<Table>,
    may_own: bool,
    loss: Loss,
    /// Rows to be looked at though they have not changed.
    dirty: BTreeSet<RowId>,
    /// All rows are to be looked at.
    is_all_dirty: bool,
    is_saying: bool,
    backoff: Backoff,
    errands: Errands,
    told: mpsc::UnboundedReceiver<(RowId, u64, Told)>,
    orders: mpsc::UnboundedReceiver<oneshot::Sender<Result<()>>>,
    leaving: Leaving,
    answers: Vec<oneshot::Sender<Result<()>>>,
    /// Stops the planning of this member, and says when it has.
    planning: (CancellationToken, CancellationToken),
}

/// What connects a task with its worker.
pub(crate) struct Wires {
    pub(crate) jobs: Jobs,
    pub(crate) told: mpsc::UnboundedReceiver<(RowId, u64, Told)>,
    pub(crate) orders: mpsc::UnboundedReceiver<oneshot::Sender<Result<()>>>,
    pub(crate) planning: (CancellationToken, CancellationToken),
}

impl Duty {
    pub(crate) fn new(
        common: &Arc<Common>,
        membership: Membership,
        (id, member): (String, ShardMember),
        post: &Arc<Post>,
        wires: Wires,
    ) -> Duty {
        Duty {
            common: Arc::clone(common),
            session: membership.session().clone(),
            id,
            member,
            post: Arc::clone(post),
            membership: Some(Arc::new(membership)),
            jobs: wires.jobs,
            table: Arc::clone(&common.table()),
            may_own: false,
            loss: Loss::Displaced,
            dirty: BTreeSet::new(),
            is_all_dirty: true,
            is_saying: false,
            backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(2)),
            errands: FuturesUnordered::new(),
            told: wires.told,
            orders: wires.orders,
            leaving: Leaving::No,
            answers: Vec::new(),
            planning: wires.planning,
        }
    }

    /// Serves until the member has left, its worker is dropped, or its session has ended.
    pub(crate) async fn serve(mut self) {
        let mut news = self.common.news();
        loop {
            let state = self.session.state();
            news.mark_unchanged();
            self.look();
            if self.leaving == Leaving::Left || state == SessionState::Lost(Loss::Closed) {
                break;
            }
            let session = self.session.clone();
            tokio::select! {
                biased;
                () = self.jobs.unheard() => break,
                Some(told) = self.told.recv() => self.hear(told),
                Some(answer) = self.orders.recv() => self.leave(answer),
                Some(errand) = self.errands.next() => self.back(errand),
                _ = news.changed() => {}
                _ = session.changed(state) => {}
            }
        }
        self.end();
    }

    /// Looks at all that may have changed, and tells what follows.
    fn look(&mut self) {
        let table = Arc::clone(&self.common.table());
        let before = std::mem::replace(&mut self.table, Arc::clone(&table));
        self.check_membership(&table);
        let state = self
            .membership
            .as_ref()
            .map(|membership| membership.state());
        let is_stopping = matches!(self.leaving, Leaving::Stopping | Leaving::Ending);
        let membership = self.membership.as_ref().filter(|_| !is_stopping);
        let may_own = match table.mode() {
            Mode::Strict => state == Some(SessionState::Live),
            Mode::Available => membership.is_some(),
        };
        let is_all = std::mem::take(&mut self.is_all_dirty) || may_own != self.may_own;
        self.may_own = may_own;
        let mut rows = std::mem::take(&mut self.dirty);
        match is_all {
            true => {
                rows.extend(self.jobs.rows());
                rows.extend(
                    membership
                        .into_iter()
                        .flat_map(|one| table.naming(one.incarnation())),
                );
            }
            false => {
                let changed = table.rows.changed(&before.rows);
                rows.extend(changed.into_iter().map(|at| table.row_at(at)));
            }
        }
        let standing = Standing {
            table: &table,
            membership,
            may_own,
            loss: self.loss,
        };
        for row in rows {
            self.jobs.advance(row, &standing);
        }
        self.collect();
        self.go_on_leaving(&table);
    }

    /// Notices that the member is none any more, and joins again.
    fn check_membership(&mut self, table: &Table) {
        let state = self
            .membership
            .as_ref()
            .map(|membership| membership.state());
        if let Some(SessionState::Lost(loss)) = state {
            if let Some(membership) = self.membership.take() {
                membership.lose(loss);
            }
            (self.loss, self.is_all_dirty) = (loss, true);
            self.jobs.lose(table, loss);
            if self.leaving == Leaving::No {
                self.join_again(Duration::ZERO);
            }
        } else if state == Some(SessionState::Suspended) {
            self.loss = Loss::Expired;
        }
    }

    fn join_again(&mut self, pause: Duration) {
        let (common, session) = (Arc::clone(&self.common), self.session.clone());
        let (id, member) = (self.id.clone(), self.member.clone());
        self.errands.push(Box::pin(async move {
            sleep(pause).await;
            Errand::Joined(Membership::enrol(&common.map, &session, &id, &member).await)
        }));
    }

    /// Begins to collect what is to be said, if anything is.
    fn collect(&mut self) {
        if self.jobs.has_says() && !self.is_saying {
            self.is_saying = true;
            self.errands.push(Box::pin(async {
                sleep(TOGETHER).await;
                Errand::Collected
            }));
        }
    }

    /// Commits what is to be said.
    fn say(&mut self) {
        let membership = self.membership.as_ref();
        let live = membership.filter(|one| one.state() == SessionState::Live);
        // One of its guards is the member's own.
        let budget = Budget::of(&self.common.map.log().capabilities(), 1);
        let says = self.jobs.take_says(budget, &self.table);
        let rows: Vec<RowId> = says.iter().map(|(row, _)| *row).collect();
        if rows.is_empty() {
            // There was nothing to be said any more when it was collected.
            self.is_saying = false;
            return;
        }
        let Some(membership) = live.cloned() else {
            // It is said when it is a member again for sure.
            self.say_later(rows);
            return;
        };
        let common = Arc::clone(&self.common);
        self.errands.push(Box::pin(async move {
            let said = say(&common, &membership, &says).await;
            Errand::Said(rows, said)
        }));
    }

    fn say_later(&mut self, rows: Vec<RowId>) {
        let pause = self.backoff.next();
        self.errands.push(Box::pin(async move {
            sleep(pause).await;
            Errand::SayAgain(rows)
        }));
    }

    /// Rows are looked at when the table is there, whether or not they have changed.
    fn look_later(&mut self, rows: Vec<RowId>, position: Position) {
        let common = Arc::clone(&self.common);
        self.errands.push(Box::pin(async move {
            common.shows(position).await;
            Errand::Shown(rows)
        }));
    }

    fn try_later(&mut self, rows: Vec<RowId>) {
        if !rows.is_empty() {
            self.errands.push(Box::pin(async move {
                sleep(UNREADABLE).await;
                Errand::TryAgain(rows)
            }));
        }
    }

    fn hear(&mut self, told: (RowId, u64, Told)) {
        let mut told = Some(told);
        while let Some((row, number, what)) = told {
            let at = self.table.at(row);
            if self.jobs.hear(row, number, what, at) {
                self.dirty.insert(row);
            }
            told = self.told.try_recv().ok();
        }
    }

    fn back(&mut self, errand: Errand) {
        match errand {
            Errand::Collected => self.say(),
            Errand::Said(mut rows, Ok(outcome)) => {
                self.backoff.reset();
                rows.retain(|row| !outcome.unreadable.contains(row));
                self.jobs.said(&rows, outcome.position);
                self.look_later(rows, outcome.position);
                self.try_later(outcome.unreadable);
                self.is_saying = false;
            }
            Errand::Said(rows, Err(error)) => {
                tracing::debug!(%error, "what a member has to say could not be committed");
                self.say_later(rows);
            }
            Errand::SayAgain(rows) => {
                self.jobs.unsaid(&rows);
                self.dirty.extend(rows);
                self.is_saying = false;
            }
            Errand::Shown(rows) => self.dirty.extend(rows),
            Errand::TryAgain(rows) => {
                self.jobs.unsaid(&rows);
                self.dirty.extend(rows);
            }
            Errand::Joined(Ok(membership)) => {
                self.backoff.reset();
                self.is_all_dirty = true;
                self.membership = Some(Arc::new(membership));
                if self.leaving == Leaving::Marking {
                    self.mark();
                }
            }
            Errand::Joined(Err(error)) if *error.kind() == ErrorKind::Closed => {}
            Errand::Joined(Err(error)) => {
                tracing::warn!(member = %self.id, %error, "could not join a shard table again");
                let pause = self.backoff.next();
                self.join_again(pause);
            }
            Errand::Marked => self.leaving = self.leaving.max(Leaving::Draining),
            Errand::Ended(outcome) => {
                self.leaving = Leaving::Left;
                for answer in self.answers.drain(..) {
                    // Who has gone does not want to know.
                    let _ = answer.send(outcome.clone());
                }
            }
        }
    }

    /// Begins to leave.
    fn leave(&mut self, answer: oneshot::Sender<Result<()>>) {
        self.answers.push(answer);
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Marking;
            self.mark();
        }
    }

    /// Lets another plan, and tells all that this member gives away what it has.
    fn mark(&mut self) {
        let (common, membership) = (Arc::clone(&self.common), self.membership.clone());
        let (stop, stopped) = self.planning.clone();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        self.member = self.member.clone().with_state(MemberState::Draining);
        self.errands.push(Box::pin(async move {
            stop.cancel();
            stopped.cancelled().await;
            if let Some(membership) = membership {
                while let Err(error) = membership.drain(&common.map).await {
                    if *error.kind() == ErrorKind::NotHeld {
                        break;
                    }
                    sleep(backoff.next()).await;
                }
            }
            // From then on nobody gives it anything: what the table does not show after that is not to come.
            if let Some(position) = common.map.position() {
                common.shows(position).await;
            }
            Errand::Marked
        }));
    }

    /// Goes on leaving: drops what nobody takes, and deletes the record when nothing is served any more.
    fn go_on_leaving(&mut self, table: &Table) {
        if matches!(self.leaving, Leaving::Marking | Leaving::Draining) && self.membership.is_none()
        {
            self.leaving = Leaving::Stopping;
        }
        if self.leaving == Leaving::Draining && self.has_given_all(table) {
            (self.leaving, self.is_all_dirty, self.loss) = (Leaving::Stopping, true, Loss::Closed);
            return self.look();
        }
        if self.leaving == Leaving::Stopping && self.jobs.are_over() {
            self.leaving = Leaving::Ending;
            let (membership, map) = (self.membership.take(), self.common.map.clone());
            self.errands.push(Box::pin(async move {
                let ended = match (membership, map.deadline()) {
                    (Some(membership), Ok(bound)) => membership.end(bound).await,
                    _ => Ok(()),
                };
                Errand::Ended(ended)
            }));
        }
    }

    /// Whether no row names this member any more, or nobody is there who could take what it has.
    fn has_given_all(&self, table: &Table) -> bool {
        let Some(membership) = &self.membership else {
            return true;
        };
        let me = membership.incarnation();
        let can_take = |peer: &Arc<_>| is_other_and_up(peer, me.id());
        !table.members().any(can_take) || table.naming(me).next().is_none()
    }

    /// Nothing is owned here any more.
    fn end(&mut self) {
        self.planning.0.cancel();
        self.jobs.lose(&self.table, Loss::Closed);
        if let Some(membership) = &self.membership {
            membership.lose(Loss::Closed);
        }
        let ours = self.common.post.load_full();
        if ours.is_some_and(|post| Arc::ptr_eq(&post, &self.post)) {
            self.common.post.store(None);
        }
    }
}

fn is_other_and_up(peer: &crate::recipes::shards::shard_member::Peer, id: &str) -> bool {
    peer.id() != id && peer.is_up()
}
