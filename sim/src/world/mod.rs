//! The simulated world: the daemon as it is in production, between a network, a disk, a machine and clocks that obey.
//!
//! [`World`] puts them together and lets time pass by ticks of turmoil. Nothing in here asks the daemon how it is: what
//! happened is read from [`machine`]'s ledger, from the screens of [`crate::botapi`], and from the disk.

pub mod clock;
pub mod desk;
pub mod machine;
pub mod network;
pub mod points;
pub mod script;
mod steps;
pub mod wire;

use crate::botapi::http::{Clock as ServerClock, Shared};
use crate::botapi::{self, BotId, Method, Millis, People, Record, World as Telegram};
use crate::chronicle::Chronicle;
use crate::digest::Digest;
use crate::disk::{Disk, Profile, Survivors};
use crate::people::GROUP;
use crate::property::Part;
use crate::scenario::Span;
use crate::vfs::{Vfs, seed_sqlite};
use clock::{Clock, EPOCH_MS, SimTime};
use desk::Desk;
use machine::{Machine, SimRunner};
use mainstay::config::Config;
use mainstay::exit::Fatal;
use mainstay::ports::{Ports, Storage};
use mainstay::real::store::Store;
use mainstay::real::store::prepare;
use mainstay::real::telegram::BotTelegram;
use network::{SimHttp, TELEGRAM};
use points::Points;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};
use steps::Steps;
use turmoil::{Builder, Sim};
use wire::Wire;

/// The host with the daemon.
pub const MACHINE: &str = "machine";
/// The token of the world's one bot. The part behind the colon is a canary: it must be nowhere but in requests' paths.
pub const TOKEN: &str = "700:simulated-canary-token-000000000000";
/// The database's name on the disk.
pub(crate) const DATABASE: &str = "mainstay.db";
/// A simulation never comes so far.
const FOR_EVER: Duration = Duration::from_secs(400 * 24 * 3_600);
/// Connections that wait to be accepted, and segments of one: turmoil panics at one more.
const CONNECTIONS_MAX: usize = 4_096;
/// How long the polls of another program wait, s: no daemon of ours asks for that.
const OTHERS_POLL_S: u32 = 50;
/// It begins a poll at least this often while it is there, ms.
const RIVAL_MS: i64 = 10_000;
/// A disk with less room than this may be full at any write, bytes.
const ROOM_ENOUGH: u64 = 1 << 30;
/// Round trips are twice this, in ms: a good line, and a bad one.
const LATENCY_MS: (u64, u64) = (5, 60);

/// Pages that a database with next to no memory holds. SQLite needs a few at any moment.
const SMALL_CACHE_PAGES: u32 = 4;

/// How a daemon's life ended, unless it was killed.
pub type Ended = Result<(), Fatal>;

/// The world.
pub struct World {
    sim: Sim<'static>,
    /// Its clocks.
    pub clock: Clock,
    /// Its processes.
    pub machine: Machine,
    /// Its command line.
    pub desk: Desk,
    /// Its disk.
    pub disk: Disk,
    /// Where it can be cut.
    pub points: Points,
    /// The bytes between it and Telegram.
    pub wire: Wire,
    vfs: Rc<Vfs>,
    /// The Bot API server, its chats and people.
    pub telegram: Shared,
    ended: Rc<RefCell<Vec<(i64, Ended)>>>,
    up: bool,
    powered: bool,
    small_cache: Rc<Cell<bool>>,
    opened: Rc<RefCell<Vec<i64>>>,
    line_cut: bool,
    line_slow: bool,
    /// When the last poll of somebody else is over, ms.
    rival_until_ms: i64,
    unsynced: Rc<Cell<bool>>,
    /// When it ends by itself the next time, a daemon is to be started so long after.
    pub restart_after: Option<Span>,
    /// What the record had before its beginning was removed.
    pub chronicle: Chronicle,
}

/// What a world is made of.
pub struct Make {
    /// All chance follows from it.
    pub seed: u64,
    /// How finely time passes: messages arrive at its multiples, everything else when it is due.
    pub tick: Duration,
    /// Its disk's sizes.
    pub disk: Profile,
    /// The daemon's configuration; the addresses in it do not matter.
    pub config: Config,
}

