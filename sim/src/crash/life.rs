//! The life that is cut: asked, approved, resumed, run, failed and retried, finished, reported; on the command line; stopped;
//! taken back from its end; the daemon ended for an upgrade; the daemon killed while a task runs, and taken over.

use super::content::{Content, contents};
use super::shown::Shown;
use super::{Crash, Left};
use crate::botapi::Millis;
use crate::disk::Profile;
use crate::people::{self, People, job_of};
use crate::property::{Broken, Evidence, GIVES_UP, Outages, Part, RESTS, SPINS, STAYS, judge};
use crate::scenario::{Job, Span, Via};
use crate::vfs::seed_sqlite;
use crate::world::clock::EPOCH_MS;
use crate::world::points::Passed;
use crate::world::{Ended, Make, World};
use mainstay::real::store::Store;
use std::collections::VecDeque;
use std::time::Duration;

/// How finely the network's time passes, ms.
const TICK_MS: u64 = 50;
/// From the end of one daemon to the start of the next, and from a power loss to the boot, ms.
const DOWN_MS: i64 = 500;
/// So long nothing may happen before it counts as rest, ms: longer than anything that is still to be done is put off.
const QUIET_MS: i64 = 6_000;
/// By so long after the last start of a daemon everything must have come to rest, ms.
const SETTLES_MS: i64 = 120_000;
/// So long after its start a daemon is held to be recovering, ms.
const RECOVERY_MS: i64 = 2_000;
/// The job that fails, and is taken back from its end once.
const TAKEN_BACK: usize = 5;
/// The seed of everything: it is one life.
const SEED: u64 = 1;

/// What is wrong with the world on purpose, to see whether that is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The disk says that it synced, and did not.
    LyingDisk,
    /// Commits are not synced (`synchronous = NORMAL`).
    LazyCommits,
}

/// What a life came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lived {
    /// The first property that did not hold.
    pub broken: Option<Broken>,
    /// The points that it came by: up to the first crash, from there to the second, and so on.
    pub passed: Vec<Vec<Passed>>,
    /// What these would have left that were to be looked at.
    pub contents: Vec<Content>,
    /// Over all that happened: two lives with the same digest were the same.
    pub digest: u64,
    /// Programs that were started.
    pub ran: usize,
    /// Simulated ms.
    pub simulated_ms: i64,
    /// Crashes, ends and starts of daemons, ms of the simulation and words.
    pub timeline: Vec<(i64, String)>,
}

impl Lived {
    /// The points since the last crash.
    pub fn afterwards(&self) -> &[Passed] {
        self.passed.last().map_or(&[], Vec::as_slice)
    }

    /// Those of them that belong to the recovery.
    pub fn recovery(&self) -> &[Passed] {
        let crash = self.passed.iter().rev().nth(1).and_then(|passed| passed.last());
        let until = crash.map_or(0, |crash| crash.at_ms) + DOWN_MS + RECOVERY_MS;
        let afterwards = self.afterwards();
        &afterwards[..afterwards.iter().take_while(|p| p.at_ms <= until).count()]
    }
}

/// Lives it, with these crashes one after the other. One that is never reached does not strike.
pub fn live(crashes: &[Crash], control: Option<Control>) -> Lived {
    live_and_look(crashes, &[], control)
}

/// The same, and looks at what else the first crash could have left on the disk.
pub fn live_and_look(crashes: &[Crash], lefts: &[Left], control: Option<Control>) -> Lived {
    let mut life = Life::new(crashes, lefts, control);
    let broken = life.live();
    life.passed.push(life.world.points.passed());
    Lived {
        broken,
        contents: life.contents,
        digest: life.world.digest().value(),
        ran: life.world.machine.ledger().len(),
        simulated_ms: life.world.now(),
        passed: life.passed,
        timeline: life.timeline,
    }
}

