//! Clocks and randomness of the machine.
//!
//! Deadlines are met by timers on the boot clock, so that a suspended machine is not late by its sleep. (The runtime's own
//! timers stop while it sleeps.)

use super::watched::Watched;
use crate::policy;
use crate::ports::{Instants, LocalFuture, Time};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll};

/// The production [`Time`]. `sleep_until` must be used inside a tokio runtime.
pub struct SystemClock {
    boot_id: String,
    /// Timers nobody waits on, the last one used at the end: the loop waits again and again for the same deadline, and
    /// then finds its timer still set.
    idle: RefCell<Vec<Timer>>,
}

struct Timer {
    watched: Watched,
    /// What it is set to, boot clock.
    set_ms: i64,
}

impl SystemClock {
    /// The clocks of this boot.
    ///
    /// # Errors
    /// The boot id can't be read: there is no `/proc`.
    pub fn new() -> io::Result<SystemClock> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        Ok(SystemClock { boot_id, idle: RefCell::default() })
    }
}

fn read_ms(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

impl Time for SystemClock {
    fn now(&self) -> Instants {
        Instants { wall_ms: read_ms(ClockId::Realtime), boot_ms: read_ms(ClockId::Boottime) }
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn sleep_until(&self, boot_ms: i64) -> LocalFuture<'_, ()> {
        let mut sleep = Sleep { clock: self, until_ms: boot_ms, timer: None };
        Box::pin(async move { std::future::poll_fn(|cx| sleep.poll(cx)).await })
    }

    fn entropy(&self) -> u64 {
        entropy()
    }
}

/// Fresh bits from the system.
pub(crate) fn entropy() -> u64 {
    let mut bytes = [0; 8];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => filled += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("the system has no randomness: {error}"),
        }
    }
    u64::from_ne_bytes(bytes)
}

/// Milliseconds since 1970.
pub(crate) fn wall_ms() -> i64 {
    read_ms(ClockId::Realtime)
}

/// Whether somebody (a time service) keeps the machine's clock right, as the kernel was told; none where it does not say.
#[expect(unsafe_code, reason = "rustix has no adjtimex")]
pub(crate) fn is_synchronised() -> Option<bool> {
    // SAFETY: a zeroed timex is a valid one, and with no mode in it nothing is changed; the call fills it.
    let (state, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex.status)
    };
    (state >= 0).then_some(status & libc::STA_UNSYNC == 0)
}

/// Milliseconds since this boot.
pub(crate) fn boot_ms() -> i64 {
    read_ms(ClockId::Boottime)
}

struct Sleep<'a> {
    clock: &'a SystemClock,
    until_ms: i64,
    timer: Option<Timer>,
}

impl Sleep<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if read_ms(ClockId::Boottime) >= self.until_ms {
            return Poll::Ready(());
        }
        if self.timer.is_none() {
            self.timer = Some(self.clock.timer(self.until_ms).expect("a timer can be had: no descriptors are left"));
        }
        let timer = self.timer.as_ref().expect("set above");
        loop {
            match timer.watched.poll_readable(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Pending, // the runtime is going away
                Poll::Ready(Ok(mut ready)) => ready.clear_ready(),
            }
            if read_ms(ClockId::Boottime) >= self.until_ms {
                return Poll::Ready(());
            }
        }
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        let mut idle = self.clock.idle.borrow_mut();
        if idle.len() < policy::IDLE_TIMERS_MAX {
            idle.extend(self.timer.take());
        }
    }
}

impl SystemClock {
    fn timer(&self, until_ms: i64) -> io::Result<Timer> {
        let mut idle = self.idle.borrow_mut();
        let same = idle.iter().rposition(|timer| timer.set_ms == until_ms);
        let mut timer = match same.map(|at| idle.remove(at)).or_else(|| idle.pop()) {
            Some(timer) => timer,
            None => {
                let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
                Timer { watched: Watched::new(timerfd_create(TimerfdClockId::Boottime, flags)?)?, set_ms: 0 }
            }
        };
        if timer.set_ms != until_ms {
            let at = Timespec { tv_sec: until_ms / 1_000, tv_nsec: until_ms % 1_000 * 1_000_000 };
            let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
            timerfd_settime(&timer.watched, TimerfdTimerFlags::ABSTIME, &spec)?;
            timer.set_ms = until_ms;
        }
        Ok(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
    }

    #[test]
    fn a_sleep_ends_when_its_time_has_come_and_one_of_the_past_at_once() {
        run(async {
            let clock = SystemClock::new().expect("clock");
            clock.sleep_until(clock.now().boot_ms - 5).await;
            for _ in 0..3 {
                let until = clock.now().boot_ms + 5;
                clock.sleep_until(until).await;
                assert!(clock.now().boot_ms >= until);
            }
            assert_eq!(clock.idle.borrow().len(), 1, "one timer serves them all");
        });
    }

    #[test]
    fn a_dropped_sleep_is_taken_up_again_and_others_keep_their_times() {
        run(async {
            let clock = SystemClock::new().expect("clock");
            let hour = clock.now().boot_ms + 3_600_000;
            let far = clock.sleep_until(hour + 1);
            tokio::pin!(far);
            for _ in 0..3 {
                tokio::select! {
                    biased;
                    () = &mut far => panic!("an hour early"),
                    () = clock.sleep_until(hour) => panic!("an hour early"),
                    () = std::future::ready(()) => {}
                }
            }
            assert_eq!(clock.idle.borrow().len(), 1, "the same timer, still set");
            let until = clock.now().boot_ms + 5;
            tokio::select! {
                biased;
                () = &mut far => panic!("an hour early"),
                () = clock.sleep_until(until) => {}
            }
            assert!(clock.now().boot_ms >= until);
        });
    }

    #[test]
    fn randomness_does_not_repeat_and_the_boot_has_a_name() {
        let clock = SystemClock::new().expect("clock");
        assert_ne!(clock.entropy(), clock.entropy());
        assert_eq!(clock.boot_id().len(), 36);
    }
}
