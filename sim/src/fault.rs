//! Everything that can go wrong: its name in scenario files, its numbers, how it is brought about and healed, and how
//! chance draws it. A new fault is added here and nowhere else.

use crate::botapi::{self, Method, Methods, Millis, Quota, Rule};
use crate::disk::{self, Op, Survivors};
use crate::scenario::Span;
use crate::world::World;
use serde::{Deserialize, Serialize};

/// What goes wrong. Times without another word are how long it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The daemon is killed (SIGKILL); the service manager starts another one after `down`.
    DaemonKilled {
        /// Until the next one.
        #[serde(default = "seconds_2")]
        down: Span,
    },
    /// The daemon is told to end (SIGTERM), as for an upgrade; another one comes after `down`.
    DaemonStopped {
        /// Until the next one.
        #[serde(default = "seconds_2")]
        down: Span,
    },
    /// The machine loses power for `off`.
    PowerLoss {
        /// Until it has booted.
        #[serde(default = "minute")]
        off: Span,
        /// What is left of writes that were not synced.
        #[serde(default)]
        left: Left,
    },
    /// Nothing gets through between machine and Telegram.
    LineCut {
        /// How long.
        lasts: Span,
    },
    /// Telegram answers wrongly, or not at all; the names are those of `mainstay-botapi --help`.
    Telegram {
        /// How.
        answer: String,
        /// Which requests.
        #[serde(default)]
        to: To,
        /// How long.
        lasts: Span,
    },
    /// The last update is delivered again: under the same id, or the same message under a fresh one.
    UpdateRepeated {
        /// Under a fresh id.
        #[serde(default)]
        fresh: bool,
    },
    /// The shim of a job that runs is killed; its task lives on.
    ShimKilled {
        /// Which job; the one that began last when none is said.
        #[serde(default)]
        job: Option<usize>,
    },
    /// The next starts of tasks fail (no processes left).
    StartsFail {
        /// How many.
        times: u32,
    },
    /// Writes or syncs of the disk fail.
    DiskFails {
        /// How.
        how: DiskFailure,
        /// How long.
        lasts: Span,
    },
    /// Somebody sets the machine's wall clock: ahead, or with a minus back.
    ClockSet {
        /// By so many seconds against the truth.
        by_seconds: i64,
    },
}

/// What a power loss leaves of writes that were not synced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// Nothing.
    Nothing,
    /// The first ones, the last of them in part.
    Prefix,
    /// Any sectors, in any order, some in part.
    #[default]
    Any,
}

/// Which requests to Telegram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum To {
    /// All.
    #[default]
    All,
    /// Long polls.
    Polls,
    /// All but those.
    Sends,
}

/// How a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFailure {
    /// Writes fail.
    Writes,
    /// Syncs fail, and what they were to sync is lost.
    Syncs,
    /// There is no room.
    Full,
}

/// What a fault leaves to be done when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heal {
    /// A daemon is started.
    Start,
    /// The machine boots.
    Boot,
    /// The line works again.
    Line,
    /// The disk works again.
    Disk,
}

fn seconds_2() -> Span {
    Span(2_000)
}

fn minute() -> Span {
    Span(60_000)
}

