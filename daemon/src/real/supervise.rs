//! The life of a running task as its shim sees it: drains output, keeps the time limit, walks the stop ladder, buries.
//!
//! The shim is the subreaper of all that it starts, so whatever loses its parent becomes its child: when there is no child
//! left to wait for, nothing of the tree is alive, however it forked. That is the only proof of "over" used here; cgroup
//! and /proc only serve to find whom to signal. Group signals are sent only while the main process is not yet reaped,
//! because its pid, and with it the group's number, cannot have come to mean somebody else before.

use super::cgroup::Group;
use super::complain::complain;
use super::logfile::LogFile;
use super::process::{self, Pin, Stat};
use super::shim::now_ms;
use super::sys;
use crate::attempt::{End, EndCause, LogDigest};
use crate::policy;
use crate::ports::Spec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

/// Bytes read at once from a stream: the default size of a pipe.
const CHUNK_BYTES: usize = 65_536;

/// What became of the task, once nothing of it is alive.
pub(super) struct Outcome {
    pub(super) end: End,
    pub(super) cause: EndCause,
    pub(super) ended_ms: i64,
    pub(super) ended_boot_ms: i64,
    pub(super) strays: u32,
    pub(super) logs: [LogDigest; 2],
}

/// Where the task is on its way out. Times are milliseconds of the boot clock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The main process runs, and nobody minds.
    Running,
    /// The main process was asked to end (SIGTERM).
    Asked { kill_at: i64 },
    /// The main process has ended; others of the tree have not, and may still be writing.
    Lingering { until: i64, at_most: i64 },
    /// The strays were asked to end.
    Clearing { kill_at: i64 },
    /// Everything gets SIGKILL until nothing is left.
    Killing { again_at: i64 },
}

/// How the main process ended, and when.
struct MainEnd {
    end: End,
    wall_ms: i64,
    boot_ms: i64,
}

struct Supervisor<'a> {
    main: Pid,
    group: Option<&'a Group>,
    ended: Option<MainEnd>,
    /// No child is left to wait for.
    empty: bool,
    cause: EndCause,
    strays: u32,
    phase: Phase,
    timeout_at: i64,
    stop_grace_ms: i64,
    outputs: [Output; 2],
    buffer: Vec<u8>,
}

struct Output {
    pipe: Option<OwnedFd>,
    log: LogFile,
}

/// Sees the task, started at `started_at` of the boot clock, through to its end.
pub(super) fn run(
    spec: &Spec,
    main: Pid,
    started_at: i64,
    wake: OwnedFd,
    group: Option<&Group>,
    logs: [(OwnedFd, LogFile); 2],
) -> Outcome {
    let ms = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let mut supervisor = Supervisor {
        main,
        group,
        ended: None,
        empty: false,
        cause: EndCause::Itself,
        strays: 0,
        phase: Phase::Running,
        timeout_at: started_at + ms(spec.timeout_ms),
        stop_grace_ms: ms(spec.stop_grace_ms),
        outputs: logs.map(|(pipe, log)| Output { pipe: Some(pipe), log }),
        buffer: vec![0; CHUNK_BYTES],
    };
    // The boot clock goes on while the machine sleeps, and so does a task's time limit.
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)
        .expect("a timer: the kernel has one per open file, and two are open");
    loop {
        supervisor.reap();
        if supervisor.empty && supervisor.ended.is_some() {
            break;
        }
        let now = now_ms(ClockId::Boottime);
        supervisor.advance(now);
        supervisor.wait_for_something(&wake, &timer);
    }
    supervisor.finish()
}