impl World {
    /// A world with a daemon that is about to start. `people` is told of the bot, and adds chats and persons.
    pub fn new(make: Make, people: impl FnOnce(&mut Telegram)) -> World {
        let Make { seed, tick, disk: profile, config } = make;
        // One stream of chance for each part, so that one part's need does not shift another's.
        let mut seeds = fastrand::Rng::with_seed(seed);
        seed_sqlite(seeds.u32(..));
        let clock = Clock::new(seeds.u64(..));
        let disk = Disk::new(seeds.u64(..), profile);
        let points = Points::new(&clock, &disk);
        let mut telegram = Telegram::new(seeds.u64(..));
        telegram.add_bot(TOKEN, "Mainstay", "mainstay_bot");
        people(&mut telegram);
        let sim = Builder::new()
            .rng_seed(seeds.u64(..))
            .epoch(UNIX_EPOCH + Duration::from_millis(EPOCH_MS.unsigned_abs()))
            .simulation_duration(FOR_EVER)
            .tcp_capacity(CONNECTIONS_MAX)
            .tick_duration(tick)
            .min_message_latency(Duration::from_millis(LATENCY_MS.0))
            .max_message_latency(Duration::from_millis(LATENCY_MS.1))
            .build();
        let mut world = World {
            sim,
            machine: Machine::new(&clock, &points),
            desk: Desk::new(&points),
            wire: Wire::default(),
            vfs: Rc::new(Vfs::mount(&disk)),
            telegram: Shared::new(telegram),
            ended: Rc::default(),
            up: true,
            powered: true,
            small_cache: Rc::default(),
            opened: Rc::default(),
            line_cut: false,
            line_slow: false,
            rival_until_ms: 0,
            unsynced: Rc::default(),
            restart_after: None,
            chronicle: Chronicle::default(),
            clock,
            disk,
            points,
        };
        let (shared, wire) = (world.telegram.clone(), world.wire.clone());
        world.sim.host(TELEGRAM, move || network::serve(shared.clone(), ServerClock::new(server_time), wire.clone()));
        world.host_daemon(Rc::new(config));
        world
    }

    fn host_daemon(&mut self, config: Rc<Config>) {
        let (clock, machine, desk) = (self.clock.clone(), self.machine.clone(), self.desk.clone());
        let (disk, vfs, ended) = (self.disk.clone(), self.vfs.clone(), self.ended.clone());
        let (points, unsynced) = (self.points.clone(), self.unsynced.clone());
        let (small_cache, opened) = (self.small_cache.clone(), self.opened.clone());
        let wire = self.wire.clone();
        self.sim.host(MACHINE, move || {
            let http = Box::new(SimHttp::new(&wire, &points));
            let ports = Ports {
                version: mainstay::release::VERSION.to_owned(),
                time: Rc::new(SimTime::new(&clock)),
                telegram: Some(Rc::new(BotTelegram::over(http, TOKEN).expect("it looks like a token"))),
                storage: Rc::new(SimStorage {
                    disk: disk.clone(),
                    vfs: vfs.clone(),
                    small_cache: small_cache.clone(),
                    clock: clock.clone(),
                    opened: opened.clone(),
                    unsynced: unsynced.clone(),
                }),
                runner: Rc::new(Steps::new(SimRunner::new(&machine), &points)),
                control: Rc::new(desk.clone()),
                secrets: Rc::default(),
            };
            let (config, ended, clock) = (config.clone(), ended.clone(), clock.clone());
            let points = points.clone();
            async move {
                let how = points.until_cut(mainstay::run::run(ports, config)).await;
                ended.borrow_mut().push((clock.sim_ms(), how));
                Ok(())
            }
        });
    }

    // ------------------------------------------------------------------------------------------ time

    /// When a daemon opened the database, or tried to, ms: once for each time, however often it did so then.
    pub fn opened(&self) -> Vec<i64> {
        self.opened.borrow().clone()
    }

    /// Since the beginning, ms.
    pub fn now(&self) -> i64 {
        self.clock.sim_ms()
    }

    /// One tick. Tells how the daemon ended, if it ended by itself in it.
    ///
    /// # Panics
    /// When a host fails, which is a mistake of the simulation.
    pub fn step(&mut self) -> Option<Ended> {
        self.clock.step(|| {
            self.sim.step().expect("hosts do not fail");
            self.sim.elapsed()
        });
        let ended = self.ended.borrow_mut().pop();
        if ended.is_some() {
            self.bury();
        }
        if self.chronicle.is_due(self.now()) {
            // On a disk that does not let it, at the next look.
            let _ = self.chronicle_of_disk();
        }
        ended.map(|(_, how)| how)
    }

