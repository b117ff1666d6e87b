//! Everything that can go wrong: its name in scenario files, its numbers, how it is brought about and healed, and how
//! chance draws it. A new fault is added here and nowhere else: a row of the table, and an arm of [`Fault::strike`]. Docs,
//! schema, hints and the swarm follow.

mod chance;
mod heal;
mod parts;

pub use chance::Chances;
pub use heal::Heal;
pub use parts::{ANSWERS, DISK_FAILURES, DiskFailure, LEFT, Left, TO, To, WAYS, Way};

use crate::botapi::{self, Method, Methods, Millis, Quota, Rule};
use crate::disk::{self, Op, Survivors};
use crate::people;
use crate::scenario::Span;
use crate::scenario::grammar::{Key, Takes, needed, optional, or};
use crate::world::World;
use heal::OTHER_POLL;
use serde::{Deserialize, Serialize};

/// A kind of fault, for docs, hints and chance.
pub struct Kind {
    /// As in scenario files.
    pub name: &'static str,
    /// What happens.
    pub about: &'static [&'static str],
    /// Its fields.
    pub keys: &'static [Key],
    /// One by chance; none where a world need not come to rest after it, so that only scenarios have it.
    pub draw: Option<Draw>,
}

/// Draws one of a kind.
pub type Draw = fn(&mut fastrand::Rng) -> Fault;

