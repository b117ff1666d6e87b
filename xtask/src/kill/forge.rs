//! Evidence that is forged, to see that each property can be broken: every run of the suite tries all of it on what it saw.

use super::evidence::{Entry, Evidence, Told, Word};
use super::oracle::judge;
use mainstay_metric::ledger::Step;

/// A forgery: its name, the property that has to notice, and how it is done. None: this evidence has nothing to forge it with.
pub(crate) struct Forgery {
    pub(crate) name: &'static str,
    pub(crate) breaks: &'static str,
    pub(crate) forge: fn(&mut Evidence) -> Option<()>,
}

const REPORTED: &str = "every end is reported, and repeats are marked";

pub(crate) const FORGERIES: [Forgery; 12] = [
    Forgery {
        name: "a second start",
        breaks: "no attempt runs twice",
        forge: |evidence| repeat(evidence, Word::Begin),
    },
    Forgery {
        name: "a second effect",
        breaks: "no attempt runs twice",
        forge: |evidence| repeat(evidence, Word::Effect),
    },
    Forgery {
        name: "a success that ran again",
        breaks: "nothing runs again without a reason",
        forge: |evidence| {
            // One whose shim was killed may run again, whatever it wrote.
            let is_known = |entry: &&Entry| !evidence.struck.contains(&entry.key);
            let succeeded = |entry: &&Entry| entry.word == Word::End && entry.rest == "0";
            let ended = evidence.book.iter().filter(is_known).find(succeeded)?;
            let entry = Entry { word: Word::Begin, key: (ended.key.0, ended.key.1 + 1), ..ended.clone() };
            evidence.book.push(entry);
            Some(())
        },
    },
    Forgery {
        name: "an end that nobody was told of",
        breaks: REPORTED,
        forge: |evidence| {
            let task = evidence.told.first()?.task;
            evidence.told.retain(|told| told.task != task);
            Some(())
        },
    },
    Forgery {
        name: "a wrong report",
        breaks: REPORTED,
        forge: |evidence| {
            let told = evidence.told.first_mut()?;
            told.state = if told.state == "SUCCEEDED" { "FAILED" } else { "SUCCEEDED" }.into();
            Some(())
        },
    },
    Forgery {
        name: "a second report as if new",
        breaks: REPORTED,
        forge: |evidence| {
            let told = evidence.told.iter().find(|told| !told.marked)?;
            let again = Told { marked: false, ..told.clone() };
            evidence.told.push(again);
            Some(())
        },
    },
    Forgery {
        name: "an acknowledged wish that is gone",
        breaks: "nothing acknowledged is lost",
        forge: |evidence| {
            let task = evidence.wishes.iter().find_map(|wish| wish.task)?;
            evidence.record.remove(&task).map(drop)
        },
    },
    Forgery {
        name: "one wish, two tasks",
        breaks: "one wish has one effect",
        forge: |evidence| {
            let (last, said) = evidence.record.last_key_value().map(|(task, said)| (*task, said.clone()))?;
            evidence.record.insert(last + 1, said);
            Some(())
        },
    },
    Forgery {
        name: "a resume that was answered and forgotten",
        breaks: "nothing acknowledged is lost",
        forge: |evidence| {
            let task = evidence.wishes.iter().find(|wish| wish.resumed.is_some())?.task?;
            "APPROVED".clone_into(&mut evidence.record.get_mut(&task)?.state);
            Some(())
        },
    },
    Forgery {
        name: "another exit code on record",
        breaks: "a true exit is reported as such",
        forge: |evidence| {
            let failed = |said: &&mut super::evidence::Said| said.exit_code.is_some_and(|code| code > 0);
            let said = evidence.record.values_mut().find(failed)?;
            said.exit_code = said.exit_code.map(|code| code + 100);
            Some(())
        },
    },
    Forgery {
        name: "an attempt that the record does not know",
        breaks: "the trace of an ended task is complete",
        forge: |evidence| {
            let said = evidence.record.values_mut().find(|said| !said.ended.is_empty())?;
            said.ended.clear();
            Some(())
        },
    },
    Forgery {
        name: "a process that stayed",
        breaks: "nothing is left running",
        forge: |evidence| {
            evidence.left.push("task 4711".into());
            evidence.book.first().map(drop)
        },
    },
];

fn repeat(evidence: &mut Evidence, word: Word) -> Option<()> {
    let entry = evidence.book.iter().find(|entry| entry.word == word)?.clone();
    evidence.book.push(entry);
    Some(())
}

/// Tries all forgeries on this evidence, of those that can be tried: whether each was noticed. The step's name is what shows a
/// scorer that the property can fail.
pub(crate) fn tried(evidence: &Evidence) -> Vec<Step> {
    let one = |forgery: &Forgery| {
        let mut forged = evidence.clone();
        (forgery.forge)(&mut forged)?;
        let properties = judge(&forged);
        let noticed = properties.iter().any(|p| p.name == forgery.breaks && p.broken.is_some());
        let seen = format!("{}: {}", forgery.name, if noticed { "noticed" } else { "not noticed" });
        Some(Step { name: format!("forged {}", forgery.breaks), held: Some(noticed), seen })
    };
    FORGERIES.iter().filter_map(one).collect()
}
