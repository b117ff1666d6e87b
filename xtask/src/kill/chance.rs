//! What a round consists of, drawn from a seed before anything happens: the same seed strikes the same blows at the same
//! moments, as far as a real machine lets it.

use super::lab::WISHERS;
use std::time::Duration;

/// Numbers by chance (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    fn ms(&mut self, end: u64) -> Duration {
        Duration::from_micros(self.below(end * 1_000))
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap_or(0)]
    }
}

/// The kinds of `world.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Heavy, and must not run twice.
    Once,
    /// Heavy, and tried again unless it succeeded.
    Again,
    /// Heavy; its first attempt fails in a way that is tried again.
    Flaky,
    /// Runs without approval.
    Light,
    /// Never ends by itself, ignores SIGTERM, and is stopped.
    Stubborn,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Once => "once",
            Kind::Again => "again",
            Kind::Flaky => "flaky",
            Kind::Light => "light",
            Kind::Stubborn => "stubborn",
        }
    }

    pub(crate) fn is_heavy(self) -> bool {
        match self {
            Kind::Once | Kind::Again | Kind::Flaky | Kind::Stubborn => true,
            Kind::Light => false,
        }
    }

    /// As `max_attempts` of `world.toml`.
    pub(crate) fn attempts_max(self) -> u32 {
        match self {
            Kind::Once | Kind::Light | Kind::Stubborn => 1,
            Kind::Flaky => 3,
            Kind::Again => 4,
        }
    }
}

/// How somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// In the chat, and presses the buttons.
    Chat(&'static str),
    /// As the command line does, on the daemon's socket.
    Socket,
    /// With the command line as a process, which has to get through a restart by itself.
    Process,
}

/// What somebody is going to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) via: Via,
    /// What the worker is told, after the job's name.
    pub(crate) does: String,
    /// The exit code of its last attempt.
    pub(crate) code: i64,
}

/// What is done to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blow {
    /// `kill -9` of the daemon.
    KillDaemon,
    /// `kill -9` of the shim of the round's last task.
    KillShim,
    /// Of both, the daemon first.
    KillBoth,
    /// The daemon stands still for a while.
    StopDaemon,
    /// The daemon is asked to end.
    EndDaemon,
    /// The disk is full for a while, and nobody is killed.
    DiskFull,
    /// The disk is full, the daemon is killed on it, and comes back when there is room.
    DiskFullKilled,
}

impl Blow {
    #[cfg(test)]
    pub(crate) const ALL: [Blow; 7] = [
        Blow::KillDaemon,
        Blow::KillShim,
        Blow::KillBoth,
        Blow::StopDaemon,
        Blow::EndDaemon,
        Blow::DiskFull,
        Blow::DiskFullKilled,
    ];

    /// The class of incidents that it is one of.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Blow::KillDaemon => "kill-daemon",
            Blow::KillShim => "kill-shim",
            Blow::KillBoth => "kill-both",
            Blow::StopDaemon => "stop-daemon",
            Blow::EndDaemon => "end-daemon",
            Blow::DiskFull | Blow::DiskFullKilled => "disk-full",
        }
    }

    /// It is about a shim.
    fn needs_shim(self) -> bool {
        match self {
            Blow::KillShim | Blow::KillBoth => true,
            Blow::KillDaemon | Blow::StopDaemon | Blow::EndDaemon | Blow::DiskFull | Blow::DiskFullKilled => false,
        }
    }

    /// It is about the disk.
    fn fills_disk(self) -> bool {
        match self {
            Blow::DiskFull | Blow::DiskFullKilled => true,
            Blow::KillDaemon | Blow::KillShim | Blow::KillBoth | Blow::StopDaemon | Blow::EndDaemon => false,
        }
    }

    /// While it lasts, nobody asks Telegram for updates.
    pub(crate) fn stops_polls(self) -> bool {
        match self {
            Blow::KillDaemon | Blow::KillBoth | Blow::StopDaemon | Blow::EndDaemon | Blow::DiskFullKilled => true,
            Blow::KillShim | Blow::DiskFull => false,
        }
    }
}

