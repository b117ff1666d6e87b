//! `drain`: nothing new starts, and this waits until nothing runs.

use super::client::{Client, fresh_key};
use super::{Options, print};
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use serde_json::{Value, json};
use std::time::Duration;

/// Looks until nothing runs, and tells what is waited for whenever that changes.
pub(super) fn wait(client: &mut Client, timeout_ms: Option<i64>, options: &Options) -> Result<ExitCode, Fatal> {
    let looks = timeout_ms.map(|ms| u64::try_from(ms).unwrap_or(0) / policy::CLIENT_WAIT_PAUSE_MS);
    let mut told = String::new();
    for look in 0_u64.. {
        let ops = client.ask(&fresh_key(), &["ops".to_owned()]).map_err(|unanswered| client.fatal(&unanswered))?;
        if ops.data["draining"] != true {
            let text = "the draining was lifted meanwhile (undrain, or a new start of the daemon): tasks start again";
            return Err(Fatal::new(ExitCode::Refused, text));
        }
        let running = running(&ops.data);
        if running.is_empty() {
            if options.json {
                print(&json!({ "drained": true }).to_string());
            } else {
                print("drained: nothing runs, and nothing starts before undrain or the next start of the daemon");
            }
            return Ok(ExitCode::Ok);
        }
        if running != told {
            options.remark(&format!("waiting for {running}"));
            told.clone_from(&running);
        }
        if looks.is_some_and(|looks| look >= looks) {
            let text = format!("still running: {running}; nothing new starts: `mainstay undrain` lifts that");
            return Err(Fatal::new(ExitCode::WaitTimedOut, text));
        }
        std::thread::sleep(Duration::from_millis(policy::CLIENT_WAIT_PAUSE_MS));
    }
    unreachable!("the loop has no end of its own")
}

/// The running tasks, as `#1 #4`.
fn running(ops: &Value) -> String {
    let tasks = ops["running"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: Vec<String> = tasks.iter().filter_map(|task| Some(format!("#{}", task["task_id"].as_i64()?))).collect();
    ids.join(" ")
}