/// Makes the enum and the table of one list, so that they can't disagree: each fault with its name, chance, and fields; each
/// field with what it takes and what it is when nothing is said, which has to be what serde says.
macro_rules! faults {
    ($(
        $(#[doc = $about:literal])+
        $kind:ident $name:literal ($draw:expr) {
            $( $(#[doc = $told:literal])+ $(#[serde($how:meta)])? $field:ident: $type:ty = $takes:expr, )*
        }
    )+) => {
        /// What goes wrong. Times without another word are how long it does.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "fault", deny_unknown_fields)]
        pub enum Fault { $(
            $(#[doc = $about])+
            #[serde(rename = $name)]
            $kind { $( $(#[doc = $told])+ $(#[serde($how)])? $field: $type, )* },
        )+ }

        /// All kinds of fault.
        pub const KINDS: &[Kind] = &[ $( Kind {
            name: $name,
            about: &[$($about),+],
            keys: &[ $( Key { name: stringify!($field), about: &[$($told),+], rule: $takes } ),* ],
            draw: $draw,
        } ),+ ];

        impl Fault {
            /// Its name, as in scenario files.
            pub fn name(&self) -> &'static str {
                match self { $( Fault::$kind { .. } => $name, )+ }
            }
        }
    };
}

faults! {
    /// The daemon is killed (SIGKILL); the service manager starts another one.
    DaemonKilled "daemon-killed" (Some(|rng| Fault::DaemonKilled { down: seconds(rng, 0, 10) })) {
        /// Until the next one.
        #[serde(default = "seconds_2")]
        down: Span = or(Takes::Time, "2s"),
    }
    /// The daemon is told to end (SIGTERM), as for an upgrade; another one is started.
    DaemonStopped "daemon-stopped" (Some(|rng| Fault::DaemonStopped { down: seconds(rng, 0, 10) })) {
        /// Until the next one.
        #[serde(default = "seconds_2")]
        down: Span = or(Takes::Time, "2s"),
    }
    /// The machine loses power: every process dies, and what was not synced may be lost. It boots, and the daemon is started.
    PowerLoss "power-loss" (Some(|rng| Fault::PowerLoss {
        off: seconds(rng, 5, 180),
        left: *pick(rng, &[Left::Nothing, Left::Prefix, Left::Any]),
    })) {
        /// Until it has booted.
        #[serde(default = "minute")]
        off: Span = or(Takes::Time, "1m"),
        /// What is left of writes that were not synced.
        #[serde(default)]
        left: Left = or(Takes::Word(&LEFT), "any"),
    }
    /// Nothing gets through between machine and Telegram. What was under way is lost, and nobody is told.
    LineCut "line-cut" (Some(|rng| Fault::LineCut {
        lasts: seconds(rng, 5, 180),
        way: *pick(rng, &[Way::Both, Way::Both, Way::There, Way::Back]),
    })) {
        /// How long.
        lasts: Span = needed(Takes::Time),
        /// Which way.
        #[serde(default)]
        way: Way = or(Takes::Word(&WAYS), "both"),
    }
    /// The line between machine and Telegram is slow.
    LineSlow "line-slow" (Some(|rng| Fault::LineSlow { lasts: seconds(rng, 5, 180), by: seconds(rng, 1, 8) })) {
        /// How long.
        lasts: Span = needed(Takes::Time),
        /// How long everything takes, each way.
        #[serde(default = "seconds_2")]
        by: Span = or(Takes::Time, "2s"),
    }
    /// Telegram answers wrongly, or not at all.
    Telegram "telegram" (Some(|rng| {
        let (answer, _) = *pick(rng, &botapi::Fault::NAMED);
        let to = *pick(rng, &[To::All, To::Polls, To::Sends]);
        Fault::Telegram { answer: answer.to_owned(), to, lasts: seconds(rng, 5, 180) }
    })) {
        /// How.
        answer: String = needed(Takes::Word(&ANSWERS)),
        /// Which requests.
        #[serde(default)]
        to: To = or(Takes::Word(&TO), "all"),
        /// How long.
        lasts: Span = needed(Takes::Time),
    }
    /// Telegram delivers the newest message of the group again.
    UpdateRepeated "update-repeated" (Some(|rng| Fault::UpdateRepeated { fresh: rng.bool() })) {
        /// Under a fresh id, instead of the same one.
        #[serde(default)]
        fresh: bool = or(Takes::Bool, "false"),
    }
    /// Telegram numbers its updates anew, from a lower number on, as after an idle week.
    UpdatesRenumbered "updates-renumbered" (Some(|_| Fault::UpdatesRenumbered {})) {}
    /// Telegram sends an update of a kind that nobody knows yet.
    UpdateUnknown "update-unknown" (Some(|_| Fault::UpdateUnknown {})) {}
    /// Another program polls with the bot's token, every five seconds: polls of the daemon end with 409.
    OtherPoller "other-poller" (Some(|rng| Fault::OtherPoller { lasts: seconds(rng, 5, 180) })) {
        /// How long.
        lasts: Span = needed(Takes::Time),
    }
    /// Somebody removes the bot from the group, and adds it again later: what is said there meanwhile never reaches it.
    ChatGone "chat-gone" (None) {
        /// How long.
        lasts: Span = needed(Takes::Time),
    }
    /// The shim of a job that runs is killed; its task lives on, and nobody will write down how it ends.
    ShimKilled "shim-killed" (Some(|_| Fault::ShimKilled { job: None })) {
        /// Which job; the one that began last when none is said.
        #[serde(default)]
        job: Option<usize> = optional(Takes::Job),
    }
    /// Starts of tasks fail (no processes left).
    StartsFail "starts-fail" (Some(|rng| Fault::StartsFail { times: rng.u32(1..=3) })) {
        /// How many.
        times: u32 = needed(Takes::Number(1, 1_000)),
    }
    /// What runs can't be killed, as if it waited for a device.
    ProcessStuck "process-stuck" (Some(|rng| Fault::ProcessStuck { lasts: seconds(rng, 5, 180) })) {
        /// How long.
        lasts: Span = needed(Takes::Time),
    }
    /// Operations of the disk fail.
    DiskFails "disk-fails" (Some(|rng| {
        let all = [DiskFailure::Writes, DiskFailure::Syncs, DiskFailure::Full, DiskFailure::Reads, DiskFailure::ShortReads];
        Fault::DiskFails { how: *pick(rng, &all), lasts: seconds(rng, 0, 10) }
    })) {
        /// How.
        how: DiskFailure = needed(Takes::Word(&DISK_FAILURES)),
        /// How long.
        lasts: Span = needed(Takes::Time),
    }
    /// Something else fills the disk: the daemon sees how little room is left, and what needs more fails.
    DiskFull "disk-full" (Some(|rng| Fault::DiskFull {
        room_kib: *pick(rng, &[0, 16, 1_024, 30_000]),
        lasts: seconds(rng, 5, 180),
    })) {
        /// Room that is left, in KiB. Under 65536 nothing new is started, under 8192 nothing is taken up.
        room_kib: u64 = needed(Takes::Number(0, 1_000_000_000)),
        /// How long.
        lasts: Span = needed(Takes::Time),
    }
    /// Somebody sets the machine's wall clock wrong, until faults are over.
    ClockSet "clock-set" (Some(|rng| Fault::ClockSet { by_seconds: rng.i64(-7_200..=7_200) })) {
        /// By so many seconds against the truth: ahead, or with a minus back.
        by_seconds: i64 = needed(Takes::Number(-1_000_000_000, 1_000_000_000)),
    }
    /// The machine's wall clock runs too fast or too slow. It stays as wrong as it got, until faults are over.
    ClockDrifts "clock-drifts" (Some(|rng| Fault::ClockDrifts {
        by_ms: rng.i64(-900..=900),
        lasts: seconds(rng, 5, 180),
    })) {
        /// By so many ms each second: too fast, or with a minus too slow.
        by_ms: i64 = needed(Takes::Number(-999, 1_000_000)),
        /// How long.
        lasts: Span = needed(Takes::Time),
    }
}

/// The names of those that chance draws.
pub fn drawn() -> Vec<&'static str> {
    KINDS.iter().filter(|kind| kind.draw.is_some()).map(|kind| kind.name).collect()
}

/// Where numbering begins after an idle week: lower than any update before it.
const RENUMBERED: i64 = 1_000_000;

fn seconds_2() -> Span {
    Span(2_000)
}

fn minute() -> Span {
    Span(60_000)
}

/// What came of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Struck {
    /// There was nothing that it could do: the world is as if it had not been.
    Nothing,
    /// It is done, and nothing is to be healed.
    Once,
    /// It goes on: what is to be healed, and after how long.
    Lasting(Heal, Span),
}

impl Struck {
    /// At once, if it did anything at all.
    fn once(did: bool) -> Struck {
        if did { Struck::Once } else { Struck::Nothing }
    }
}

impl Fault {
    /// Brings it about, as far as there is anything that it can strike.
    pub fn strike(&self, world: &mut World) -> Struck {
        match self {
            Fault::DaemonKilled { down } if world.is_up() => {
                world.kill();
                Struck::Lasting(Heal::Start, *down)
            }
            Fault::DaemonStopped { down } if world.is_up() => {
                world.desk.terminate();
                world.restart_after = Some(*down);
                Struck::Once
            }
            Fault::PowerLoss { off, left } if world.has_power() => {
                world.power_loss(match left {
                    Left::Nothing => Survivors::Nothing,
                    Left::Prefix => Survivors::Prefix,
                    Left::Any => Survivors::Sectors { keep: 0.5, torn: true },
                });
                Struck::Lasting(Heal::Boot, *off)
            }
            // There is nobody whom it could strike.
            Fault::DaemonKilled { .. } | Fault::DaemonStopped { .. } | Fault::PowerLoss { .. } => Struck::Nothing,
            Fault::LineCut { lasts, way } => {
                match way {
                    Way::Both => world.cut_line(true),
                    Way::There => world.cut_line_one_way(true),
                    Way::Back => world.cut_line_one_way(false),
                }
                Struck::Lasting(Heal::Line, *lasts)
            }
            Fault::LineSlow { lasts, by } => {
                world.slow_line(Some(*by));
                Struck::Lasting(Heal::Speed, *lasts)
            }
            Fault::Telegram { answer, to, lasts } => {
                let Some(fault) = botapi::Fault::named(answer) else { return Struck::Nothing };
                let until = Millis(world.wall().0 + lasts.0);
                let methods = match to {
                    To::All => Methods::All,
                    To::Polls => Methods::Only(Method::GetUpdates),
                    To::Sends => Methods::AllBut(Method::GetUpdates),
                };
                world.telegram.change(|t| t.faults.add(Rule { methods, quota: Quota::Until(until), fault }));
                Struck::Once
            }
            Fault::UpdateRepeated { fresh } => Struck::once(world.repeat_update(*fresh)),
            Fault::UpdatesRenumbered {} => {
                // Each time lower than before: an id is never used twice.
                let next = (RENUMBERED - world.now() / 50).max(1);
                world.quirk(|people, bot| people.rebase_updates(bot, botapi::UpdateId(next)));
                Struck::Once
            }
            Fault::UpdateUnknown {} => {
                let news = serde_json::json!({ "date": 0, "of": "the future" });
                world.quirk(|people, bot| people.unknown_update(bot, "thought_reading", news));
                Struck::Once
            }
            Fault::OtherPoller { lasts } => {
                world.poll_as_somebody_else();
                let times = lasts.0 / OTHER_POLL.0;
                Struck::Lasting(Heal::Poll(u32::try_from(times).unwrap_or(u32::MAX)), OTHER_POLL)
            }
            Fault::ChatGone { lasts } => {
                world.quirk(|people, _| people.kick(people::ANA, people::GROUP));
                Struck::Lasting(Heal::Chat, *lasts)
            }
            Fault::ShimKilled { job } => {
                Struck::once(running(world, *job).is_some_and(|key| world.machine.kill_shim(key)))
            }
            Fault::StartsFail { times } => {
                world.machine.fail_starts(*times);
                Struck::Once
            }
            Fault::ProcessStuck { lasts } if world.machine.hold() => Struck::Lasting(Heal::Processes, *lasts),
            Fault::ProcessStuck { .. } => Struck::Nothing,
            Fault::DiskFails { how, lasts } => {
                let how = *how;
                world.disk.set_faults(Some(Box::new(move |op, _, _| match (how, op) {
                    (DiskFailure::Writes, Op::Write) | (DiskFailure::Reads, Op::Read) => Some(disk::Fault::Eio),
                    (DiskFailure::Syncs, Op::Sync) => Some(disk::Fault::SyncDropsWrites),
                    (DiskFailure::Full, Op::Write | Op::Create) => Some(disk::Fault::Enospc),
                    (DiskFailure::ShortReads, Op::Read) => Some(disk::Fault::ShortRead),
                    (_, _) => None,
                })));
                Struck::Lasting(Heal::Disk, *lasts)
            }
            Fault::DiskFull { room_kib, lasts } => {
                world.disk.set_capacity(Some(world.disk.used() + room_kib * 1_024));
                Struck::Lasting(Heal::Disk, *lasts)
            }
            Fault::ClockSet { by_seconds } => {
                let (was, is) = (world.clock.skew(), by_seconds.saturating_mul(1_000));
                world.clock.set_skew(is);
                Struck::once(is != was)
            }
            Fault::ClockDrifts { by_ms: 0, .. } => Struck::Nothing,
            Fault::ClockDrifts { by_ms, lasts } => Struck::Lasting(Heal::Drift(*by_ms, lasts.0 / 1_000), heal::SECOND),
        }
    }
}

impl Fault {
    /// For how long it keeps the daemon from polling as it should, if it does.
    pub fn outage(&self) -> Option<Span> {
        match self {
            Fault::LineCut { lasts, .. }
            | Fault::LineSlow { lasts, .. }
            | Fault::Telegram { lasts, .. }
            | Fault::OtherPoller { lasts } => Some(*lasts),
            Fault::DaemonKilled { .. }
            | Fault::DaemonStopped { .. }
            | Fault::PowerLoss { .. }
            | Fault::UpdateRepeated { .. }
            | Fault::UpdatesRenumbered {}
            | Fault::UpdateUnknown {}
            | Fault::ChatGone { .. }
            | Fault::ShimKilled { .. }
            | Fault::StartsFail { .. }
            | Fault::ProcessStuck { .. }
            | Fault::DiskFails { .. }
            | Fault::DiskFull { .. }
            | Fault::ClockSet { .. }
            | Fault::ClockDrifts { .. } => None,
        }
    }
}

/// The attempt that began last, of this job if one is said.
fn running(world: &World, job: Option<usize>) -> Option<mainstay::id::AttemptKey> {
    let ledger = world.machine.ledger();
    let mine = |prompt: &str| job.is_none_or(|job| people::job_of(prompt) == Some(job));
    ledger.iter().rev().find(|ran| ran.ended_ms.is_none() && mine(&ran.prompt)).map(|ran| ran.key)
}

fn seconds(rng: &mut fastrand::Rng, least: u64, most: u64) -> Span {
    Span(rng.u64(least * 1_000..=most * 1_000))
}

fn pick<'a, T>(rng: &mut fastrand::Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}

#[cfg(test)]
mod tests;
