//! What must hold, judged by what the world saw: the machine's ledger, the chats, what people asked for and pressed. What the
//! daemon has on record is checked against it, and never believed.
//!
//! A property is a name, a sentence, and a check over [`Evidence`], which says nothing of how a run came about: the same
//! list judges simulated runs and real ones. A new property is a line in [`PROPERTIES`].

mod evidence;
mod outage;
mod outcomes;
mod record;
mod runs;
mod traffic;

pub use evidence::{Evidence, all_events};
pub use outage::{Outages, Part};

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
    /// How it does not hold, if it does not.
    pub check: fn(&Evidence<'_>) -> Result<(), String>,
}

/// What must hold at the end, in the order in which it is checked. The first that does not is the finding.
pub const PROPERTIES: [Property; 12] = [
    Property {
        name: "the record is whole",
        about: "No event is missing or changed since it was recorded, none tells of a violation, and replaying them all gives \
                the same tables.",
        check: record::record_is_whole,
    },
    Property {
        name: "the machine is asked nothing impossible",
        about: "No folder of an attempt that may have run is cleared, and none that is alive is archived.",
        check: runs::nothing_impossible,
    },
    Property {
        name: "no attempt runs twice",
        about: "The machine started the program of each attempt at most once.",
        check: runs::no_attempt_twice,
    },
    Property {
        name: "nothing runs beside its twin or after an unknown end",
        about: "A task's attempts follow one another, and after one whose end nobody can know only an idempotent kind is \
                started again.",
        check: runs::no_twins,
    },
    Property {
        name: "nothing runs without its approvals and a resume",
        about: "Before a program was started, as many others as its kind wants had pressed Approve, and somebody Resume.",
        check: runs::gates_hold,
    },
    Property {
        name: "nothing acknowledged is lost",
        about: "What was shown or answered to people is on record, every request was answered, and one request is one task.",
        check: outcomes::nothing_lost,
    },
    Property {
        name: "every task comes to its end",
        about: "When nothing goes wrong any more, every task that people have not forgotten reaches the end that its scenario \
                says.",
        check: outcomes::everything_ends,
    },
    Property {
        name: "a true exit is reported as such",
        about: "A task has succeeded exactly if its last program exited with 0, and is unknown only without a receipt.",
        check: outcomes::ends_are_true,
    },
    Property {
        name: "every end is reported, and repeats are marked",
        about: "Each end can be read in a chat, and at most one report of it does not say that it may be a repeat.",
        check: outcomes::ends_are_reported,
    },
    Property {
        name: "nothing is left running",
        about: "At the end no process of any attempt is alive.",
        check: runs::nothing_left_running,
    },
    Property {
        name: "strangers are told nothing",
        about: "The bot says nothing to somebody who is not on the list.",
        check: outcomes::strangers_hear_nothing,
    },
    Property {
        name: "nothing is asked of Telegram in a tight loop",
        about: "In no ten seconds there are more requests than any burst of cards needs.",
        check: traffic::no_tight_loop,
    },
];

/// The first property that does not hold.
pub fn judge(evidence: &Evidence<'_>) -> Option<Broken> {
    PROPERTIES.iter().find_map(|property| {
        let how = (property.check)(evidence).err()?;
        Some(Broken { property: property.name, at_ms: evidence.now_ms, how })
    })
}
