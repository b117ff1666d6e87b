//! The clocks of the simulated machine: turmoil's time, seen from this boot, with a wall clock that can be set wrong.

use crate::digest::Digest;
use mainstay::ports::{Instants, LocalFuture, Time};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The wall clock when a simulation begins, ms since 1970: a fixed moment, so that no run depends on the real date.
pub const EPOCH_MS: i64 = 1_800_000_000_000;
/// The boot clock when a simulation begins, ms: a machine that runs an old daemon has been up for a while.
const FIRST_BOOT_MS: i64 = 3_600_000;
/// The same when a machine has come back from a power loss: what a kernel needs until it starts services.
const BOOT_MS: i64 = 20_000;

/// Time, shared by all that happens in one simulation. Clones are the same clocks.
#[derive(Clone)]
pub struct Clock(Rc<Inner>);

struct Inner {
    /// Time since the beginning of the simulation, while no host is running (turmoil knows it else).
    elapsed: Cell<Duration>,
    /// Hosts are running.
    steps: Cell<bool>,
    /// `elapsed` at which the boot clock would have been zero, ms.
    booted_at_ms: Cell<i64>,
    boots: Cell<u32>,
    boot_id: RefCell<Rc<str>>,
    /// How much the wall clock is wrong, ms.
    skew_ms: Cell<i64>,
    rng: RefCell<fastrand::Rng>,
    /// Over all time and chance that was given out.
    digest: Cell<Digest>,
    /// When somebody last slept until now or earlier, and how often at that moment.
    hurried: Cell<(i64, u32)>,
    /// When somebody last looked at it, and how often at that moment.
    looked: Cell<(i64, u32)>,
}

impl Clock {
    /// Clocks at the beginning, and a stream of entropy from the seed.
    pub fn new(seed: u64) -> Clock {
        Clock(Rc::new(Inner {
            elapsed: Cell::new(Duration::ZERO),
            steps: Cell::new(false),
            booted_at_ms: Cell::new(-FIRST_BOOT_MS),
            boots: Cell::new(1),
            boot_id: RefCell::new("boot-1".into()),
            skew_ms: Cell::new(0),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            digest: Cell::default(),
            hurried: Cell::new((0, 0)),
            looked: Cell::new((0, 0)),
        }))
    }

    /// Lets hosts run, by a step that tells how far the simulation has come with it.
    pub fn step(&self, step: impl FnOnce() -> Duration) {
        self.0.steps.set(true);
        self.0.elapsed.set(step());
        self.0.steps.set(false);
    }

    /// Since the beginning, ms; the time that everything in a simulation is ordered by.
    pub fn sim_ms(&self) -> i64 {
        let between = || self.0.elapsed.get();
        // Turmoil makes an error, with a text of its own, each time that it is asked while no host runs.
        let elapsed = if self.0.steps.get() { turmoil::sim_elapsed().unwrap_or_else(between) } else { between() };
        i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
    }

    /// Both clocks of the machine.
    pub fn now(&self) -> Instants {
        let sim_ms = self.sim_ms();
        Instants { wall_ms: EPOCH_MS + sim_ms + self.0.skew_ms.get(), boot_ms: sim_ms - self.0.booted_at_ms.get() }
    }

    /// The wall clock of the world outside, which nobody sets wrong: that of people and of Telegram, ms since 1970.
    pub fn true_wall_ms(&self) -> i64 {
        EPOCH_MS + self.sim_ms()
    }

    /// The machine comes back after a power loss.
    pub fn boot(&self) {
        self.0.booted_at_ms.set(self.sim_ms() - BOOT_MS);
        self.0.boots.set(self.0.boots.get() + 1);
        *self.0.boot_id.borrow_mut() = format!("boot-{}", self.0.boots.get()).into();
    }

    /// Names this boot.
    pub fn boot_id(&self) -> Rc<str> {
        self.0.boot_id.borrow().clone()
    }

    /// Somebody sets the machine's wall clock, by so many ms against the truth.
    pub fn set_skew(&self, ms: i64) {
        self.0.skew_ms.set(ms);
    }

    /// How much the machine's wall clock is wrong, ms.
    pub fn skew(&self) -> i64 {
        self.0.skew_ms.get()
    }

    /// Chance, the same for the same seed.
    pub fn draw(&self) -> u64 {
        let drawn = self.0.rng.borrow_mut().u64(..);
        self.note(drawn);
        drawn
    }

    /// Over all time that daemons asked for, and all chance that anybody did.
    pub fn digest(&self) -> Digest {
        self.0.digest.get()
    }

    fn note(&self, given: u64) {
        let mut digest = self.0.digest.get();
        digest.add(given);
        self.0.digest.set(digest);
    }

    /// Somebody sleeps until what is past. True when that was so often at the same moment that it would go on for ever.
    fn hurry(&self) -> bool {
        let (at, times) = self.0.hurried.get();
        let now = self.sim_ms();
        self.0.hurried.set((now, if at == now { times + 1 } else { 1 }));
        self.spins()
    }

    /// The daemon looks at its clock. One that goes on without ever waiting can't be interrupted: the run ends here, and says so.
    fn look(&self) {
        let (at, times) = self.0.looked.get();
        let now = self.sim_ms();
        let times = if at == now { times + 1 } else { 1 };
        self.0.looked.set((now, times));
        assert!(times <= LOOKS_MAX, "the daemon spins: it has looked at its clock {times} times at one moment");
    }

    /// A daemon has come back to the same moment again and again, without time going on. It sleeps for ever since then.
    pub fn spins(&self) -> bool {
        self.0.hurried.get().1 > HURRIES_MAX
    }
}

/// The clocks as one daemon sees them.
pub struct SimTime {
    clock: Clock,
    boot_id: Rc<str>,
}

impl SimTime {
    /// For a daemon that starts now.
    pub fn new(clock: &Clock) -> SimTime {
        SimTime { clock: clock.clone(), boot_id: clock.boot_id() }
    }
}

impl Time for SimTime {
    fn now(&self) -> Instants {
        self.clock.look();
        let now = self.clock.now();
        self.clock.note(now.wall_ms.unsigned_abs());
        self.clock.note(now.boot_ms.unsigned_abs());
        now
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn sleep_until(&self, boot_ms: i64) -> LocalFuture<'_, ()> {
        let left = boot_ms.saturating_sub(self.clock.now().boot_ms).clamp(0, FAR_MS);
        if left == 0 && self.clock.hurry() {
            return Box::pin(std::future::pending());
        }
        Box::pin(tokio::time::sleep(Duration::from_millis(left.unsigned_abs())))
    }

    fn entropy(&self) -> u64 {
        self.clock.draw()
    }
}

/// More turns of a daemon's loop than anything due at one moment needs.
const HURRIES_MAX: u32 = 5_000;
/// More looks at the clock than those turns take.
const LOOKS_MAX: u32 = 500_000;
/// Longer than any simulation; tokio's clock has an end.
const FAR_MS: i64 = 400 * 24 * 3_600_000;
