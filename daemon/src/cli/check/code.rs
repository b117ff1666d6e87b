//! What can be found: every code, how much it weighs, and what it means. Programs and run books go by the code, so one is never
//! given a second meaning; the text beside it is for people and may change.

use crate::exit::ExitCode;

/// What a finding does to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// As it should be.
    Good,
    /// The daemon starts all the same, and something is less than it could be.
    Warning,
    /// It would not start, or not do what it is for; ends the check with this code.
    Error(ExitCode),
}

impl Weight {
    /// As programs read it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Weight::Good => "ok",
            Weight::Warning => "warning",
            Weight::Error(_) => "error",
        }
    }
}

/// The table: variant, its name for programs, what it weighs, what it means.
macro_rules! codes {
    ($($code:ident $name:literal $weight:expr, $meaning:literal;)*) => {
        /// What was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $meaning] $code,)*
        }

        impl Code {
            /// All, in the order of the subjects.
            pub(crate) const ALL: &[Code] = &[$(Code::$code,)*];

            /// As programs read it.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Code::$code => $name,)* }
            }

            /// What it does to the answer.
            pub(crate) const fn weight(self) -> Weight {
                match self { $(Code::$code => $weight,)* }
            }

            /// One line for the manual.
            pub(crate) const fn meaning(self) -> &'static str {
                match self { $(Code::$code => $meaning,)* }
            }
        }
    };
}

use ExitCode::{
    AlreadyRunning, ConfigInvalid, DatabaseDamaged, DatabaseNewer, DiskFull, NobodyAllowed, Refused, StateDirUnusable,
    TokenUnreadable,
};
use Weight::{Error, Good, Warning};

