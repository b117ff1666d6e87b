//! The last step: looks at the daemon again and again, until the judge has seen enough.

use super::super::client::Client;
use super::hand::{Hand, asked};
use super::interrupt;
use super::supervisor::{Seen, Supervisor};
use crate::command::Became;
use crate::policy;
use crate::real::clock::boot_ms;
use crate::release::drive::Hands as _;
use crate::release::switch::{Switch, Way};
use crate::release::watch::{Expected, Heard, Look, Verdict, Watch};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// The anomaly of a database that takes no writes.
const STORAGE_REFUSES: &str = "storage_refuses";

/// Watches the daemon to the end of the switch. At both ends it has to commit something: what becomes of the release. Where there
/// is somewhere to go back to, Ctrl-C pressed twice ends it.
pub(super) fn soak(
    switch: &Switch,
    has_way_back: bool,
    hand: &mut Hand<'_>,
    supervisor: &dyn Supervisor,
    state_dir: &Path,
) -> Result<(), String> {
    let expected = Expected {
        release: switch.to.clone(),
        config: switch.config.clone(),
        life_before: switch.life,
        violations: switch.violations,
    };
    let mut watch = Watch::new(expected, switch.limits, boot_ms());
    let within = Duration::from_millis(switch.limits.answer_ms.unsigned_abs());
    loop {
        match watch.see(&look(supervisor, state_dir, within)) {
            Verdict::GoOn => {}
            Verdict::There => {
                arrived(switch, hand, within)?;
                if switch.way != Way::Forward {
                    return Ok(());
                }
                let soak_ms = crate::config::keys::show_ms(switch.limits.soak_ms);
                hand.say(&format!("it answers as {}; it is watched for {soak_ms}", switch.to));
            }
            Verdict::Proven => {
                return told(hand.tell(Became::Blessed, &switch.to, switch.from.as_ref(), "", within));
            }
            Verdict::Failed(why) => return Err(why),
        }
        if has_way_back && interrupt::pressed() > 1 {
            return Err("somebody interrupted it".to_owned());
        }
        std::thread::sleep(policy::DEPLOY_LOOK_PAUSE);
    }
}

/// The first answer: it has to be able to commit, too.
fn arrived(switch: &Switch, hand: &Hand<'_>, within: Duration) -> Result<(), String> {
    let became = match switch.way {
        Way::Forward => Became::Activated,
        Way::Back => Became::RolledBack,
        Way::BackByItself => Became::WentBack,
    };
    told(hand.tell(became, &switch.to, switch.from.as_ref(), &switch.why, within))
}

fn told(told: Result<(), String>) -> Result<(), String> {
    told.map_err(|why| format!("it answers questions, but carries out no command ({why})"))
}

fn look(supervisor: &dyn Supervisor, state_dir: &Path, within: Duration) -> Look {
    // What can't tell is no sign that the daemon fails.
    let Seen { given_up, restarts } = supervisor.status().unwrap_or_default();
    let ops = asked(&mut Client::impatient(state_dir, within), &["ops"]);
    let heard = ops.and_then(|answer| heard(&answer.data));
    // After the answer: one that never comes has taken its time.
    Look { at_ms: boot_ms(), given_up, restarts, heard }
}

/// What a daemon says of itself in its answer to `ops`. One whose database takes no writes answers questions, and that is no
/// answer here: it could not carry out a command.
pub(super) fn heard(ops: &Value) -> Result<Heard, String> {
    let mut anomalies = ops["anomalies"].as_array().into_iter().flatten();
    if let Some(refuses) = anomalies.find(|anomaly| anomaly["name"] == STORAGE_REFUSES) {
        return Err(format!("it answers questions alone: {}", refuses["words"].as_str().unwrap_or_default()));
    }
    let text = |name: &str| ops[name].as_str().map(str::to_owned);
    let read = || -> Option<Heard> {
        Some(Heard {
            version: text("version")?,
            config_hash: text("config_hash")?,
            life: ops["epoch"].as_i64()?,
            violations: ops["violations"].as_i64()?,
            refusals: ops["poll"]["token_refusals"].as_i64().unwrap_or(0),
        })
    };
    read().ok_or_else(|| "it does not say yet what it is".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::ANOMALIES;
    use serde_json::json;

    #[test]
    fn what_writes_nothing_has_not_answered() {
        let ops = |anomalies: Value| {
            json!({
                "version": "b", "config_hash": "ab", "epoch": 3, "violations": 0, "anomalies": anomalies,
                "poll": { "token_refusals": 2 },
            })
        };
        let said = heard(&ops(json!([{ "name": "poll_broken", "words": "x" }])));
        assert!(said.is_ok_and(|heard| (heard.life, heard.refusals) == (3, 2)));
        let name = ANOMALIES.iter().find(|anomaly| anomaly.name == STORAGE_REFUSES).map(|anomaly| anomaly.name);
        let said = heard(&ops(json!([{ "name": name, "words": "the daemon can't write" }])));
        assert_eq!(said, Err("it answers questions alone: the daemon can't write".into()));
        assert!(heard(&json!({})).is_err(), "nothing");
    }
}