impl Fault {
    /// Brings it about. What is to be healed, and after how long.
    pub fn strike(&self, world: &mut World) -> Option<(Heal, Span)> {
        match self {
            Fault::DaemonKilled { down } if world.is_up() => {
                world.kill();
                Some((Heal::Start, *down))
            }
            Fault::DaemonStopped { down } if world.is_up() => {
                world.desk.terminate();
                world.restart_after = Some(*down);
                None
            }
            Fault::PowerLoss { off, left } if world.has_power() => {
                world.power_loss(match left {
                    Left::Nothing => Survivors::Nothing,
                    Left::Prefix => Survivors::Prefix,
                    Left::Any => Survivors::Sectors { keep: 0.5, torn: true },
                });
                Some((Heal::Boot, *off))
            }
            // There is nobody whom it could strike.
            Fault::DaemonKilled { .. } | Fault::DaemonStopped { .. } | Fault::PowerLoss { .. } => None,
            Fault::LineCut { lasts } => {
                world.cut_line(true);
                Some((Heal::Line, *lasts))
            }
            Fault::Telegram { answer, to, lasts } => {
                let fault = botapi::Fault::named(answer)?;
                let until = Millis(world.wall().0 + lasts.0);
                let methods = match to {
                    To::All => Methods::All,
                    To::Polls => Methods::Only(Method::GetUpdates),
                    To::Sends => Methods::AllBut(Method::GetUpdates),
                };
                world.telegram.change(|t| t.faults.add(Rule { methods, quota: Quota::Until(until), fault }));
                None
            }
            Fault::UpdateRepeated { fresh } => {
                world.repeat_update(*fresh);
                None
            }
            Fault::ShimKilled { job } => {
                let ledger = world.machine.ledger();
                let mine = |prompt: &str| job.is_none_or(|job| crate::people::job_of(prompt) == Some(job));
                let runs = ledger.iter().rev().find(|ran| ran.ended_ms.is_none() && mine(&ran.prompt));
                if let Some(ran) = runs {
                    world.machine.kill_shim(ran.key);
                }
                None
            }
            Fault::StartsFail { times } => {
                world.machine.fail_starts(*times);
                None
            }
            Fault::DiskFails { how, lasts } => {
                let how = *how;
                world.disk.set_faults(Some(Box::new(move |op, _, _| match (how, op) {
                    (DiskFailure::Writes, Op::Write) => Some(disk::Fault::Eio),
                    (DiskFailure::Syncs, Op::Sync) => Some(disk::Fault::SyncDropsWrites),
                    (DiskFailure::Full, Op::Write | Op::Create) => Some(disk::Fault::Enospc),
                    (_, _) => None,
                })));
                Some((Heal::Disk, *lasts))
            }
            Fault::ClockSet { by_seconds } => {
                world.clock.set_skew(by_seconds.saturating_mul(1_000));
                None
            }
        }
    }

    /// One by chance. Of the kinds in `among` (see [`Fault::KINDS`]), which is not empty.
    pub fn draw(rng: &mut fastrand::Rng, among: &[usize]) -> Fault {
        let mut seconds = |least: u64, most: u64| Span(rng.u64(least * 1_000..=most * 1_000));
        let (short, long) = (seconds(0, 10), seconds(5, 180));
        match among[rng.usize(..among.len())] {
            0 => Fault::DaemonKilled { down: short },
            1 => Fault::DaemonStopped { down: short },
            2 => Fault::PowerLoss { off: long, left: *pick(rng, &[Left::Nothing, Left::Prefix, Left::Any]) },
            3 => Fault::LineCut { lasts: long },
            4 => {
                let (answer, _) = *pick(rng, &botapi::Fault::NAMED);
                let to = *pick(rng, &[To::All, To::Polls, To::Sends]);
                Fault::Telegram { answer: answer.to_owned(), to, lasts: long }
            }
            5 => Fault::UpdateRepeated { fresh: rng.bool() },
            6 => Fault::ShimKilled { job: None },
            7 => Fault::StartsFail { times: rng.u32(1..=3) },
            8 => {
                let how = *pick(rng, &[DiskFailure::Writes, DiskFailure::Syncs, DiskFailure::Full]);
                Fault::DiskFails { how, lasts: short }
            }
            _ => Fault::ClockSet { by_seconds: rng.i64(-7_200..=7_200) },
        }
    }

    /// How many kinds [`Fault::draw`] knows.
    pub const KINDS: usize = 10;
}

impl Heal {
    /// What is over then, in words.
    pub fn over(self) -> &'static str {
        match self {
            Heal::Start => "a daemon is started",
            Heal::Boot => "the machine boots",
            Heal::Line => "the line works again",
            Heal::Disk => "the disk works again",
        }
    }

    /// Brings it about.
    pub fn heal(self, world: &mut World) {
        match self {
            Heal::Start => world.start(),
            Heal::Boot => world.boot(),
            Heal::Line => world.cut_line(false),
            Heal::Disk => world.disk.set_faults(None),
        }
    }
}

fn pick<'a, T>(rng: &mut fastrand::Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}