codes! {
    Config "config" Good, "the configuration is valid";
    ConfigMissing "config-missing" Error(ConfigInvalid), "there is no configuration, or it can't be read";
    ConfigInvalid "config-invalid" Error(ConfigInvalid), "the configuration is not valid";
    ConfigNobody "config-nobody" Error(NobodyAllowed), "the configuration names no operator";
    ConfigOdd "config-odd" Warning, "the configuration is valid, and part of it can hardly be meant";
    ConfigUnreadable "config-unreadable" Error(ConfigInvalid), "the service's user can't read the configuration";
    KindUnready "kind-unready" Warning, "a kind's program or folder is missing: its tasks would fail";

    Units "units" Good, "the units fit this program, this configuration and this machine";
    UnitsOther "units-other-config" Warning, "the installed unit runs another configuration, and was not looked at";
    UnitMissing "unit-missing" Error(Refused), "there is no mainstay.service in the folder that was named";
    UnitUnreadable "unit-unreadable" Error(Refused), "a unit can't be read";
    UnitMasked "unit-masked" Error(Refused), "a unit is masked: systemd will not start it";
    UnitSyntax "unit-syntax" Error(Refused), "a line of a unit is none that systemd reads";
    UnitVerify "unit-verify" Error(Refused), "systemd-analyze verify does not accept a unit";
    UnitLauncherMissing "unit-launcher-missing" Error(Refused), "the unit that starts tasks for the daemon is not there";
    UnitDiffers "unit-differs" Warning, "an installed unit is not the one that this release brings along";
    UnitKeyLater "unit-key-later" Warning, "this systemd is older than a key of our units, and passes over it";
    UnitUnverified "unit-unverified" Warning, "there is no systemd-analyze here that could verify the units";
    UnitUserMissing "unit-user-missing" Error(Refused), "the user that a unit runs as does not exist";
    UnitGroupMissing "unit-group-missing" Error(Refused), "a group that a unit runs with does not exist";
    UnitExecNone "unit-exec-none" Error(Refused), "a unit starts nothing";
    UnitExecMissing "unit-exec-missing" Error(Refused), "a program that a unit starts does not exist";
    UnitExecUnusable "unit-exec-unusable" Error(Refused), "a program that a unit starts can't be executed by its user";
    UnitExecOther "unit-exec-other" Error(Refused), "the unit starts another program, or another version, than this one";
    UnitExecArguments "unit-exec-arguments" Error(Refused), "the unit starts the program with other words than the daemon's";
    UnitNotActivated "unit-not-activated" Warning, "the unit starts what is activated, and nothing is yet";
    UnitConfigOther "unit-config-other" Error(Refused), "a unit names another configuration than the one that was checked";
    UnitEnvironmentFile "unit-environment-file" Error(Refused), "a file of variables that a unit reads is not there";
    UnitWorkingDirectory "unit-working-directory" Error(Refused), "the working directory of a unit is not there";
    UnitPathMissing "unit-path-missing" Error(Refused), "a path that a unit opens for writing is not there";
    UnitCredentialMissing "unit-credential-missing" Error(Refused), "the source of a credential is not there";
    UnitStateHidden "unit-state-hidden" Error(Refused), "the unit's sandbox keeps the daemon from its state directory";
    UnitType "unit-type" Error(Refused), "systemd is not told when the daemon is ready (Type=notify)";
    UnitKillMode "unit-kill-mode" Error(Refused), "a stop of the daemon would kill the tasks (KillMode=process)";
    UnitStopTimeout "unit-stop-timeout" Error(Refused), "the daemon would be killed before it can end (TimeoutStopSec)";
    UnitStartLimit "unit-start-limit" Error(Refused), "StartLimitIntervalSec stands in [Service], where systemd ignores it";
    UnitGivesUp "unit-gives-up" Warning, "after some failed starts systemd would give up for good";
    UnitNoRestart "unit-no-restart" Warning, "nobody starts a daemon that crashed again (Restart)";
    UnitWatchdog "unit-watchdog" Error(Refused), "the watchdog is shorter than the daemon's longest turn (WatchdogSec)";
    UnitUnwatched "unit-unwatched" Warning, "nobody notices a daemon that hangs (WatchdogSec)";
    UnitSecond "unit-second" Error(Refused), "a second service would start a daemon on the same state directory";

    Token "token" Good, "the bot's token can be read";
    TokenNone "telegram-none" Warning, "no bot is configured: steered from the command line only";
    TokenUnreadable "token-unreadable" Error(TokenUnreadable), "the bot's token can't be read, or is none";
    TokenUnseen "token-unseen" Warning, "only the service can read the token: what is in it was not looked at";
    TokenExposed "token-exposed" Warning, "others may read the bot's token";
    TokenOwnBot "token-own-bot" Error(ConfigInvalid), "an operator is the bot itself";
    Telegram "telegram" Good, "Telegram knows the bot";
    TelegramAddress "telegram-address" Error(ConfigInvalid), "the address of the Bot API can't be right";
    TelegramUnreachable "telegram-unreachable" Warning, "Telegram does not answer";
    TelegramTokenWrong "telegram-token-wrong" Error(TokenUnreadable), "Telegram does not know the token";
    TelegramWebhook "telegram-webhook" Error(Refused), "a webhook is set: the daemon would hear nothing";

    State "state" Good, "the state directory can be used";
    StateUnusable "state-unusable" Error(StateDirUnusable), "the state directory can't be used";
    Space "space" Good, "there is room for what tasks need";
    SpaceLow "space-low" Error(DiskFull), "there is less room than is kept in reserve: no task would start";
    Daemon "daemon" Good, "a daemon is running";
    DaemonDraining "daemon-draining" Warning, "the running daemon is draining";
    DaemonSilent "daemon-silent" Warning, "the running daemon does not answer";
    LockForeign "lock-foreign" Error(AlreadyRunning), "something that is no daemon holds the state directory";

    Database "database" Good, "a start of this program would go on with the database: tried on a copy";
    DatabaseOneWay "database-one-way" Warning, "after the next start the programs before can't write to the database any more";
    DatabaseUnusable "database-unusable" Error(StateDirUnusable), "the database can't be read or copied";
    DatabaseNewer "database-newer" Error(DatabaseNewer), "the database belongs to a newer version";
    DatabaseDamaged "database-damaged" Error(DatabaseDamaged), "the database is damaged, or gone while attempts are there";
    DatabaseMigration "database-migration" Error(DatabaseDamaged), "the database can't be brought up to date";
    DatabaseReplay "database-replay" Error(DatabaseDamaged), "the tables are not what follows from the record";
    ScratchUnusable "scratch-unusable" Error(Refused), "there is no folder for a copy of the database";
    ScratchFull "scratch-full" Error(DiskFull), "there is no room for a copy of the database";

    Page "page" Good, "the status page is up, or can be";
    PageTaken "page-taken" Warning, "the address of the status page can't be had: there would be no page";
    PageMissing "page-missing" Warning, "the running daemon has no status page before its next start";

    Clock "clock" Good, "the clock is plausible";
    ClockBehind "clock-behind" Error(Refused), "the clock is behind the record, or behind this program";
    ClockUnsynchronised "clock-unsynchronised" Warning, "the clock is set by nobody";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{names:?}");
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