impl Supervisor<'_> {
    /// Buries whoever has ended; the only place that waits for children.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.main => {
                    let boot_ms = now_ms(ClockId::Boottime);
                    let end = end_of(status);
                    if self.phase == Phase::Running && end == End::Signaled(Signal::KILL.as_raw()) {
                        // The daemon did it, if this shim should have and its task kept it from that.
                        self.cause = self.due(boot_ms).unwrap_or(EndCause::Itself);
                    }
                    self.ended = Some(MainEnd { end, wall_ms: now_ms(ClockId::Realtime), boot_ms });
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return,
                Err(_) => {
                    self.empty = true;
                    return;
                }
            }
        }
    }

    /// Why the task has to end now, if it has to. One that is asked to end when its time was up before was kept from its work.
    fn due(&self, now: i64) -> Option<EndCause> {
        match (now >= self.timeout_at, sys::asked_to_stop()) {
            (true, _) => Some(EndCause::TimedOut),
            (false, true) => Some(EndCause::Stopped),
            (false, false) => None,
        }
    }

    /// The ladder: one step at most, after everybody who has ended was buried.
    fn advance(&mut self, now: i64) {
        let asked = sys::asked_to_stop();
        match self.phase {
            Phase::Running if self.ended.is_some() => {
                self.phase = Phase::Lingering {
                    until: now + policy::OUTPUT_QUIET_MS,
                    at_most: now + policy::OUTPUT_LINGER_MAX_MS,
                };
            }
            Phase::Running if let Some(cause) = self.due(now) => {
                self.cause = cause;
                self.ask_main();
                self.phase = Phase::Asked { kill_at: now + self.stop_grace_ms };
            }
            Phase::Asked { kill_at } if self.ended.is_some() => {
                self.ask_strays();
                self.phase = Phase::Clearing { kill_at: kill_at.min(now + policy::STRAY_GRACE_MS) };
            }
            Phase::Lingering { until, at_most } => {
                let silent = self.outputs.iter().all(|o| o.pipe.is_none());
                if asked || silent || now >= until.min(at_most) {
                    self.ask_strays();
                    self.phase = Phase::Clearing { kill_at: now + policy::STRAY_GRACE_MS };
                }
            }
            Phase::Asked { kill_at } | Phase::Clearing { kill_at } if now >= kill_at => {
                self.strays = self.strays.max(self.outsiders());
                self.kill_all();
                self.phase = Phase::Killing { again_at: now + policy::KILL_RESCAN_MS };
            }
            Phase::Killing { again_at } if now >= again_at => {
                self.kill_all();
                self.phase = Phase::Killing { again_at: now + policy::KILL_RESCAN_MS };
            }
            Phase::Running | Phase::Asked { .. } | Phase::Clearing { .. } | Phase::Killing { .. } => {}
        }
    }

    fn deadline(&self) -> i64 {
        match self.phase {
            Phase::Running => self.timeout_at,
            Phase::Asked { kill_at } | Phase::Clearing { kill_at } => kill_at,
            Phase::Lingering { until, at_most } => until.min(at_most),
            Phase::Killing { again_at } => again_at,
        }
    }

    /// SIGTERM to the main process's group, and SIGCONT, for what is stopped can't react.
    fn ask_main(&self) {
        debug_assert!(self.ended.is_none(), "the group's number is ours only until the main process is reaped");
        let _ = kill_process_group(self.main, Signal::TERM);
        let _ = kill_process_group(self.main, Signal::CONT);
    }

    /// SIGTERM to everybody who has outlived the main process, each pinned. Whoever is on the way out closes its output a
    /// moment before it is a zombie, and is no stray.
    fn ask_strays(&mut self) {
        let strays = tree();
        let staying = strays.iter().filter(|s| !process::is_ending(s.pid)).count();
        self.strays = self.strays.max(u32::try_from(staying).unwrap_or(u32::MAX));
        for pin in strays.iter().filter_map(|s| Pin::open(s.pid, s.start)) {
            pin.signal(Signal::TERM);
            pin.signal(Signal::CONT);
        }
    }

    /// Living processes of the tree that the main process's group does not cover.
    fn outsiders(&self) -> u32 {
        let main = self.main.as_raw_nonzero().get().cast_unsigned();
        let outside = tree().iter().filter(|s| self.ended.is_some() || s.group != main).count();
        u32::try_from(outside).unwrap_or(u32::MAX)
    }

    /// SIGKILL to the group, the cgroup, and every child; grandchildren become children by that. A direct child's number is
    /// safe to use: only we reap it.
    fn kill_all(&mut self) {
        if self.ended.is_none() {
            let _ = kill_process_group(self.main, Signal::KILL);
        }
        if let Some(group) = self.group {
            group.kill();
        }
        let mut before = Vec::new();
        for _ in 0..policy::KILL_ROUNDS_MAX {
            let children = process::children();
            // Nobody new, so all have their SIGKILL already: SIGCHLD will tell.
            if children == before {
                return;
            }
            for pid in children.iter().filter_map(|p| Pid::from_raw(p.cast_signed())) {
                let _ = kill_process(pid, Signal::KILL);
            }
            before = children;
            self.reap();
            if self.empty {
                return;
            }
        }
    }

    /// Sleeps until there is output, a signal, or a deadline; takes one piece of each output that has some.
    fn wait_for_something(&mut self, wake: &OwnedFd, timer: &OwnedFd) {
        let at = self.deadline().max(1);
        let when = Timespec { tv_sec: at / 1000, tv_nsec: at % 1000 * 1_000_000 };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: when };
        let _ = timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &once);
        let mut fds = vec![PollFd::new(wake, PollFlags::IN), PollFd::new(timer, PollFlags::IN)];
        fds.extend(self.outputs.iter().filter_map(|o| o.pipe.as_ref()).map(|p| PollFd::new(p, PollFlags::IN)));
        let _ = poll(&mut fds, None);
        let _ = rustix::io::read(wake, &mut [0u8; 8]);
        let mut heard = false;
        for output in &mut self.outputs {
            heard |= output.take(&mut self.buffer) == Taken::Some;
        }
        if let (true, Phase::Lingering { until, .. }) = (heard, &mut self.phase) {
            *until = now_ms(ClockId::Boottime) + policy::OUTPUT_QUIET_MS;
        }
    }

    /// Nobody of ours can write any more: what is in the pipes is all there will be. Who else holds their other end
    /// (a descriptor that was handed over) is not waited for.
    fn finish(mut self) -> Outcome {
        for output in &mut self.outputs {
            let mut pieces = 0;
            while pieces < policy::OUTPUT_LAST_PIECES_MAX && output.take(&mut self.buffer) == Taken::Some {
                pieces += 1;
            }
        }
        let ended = self.ended.expect("the loop ends only after the main process");
        Outcome {
            end: ended.end,
            cause: self.cause,
            ended_ms: ended.wall_ms,
            ended_boot_ms: ended.boot_ms,
            strays: self.strays,
            logs: self.outputs.map(|o| o.log.digest()),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Taken {
    Some,
    Nothing,
}

impl Output {
    /// Reads one piece into the log, without waiting.
    fn take(&mut self, buffer: &mut [u8]) -> Taken {
        let Some(pipe) = &self.pipe else { return Taken::Nothing };
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => {
                self.pipe = None;
                Taken::Nothing
            }
            Ok(n) => {
                self.log.write(&buffer[..n]);
                Taken::Some
            }
            Err(Errno::AGAIN | Errno::INTR) => Taken::Nothing,
            Err(e) => {
                complain(format_args!("output can't be read any more: {e}"));
                self.pipe = None;
                Taken::Nothing
            }
        }
    }
}

/// Every living process that descends from this one.
fn tree() -> Vec<Stat> {
    process::descendants(&process::all(), &BTreeSet::from([std::process::id()]))
}

fn end_of(status: WaitStatus) -> End {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Signaled(signal),
        (None, None) => unreachable!("wait was asked for ended children only"),
    }
}
