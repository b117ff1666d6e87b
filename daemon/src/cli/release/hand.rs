//! Does the steps of a switch on this machine.

use super::super::Options;
use super::super::client::{Client, fresh_key};
use super::child::Ran;
use super::preflight::Checked;
use super::root::Root;
use super::soak;
use super::supervisor::{Supervisor, of_this_machine};
use super::{child, interrupt, passing_client, preflight, refused};
use crate::command::{Became, ReleaseNews};
use crate::exit::Fatal;
use crate::policy;
use crate::ports::Answer;
use crate::real::clock::wall_ms;
use crate::real::{DATABASE_NAME, store};
use crate::release::Id;
use crate::release::drive::{Failure, Hands};
use crate::release::known::Known;
use crate::release::manifest::Database;
use crate::release::switch::{Outcome, Step, Switch, Way};
use crate::release::tree::PROGRAM;
use crate::release::watch::Heard;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// This machine.
pub(super) struct Hand<'a> {
    root: &'a Root,
    options: &'a Options,
    config: PathBuf,
    state_dir: PathBuf,
    /// What starts the daemon anew, as it was named.
    supervisor: Option<String>,
}

impl<'a> Hand<'a> {
    pub(super) fn new(
        root: &'a Root,
        options: &'a Options,
        config: PathBuf,
        state_dir: PathBuf,
        supervisor: Option<String>,
    ) -> Hand<'a> {
        Hand { root, options, config, state_dir, supervisor }
    }

    /// The configuration's file, wherever it is looked for from.
    pub(super) fn config_in_full(&self) -> Option<PathBuf> {
        std::path::absolute(&self.config).ok()
    }

    /// What starts the daemon anew.
    pub(super) fn supervisor(&self) -> Result<Box<dyn Supervisor>, Fatal> {
        of_this_machine(self.supervisor.as_deref())
    }

    /// Said before anything is begun.
    pub(super) fn needs_a_supervisor(&self) -> Result<(), Fatal> {
        self.supervisor()?.is_there().map_err(|why| {
            refused(format!(
                "what starts the daemon anew can't be asked: {why} (--supervisor names another); nothing was done"
            ))
        })
    }

    /// The versions of the database, if there is one.
    pub(super) fn database_there(&self) -> Result<Option<Database>, Fatal> {
        let path = self.state_dir.join(DATABASE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        store::versions(&path).map(Some).map_err(|error| {
            refused(format!("failed to {error} ({}): `mainstay check` says more; nothing was done", path.display()))
        })
    }

    /// Asks the daemon something in passing.
    fn ask(&self, argv: &[&str]) -> Result<Answer, String> {
        asked(&mut passing_client(&self.state_dir), argv)
    }

    /// What the daemon says of itself.
    fn heard(&self) -> Result<Heard, String> {
        soak::heard(&self.ask(&["ops"])?.data)
    }

    /// Whether the daemon answers as this release, with a commit.
    pub(super) fn answers_as(&self, id: &Id) -> Result<(), String> {
        let heard = self.heard()?;
        if heard.version != id.as_str() {
            return Err(format!("what runs calls itself {}", heard.version));
        }
        self.tell(Became::Blessed, id, None, "somebody said so", policy::DEPLOY_ASK_WITHIN)
    }

    /// Puts on record what became of a release: a command, whose answer comes after its commit. A daemon that is busy for a
    /// moment is told again; one that takes longer than this has not answered.
    pub(super) fn tell(
        &self,
        became: Became,
        release: &Id,
        from: Option<&Id>,
        why: &str,
        within: Duration,
    ) -> Result<(), String> {
        let news = ReleaseNews {
            release: release.to_string(),
            became,
            from: from.map(ToString::to_string),
            why: why.to_owned(),
        };
        let news = serde_json::to_string(&news).expect("text is JSON");
        let answer = asked(&mut Client::patient(&self.state_dir, within), &["release", &news])?;
        if answer.ok { Ok(()) } else { Err(answer.text) }
    }

    /// That a person has to look, if there is a daemon to pass it on.
    pub(super) fn tell_of_the_end(&mut self, known: &mut Known) {
        let Some(last) = known.last.as_ref().filter(|last| known.untold && last.outcome == Outcome::Stuck) else {
            return;
        };
        match self.tell(Became::Stuck, &last.to, last.from.as_ref(), &last.why, policy::DEPLOY_ASK_WITHIN) {
            Ok(()) => known.untold = false,
            Err(why) => self.say(&format!("no daemon could be told to pass it on: {why}")),
        }
    }

    fn preflight(&mut self, known: &mut Known) -> Result<(), Failure> {
        let switch = under_way(known).clone();
        let program = self.root.folder(&switch.to).join(PROGRAM);
        let Checked { told, verdict } = preflight::check(&program, &self.config, switch.way).map_err(Failure::Step)?;
        for words in told {
            self.say(&words);
        }
        let hash = verdict.map_err(Failure::Step)?;
        if switch.way == Way::Forward && !switch.no_way_back {
            self.see_the_way_back_reads_the_configuration(known, &switch.to)?;
        }
        if hash.is_none() {
            self.say("the check tells no hash of the configuration: that it runs with this one is not held against it");
        }
        known.looked_at(&switch.to, wall_ms(), "");
        under_way(known).config = hash;
        Ok(())
    }

    /// A key that only the new release knows keeps the one before from starting: if the new one fails, both are down.
    fn see_the_way_back_reads_the_configuration(&mut self, known: &Known, to: &Id) -> Result<(), Failure> {
        let database = self.database();
        // That there is none was said when the switch began.
        let Ok(back) = known.way_back(to, database) else { return Ok(()) };
        match preflight::reads(&self.root.folder(&back).join(PROGRAM), &self.config) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(Failure::Step(format!(
                "there will be no way back to {back}: it can't read the configuration ({why}); leave out until {to} is blessed what {back} does not know, or --no-way-back goes on all the same"
            ))),
            Err(why) => {
                self.say(&format!("whether {back} could still read the configuration is not known: {why}"));
                Ok(())
            }
        }
    }

    fn back_up(&mut self) -> Result<(), Failure> {
        if !self.state_dir.join(DATABASE_NAME).exists() {
            self.say("there is no database yet: nothing to back up");
            return Ok(());
        }
        // Our own program: it knows the database as it is now.
        let own = std::env::current_exe().map_err(|error| Failure::Step(error.to_string()))?;
        let mut command = Command::new(own);
        command.arg("--config").arg(&self.config).args(["--quiet", "--json", "backup"]);
        let ran = child::run(&mut command, policy::DEPLOY_BACKUP_WITHIN_MS).map_err(Failure::Step)?;
        let made = backup_made(&ran).map_err(Failure::Step)?;
        self.say(&made);
        if ran.code != Some(0) {
            // To leave a daemon that can't be told may be what the switch is for.
            self.say(&format!("the back-up is made and verified; {}", ran.words()));
        }
        Ok(())
    }

    /// A daemon that does not answer starts nothing that we would hear of, and to leave it may be what the switch is for.
    fn drain(&mut self, known: &mut Known) -> Result<(), Failure> {
        let ops = match self.ask(&["ops"]) {
            Ok(ops) => ops.data,
            Err(why) => {
                self.say(&format!("nothing is drained: {why}"));
                return Ok(());
            }
        };
        let switch = under_way(known);
        switch.violations = ops["violations"].as_i64();
        if ops["draining"] == true && !switch.drained {
            // Somebody else wanted it, and will want it still if this ends here.
            return Ok(());
        }
        switch.drained = true;
        if let Err(why) = self.keep(known) {
            let switch = under_way(known);
            if switch.way == Way::Forward {
                return Err(Failure::Halt(why));
            }
            // Nobody would know later that it was for this.
            switch.drained = false;
            self.say(&format!("nothing is drained: {why}"));
            return Ok(());
        }
        match self.ask(&["drain"]) {
            Ok(_) => {}
            Err(why) => self.say(&format!("nothing is drained: {why}")),
        }
        Ok(())
    }

    fn flip(&mut self, switch: &Switch) -> Result<(), Failure> {
        self.root.flip(&switch.to).map_err(|error| Failure::Step(format!("current can't be changed: {error}")))
    }

    fn restart(&mut self, known: &mut Known) -> Result<(), Failure> {
        // By the record, not by the daemon: it may hang.
        under_way(known).life = store::newest_life(&self.state_dir.join(DATABASE_NAME)).ok();
        if let Err(why) = self.keep(known) {
            // Only a command that goes on after us would miss it.
            self.say(&why);
        }
        let supervisor = self.supervisor().map_err(|fatal| Failure::Step(fatal.text))?;
        supervisor.restart().map_err(|why| Failure::Step(format!("the daemon can't be started anew: {why}")))
    }

    fn soak(&mut self, known: &Known, switch: &Switch) -> Result<(), Failure> {
        let database = self.database();
        let has_way_back = switch.way == Way::Forward && known.way_back(&switch.to, database).is_ok();
        let supervisor = self.supervisor().map_err(|fatal| Failure::Step(fatal.text))?;
        let state_dir = self.state_dir.clone();
        soak::soak(switch, has_way_back, self, supervisor.as_ref(), &state_dir).map_err(Failure::Step)
    }
}

