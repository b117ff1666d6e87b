//! Time that stands still unless a test moves it, and the points at which a daemon can be killed.

use mainstay::ports::{Instants, LocalFuture, Time};
use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// What a killed daemon unwinds with: no panic, nothing is printed.
pub(crate) struct Killed;

/// More calls of ports than any settling needs: the daemon is spinning.
const CALLS_MAX: u64 = 200_000;

/// Shared by all ports of one world.
pub(crate) struct Shared {
    pub(crate) wall_ms: Cell<i64>,
    pub(crate) boot_ms: Cell<i64>,
    pub(crate) boot: RefCell<String>,
    /// Futures that wait for the world to change.
    pub(crate) wakers: RefCell<Vec<Waker>>,
    /// When, by the boot clock, one of them wants to be asked again.
    pub(crate) deadlines: RefCell<Vec<i64>>,
    /// Counts what happened: settled when it stands still.
    pub(crate) activity: Cell<u64>,
    calls: Cell<u64>,
    /// The daemon dies at so many calls of ports from here.
    kill_in: Cell<Option<u64>>,
    random: Cell<u64>,
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Rc<Shared> {
        Rc::new(Shared {
            wall_ms: Cell::new(1_800_000_000_000),
            boot_ms: Cell::new(100_000),
            boot: RefCell::new("boot-1".into()),
            wakers: RefCell::default(),
            deadlines: RefCell::default(),
            activity: Cell::new(0),
            calls: Cell::new(0),
            kill_in: Cell::new(None),
            random: Cell::new(seed),
        })
    }

    /// A call of a port begins or ends: perhaps the daemon's last.
    pub(crate) fn tick(&self) {
        self.calls.set(self.calls.get() + 1);
        assert!(self.calls.get() < CALLS_MAX, "the daemon spins");
        match self.kill_in.get() {
            Some(0) => {
                self.kill_in.set(None);
                resume_unwind(Box::new(Killed));
            }
            Some(n) => self.kill_in.set(Some(n - 1)),
            None => {}
        }
    }

    /// Something happened.
    pub(crate) fn act(&self) {
        self.activity.set(self.activity.get() + 1);
    }

    pub(crate) fn kill_in(&self, calls: Option<u64>) {
        self.kill_in.set(calls);
    }

    pub(crate) fn kill_in_never(&self) {
        self.kill_in(None);
    }

    pub(crate) fn still(&self) {
        self.calls.set(0);
    }

    pub(crate) fn draw(&self) -> u64 {
        let mut z = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(z);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Waits until `ready` has something; asked again whenever the world changed.
    pub(crate) fn wait<T>(self: &Rc<Self>, mut ready: impl FnMut() -> Option<T> + 'static) -> LocalFuture<'static, T>
    where
        T: 'static,
    {
        let shared = self.clone();
        Box::pin(std::future::poll_fn(move |cx| match ready() {
            Some(value) => {
                shared.act();
                Poll::Ready(value)
            }
            None => {
                shared.wakers.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        }))
    }

    /// True once the boot clock has reached `at`; until then the driver knows that somebody waits for it.
    pub(crate) fn reached(&self, at: i64) -> bool {
        let reached = self.boot_ms.get() >= at;
        if !reached {
            self.deadlines.borrow_mut().push(at);
        }
        reached
    }
}

/// The clocks as one daemon sees them.
pub(crate) struct FakeTime {
    pub(crate) shared: Rc<Shared>,
    pub(crate) boot: String,
}

impl Time for FakeTime {
    fn now(&self) -> Instants {
        self.shared.tick();
        Instants { wall_ms: self.shared.wall_ms.get(), boot_ms: self.shared.boot_ms.get() }
    }

    fn boot_id(&self) -> &str {
        &self.boot
    }

    fn sleep_until(&self, boot_ms: i64) -> LocalFuture<'_, ()> {
        let shared = self.shared.clone();
        self.shared.wait(move || shared.reached(boot_ms).then_some(()))
    }

    fn entropy(&self) -> u64 {
        self.shared.draw()
    }
}
