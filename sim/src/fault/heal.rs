//! What is to be done when a fault's time is over.

use crate::people;
use crate::scenario::Span;
use crate::world::World;

/// Between two polls of another program.
pub(super) const OTHER_POLL: Span = Span(5_000);
/// How often a clock that drifts goes on to do so.
pub(super) const SECOND: Span = Span(1_000);
/// Bytes of a disk with room for everything.
const ROOMY: u64 = 1 << 40;

/// What a fault leaves to be done when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heal {
    /// A daemon is started.
    Start,
    /// The machine boots.
    Boot,
    /// The line works again.
    Line,
    /// The line is as quick as ever.
    Speed,
    /// The disk works again, and there is room on it.
    Disk,
    /// What was stuck can be killed again.
    Processes,
    /// The bot is in the group again.
    Chat,
    /// Another program polls once more, and so often after that.
    Poll(u32),
    /// The clock goes wrong by so many ms more, and so many seconds longer.
    Drift(i64, u64),
}

impl Heal {
    /// What does no harm where nothing is to be healed.
    pub const ALWAYS: [Heal; 6] = [Heal::Line, Heal::Speed, Heal::Disk, Heal::Processes, Heal::Boot, Heal::Start];

    /// What is over then, in words.
    pub fn over(self) -> &'static str {
        match self {
            Heal::Start => "a daemon is started",
            Heal::Boot => "the machine boots",
            Heal::Line => "the line works again",
            Heal::Speed => "the line is as quick as ever",
            Heal::Disk => "the disk works again",
            Heal::Processes => "processes can be killed again",
            Heal::Chat => "the bot is in the group again",
            Heal::Poll(_) => "nobody else polls",
            Heal::Drift(..) => "the clock keeps its pace",
        }
    }

    /// Brings it about. What is to follow, and after how long.
    pub fn heal(self, world: &mut World) -> Option<(Heal, Span)> {
        match self {
            Heal::Start => world.start(),
            Heal::Boot => world.boot(),
            Heal::Line => world.cut_line(false),
            Heal::Speed => world.slow_line(None),
            Heal::Disk => {
                world.disk.set_faults(None);
                world.disk.set_capacity(Some(ROOMY));
            }
            Heal::Processes => world.machine.release(),
            Heal::Chat => world.quirk(|people, _| people.add(people::ANA, people::GROUP)),
            Heal::Poll(left) => {
                world.poll_as_somebody_else();
                return left.checked_sub(1).map(|left| (Heal::Poll(left), OTHER_POLL));
            }
            Heal::Drift(by_ms, left) => {
                world.clock.set_skew(world.clock.skew().saturating_add(by_ms));
                return left.checked_sub(1).map(|left| (Heal::Drift(by_ms, left), SECOND));
            }
        }
        None
    }
}
