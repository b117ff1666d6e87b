//! The folder it happens in: configuration, token, sample kinds; state, logs and the workers' own ledger come to lie beside
//! them.

use super::sweep;
use crate::Verdict;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use tempfile::TempDir;

/// The bot's token. It opens nothing: only the stage's own server knows this bot.
pub(crate) const TOKEN: &str = "4200:a-token-that-opens-nothing";

/// Whatever a setting's programs do, each writes a line to the ledger when it starts and when it ends: what really ran is read
/// there, not in the daemon's database.
const PROLOGUE: &str = "#!/bin/sh\n\
    ledger=\"${0%/kinds/*}/ledger\"\n\
    echo \"start task=$MAINSTAY_TASK_ID attempt=$MAINSTAY_ATTEMPT pid=$$\" >> \"$ledger\"\n\
    trap 'echo \"end task=$MAINSTAY_TASK_ID attempt=$MAINSTAY_ATTEMPT pid=$$\" >> \"$ledger\"' EXIT\n";

/// What is played with.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    /// Begins complaints and the folder's name.
    pub(crate) name: &'static str,
    /// The configuration, with `@URL@` for the server's address and `@hello.sh@` for the path of that program.
    pub(crate) config: &'static str,
    /// The kinds' programs, for `/bin/sh`.
    pub(crate) programs: &'static [(&'static str, &'static str)],
    /// Everybody, as the Bot API server takes them.
    pub(crate) people: &'static [&'static str],
    /// The Bot API server takes as many messages as come, where Telegram would ask to wait.
    pub(crate) unlimited: bool,
}

/// The folder, and who clears it should we not come to do so.
pub(crate) struct Place {
    setting: Setting,
    config: String,
    folder: TempDir,
    keep: bool,
    janitor: Child,
}

impl Place {
    /// A fresh folder with token and programs.
    pub(crate) fn make(setting: Setting, keep: bool) -> io::Result<Place> {
        let mut folder = tempfile::Builder::new().prefix(&format!("mainstay-{}-", setting.name)).tempdir()?;
        folder.disable_cleanup(keep);
        let (janitor, config) = (sweep::janitor(folder.path(), keep)?, setting.config.to_owned());
        let place = Place { setting, config, folder, keep, janitor };
        std::fs::write(place.path("token"), TOKEN)?;
        std::fs::set_permissions(place.path("token"), PermissionsExt::from_mode(0o600))?;
        std::fs::create_dir(place.path("kinds"))?;
        for (name, body) in setting.programs {
            std::fs::write(place.path("kinds").join(name), format!("{PROLOGUE}{body}"))?;
        }
        std::fs::write(place.path("ledger"), "")?;
        Ok(place)
    }

    /// Has another configuration: with `new` in place of `old`. Whether there was such a place.
    pub(crate) fn reconfigure(&mut self, old: &str, new: &str) -> bool {
        let is_there = self.config.contains(old);
        self.config = self.config.replace(old, new);
        is_there
    }

    /// Writes the configuration for a Bot API server at `url`.
    pub(crate) fn configure(&self, url: &str) -> io::Result<()> {
        let program = |name: &str| self.path("kinds").join(name).display().to_string();
        let config = self.config.replace("@URL@", url);
        let programs = self.setting.programs.iter();
        let config = programs.fold(config, |c, (name, _)| c.replace(&format!("@{name}@"), &program(name)));
        std::fs::write(self.config(), config)
    }

    /// What is played with.
    pub(crate) fn setting(&self) -> Setting {
        self.setting
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("mainstay.toml")
    }

    /// What the workers wrote, line by line.
    pub(crate) fn ledger(&self) -> Vec<String> {
        std::fs::read_to_string(self.path("ledger")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The last lines of the daemon's log, their first 300 characters.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        let log = std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
        let all: Vec<String> = log.lines().map(|line| line.chars().take(300).collect()).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Ends every process and removes the folder; `verdict` gets worse if that fails.
    pub(crate) fn clear(self, verdict: Verdict) -> Verdict {
        let Place { setting, folder, keep, mut janitor, .. } = self;
        let name = setting.name;
        let left = sweep::clear(folder.path());
        if keep {
            tell!("{name}: kept in {}", folder.path().display());
        }
        let removed = if keep { Ok(()) } else { folder.close() };
        drop(janitor.stdin.take());
        let _ = janitor.wait();
        match (left.is_empty(), removed) {
            (true, Ok(())) => verdict,
            (false, _) => {
                eprintln!("{name}: these processes could not be ended: {left:?}");
                Verdict::Off
            }
            (true, Err(error)) => {
                eprintln!("{name}: failed to remove its folder: {error}");
                Verdict::Off
            }
        }
    }
}
