//! The control invariants: what a simulation has to ask of its runs. A test holds the list against the simulation's own, so
//! that none of them can quietly drop out of the evidence.

/// By name.
pub const PROPERTIES: [&str; 28] = [
    "the record is whole",
    "one daemon at a time writes the record",
    "the machine is asked nothing impossible",
    "no attempt runs twice",
    "nothing runs beside its twin or after an unknown end",
    "nothing runs without its approvals and a resume",
    "retry budgets are kept",
    "no more runs at once than there are slots",
    "nothing is stopped that nobody wants stopped",
    "a wish to stop is fulfilled in time",
    "nothing acknowledged is lost",
    "one wish has one effect",
    "every task comes to its end",
    "every move is legal and has its reason",
    "a true exit is reported as such",
    "every end is reported, and repeats are marked",
    "cards show where tasks stand",
    "attempts and their errors are on record",
    "the trace of an ended task is complete",
    "why explains what is not finished",
    "nothing is left running",
    "strangers are told nothing and do nothing",
    "nothing is asked of Telegram in a tight loop",
    "what fails is tried no faster than its limits say",
    "flood waits are kept",
    "an alert is told once, and once when it is over",
    "who should have ended is told of within a minute",
    "polling recovers in time",
];