/// What is asked for. What becomes of it is certain only as long as nothing is cut.
fn jobs(certain: bool) -> Vec<Job> {
    let job = |at: u64, kind: &str, does: &str, via: Via, ends: &str, runs: usize| Job {
        at: Span(at),
        by: "ana".into(),
        kind: kind.into(),
        does: does.into(),
        via,
        stop_after: (ends == "CANCELED").then_some(Span(200)),
        ends: certain.then(|| ends.to_owned()),
        runs: certain.then_some(runs),
        left_alone: false,
        attempts: None,
        reported: None,
    };
    vec![
        job(500, "flaky", "fails:1@150 exit:0@400 progress:half@200", Via::Group, "SUCCEEDED success", 2),
        job(500, "note", "exit:0@300", Via::Cli, "SUCCEEDED success", 1),
        job(6_000, "build", "hang", Via::Private, "CANCELED", 1),
        job(9_000, "backup", "exit:0@2000", Via::Group, "SUCCEEDED success", 1),
        job(12_000, "build", "exit:3@200", Via::Private, "FAILED failure", 2),
    ]
}

struct Life {
    world: World,
    people: People,
    crashes: VecDeque<Crash>,
    crash: Option<Crash>,
    passed: Vec<Vec<Passed>>,
    /// To be looked at, at the first crash.
    lefts: Vec<Left>,
    contents: Vec<Content>,
    /// The daemon was told to end, and killed: each happens once, and is part of the life.
    upgraded: bool,
    killed: bool,
    start_at: Option<i64>,
    /// The last time a daemon was started.
    started_ms: i64,
    outages: Outages,
    shown: Vec<Shown>,
    pulse: Option<Pulse>,
    quiet_since: i64,
    timeline: Vec<(i64, String)>,
}

/// Everything that moves when anything does.
#[derive(PartialEq, Eq)]
struct Pulse {
    ops: u64,
    changes: u64,
    up: bool,
    alive: bool,
}

impl Life {
    fn new(crashes: &[Crash], lefts: &[Left], control: Option<Control>) -> Life {
        let people = People::new(SEED, jobs(crashes.is_empty())).at_once(TAKEN_BACK);
        let make = Make {
            seed: SEED,
            tick: Duration::from_millis(TICK_MS),
            disk: Profile::SMALL_SECTORS,
            config: people::config(),
        };
        let world = World::new(make, |telegram| people::move_in(&mut telegram.people(Millis(EPOCH_MS.unsigned_abs()))));
        match control {
            Some(Control::LyingDisk) => world.disk.set_lies(true),
            Some(Control::LazyCommits) => world.sync_commits(false),
            None => {}
        }
        let mut life = Life {
            world,
            people,
            crashes: crashes.iter().copied().collect(),
            crash: None,
            passed: Vec::new(),
            lefts: lefts.to_vec(),
            contents: Vec::new(),
            upgraded: false,
            killed: false,
            start_at: None,
            started_ms: 0,
            outages: Outages::default(),
            shown: Vec::new(),
            pulse: None,
            quiet_since: 0,
            timeline: Vec::new(),
        };
        life.next_crash();
        life
    }

    /// Until everything has come to rest, and holds; or until it has not for too long.
    fn live(&mut self) -> Option<Broken> {
        loop {
            if let Some(broken) = self.tick() {
                return Some(broken);
            }
            let late = self.world.now() > self.started_ms.max(self.last_asked_ms()) + SETTLES_MS;
            if self.is_quiet() || late {
                let broken = self.judge();
                if late || broken.is_none() {
                    let unsettled = late.then(|| self.broken(RESTS, "something goes on".into()));
                    return broken.or(unsettled);
                }
                self.quiet_since = self.world.now();
            }
        }
    }

    fn last_asked_ms(&self) -> i64 {
        self.people.jobs.iter().map(|asked| asked.job.at.ms()).max().unwrap_or(0)
    }

    fn broken(&self, property: &'static str, how: String) -> Broken {
        Broken { property, at_ms: self.world.now(), how }
    }

    fn tick(&mut self) -> Option<Broken> {
        let now = self.world.now();
        if self.start_at.is_some_and(|at| at <= now) {
            self.start_at = None;
            self.started_ms = now;
            // One of the two has an effect.
            self.world.boot();
            self.world.start();
        }
        for part in Part::ALL {
            self.outages.note(part, now, self.world.is_out(part));
        }
        self.people.act(&mut self.world);
        self.disturb();
        let ended = self.world.step();
        if self.world.clock.spins() {
            return Some(self.broken(SPINS, "its loop turns and turns, and no time passes".into()));
        }
        if self.world.points.struck().is_some() {
            self.go_down();
            return None;
        }
        ended.and_then(|ended| self.ended(ended))
    }