/// When it is done, in the life of the round's last task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// At once after it was asked for: of a request on the socket after its answer, in the chat before.
    Asked,
    /// At once after it was approved.
    Approved,
    /// At once after it was let run.
    Resumed,
    /// As soon as there is a folder for its attempt.
    Claimed,
    /// As soon as its worker's book says that it began.
    Begun,
    /// As soon as the book says that it ends: the receipt is being written.
    Ended,
    /// As soon as there is a receipt.
    Receipt,
    /// As soon as the chat has its report: it may not be on record yet that it was sent.
    Reported,
    /// So long after it was let run.
    After(Duration),
}

/// A round.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) plans: Vec<Plan>,
    pub(crate) blow: Blow,
    pub(crate) moment: Moment,
    /// So long the daemon stays away, stands still, or the disk is full.
    pub(crate) lasts: Duration,
    /// The daemon is killed once more, so long after it was started again: it is taking over then.
    pub(crate) once_more: Option<Duration>,
}

/// Draws a round; on a small disk of its own only that one is filled up.
pub(crate) fn round(chance: &mut Chance, on_small_disk: bool) -> Round {
    let blow = if on_small_disk {
        chance.one_of(&[Blow::DiskFull, Blow::DiskFullKilled])
    } else {
        use Blow::{EndDaemon, KillBoth, KillDaemon, KillShim, StopDaemon};
        chance.one_of(&[KillDaemon, KillDaemon, KillDaemon, KillShim, KillBoth, StopDaemon, EndDaemon])
    };
    let plans: Vec<Plan> = (0..=chance.below(2)).map(|_| plan(chance, blow)).collect();
    let moment = moment(chance, blow);
    let lasts = if chance.below(3) == 0 || blow == Blow::StopDaemon { chance.ms(300) } else { Duration::ZERO };
    let once_more = (blow == Blow::KillDaemon && chance.below(4) == 0).then(|| chance.ms(40));
    Round { plans, blow, moment, lasts, once_more }
}

fn plan(chance: &mut Chance, blow: Blow) -> Plan {
    use Kind::{Again, Flaky, Light, Once, Stubborn};
    let kind = chance.one_of(&[Once, Once, Once, Again, Again, Flaky, Light, Light, Stubborn]);
    // What is refused on a full disk is said again on the socket; a person in a chat would give up.
    let chat = Via::Chat(chance.one_of(&WISHERS));
    let via = if blow.fills_disk() { Via::Socket } else { chance.one_of(&[chat, chat, Via::Socket, Via::Process]) };
    let code = i64::try_from(chance.below(4)).unwrap_or(0).saturating_sub(1).max(0);
    let (how, code) = match kind {
        Kind::Once | Kind::Again | Kind::Light => ("for", code),
        Kind::Flaky => ("flaky", 0),
        Kind::Stubborn => ("ever", 0),
    };
    // A few that end before anybody can look, and slow ones that the round leaves behind. To kill a shim one has to find it.
    let ms = if blow.needs_shim() { 150 + chance.below(100) } else { chance.below(5).min(1) * chance.below(250) };
    Plan { kind, via, does: format!("{how} 0.{ms:03} {code}"), code }
}

fn moment(chance: &mut Chance, blow: Blow) -> Moment {
    use Moment::{After, Approved, Asked, Begun, Claimed, Ended, Receipt, Reported, Resumed};
    match blow {
        Blow::KillShim | Blow::KillBoth => chance.one_of(&[Claimed, Begun, Begun, Begun, Ended, Receipt]),
        Blow::DiskFull | Blow::DiskFullKilled => chance.one_of(&[Asked, Approved, Resumed, Claimed, Begun, Ended]),
        Blow::KillDaemon | Blow::StopDaemon | Blow::EndDaemon => match chance.below(11) {
            9.. => After(chance.ms(120)),
            n => [Asked, Approved, Resumed, Claimed, Begun, Ended, Receipt, Reported, Asked]
                [usize::try_from(n).unwrap_or(0)],
        },
    }
}
