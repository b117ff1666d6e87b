//! `state.json`: what is known of each release, and of a switch under way. Every change of it is here.

use super::Id;
use super::manifest::Database;
use super::switch::{Ended, Limits, Outcome, Step, Switch, Way};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The version of the file's meaning.
const FORMAT: u32 = 1;
/// The blessed releases that stay whatever comes: the one that runs, and the way back from it.
const BLESSED_KEPT: usize = 2;

/// Something, and when it was (ms since 1970).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at_ms: i64,
    /// What, or why.
    pub words: String,
}

/// A release that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its name.
    pub id: Id,
    /// When it came, ms since 1970.
    pub staged_ms: i64,
    /// The key that vouches for it, if one does.
    pub signed_by: Option<String>,
    /// The database it makes and can go on with.
    pub database: Database,
    /// When its preflight last said something, and what: nothing where all was well.
    pub preflight: Option<Note>,
    /// When it was last activated.
    pub activated_ms: Option<i64>,
    /// When it last proved itself; by whose word, where it was not by itself.
    pub blessed: Option<Note>,
    /// When it failed or was given up, and why. Over with the next time that it proves itself.
    pub bad: Option<Note>,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    format: u32,
    /// Those that are there, in the order in which they came.
    pub releases: Vec<Release>,
    /// Those that proved themselves, in that order; each once.
    blessed: Vec<Id>,
    /// The switch under way.
    pub switch: Option<Switch>,
    /// How the last one ended.
    pub last: Option<Ended>,
    /// That it ended badly, and no daemon could be told.
    pub untold: bool,
}

impl Default for Known {
    fn default() -> Known {
        let (releases, blessed) = (Vec::new(), Vec::new());
        Known { format: FORMAT, releases, blessed, switch: None, last: None, untold: false }
    }
}

/// What somebody wants: the same for every switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// How long it may take.
    pub limits: Limits,
    /// What starts the daemon anew, where that is not systemd.
    pub supervisor: Option<String>,
    /// The configuration's file, in full.
    pub config_file: Option<PathBuf>,
    /// Why, though something speaks against it.
    pub force: Option<String>,
    /// Also where the release's changes of the database leave no way back.
    pub no_way_back: bool,
}

/// What the machine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// Where `current` leads.
    pub current: Option<Id>,
    /// The database, if there is one.
    pub database: Option<Database>,
}

impl Known {
    /// Reads it.
    ///
    /// # Errors
    /// It is no such file, or one of a newer program.
    pub fn parse(bytes: &[u8]) -> Result<Known, String> {
        let known: Known = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if known.format == FORMAT {
            return Ok(known);
        }
        Err(format!("it has format {}, and this program knows {FORMAT}: use the program that wrote it", known.format))
    }

