//! How the program ends: every exit code, once, with its meaning; and the one error that ends it.
//!
//! Codes are an interface: units, monitors and scripts read them. A number is never given a second meaning.
//! What is *not* here: refusals of single commands. Those are answers, and end the client with [`ExitCode::Refused`].

use std::fmt;

/// Why the process ends, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    /// Done. For `ops`: healthy. For `newtask --wait`: the task succeeded.
    Ok,
    /// The daemon refused the command, or what was asked for failed. For `ops`: degraded.
    Refused,
    /// The command line can't be understood. For `ops`: broken.
    Usage,
    /// The configuration is not valid, or there is none.
    ConfigInvalid,
    /// The bot's token can't be read, or is none.
    TokenUnreadable,
    /// The configuration lets nobody do anything.
    NobodyAllowed,
    /// Another daemon holds the state directory.
    AlreadyRunning,
    /// The state directory is missing, foreign or not writable.
    StateDirUnusable,
    /// No space where the state is kept.
    DiskFull,
    /// The database was written by a newer version that this one must not touch.
    DatabaseNewer,
    /// The database is damaged.
    DatabaseDamaged,
    /// Another daemon took over while this one ran.
    OwnershipLost,
    /// A command that changes something needs the daemon, and it does not answer.
    DaemonNotRunning,
    /// A task, or all that run, had not ended when the time to wait for it was over.
    WaitTimedOut,
    /// The socket is there but not for this user.
    NotPermitted,
    /// A new release failed, and the one before runs again.
    WentBack,
    /// A release failed, and nothing that works could be gone back to.
    Stuck,
    /// Anything that none of the others says.
    Internal,
}

impl ExitCode {
    /// All, by number.
    pub const ALL: [ExitCode; 18] = [
        ExitCode::Ok,
        ExitCode::Refused,
        ExitCode::Usage,
        ExitCode::ConfigInvalid,
        ExitCode::TokenUnreadable,
        ExitCode::NobodyAllowed,
        ExitCode::AlreadyRunning,
        ExitCode::StateDirUnusable,
        ExitCode::DiskFull,
        ExitCode::DatabaseNewer,
        ExitCode::DatabaseDamaged,
        ExitCode::OwnershipLost,
        ExitCode::DaemonNotRunning,
        ExitCode::WaitTimedOut,
        ExitCode::NotPermitted,
        ExitCode::WentBack,
        ExitCode::Stuck,
        ExitCode::Internal,
    ];

    /// What the process returns.
    pub const fn number(self) -> u8 {
        match self {
            ExitCode::Ok => 0,
            ExitCode::Refused => 1,
            ExitCode::Usage => 2,
            ExitCode::ConfigInvalid => 10,
            ExitCode::TokenUnreadable => 11,
            ExitCode::NobodyAllowed => 12,
            ExitCode::AlreadyRunning => 13,
            ExitCode::StateDirUnusable => 14,
            ExitCode::DiskFull => 15,
            ExitCode::DatabaseNewer => 16,
            ExitCode::DatabaseDamaged => 17,
            ExitCode::OwnershipLost => 18,
            ExitCode::DaemonNotRunning => 20,
            ExitCode::WaitTimedOut => 21,
            ExitCode::NotPermitted => 22,
            ExitCode::WentBack => 23,
            ExitCode::Stuck => 24,
            ExitCode::Internal => 70,
        }
    }

    /// One line for the table in the manual.
    pub const fn meaning(self) -> &'static str {
        match self {
            ExitCode::Ok => "done (ops: healthy; newtask --wait: the task succeeded)",
            ExitCode::Refused => "refused or failed; the text says why (ops: degraded)",
            ExitCode::Usage => "wrong usage (ops: broken)",
            ExitCode::ConfigInvalid => "the configuration is not valid, or not found",
            ExitCode::TokenUnreadable => "the bot's token can't be read",
            ExitCode::NobodyAllowed => "the configuration names no operator",
            ExitCode::AlreadyRunning => "another daemon holds the state directory",
            ExitCode::StateDirUnusable => "the state directory can't be used",
            ExitCode::DiskFull => "no space left where the state is kept",
            ExitCode::DatabaseNewer => "the database belongs to a newer version",
            ExitCode::DatabaseDamaged => "the database is damaged",
            ExitCode::OwnershipLost => "another daemon took over the database",
            ExitCode::DaemonNotRunning => "the daemon is not running",
            ExitCode::WaitTimedOut => "what was waited for did not end in time (newtask --wait, drain)",
            ExitCode::NotPermitted => "this user may not talk to the daemon",
            ExitCode::WentBack => "the new release failed; the one before runs again (release activate)",
            ExitCode::Stuck => "a release failed, and nothing that works was gone back to (release)",
            ExitCode::Internal => "internal error; please report it",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}

/// What ends the process. `text` says what is wrong and what to do, for people; it never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fatal {
    /// For programs.
    pub code: ExitCode,
    /// For people; may have several lines.
    pub text: String,
}

impl Fatal {
    /// Ends with `code`, saying `text`.
    pub fn new(code: ExitCode, text: impl Into<String>) -> Fatal {
        Fatal { code, text: text.into() }
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fatal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_meaning() {
        let numbers: Vec<u8> = ExitCode::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        // Above 125 shells mean "not executable", "not found", "killed by".
        assert!(numbers.iter().all(|n| *n < 126));
    }
}
