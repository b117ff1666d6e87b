//! Crash points: one life in which everything happens once, cut off at each point that it comes by, by a kill or a power
//! loss with any writes surviving, and cut off again while it recovers. [`life`] lives it, [`plan`] says where to cut and what
//! survives, [`point`] does it all for one point, and [`shown`] holds the record against what people had read before.

mod content;
pub mod life;
pub mod plan;
pub mod point;
mod shown;

use crate::disk::Survivors;
use crate::world::points::{Down, Point};
use std::fmt;
use std::str::FromStr;

pub use content::Content;

/// What a power loss leaves of the writes that were not synced. Written like `none`, `all`, `first:3`, `0b101`, `torn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// None of them.
    Nothing,
    /// All of them.
    All,
    /// The first so many.
    First(usize),
    /// Those whose bit is set, in the order of writing; the oldest is the last digit.
    These(u64),
    /// Any sectors of them, some in part, as the disk's seed will.
    Torn,
}

impl Left {
    /// For the disk.
    pub fn survivors(self) -> Survivors {
        match self {
            Left::Nothing => Survivors::Nothing,
            Left::All => Survivors::First(usize::MAX),
            Left::First(n) => Survivors::First(n),
            Left::These(mask) => Survivors::Exactly(mask),
            Left::Torn => Survivors::Sectors { keep: 0.5, torn: true },
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Left::Nothing => f.write_str("none"),
            Left::All => f.write_str("all"),
            Left::First(n) => write!(f, "first:{n}"),
            Left::These(mask) => write!(f, "{mask:#b}"),
            Left::Torn => f.write_str("torn"),
        }
    }
}

impl FromStr for Left {
    type Err = String;

    fn from_str(text: &str) -> Result<Left, String> {
        let wrong = || {
            format!("{text:?} leaves nothing known: write none, all, torn, first:3, or which writes survive, as 0b101")
        };
        match text {
            "none" => Ok(Left::Nothing),
            "all" => Ok(Left::All),
            "torn" => Ok(Left::Torn),
            _ => match (text.strip_prefix("first:"), text.strip_prefix("0b")) {
                (Some(n), _) => n.parse().map(Left::First).map_err(|_| wrong()),
                (None, Some(mask)) => u64::from_str_radix(mask, 2).map(Left::These).map_err(|_| wrong()),
                (None, None) => Err(wrong()),
            },
        }
    }
}

/// One crash. Written like `disk:123` (the daemon is killed there) or `disk:123/0b101` (power is lost, and this is left).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crash {
    /// Where: counted from the beginning, or from the crash before.
    pub at: Point,
    /// What a power loss leaves; none when only the daemon is killed.
    pub left: Option<Left>,
}

impl Crash {
    /// What goes down.
    pub fn down(self) -> Down {
        if self.left.is_some() { Down::Machine } else { Down::Daemon }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at)?;
        self.left.map_or(Ok(()), |left| write!(f, "/{left}"))
    }
}

impl FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Crash, String> {
        let (at, left) = text.split_once('/').map_or((text, None), |(at, left)| (at, Some(left)));
        Ok(Crash { at: at.parse()?, left: left.map(str::parse).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_read_as_it_is_written() {
        for text in ["disk:7", "api:12/none", "machine:3/all", "desk:1/first:9", "disk:123/0b101", "disk:4/torn"] {
            assert_eq!(text.parse::<Crash>().expect("a crash").to_string(), text);
        }
        for text in ["disk", "disk:1/", "disk:1/0b2", "disk:1/some", "disk:1/first:x"] {
            text.parse::<Crash>().expect_err(text);
        }
    }
}
