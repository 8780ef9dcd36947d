//! The connections to one member from one failure to the next, each made when it is first needed.
//!
//! Never retries: who uses them decides what a failure means.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dial::Line;
use crate::fault::{Class, Fault};
use crate::link::Link;
use crate::settings::Settings;
use crate::silence::Silence;
use crate::token::Token;
use crate::version::Version;

#[derive(Default)]
pub(crate) struct Connections {
    unary: Mutex<Option<Arc<Link>>>,
    watch: Mutex<Option<Arc<Link>>>,
    lease: Mutex<Option<Arc<Link>>>,
    /// How long the member has been silent to unary requests.
    pub(crate) silence: Silence,
    given_up: AtomicBool,
}

impl Connections {
    /// Makes those who still wait for them fail at once, instead of dialling one after another. What is under way, and a
    /// watch that is well, keeps the one it is on; the others are closed, however long that watch lasts.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        for line in [Line::Unary, Line::Watch, Line::Lease] {
            *self.cell(line) = None;
        }
    }

    /// The connection of a line.
    pub(crate) fn link(
        &self,
        line: Line,
        address: &str,
        token: &Arc<Token>,
        settings: &Settings,
    ) -> Result<Arc<Link>, Fault> {
        let mut link = self.cell(line);
        if let Some(link) = &*link {
            return Ok(Arc::clone(link));
        }
        if self.given_up.load(Ordering::Relaxed) {
            return Err(Fault::new(Class::NeverSent, "the connection was given up"));
        }
        let new = Arc::new(Link::new(address, token, settings)?);
        *link = Some(Arc::clone(&new));
        Ok(new)
    }

    /// The version the member said it has, on whichever connection.
    pub(crate) fn told_version(&self) -> Option<Version> {
        let lines = [Line::Unary, Line::Watch, Line::Lease];
        let mut links = lines.into_iter().filter_map(|line| self.cell(line).clone());
        links.find_map(|link| link.told_version())
    }

    /// The connection of a line has ended: the next request gets another.
    pub(crate) fn forget(&self, line: Line, ended: &Arc<Link>) {
        let mut link = self.cell(line);
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, ended)) {
            *link = None;
        }
    }

    fn cell(&self, line: Line) -> MutexGuard<'_, Option<Arc<Link>>> {
        let cell = match line {
            Line::Unary => &self.unary,
            Line::Watch => &self.watch,
            Line::Lease => &self.lease,
        };
        cell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
