//! What people did and were sent, and the slices of the probe.
//!
//! A message is read by whom it is for: in a private chat its person; in the group whom it answers, and all three where it
//! rings. Cards that change in place do not ring and are told of by nobody: who looks for a change has pressed something.

use crate::botapi::ChatId;
use crate::people::given::chars;
use crate::people::{GROUP, Given, How};
use crate::probe::Probe;
use crate::run::Run;
use mainstay::config::Config;
use mainstay_metric::ledger::{Act, Did, Line, Slices};
use std::collections::{BTreeMap, BTreeSet};

use super::replies::Sent;

/// A line an act, in order, and one of slices.
pub(super) fn lines(run: &Run, probe: &Probe) -> Vec<Line> {
    let config = crate::people::config();
    let mut acts: Vec<Act> = run.people.given().iter().map(|given| did(&config, given)).collect();
    acts.extend(read(run, probe, &config));
    acts.sort_by_key(|act| act.at_ms);
    let (all, bad) = probe.slices(&run.world);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let slices = Slices { all: number(all), bad: bad.into_iter().map(number).collect() };
    std::iter::once(Line::Slices(slices)).chain(acts.into_iter().map(Line::Act)).collect()
}

fn name(config: &Config, id: i64) -> String {
    config.operators.get(&id).map_or_else(|| id.to_string(), |operator| operator.name.clone())
}

fn did(config: &Config, given: &Given) -> Act {
    let did = match &given.how {
        How::Said { chars, .. } | How::Asked { chars, .. } => Did::Typed(*chars),
        How::Pressed { .. } => Did::Pressed,
    };
    Act { at_ms: given.at, by: name(config, given.by.0), did }
}

/// What arrived, for each who reads it.
fn read(run: &Run, probe: &Probe, config: &Config) -> Vec<Act> {
    // Whose words are answered.
    let mut by: BTreeMap<(ChatId, i64), i64> = BTreeMap::new();
    for given in run.people.given() {
        if let How::Said { chat, message, .. } = &given.how {
            by.insert((*chat, message.0), given.by.0);
        }
    }
    let probed: BTreeSet<i64> = probe.said.iter().map(|(_, message)| message.0).collect();
    let everybody: Vec<i64> = config.operators.keys().copied().collect();
    let mut acts = Vec::new();
    run.world.telegram.look(|t| {
        for record in t.log().iter() {
            let Some(Sent { at, chat, to, text, rings }) = Sent::of(record) else { continue };
            let readers = match (chat, to) {
                (chat, Some(to)) if chat == Probe::chat() && probed.contains(&to) => Vec::new(),
                (GROUP, _) if rings => everybody.clone(),
                (GROUP, Some(to)) => by.get(&(GROUP, to)).copied().into_iter().collect(),
                (GROUP, None) => Vec::new(),
                (ChatId(person), _) => everybody.iter().copied().filter(|id| *id == person).collect(),
            };
            let act = |id: i64| Act { at_ms: at, by: name(config, id), did: Did::Read(chars(text)) };
            acts.extend(readers.into_iter().map(act));
        }
    });
    acts
}
