//! What must hold, judged by what the world saw: the machine's ledger, the chats, what people asked for and pressed. What the
//! daemon has on record is checked against it, and never believed.
//!
//! A property is a name, a sentence, and a check over [`Evidence`], which says nothing of how a run came about: the same
//! list judges simulated runs and real ones. A new property is a line in [`PROPERTIES`].

pub mod alerts;
mod evidence;
mod outage;
mod outcomes;
mod record;
mod runs;
pub mod told;
mod traffic;
mod tries;

pub use evidence::{Evidence, Looked, all_events};

pub use outage::{Outages, Part};
use std::collections::BTreeMap;

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub property: &'static str,
    /// When it was seen, ms of the run.
    pub at_ms: i64,
    /// How.
    pub how: String,
}

/// Something that must hold.
pub struct Property {
    /// Its name: what holds, in a few words.
    pub name: &'static str,
    /// What that means, in a sentence or two.
    pub about: &'static str,
    /// Whether what breaks it can't mend: such a property is judged whenever a daemon has died too, of what is there then. The
    /// others need rest: a report may still be on its way, a program still on its way out.
    pub at_deaths: bool,
    /// How it does not hold, if it does not.
    pub check: fn(&Evidence<'_>) -> Result<(), String>,
}

/// What must hold at the end, in the order in which it is checked. The first that does not is the finding.
pub const PROPERTIES: [Property; 28] = [
    Property {
        name: "the record is whole",
        about: "No event is missing or changed since it was recorded, none tells of a violation, and replaying them all gives the same tables.",
        at_deaths: false,
        check: record::record_is_whole,
    },
    Property {
        name: "one daemon at a time writes the record",
        about: "The events of one daemon's life stand together, and each life has the next number.",
        at_deaths: true,
        check: record::one_owner,
    },
    Property {
        name: "the machine is asked nothing impossible",
        about: "No folder of an attempt that may have run is cleared, and none that is alive is archived.",
        at_deaths: true,
        check: runs::nothing_impossible,
    },
    Property {
        name: "no attempt runs twice",
        about: "The machine started the program of each attempt at most once.",
        at_deaths: true,
        check: runs::no_attempt_twice,
    },
    Property {
        name: "nothing runs beside its twin or after an unknown end",
        about: "A task's attempts follow one another, and after one whose end nobody can know only an idempotent kind is started again.",
        at_deaths: true,
        check: runs::no_twins,
    },
    Property {
        name: "nothing runs without its approvals and a resume",
        about: "Before a program was started, as many others as its kind wants had approved what then ran, and after them somebody had resumed it: an approval alone starts nothing.",
        at_deaths: true,
        check: runs::gates_hold,
    },
    Property {
        name: "retry budgets are kept",
        about: "A task is run no more often than its kind allows since somebody took it back from its end, and with pauses in between.",
        at_deaths: true,
        check: runs::budgets_kept,
    },
    Property {
        name: "no more runs at once than there are slots",
        about: "As many programs are alive at once as the machine and the task's group have slots for, whatever the daemon believes.",
        at_deaths: true,
        check: runs::slots_kept,
    },
    Property {
        name: "nothing is stopped that nobody wants stopped",
        about: "A program is ended by somebody's wish or by its time limit, and by nothing else: not by a restart of the daemon.",
        at_deaths: true,
        check: runs::nothing_killed_unasked,
    },
    Property {
        name: "a wish to stop is fulfilled in time",
        about: "From a person's wish until nothing of the task is alive, no more passes than hearing it, the grace of its kind and the kill take, outages added.",
        at_deaths: false,
        check: runs::stop_works,
    },
    Property {
        name: "nothing acknowledged is lost",
        about: "What was shown or answered to people, wishes that were said to be done among it, is on record, and every request was answered.",
        at_deaths: false,
        check: outcomes::nothing_lost,
    },
    Property {
        name: "one wish has one effect",
        about: "Each message, press and request is taken up once, however often it is delivered; each button is used once.",
        at_deaths: true,
        check: record::one_effect,
    },
    Property {
        name: "every task comes to its end",
        about: "When nothing goes wrong any more, every task that people have not forgotten reaches the end that its scenario says.",
        at_deaths: false,
        check: outcomes::everything_ends,
    },
    Property {
        name: "every move is legal and has its reason",
        about: "Tasks move by the life cycle alone, and each move has its reason in the world: somebody's press, a program's end, time that is over. A restart moves nothing by itself.",
        at_deaths: false,
        check: record::moves_have_reasons,
    },
    Property {
        name: "a true exit is reported as such",
        about: "A task has succeeded exactly if its last program exited with 0, and is unknown only without a receipt.",
        at_deaths: false,
        check: outcomes::ends_are_true,
    },
    Property {
        name: "every end is reported, and repeats are marked",
        about: "Each end can be read in a chat, and at most one report of it does not say that it may be a repeat.",
        at_deaths: false,
        check: outcomes::ends_are_reported,
    },
    Property {
        name: "cards show where tasks stand",
        about: "At rest, the newest card of a task in each chat shows the state that the task is in.",
        at_deaths: false,
        check: outcomes::cards_are_right,
    },
    Property {
        name: "attempts and their errors are on record",
        about: "Every program that ran is on record with its claim, its shim and its end, and whatever failed with why.",
        at_deaths: false,
        check: record::attempts_on_record,
    },
    Property {
        name: "the trace of an ended task is complete",
        about: "Every ended task's story goes without a gap from the wish to the message that reported it.",
        at_deaths: false,
        check: record::traces_complete,
    },
    Property {
        name: WHY,
        about: "For every task that is not finished, /why names what it waits for; also in the middle, whenever a daemon has died.",
        at_deaths: false,
        check: record::why_explains,
    },
    Property {
        name: "nothing is left running",
        about: "At the end no process of any attempt is alive.",
        at_deaths: false,
        check: runs::nothing_left_running,
    },
    Property {
        name: "strangers are told nothing and do nothing",
        about: "Who is not on the list gets no answer, and nothing they say or press has an effect.",
        at_deaths: true,
        check: outcomes::strangers_do_nothing,
    },
    Property {
        name: "nothing is asked of Telegram in a tight loop",
        about: "No ten seconds see more requests than any burst of cards needs, no minute more polls than updates may come in.",
        at_deaths: false,
        check: traffic::no_tight_loop,
    },
    Property {
        name: "what fails is tried no faster than its limits say",
        about: "In no minute more failed polls, messages, starts and openings of the database than the table of limits has for their class.",
        at_deaths: false,
        check: tries::as_the_table_says,
    },
    Property {
        name: "flood waits are kept",
        about: "A chat that Telegram has refused with a time to wait is left alone for so long.",
        at_deaths: true,
        check: traffic::flood_waits_obeyed,
    },
    Property {
        name: "an alert is told once, and once when it is over",
        about: "In each chat, whatever is wrong is told of again only after it was told to be over, and nothing is over that was not told of; repeats are marked.",
        at_deaths: false,
        check: alerts::told_once,
    },
    Property {
        name: "who should have ended is told of within a minute",
        about: "A program that lives on though its time limit and all that follows it have passed is told of within a minute, outages added.",
        at_deaths: false,
        check: alerts::stale_in_time,
    },
    Property {
        name: "polling recovers in time",
        about: "Whatever was out of order, the next poll comes within 80 s of its healing.",
        at_deaths: false,
        check: traffic::poll_recovers,
    },
];

/// The property that time passes for the daemon.
pub const SPINS: &str = "the daemon does not spin";
/// The property that only what may end a daemon does.
pub const GIVES_UP: &str = "the daemon does not give up";
/// The property that a scenario's own expectations hold.
pub const EXPECTED: &str = "what the scenario expects";
/// What a run is found guilty of whose daemon, or simulation, panicked.
pub const PANICS: &str = "the run itself panicked";
/// The same of a run that does not come to its end.
pub const ENDLESS: &str = "the run does not end";
/// The property of lives that are cut off: nothing goes on for ever.
pub const RESTS: &str = "the world comes to rest";
/// The property of lives that are cut off: no second telling stands for a lost first one.
pub const STAYS: &str = "what was shown stays on record";

/// What is found beside [`PROPERTIES`], with what it means: it needs more than evidence, or another moment than the end.
pub const BESIDE: [(&str, &str); 8] = [
    (told::NAME, told::ABOUT),
    (SPINS, "Its loop never turns and turns while no time passes: looked at after every tick."),
    (GIVES_UP, "It ends only when it is told to, or when its disk does not let it begin: looked at whenever one ends."),
    (EXPECTED, "What a scenario's file says of its jobs and under `[expect]`, and all that it tells of came about."),
    (PANICS, "The daemon's own assertions among it: none of them fails."),
    (ENDLESS, "Within the real time that a sweep gives it."),
    (RESTS, "At crash points: within two minutes of the last start."),
    (STAYS, "At crash points: what could be read when everything went dark is on record from before."),
];

/// The name of what [`look_at_crash`] judges beside [`told::NAME`].
const WHY: &str = "why explains what is not finished";

/// What must hold whenever a daemon has died, of what it left on the disk: what was told, what can't mend, and `/why`.
///
/// # Errors
/// What does not hold.
pub fn look_at_crash(evidence: &Evidence<'_>) -> Result<(), Broken> {
    look_and_count(evidence, &mut BTreeMap::new())
}

/// The same, and how many things each was asked of is added to `counts`.
pub(crate) fn look_and_count(evidence: &Evidence<'_>, counts: &mut Counts) -> Result<(), Broken> {
    let at_deaths = PROPERTIES.iter().filter(|property| property.at_deaths);
    let checks: Vec<(&'static str, Check)> = std::iter::once((told::NAME, told::check as Check))
        .chain(at_deaths.map(|property| (property.name, property.check)))
        .chain([(WHY, record::why_explains as Check)])
        .collect();
    for (property, check) in checks {
        evidence.looked.take();
        let held = check(evidence);
        *counts.entry(property).or_default() += evidence.looked.take();
        held.map_err(|how| Broken { property, at_ms: evidence.now_ms, how })?;
    }
    Ok(())
}

/// How a property does not hold, if it does not.
type Check = fn(&Evidence<'_>) -> Result<(), String>;

/// Of each property, of how many things it was asked that could have broken it.
pub(crate) type Counts = BTreeMap<&'static str, u64>;

/// The first property that does not hold.
pub fn judge(evidence: &Evidence<'_>) -> Option<Broken> {
    PROPERTIES.iter().find_map(|property| {
        let how = (property.check)(evidence).err()?;
        Some(Broken { property: property.name, at_ms: evidence.now_ms, how })
    })
}

/// Every property that is judged at rest, with how many things it was asked of that could have broken it, and how it broke.
pub(crate) fn judge_all(evidence: &Evidence<'_>) -> Vec<(&'static str, u64, Option<String>)> {
    let one = |property: &Property| {
        evidence.looked.take();
        let how = (property.check)(evidence).err();
        (property.name, evidence.looked.take(), how)
    };
    PROPERTIES.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control;
    use std::collections::BTreeSet;

    #[test]
    fn what_planted_bugs_are_found_by_has_its_name_in_one_list() {
        let listed: Vec<&str> =
            PROPERTIES.iter().map(|property| property.name).chain(BESIDE.iter().map(|(name, _)| *name)).collect();
        let mut known: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(known.len(), listed.len(), "names are unique");
        known.extend(control::WANTED.iter().map(|(name, _)| *name));
        known.extend([control::HOLDS, control::DIFFER, control::SAME, control::LYING, control::UNSYNCED]);
        known.extend([control::LOOKED, control::FORGED]);
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/mutants.toml");
        let mutants: toml::Table = std::fs::read_to_string(file).expect("it is there").parse().expect("it is TOML");
        for mutant in mutants["mutant"].as_array().expect("a list") {
            for name in mutant["caught_by"].as_array().expect("a list").iter().filter_map(toml::Value::as_str) {
                assert!(
                    known.contains(name),
                    "{} is said to be caught by {name:?}, which is no property",
                    mutant["name"]
                );
            }
        }
    }
}