impl Hands for Hand<'_> {
    fn keep(&mut self, known: &Known) -> Result<(), String> {
        self.root.keep(known)
    }

    fn perform(&mut self, known: &mut Known) -> Result<(), Failure> {
        let switch = under_way(known).clone();
        match switch.step {
            Step::Verify => self.root.verify(&switch.to).map_err(Failure::Step),
            // Who goes back with a reason has heard what speaks against it.
            Step::Preflight if switch.way == Way::Back && switch.forced.is_some() => Ok(()),
            Step::Preflight => self.preflight(known),
            Step::BackUp => self.back_up(),
            Step::Drain => self.drain(known),
            Step::Flip => self.flip(&switch),
            Step::Restart => self.restart(known),
            Step::Soak => self.soak(known, &switch),
        }
    }

    fn lift_drain(&mut self) {
        match self.ask(&["undrain"]) {
            Ok(_) => self.say("tasks start again"),
            Err(why) => self.say(&format!("the draining could not be lifted (mainstay undrain): {why}")),
        }
    }

    fn database(&mut self) -> Option<Database> {
        self.database_there().unwrap_or_else(|fatal| {
            self.say(&fatal.text);
            None
        })
    }

    fn now_ms(&self) -> i64 {
        wall_ms()
    }

    fn interrupted(&self) -> bool {
        interrupt::pressed() > 0
    }

    fn say(&mut self, words: &str) {
        say(self.options.quiet, words);
    }
}