    fn chronicle_of_disk(&mut self) -> Result<(), String> {
        let (_copy, db) = self.left_on_disk().map_err(|error| error.to_string())?;
        let store = Store::open_to_read(db).map_err(|error| error.to_string())?;
        self.chronicle.note(self.now(), &store)
    }

    /// What time it is for people and for Telegram.
    pub fn wall(&self) -> Millis {
        Millis(self.clock.true_wall_ms().unsigned_abs())
    }

    // ------------------------------------------------------------------------------------------ the daemon

    /// Whether a daemon runs.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// `kill -9`: what it had written is in the disk's cache, and processes go on.
    pub fn kill(&mut self) {
        self.crash();
        self.disk.kill();
    }

    /// The machine loses power: every process is gone, and of what was not synced `survivors` are left.
    pub fn power_loss(&mut self, survivors: Survivors) {
        self.crash();
        self.powered = false;
        self.machine.power_loss();
        self.disk.power_loss(survivors);
    }

    /// The machine comes back after a power loss; the daemon is started by itself.
    pub fn boot(&mut self) {
        if !self.powered {
            self.powered = true;
            self.clock.boot();
            self.start();
        }
    }

    /// Whether commits of daemons to come are synced: without, a power loss takes back what was acknowledged.
    pub fn sync_commits(&self, sync: bool) {
        self.unsynced.set(!sync);
    }

    /// Whether the machine is on.
    pub fn has_power(&self) -> bool {
        self.powered
    }

    /// The service manager starts a daemon.
    pub fn start(&mut self) {
        if !self.up && self.powered {
            self.up = true;
            self.sim.bounce(MACHINE);
        }
    }

    fn crash(&mut self) {
        // Frozen first: what the dying process has open must not be tidied up by its end.
        self.disk.freeze();
        self.sim.crash(MACHINE);
        self.bury();
    }

    fn bury(&mut self) {
        self.up = false;
        self.machine.orphan();
        self.desk.daemon_died();
    }

