//! What `decide` decides: events to record, and effects to perform once they are committed.

use crate::attempt::{Identity, Observation};
use crate::event::{Event, Fact};
use crate::id::{AttemptKey, TaskId};
use crate::input::ReplyTo;
use crate::ports::{Answer, Call, Spec};
use crate::task::State;

/// Something the outside world must be made to do. Performed after the commit, at least once over crashes: each is
/// idempotent where it lands, or its row in the outbox says that it may be a repeat.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Make an attempt's folder and bring its shim to "ready".
    Start(Box<Spec>),
    /// Let a ready attempt run, and watch it.
    Go {
        /// Which.
        key: AttemptKey,
        /// Its shim.
        identity: Identity,
    },
    /// Watch an attempt that runs.
    Watch {
        /// Which.
        key: AttemptKey,
        /// Its shim.
        identity: Identity,
    },
    /// Look what is there of an attempt.
    Observe {
        /// Which.
        key: AttemptKey,
        /// Its shim, if it was ever known.
        identity: Option<Identity>,
    },
    /// Begin the stop ladder.
    Stop {
        /// Which.
        key: AttemptKey,
        /// Its shim.
        identity: Identity,
    },
    /// Kill what is alive of an attempt that should be gone, but for its shim.
    Kill {
        /// Which.
        key: AttemptKey,
        /// Its shim.
        identity: Identity,
        /// So long was it given already to end by itself, ms.
        waited_ms: i64,
    },
    /// Kill what is left of an attempt whose shim is gone.
    Destroy {
        /// Which.
        key: AttemptKey,
        /// Its marker.
        nonce: String,
        /// What was found.
        evidence: String,
    },
    /// Remove what a never started attempt left, then start it again.
    ClearAndStart(Box<Spec>),
    /// Move an ended attempt's folder out of the live ones.
    Archive(AttemptKey),
    /// Send or edit a message of the outbox.
    Call {
        /// Outbox number.
        message: i64,
        /// The version being shown.
        version: u32,
        /// Its chat: one call at a time.
        chat: i64,
        /// What to call.
        call: Call,
    },
    /// A call whose outcome matters to nobody: a press's banner, leaving a chat, the command menu.
    Tell(Call),
    /// Answer a local request.
    Answer {
        /// Its connection.
        connection: u64,
        /// What to say.
        answer: Answer,
    },
    /// Read the end of an attempt's output.
    ReadLog {
        /// Which.
        key: AttemptKey,
        /// How many lines of each stream.
        lines: u32,
        /// For whom.
        to: ReplyTo,
    },
    /// Claim nothing from now on (true), or claim again: holds in the turn that says so already.
    Drain(bool),
}

/// A decision. Refusals are plans too.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// To be recorded, in order.
    pub events: Vec<Event>,
    /// To be performed after the commit, in order.
    pub effects: Vec<Effect>,
}

impl Plan {
    /// Asserts what no decision may ever ask for, whatever it was decided from.
    ///
    /// # Panics
    /// When a decision would start what was not claimed, or let run what was not identified: our bug, and worth a crash.
    pub fn check(&self) {
        for effect in &self.effects {
            match effect {
                Effect::Start(spec) | Effect::ClearAndStart(spec) => assert!(
                    self.says(spec.key, |fact| matches!(
                        fact,
                        Fact::Claimed { .. } | Fact::StartAgain { .. } | Fact::StartFailed { .. }
                    )),
                    "a start without a claim: {}",
                    spec.key
                ),
                Effect::Go { key, .. } => assert!(
                    self.says(*key, |fact| matches!(fact, Fact::Identified { .. })),
                    "a go without an identity on record: {key}"
                ),
                Effect::Watch { .. }
                | Effect::Observe { .. }
                | Effect::Stop { .. }
                | Effect::Kill { .. }
                | Effect::Destroy { .. }
                | Effect::Archive(_)
                | Effect::Call { .. }
                | Effect::Tell(_)
                | Effect::Answer { .. }
                | Effect::ReadLog { .. }
                | Effect::Drain(_) => {}
            }
        }
        let approves = self.events.iter().any(|e| matches!(e.fact, Fact::Approved { .. }));
        let runs = self.effects.iter().any(|e| matches!(e, Effect::Start(_) | Effect::Go { .. }));
        assert!(!(approves && runs), "an approval must never start anything");
    }

    fn says(&self, key: AttemptKey, what: impl Fn(&Fact) -> bool) -> bool {
        self.events.iter().any(|e| e.task == Some(key.task) && e.attempt == Some(key.attempt) && what(&e.fact))
    }

    /// The state that this plan leaves the task in, if it moves it.
    pub fn state_after(&self, task: TaskId) -> Option<State> {
        self.events.iter().rev().filter(|e| e.task == Some(task)).find_map(|e| e.fact.state_after())
    }
}

/// What observing came to, when it is an end: for effects that need the evidence.
pub fn evidence(observation: &Observation) -> String {
    match observation {
        Observation::Absent => "no trace of the attempt is left".into(),
        Observation::NotStarted => "it never started".into(),
        Observation::Alive(identity) => format!("its shim lives (pid {})", identity.pid),
        Observation::Ended(_) => "a receipt".into(),
        Observation::Vanished(evidence) => evidence.clone(),
    }
}
