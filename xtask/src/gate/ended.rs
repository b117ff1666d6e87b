//! Why a gate has no verdict, and the exit code that says so.

use std::fmt;

/// How it ended instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked for something that makes no sense.
    Usage(String),
    /// A bundle is not what it says, or not whole.
    Refused(String),
    /// The machine did not play along.
    Infrastructure(String),
    /// A signal; it can go on later.
    Interrupted(String),
}

impl Ended {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Ended::Usage(_) => 2,
            Ended::Refused(_) => 4,
            Ended::Infrastructure(_) => 5,
            Ended::Interrupted(_) => 130,
        }
    }

    /// For `map_err` where a bundle is read.
    pub(crate) fn refused(what: impl fmt::Display) -> Ended {
        Ended::Refused(what.to_string())
    }

    /// For `map_err` where the machine is asked for something.
    pub(crate) fn machine(what: impl fmt::Display) -> Ended {
        Ended::Infrastructure(what.to_string())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Usage(what) => write!(f, "{what}"),
            Ended::Refused(what) => write!(f, "REFUSED: {what}"),
            Ended::Infrastructure(what) => write!(f, "the machine did not play along: {what}"),
            Ended::Interrupted(what) => write!(f, "interrupted: {what}"),
        }
    }
}