    /// What belongs to the life itself: an upgrade once job 3 is over, and a kill while job 4 runs.
    fn disturb(&mut self) {
        let ledger = self.world.machine.ledger();
        let of = |job: usize| ledger.iter().find(|ran| job_of(&ran.prompt) == Some(job));
        let now = self.world.now();
        if !self.upgraded && of(3).is_some_and(|ran| ran.ended_ms.is_some()) && self.world.is_up() {
            self.upgraded = true;
            self.world.desk.terminate();
        }
        let running = of(4).is_some_and(|ran| ran.ended_ms.is_none() && now >= ran.began_ms + 300);
        if !self.killed && running && self.world.is_up() {
            self.killed = true;
            self.world.kill();
            self.start_at = Some(now + DOWN_MS);
            self.timeline.push((now, "the daemon is killed, as in every such life".into()));
        }
    }

    /// The cut has struck: what went down comes back in a while.
    fn go_down(&mut self) {
        let Some(crash) = self.crash.take() else { return };
        let now = self.world.now();
        self.shown.push(Shown::now(&self.world));
        let passed = self.world.points.passed();
        let what = passed.last().map(|p| format!("{} ({}, {} waiting)", crash, p.what, p.waiting)).unwrap_or_default();
        self.timeline.push((now, format!("cut: {what}")));
        self.passed.push(passed);
        self.contents.extend(contents(&self.world.disk, &std::mem::take(&mut self.lefts)));
        // Looking has used up some of SQLite's chance; what follows must not depend on it.
        seed_sqlite(u32::try_from(now).unwrap_or(0) ^ (u32::try_from(self.passed.len()).unwrap_or(0) << 28));
        match crash.left {
            None => self.world.kill(),
            Some(left) => self.world.power_loss(left.survivors()),
        }
        self.start_at = Some(now + DOWN_MS);
        self.next_crash();
    }

    fn next_crash(&mut self) {
        self.crash = self.crashes.pop_front();
        self.world.points.begin(self.crash.map(|crash| (crash.at, crash.down())), true);
    }

    /// A daemon ended by itself: as told, or because of something that must not be.
    fn ended(&mut self, ended: Ended) -> Option<Broken> {
        let now = self.world.now();
        self.start_at = Some(now + DOWN_MS);
        match ended {
            Ok(()) => {
                self.timeline.push((now, "the daemon ended as told".into()));
                None
            }
            Err(fatal) => Some(self.broken(GIVES_UP, fatal.to_string())),
        }
    }

    fn is_quiet(&mut self) -> bool {
        let now = self.world.now();
        let pulse = Pulse {
            ops: self.world.disk.ops(),
            changes: self.world.telegram.look(|t| t.changes().end()),
            up: self.world.is_up(),
            alive: !self.world.machine.alive().is_empty(),
        };
        let awake = !pulse.up || pulse.alive || !self.people.are_idle();
        if awake || self.pulse.as_ref() != Some(&pulse) {
            self.pulse = Some(pulse);
            self.quiet_since = now;
        }
        now >= self.quiet_since + QUIET_MS
    }

    /// The first property that does not hold of the world and of the record as it lies on the disk.
    fn judge(&self) -> Option<Broken> {
        self.look().unwrap_or_else(|error| Some(self.broken("the record is whole", error)))
    }

    /// The record is read beside the daemon, which lives on.
    fn look(&self) -> Result<Option<Broken>, String> {
        let database = self.world.database().map_err(|error| error.to_string())?;
        let store = Store::open_to_read(database).map_err(|error| error.to_string())?;
        let config = people::config();
        let evidence = Evidence::simulated(&self.world, &self.people, &self.outages, &config, &store)?;
        let lost = || self.shown.iter().find_map(|shown| shown.is_on(&evidence.events).err());
        Ok(judge(&evidence).or_else(|| lost().map(|how| self.broken(STAYS, how))))
    }
}
