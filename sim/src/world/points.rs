//! The points of a run at which it can be cut off: whatever a daemon does to its disk, its machine, Telegram and its clients,
//! each counted by itself. At a cut the daemon is dead at once: nothing of what it goes on to do reaches the world.

use super::clock::Clock;
use crate::disk::{Disk, Op};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::str::FromStr;
use std::task::Poll;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Operations of the disk that change something; cut, they have happened and nobody was told.
    Disk,
    /// Steps of the machine, before and after they took effect.
    Machine,
    /// Calls to Telegram, before they leave and after their answer has come in.
    Api,
    /// Answers on the command line, before and after they are given.
    Desk,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 4] = [Class::Disk, Class::Machine, Class::Api, Class::Desk];

    /// Its name in commands.
    pub fn name(self) -> &'static str {
        match self {
            Class::Disk => "disk",
            Class::Machine => "machine",
            Class::Api => "api",
            Class::Desk => "desk",
        }
    }
}

/// The so manieth of its class, from 1; written like `disk:123`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Of which kind.
    pub class: Class,
    /// Since the beginning, or since the last cut.
    pub number: u64,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.class.name(), self.number)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Point, String> {
        let wrong = || format!("{text:?} is no point: write disk, machine, api or desk and a number, like disk:123");
        let (name, number) = text.split_once(':').ok_or_else(wrong)?;
        let class = Class::ALL.into_iter().find(|class| class.name() == name).ok_or_else(wrong)?;
        let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        Ok(Point { class, number })
    }
}

/// A point that a run came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Which.
    pub point: Point,
    /// What was done there.
    pub what: Cow<'static, str>,
    /// When, ms of the simulation.
    pub at_ms: i64,
    /// What a power loss could take if it came here.
    pub waiting: usize,
    /// Over everything that had been done to the disk.
    pub digest: u64,
}

/// What goes down at a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// The daemon alone; what it started goes on.
    Daemon,
    /// The machine.
    Machine,
}

/// The points of one world. Clones are the same ones.
#[derive(Clone)]
pub struct Points(Rc<Inner>);

struct Inner {
    clock: Clock,
    disk: Disk,
    counts: Cell<[u64; Class::ALL.len()]>,
    plan: Cell<Option<(Point, Down)>>,
    /// What went down at the cut, and when, ms of the simulation.
    struck: Cell<Option<(Down, i64)>>,
    passed: RefCell<Option<Vec<Passed>>>,
}

impl Points {
    /// Those of a world with this disk.
    pub fn new(clock: &Clock, disk: &Disk) -> Points {
        let points = Points(Rc::new(Inner {
            clock: clock.clone(),
            disk: disk.clone(),
            counts: Cell::default(),
            plan: Cell::default(),
            struck: Cell::default(),
            passed: RefCell::default(),
        }));
        let weak = Rc::downgrade(&points.0);
        disk.set_watcher(Some(Box::new(move |op, waiting, digest| {
            // A disk that outlives its world is cut no more.
            weak.upgrade().is_some_and(|inner| !Points(inner).pass_disk(op, waiting, digest))
        })));
        points
    }

    /// What time it is, ms of the simulation.
    pub fn now(&self) -> i64 {
        self.0.clock.sim_ms()
    }

    /// The next point of this name is the last. Points are counted anew from here, and remembered if `remember`.
    pub fn begin(&self, cut: Option<(Point, Down)>, remember: bool) {
        self.0.counts.set([0; Class::ALL.len()]);
        self.0.plan.set(cut);
        self.0.struck.set(None);
        self.0.passed.replace(remember.then(Vec::new));
    }

    /// Points passed since [`Points::begin`], if they were to be remembered.
    pub fn passed(&self) -> Vec<Passed> {
        self.0.passed.borrow().clone().unwrap_or_default()
    }

    /// What the cut took down, once it has struck.
    pub fn struck(&self) -> Option<Down> {
        self.0.struck.get().map(|(down, _)| down)
    }

    /// When the machine went down, ms of the simulation, if a cut took its power.
    pub(super) fn power_failed_ms(&self) -> Option<i64> {
        self.0.struck.get().filter(|(down, _)| *down == Down::Machine).map(|(_, at)| at)
    }

    /// Something happens here. False when nobody lives to see it: what was to follow does not.
    pub(super) fn pass(&self, class: Class, what: impl Into<Cow<'static, str>>) -> bool {
        if self.struck().is_some() {
            return false;
        }
        let lives = self.count(class, what.into(), self.0.disk.waiting(), self.0.disk.digest());
        if !lives {
            self.0.disk.freeze();
        }
        lives
    }

    /// The same for those who can only wait for ever.
    pub(super) async fn pass_or_die(&self, class: Class, what: impl Into<Cow<'static, str>>) {
        if !self.pass(class, what) {
            pending::<()>().await;
        }
    }

    /// The disk stops by itself where it is cut.
    fn pass_disk(&self, op: Op, waiting: usize, digest: u64) -> bool {
        let what = match op {
            Op::Read => "read",
            Op::Write => "write",
            Op::Sync => "sync",
            Op::Truncate => "truncate",
            Op::Create => "create",
            Op::Delete => "delete",
        };
        self.struck().is_some() || self.count(Class::Disk, what.into(), waiting, digest)
    }

    fn count(&self, class: Class, what: Cow<'static, str>, waiting: usize, digest: u64) -> bool {
        let mut counts = self.0.counts.get();
        counts[class as usize] += 1;
        self.0.counts.set(counts);
        let point = Point { class, number: counts[class as usize] };
        let at_ms = self.0.clock.sim_ms();
        if let Some(passed) = self.0.passed.borrow_mut().as_mut() {
            passed.push(Passed { point, what, at_ms, waiting, digest });
        }
        match self.0.plan.get() {
            Some((planned, down)) if planned == point => {
                self.0.struck.set(Some((down, at_ms)));
                false
            }
            Some(_) | None => true,
        }
    }

    /// A daemon, until it is cut: then it is never heard of again.
    pub(super) async fn until_cut<T>(&self, daemon: impl Future<Output = T>) -> T {
        let mut daemon = pin!(daemon);
        poll_fn(|context| {
            if self.struck().is_some() {
                return Poll::Pending;
            }
            let polled = daemon.as_mut().poll(context);
            if self.struck().is_some() { Poll::Pending } else { polled }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_as_it_is_written_and_what_is_none_is_told() {
        for text in ["disk:1", "machine:22", "api:333", "desk:4444"] {
            assert_eq!(text.parse::<Point>().expect("a point").to_string(), text);
        }
        for text in ["disk", "disk:", "disk:0", "disk:x", "tape:1", ":1"] {
            let error = text.parse::<Point>().expect_err("no point");
            assert!(error.contains("like disk:123"), "{error}");
        }
    }
}