    /// As it is written.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data") + "\n"
    }

    /// A release that is there.
    ///
    /// # Errors
    /// It is not.
    pub fn release(&self, id: &Id) -> Result<&Release, String> {
        let there = self.releases.iter().find(|release| release.id == *id);
        there.ok_or_else(|| format!("there is no release {id} here: `mainstay release list` has those that are"))
    }

    fn note(&mut self, id: &Id, change: impl FnOnce(&mut Release)) {
        if let Some(release) = self.releases.iter_mut().find(|release| release.id == *id) {
            change(release);
        }
    }

    /// A release came.
    pub fn staged(&mut self, release: Release) {
        self.releases.retain(|there| there.id != release.id);
        self.releases.push(release);
    }

    /// A release became the current one by an installation, where none was.
    pub fn installed(&mut self, id: &Id, now_ms: i64) {
        self.note(id, |release| release.activated_ms = Some(now_ms));
    }

    /// The release that a way back from `left` leads to: the last one that proved itself, has not failed since, and can go on
    /// with the database that is `there`.
    ///
    /// # Errors
    /// There is none.
    pub fn way_back(&self, left: &Id, there: Option<Database>) -> Result<Id, String> {
        let mut why = Vec::new();
        for id in self.blessed.iter().rev().filter(|id| *id != left) {
            match self.release(id) {
                Ok(Release { bad: Some(bad), .. }) => why.push(format!("{id} failed too ({})", bad.words)),
                Ok(release) if there.is_some_and(|there| !release.database.opens(there)) => {
                    why.push(format!("{id} can't go on with the database as it is now"));
                }
                Ok(_) => return Ok(id.clone()),
                Err(gone) => why.push(gone),
            }
        }
        why.is_empty().then(|| why.push("no other release was ever blessed".to_owned()));
        Err(why.join("; "))
    }

    /// Begins a switch to a release that has to prove itself.
    ///
    /// # Errors
    /// What speaks against it, and what to do.
    pub fn activate(&mut self, to: &Id, here: &Here, wish: Wish) -> Result<(), String> {
        self.nothing_under_way()?;
        let release = self.release(to)?;
        if let Some(bad) = release.bad.as_ref().filter(|_| wish.force.is_none()) {
            return Err(format!("{to} failed before: {}; --force REASON tries it again", bad.words));
        }
        if here.current.as_ref() == Some(to) && release.blessed.is_some() && wish.force.is_none() {
            return Err(format!("{to} is the current release already, and blessed: nothing to do"));
        }
        if let Some(there) = here.database {
            if !release.database.opens(there) {
                return Err(format!("{to} can't go on with the database: {}", newer(there, release.database)));
            }
            let after = release.database.makes_of(there);
            let (now, then) = (self.way_back(to, Some(there)), self.way_back(to, Some(after)));
            if let (Ok(back), Err(_), false) = (now, then, wish.no_way_back) {
                return Err(format!(
                    "there will be no way back to {back}, nor to any other: {to} changes the database so that older programs can't go on with it ({}); --no-way-back goes on all the same",
                    newer(after, self.release(&back)?.database)
                ));
            }
        }
        self.begin(to, here, Way::Forward, String::new(), wish);
        Ok(())
    }

    /// Begins a switch back to a release that has proven itself: `to`, or the last one that did.
    ///
    /// # Errors
    /// What speaks against it, and what to do.
    pub fn roll_back(&mut self, to: Option<&Id>, here: &Here, wish: Wish) -> Result<(), String> {
        let left = match &self.switch {
            Some(switch) if switch.way != Way::Forward => return self.nothing_under_way(),
            Some(switch) => Some(switch.to.clone()),
            None => here.current.clone(),
        };
        if let (None, None, Some(last)) = (to, &self.switch, &self.last)
            && last.leaves_the_one_before_unseen()
        {
            // Whoever means that switch would leave the release that it ended with, and have it taken for a bad one.
            let now = here.current.as_ref().map_or_else(|| "no release".to_owned(), ToString::to_string);
            return Err(format!(
                "the last switch was ended already, after its command was cut off (`mainstay release status`): {now} is current; `rollback ID` leaves it all the same"
            ));
        }
        let to = match (to, &left) {
            (Some(to), _) => to.clone(),
            (None, Some(left)) => self.way_back(left, here.database).map_err(|why| {
                format!("there is nothing to go back to: {why}; `rollback ID --force REASON` names one all the same")
            })?,
            (None, None) => return Err("no release is current: there is nothing to go back from".to_owned()),
        };
        if left.as_ref() == Some(&to) {
            return Err(format!("{to} is the current release already: name another one"));
        }
        let release = self.release(&to)?;
        let against = match (&release.blessed, &release.bad) {
            (None, _) => Some(format!("{to} was never blessed: nobody knows whether it works")),
            (Some(_), Some(bad)) => Some(format!("{to} failed before: {}", bad.words)),
            (Some(_), None) => None,
        };
        if let Some(against) = against.filter(|_| wish.force.is_none()) {
            return Err(format!("{against}; --force REASON goes back to it all the same"));
        }
        if let Some(there) = here.database.filter(|there| !release.database.opens(*there)) {
            return Err(format!(
                "{to} can't go on with the database: {}; a back-up would take back what has happened since, so the way is forward: a mended release",
                newer(there, release.database)
            ));
        }
        let why = wish.force.clone().unwrap_or_else(|| "somebody wanted it".to_owned());
        self.begin(&to, here, Way::Back, why, wish);
        Ok(())
    }

    fn begin(&mut self, to: &Id, here: &Here, way: Way, why: String, wish: Wish) {
        let given_up = self.switch.take();
        let drained = given_up.as_ref().is_some_and(|given_up| given_up.drained);
        let undoes = given_up.as_ref().is_some_and(|given_up| given_up.undoes || given_up.step.may_have_flipped());
        let from = given_up.map_or_else(|| here.current.clone(), |given_up| Some(given_up.to));
        self.switch = Some(Switch {
            to: to.clone(),
            from,
            way,
            why,
            step: way.steps()[0],
            forced: wish.force,
            no_way_back: wish.no_way_back,
            drained,
            undoes,
            life: None,
            violations: None,
            config: None,
            limits: wish.limits,
            supervisor: wish.supervisor,
            config_file: wish.config_file,
            unattended: false,
        });
    }

    fn nothing_under_way(&self) -> Result<(), String> {
        let Some(switch) = &self.switch else { return Ok(()) };
        let (to, step) = (&switch.to, switch.step.name());
        Err(match switch.way {
            Way::Forward => format!(
                "a switch to {to} is under way, at the step {step}: `activate` goes on with it, `rollback` undoes it"
            ),
            Way::Back | Way::BackByItself => {
                format!(
                    "the way back to {to} is under way, at the step {step}: `rollback` without an id goes on with it"
                )
            }
        })
    }

    /// What a release's preflight said; nothing where all was well.
    pub fn looked_at(&mut self, id: &Id, at_ms: i64, words: &str) {
        let words = words.to_owned();
        self.note(id, |release| release.preflight = Some(Note { at_ms, words }));
    }

    /// Gives up a switch that has changed nothing yet; false when it has.
    pub fn give_up(&mut self, now_ms: i64, why: &str) -> bool {
        let Some(switch) = self.switch.take_if(|switch| switch.can_be_given_up()) else { return false };
        self.end(now_ms, Outcome::GivenUp, switch, why.to_owned());
        true
    }

    /// The release whose program brings a switch to its end if the command is cut off: the one that is at work on it (`own`),
    /// which can for sure; else rather one that has run here than one that has to prove itself.
    pub fn finisher<'a>(&self, switch: &'a Switch, own: Option<&'a Id>) -> &'a Id {
        if let Some(own) = own.filter(|own| self.release(own).is_ok()) {
            return own;
        }
        let from = switch.from.as_ref().filter(|from| switch.way == Way::Forward && self.release(from).is_ok());
        from.unwrap_or(&switch.to)
    }

    /// The step under way is done.
    pub fn done(&mut self, now_ms: i64) {
        let Some(switch) = &mut self.switch else { return };
        if switch.step == Step::Restart {
            let to = switch.to.clone();
            switch.step = Step::Soak;
            self.note(&to, |release| release.activated_ms = Some(now_ms));
        } else if let Some(next) = switch.next() {
            switch.step = next;
        } else {
            self.arrived(now_ms);
        }
    }

    fn arrived(&mut self, now_ms: i64) {
        let Some(switch) = self.switch.take() else { return };
        let why = switch.why.clone();
        let outcome = match switch.way {
            Way::Forward => {
                self.bless(&switch.to, now_ms, "it proved itself");
                Outcome::Blessed
            }
            Way::Back => Outcome::RolledBack,
            Way::BackByItself => Outcome::WentBack,
        };
        self.leave(&switch, now_ms);
        self.end(now_ms, outcome, switch, why);
    }

    /// What a way back leads away from is not come to again without a reason.
    fn leave(&mut self, switch: &Switch, now_ms: i64) {
        if let (Way::Back | Way::BackByItself, Some(left)) = (switch.way, &switch.from) {
            let words = switch.why.clone();
            self.note(left, |release| release.bad = Some(Note { at_ms: now_ms, words }));
        }
    }

    /// A release has proven itself, by its own doings or by somebody's `words`. A switch to it is over.
    pub fn bless(&mut self, id: &Id, now_ms: i64, words: &str) {
        self.blessed.retain(|there| there != id);
        self.blessed.push(id.clone());
        let words = words.to_owned();
        self.note(id, |release| {
            release.blessed = Some(Note { at_ms: now_ms, words });
            release.bad = None;
        });
        if let Some(switch) = self.switch.take_if(|switch| switch.to == *id) {
            self.leave(&switch, now_ms);
            self.end(now_ms, Outcome::Blessed, switch, String::new());
        }
    }

    /// The step under way failed.
    pub fn failed(&mut self, why: &str, now_ms: i64, there: Option<Database>) {
        let Some(mut switch) = self.switch.take() else { return };
        if switch.step == Step::Preflight {
            self.looked_at(&switch.to, now_ms, why);
        }
        let why = format!("{}: {why}", switch.step.name());
        let back_failed = switch.way == Way::BackByItself;
        if !switch.step.may_have_flipped() && !back_failed {
            if let (true, Some(left)) = (switch.undoes, &switch.from) {
                let why = format!("{why}; {left}, which has not proven itself, may go on, and nobody watches it");
                return self.end(now_ms, Outcome::Stuck, switch, why);
            }
            return self.end(now_ms, Outcome::Refused, switch, why);
        }
        // That the link can't be changed, or the daemon not be started anew, says nothing of the release.
        if matches!(switch.step, Step::Verify | Step::Soak) {
            let words = why.clone();
            self.note(&switch.to, |release| release.bad = Some(Note { at_ms: now_ms, words }));
        }
        if switch.way != Way::Forward {
            let why = format!("{why} (it was gone back to because: {})", switch.why);
            return self.end(now_ms, Outcome::Stuck, switch, why);
        }
        match self.way_back(&switch.to, there) {
            Ok(back) => {
                let from = std::mem::replace(&mut switch.to, back);
                let way = Way::BackByItself;
                let step = way.steps()[0];
                // What was known of the one before is not known of this one.
                let (life, violations, config) = (None, None, None);
                // Nor is it the one whose patience was set.
                let limits = switch.limits.at_least_usual();
                self.switch =
                    Some(Switch { from: Some(from), way, why, step, life, violations, config, limits, ..switch });
            }
            Err(none) => self.end(now_ms, Outcome::Stuck, switch, format!("{why}; and no way leads back: {none}")),
        }
    }

    fn end(&mut self, at_ms: i64, outcome: Outcome, switch: Switch, why: String) {
        self.untold = outcome == Outcome::Stuck;
        let Switch { to, from, unattended, .. } = switch;
        self.last = Some(Ended { at_ms, outcome, to, from, why, unattended });
    }

    /// What may be removed, so that only the newest `keep` are there and those that are needed: what runs, what a switch under
    /// way leads to or from, and the last that proved themselves.
    pub fn superfluous(&self, current: Option<&Id>, keep: usize) -> Vec<Id> {
        let last = self.blessed.iter().rev().filter(|id| self.release(id).is_ok_and(|release| release.bad.is_none()));
        let mut needed: Vec<&Id> = last.take(BLESSED_KEPT).collect();
        needed.extend(self.blessed.iter().rev().take(BLESSED_KEPT));
        needed.extend(current);
        needed.extend(self.switch.iter().flat_map(|switch| std::iter::once(&switch.to).chain(&switch.from)));
        let old = self.releases.len().saturating_sub(keep);
        let old = self.releases.iter().take(old).map(|release| &release.id);
        old.filter(|id| !needed.contains(id)).cloned().collect()
    }

    /// A release is no longer there.
    pub fn removed(&mut self, id: &Id) {
        self.releases.retain(|release| release.id != *id);
        self.blessed.retain(|there| there != id);
    }
}

/// Why a database is too new for a release.
fn newer(there: Database, release: Database) -> String {
    let needs = there.min_reader.max(there.min_writer);
    format!(
        "it has schema {}, which needs a program of schema {needs}, and that of the release is {}",
        there.schema, release.schema
    )
}

#[cfg(test)]
mod tests;