    /// Over every byte on the wire with its time, every operation of the disk, all time and chance that was asked for, every
    /// request with what came of it, and all that ran.
    pub fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        for word in [self.wire.passed().digest.value(), self.disk.digest(), self.clock.digest().value()] {
            digest.add(word);
        }
        digest.add(self.now().unsigned_abs());
        self.machine.look(|ledger| {
            for ran in ledger {
                digest.add_bytes(format!("{ran:?}").as_bytes());
            }
        });
        self.telegram.look(|t| {
            for record in t.log().iter() {
                digest.add(record.at.0);
                digest.add_bytes(record.method.as_bytes());
                digest.add_bytes(format!("{:?}", record.outcome).as_bytes());
            }
        });
        digest
    }

    /// Whether a part of it is out of order now.
    pub fn is_out(&self, part: Part) -> bool {
        match part {
            Part::Daemon => !self.up,
            Part::Line => self.line_cut,
            Part::Speed => self.line_slow,
            Part::Telegram => self.telegram.look(|t| t.faults.is_struck(self.wall())),
            Part::Processes => self.machine.holds(),
            Part::Rival => self.now() < self.rival_until_ms,
            Part::Disk => self.disk.has_faults() || self.disk.free().is_some_and(|room| room < ROOM_ENOUGH),
        }
    }

    // ------------------------------------------------------------------------------------------ the network

    /// Nothing gets through between machine and Telegram, or everything does again.
    pub fn cut_line(&mut self, cut: bool) {
        self.line_cut = cut;
        if cut {
            self.sim.partition(MACHINE, TELEGRAM);
        } else {
            self.sim.repair(MACHINE, TELEGRAM);
        }
    }

    /// What the machine sends (`there`), or what Telegram sends, does not arrive, until [`World::cut_line`] repairs it.
    pub fn cut_line_one_way(&mut self, there: bool) {
        self.line_cut = true;
        let (from, to) = if there { (MACHINE, TELEGRAM) } else { (TELEGRAM, MACHINE) };
        self.sim.partition_oneway(from, to);
    }

    /// Everything takes so long each way; as at the beginning when nothing is said.
    pub fn slow_line(&mut self, by: Option<Span>) {
        self.line_slow = by.is_some();
        let (least, most) = by.map_or(LATENCY_MS, |by| (by.0, by.0));
        self.sim.set_link_latency(MACHINE, TELEGRAM, Duration::from_millis(least));
        self.sim.set_link_max_message_latency(MACHINE, TELEGRAM, Duration::from_millis(most));
    }

    /// The server does something odd to the bot.
    pub fn quirk<T>(&mut self, act: impl FnOnce(&mut People<'_>, BotId) -> T) {
        let wall = self.wall();
        self.telegram.change(|t| {
            act(&mut t.people(wall), BotId::of_token(TOKEN).expect("it looks like a token"));
        });
    }

    /// Another program polls with the bot's token. It confirms nothing, and it does not wait for the answer.
    pub fn poll_as_somebody_else(&mut self) {
        self.rival_until_ms = self.now() + RIVAL_MS;
        let wall = self.wall();
        self.telegram.change(|t| {
            let request = botapi::Request {
                token: TOKEN.to_owned(),
                method: "getUpdates".to_owned(),
                body: serde_json::json!({ "timeout": OTHERS_POLL_S }),
                files: BTreeMap::new(),
                connection: t.connect(),
            };
            botapi::handle(t, wall, request)
        });
    }

    /// Telegram delivers the newest message of the group again: as the same update, or as a fresh one. Whether there was one,
    /// and nothing that would have come after its repeat.
    pub fn repeat_update(&mut self, fresh: bool) -> bool {
        let wall = self.wall();
        self.telegram.change(|t| {
            let newest = t.screen(GROUP).messages.into_iter().rev().find(|m| !m.is_bot);
            let Some(message) = newest else { return false };
            let mut people = t.people(wall);
            let bot = BotId::of_token(TOKEN).expect("it looks like a token");
            if fresh {
                people.repeat_message(GROUP, message.id);
                true
            } else {
                // What nobody has fetched yet would overtake what was said before it.
                people.pending_updates(bot) == 0 && people.repeat_newest_update(bot)
            }
        })
    }

    /// The database holds next to nothing in memory: before the first step.
    pub fn cache_little(&mut self) {
        self.small_cache.set(true);
    }

    /// The database as it now lies on the disk, in a copy: to be looked at without a trace. The copy lives as long as its
    /// first part.
    ///
    /// # Errors
    /// What SQLite says of the disk.
    pub fn left_on_disk(&self) -> Result<(Vfs, rusqlite::Connection), rusqlite::Error> {
        let disk = self.disk.copy();
        disk.set_capacity(None);
        let vfs = Vfs::mount(&disk);
        let db = vfs.open(DATABASE)?;
        Ok((vfs, db))
    }

    /// A connection on the database as a process of the machine would have it.
    ///
    /// # Errors
    /// What SQLite says of the disk.
    pub fn database(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
        self.vfs.open(DATABASE)
    }
}

/// Whether a request is a poll of the daemon's.
pub fn is_poll(record: &Record) -> bool {
    Method::parse(&record.method) == Some(Method::GetUpdates) && record.body["timeout"] != OTHERS_POLL_S
}

/// The true wall clock, inside a host.
fn server_time() -> Millis {
    let elapsed = turmoil::sim_elapsed().unwrap_or_default().as_millis();
    Millis(EPOCH_MS.unsigned_abs() + u64::try_from(elapsed).unwrap_or(0))
}

struct SimStorage {
    clock: Clock,
    /// When a daemon opened the database, or tried to; once for each ms.
    opened: Rc<RefCell<Vec<i64>>>,
    disk: Disk,
    vfs: Rc<Vfs>,
    small_cache: Rc<Cell<bool>>,
    unsynced: Rc<Cell<bool>>,
}

impl Storage for SimStorage {
    fn open(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
        let now = self.clock.sim_ms();
        if self.opened.borrow().last() != Some(&now) {
            self.opened.borrow_mut().push(now);
        }
        let db = self.vfs.open(DATABASE)?;
        prepare(&db)?;
        if self.small_cache.get() {
            db.pragma_update(None, "cache_size", SMALL_CACHE_PAGES)?;
        }
        if self.unsynced.get() {
            db.execute_batch("PRAGMA synchronous = NORMAL")?;
        }
        Ok(db)
    }

    fn free_bytes(&self) -> Option<u64> {
        self.disk.free()
    }

    /// This disk has no blocks that a file could be given ahead of its end.
    fn keep_room(&self) {}
}

#[cfg(test)]
mod tests;
