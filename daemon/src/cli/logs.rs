//! `logs`: events from the database, whether the daemon runs or not.

use super::{Options, print};
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::real::clock::wall_ms;
use crate::real::config_file;
use clap::ArgMatches;
use serde_json::Value;

/// Events taken in one look while following.
const FOLLOW_AT_ONCE: &str = "1000";

/// Prints what there is, and with `--follow` what comes.
pub(super) fn logs(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let config = config_file::load(&options.config_path()?)?.config;
    let mut filter = Vec::new();
    for name in ["task", "trace", "kind"] {
        if let Some(value) = matches.get_one::<String>(name) {
            filter.extend([format!("--{name}"), value.trim_start_matches('#').to_owned()]);
        }
    }
    if let Some(ago) = matches.get_one::<i64>("since") {
        filter.extend(["--since-ms".to_owned(), wall_ms().saturating_sub(*ago).to_string()]);
    }
    let last = matches.get_one::<u32>("last").copied().unwrap_or(50).to_string();
    let mut argv = [&["logs".to_owned(), "--last".to_owned(), last], &filter[..]].concat();
    let mut seen = 0;
    loop {
        let answer = crate::offline::answer(&config, &argv)?;
        if !answer.ok {
            return Err(Fatal::new(ExitCode::Refused, answer.text));
        }
        let events = answer.data.as_array().cloned().unwrap_or_default();
        if options.json {
            events.iter().for_each(|event| print(&event.to_string()));
        } else if !answer.text.is_empty() {
            print(&answer.text);
        }
        if !matches.get_flag("follow") {
            return Ok(ExitCode::Ok);
        }
        seen = events.iter().filter_map(|event: &Value| event["seq"].as_i64()).fold(seen, i64::max);
        let after = ["logs", "--last", FOLLOW_AT_ONCE, "--after", &seen.to_string()].map(str::to_owned);
        argv = [&after[..], &filter[..]].concat();
        std::thread::sleep(policy::FOLLOW_PAUSE);
    }
}
