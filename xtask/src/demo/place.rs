//! The demo's folder: configuration, token, sample kinds; state, logs and the workers' own ledger come to lie beside them.

use super::sweep;
use crate::Verdict;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use tempfile::TempDir;

/// The bot's token. It opens nothing: only the demo's own server knows this bot.
const TOKEN: &str = "4200:a-token-that-opens-nothing\n";

/// The people of the demo, as the Bot API server takes them.
pub(super) const PEOPLE: [&str; 2] = ["1001:ana", "1002:ben"];

/// The sample kinds' programs. Each writes a line to the ledger when it starts and when it ends: what really ran is read
/// there, not in the daemon's database.
const PROGRAMS: [(&str, &str); 5] = [
    ("hello.sh", "echo \"hello, $(cat)\"\n"),
    (
        "build.sh",
        "for step in 1 2 3 4 5 6 7 8 9 10; do\n  \
           echo \"step $step of 10: $(cat \"$MAINSTAY_PROMPT_FILE\")\" | tee -a \"$MAINSTAY_PROGRESS_FILE\"\n  \
           sleep 1\ndone\necho built > \"$MAINSTAY_ARTIFACTS_DIR/result\"\n",
    ),
    ("deploy.sh", "echo \"deploying $(cat)\"; sleep 3; echo deployed\n"),
    (
        "flaky.sh",
        "if [ \"$MAINSTAY_ATTEMPT\" = 1 ]; then echo 'the network is down' >&2; exit 75; fi\necho 'fine this time'\n",
    ),
    (
        "stubborn.sh",
        "trap '' TERM\n# And a helper that runs away from its parent, its group and its session.\n\
         (setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" &)\n\
         while :; do sleep 1; done\n",
    ),
];

const PROLOGUE: &str = "#!/bin/sh\n\
    ledger=\"${0%/kinds/*}/ledger\"\n\
    echo \"start task=$MAINSTAY_TASK_ID attempt=$MAINSTAY_ATTEMPT pid=$$\" >> \"$ledger\"\n\
    trap 'echo \"end task=$MAINSTAY_TASK_ID attempt=$MAINSTAY_ATTEMPT pid=$$\" >> \"$ledger\"' EXIT\n";

/// The folder, and who clears it should we not come to do so.
pub(super) struct Place {
    folder: TempDir,
    keep: bool,
    janitor: Child,
}

impl Place {
    /// A fresh folder with token and programs.
    pub(super) fn make(keep: bool) -> io::Result<Place> {
        let mut folder = tempfile::Builder::new().prefix("mainstay-demo-").tempdir()?;
        folder.disable_cleanup(keep);
        let place = Place { janitor: sweep::janitor(folder.path(), keep)?, folder, keep };
        std::fs::write(place.path("token"), TOKEN)?;
        std::fs::set_permissions(place.path("token"), PermissionsExt::from_mode(0o600))?;
        std::fs::create_dir(place.path("kinds"))?;
        for (name, body) in PROGRAMS {
            std::fs::write(place.path("kinds").join(name), format!("{PROLOGUE}{body}"))?;
        }
        std::fs::write(place.path("ledger"), "")?;
        Ok(place)
    }

    /// Writes the configuration for a Bot API server at `url`.
    pub(super) fn configure(&self, url: &str) -> io::Result<()> {
        let program = |name: &str| self.path("kinds").join(name).display().to_string();
        let config = include_str!("mainstay.toml").replace("@URL@", url);
        let config = PROGRAMS.iter().fold(config, |c, (name, _)| c.replace(&format!("@{name}@"), &program(name)));
        std::fs::write(self.config(), config)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path("mainstay.toml")
    }

    /// What the workers wrote, line by line.
    pub(super) fn ledger(&self) -> Vec<String> {
        std::fs::read_to_string(self.path("ledger")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The last lines of the daemon's log, their first 300 characters.
    pub(super) fn log_tail(&self, lines: usize) -> String {
        let log = std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
        let all: Vec<String> = log.lines().map(|line| line.chars().take(300).collect()).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Ends every process and removes the folder; `verdict` gets worse if that fails.
    pub(super) fn clear(self, verdict: Verdict) -> Verdict {
        let Place { folder, keep, mut janitor } = self;
        let left = sweep::clear(folder.path());
        if keep {
            tell!("demo: kept in {}", folder.path().display());
        }
        let removed = if keep { Ok(()) } else { folder.close() };
        drop(janitor.stdin.take());
        let _ = janitor.wait();
        match (left.is_empty(), removed) {
            (true, Ok(())) => verdict,
            (false, _) => {
                eprintln!("demo: these processes could not be ended: {left:?}");
                Verdict::Off
            }
            (true, Err(error)) => {
                eprintln!("demo: failed to remove the demo's folder: {error}");
                Verdict::Off
            }
        }
    }
}