/// Tells people. A terminal that is gone is no reason to end.
pub(super) fn say(quiet: bool, words: &str) {
    if !quiet {
        let words = crate::real::log::clean(words);
        let _ = writeln!(std::io::stderr().lock(), "mainstay: {words}");
    }
}

fn under_way(known: &mut Known) -> &mut Switch {
    known.switch.as_mut().expect("a step belongs to a switch")
}

/// One question, one answer.
pub(super) fn asked(client: &mut Client, argv: &[&str]) -> Result<Answer, String> {
    let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    let answer = client.ask(&fresh_key(), &argv).map_err(|unanswered| client.fatal(&unanswered).text)?;
    if answer.data["error"] == "not_permitted" { Err(client.not_permitted().text) } else { Ok(answer) }
}

/// The back-up that is there, whatever else did not go as it should.
fn backup_made(ran: &Ran) -> Result<String, String> {
    let Ok(said) = serde_json::from_str::<Value>(ran.out.trim()) else { return Err(ran.words()) };
    match said["file"].as_str() {
        Some(file) => Ok(format!("{file}: up to event {}", said["events"])),
        None => Err(ran.words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_up_that_is_made_counts_whatever_the_daemon_says() {
        let ran = |code, out: &str, err: &str| Ran { code: Some(code), out: out.to_owned(), err: err.to_owned() };
        let made = r#"{"file":"/b/x.db","events":7,"recorded":false}"#;
        assert_eq!(backup_made(&ran(0, made, "")).as_deref(), Ok("/b/x.db: up to event 7"));
        assert_eq!(backup_made(&ran(20, made, "it is not on record")).as_deref(), Ok("/b/x.db: up to event 7"));
        let none = backup_made(&ran(15, r#"{"error":"no room","code":15}"#, "no room"));
        assert_eq!(none, Err("exit code 15: no room".to_owned()));
        assert_eq!(backup_made(&ran(1, "", "broken")), Err("exit code 1: broken".to_owned()));
    }
}
