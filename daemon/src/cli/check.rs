//! `check`: everything that would keep the daemon from starting, or tasks from running, at once and without a change.

use super::client::{Client, fresh_key};
use super::serve::examine_database;
use super::{Options, print};
use crate::config::Config;
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::real::control::SOCKET_NAME;
use crate::real::{DATABASE_NAME, config_file, lock, store, token};
use crate::report;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What was found.
#[derive(Default)]
struct Findings {
    good: Vec<String>,
    warnings: Vec<String>,
    wrong: Vec<Fatal>,
}

impl Findings {
    fn of<T>(&mut self, result: Result<T, Fatal>) -> Option<T> {
        result.map_err(|fatal| self.wrong.push(fatal)).ok()
    }
}

/// Prints the findings; exits with the code of the first that is wrong.
pub(super) fn check(options: &Options) -> Result<ExitCode, Fatal> {
    let mut findings = Findings::default();
    if let Some(path) = findings.of(options.config_path()) {
        look(&path, &mut findings);
    }
    if options.json {
        let wrong: Vec<&str> = findings.wrong.iter().flat_map(|fatal| fatal.text.lines()).collect();
        let all = serde_json::json!({ "ok": wrong.is_empty(), "errors": wrong, "warnings": findings.warnings, "good": findings.good });
        print(&all.to_string());
    } else {
        let lines =
            |word: &str, all: &[String]| all.iter().map(|line| format!("{word:<8} {line}\n")).collect::<String>();
        let wrong: Vec<String> =
            findings.wrong.iter().flat_map(|fatal| fatal.text.lines()).map(str::to_owned).collect();
        let good = if options.quiet { String::new() } else { lines("ok", &findings.good) };
        let text = good + &lines("warning", &findings.warnings) + &lines("error", &wrong);
        if !text.is_empty() {
            print(text.trim_end());
        }
    }
    Ok(findings.wrong.first().map_or(ExitCode::Ok, |fatal| fatal.code))
}

fn look(path: &Path, findings: &mut Findings) {
    let Some(valid) = findings.of(config_file::load(path)) else { return };
    let config = valid.config;
    findings.good.push(format!(
        "{}: {} operators, {} kinds, hash {}",
        path.display(),
        config.operators.len(),
        config.kinds.len(),
        &config.hash[..12]
    ));
    findings.warnings.extend(valid.warnings.iter().map(|problem| format!("{}:{problem}", path.display())));
    findings.warnings.extend(config_file::missing_on_this_machine(&config));
    look_at_token(&config, findings);
    look_at_state(&config, findings);
    look_at_page(&config, findings);
}

fn look_at_token(config: &Config, findings: &mut Findings) {
    let Some(telegram) = &config.telegram else {
        findings.warnings.push("no [telegram] section: steered from the command line only".into());
        return;
    };
    let Some(found) = findings.of(token::find(telegram.token_file.as_deref())) else { return };
    findings.warnings.extend(found.warning);
    if let Some(fatal) = own_bot_is_no_operator(config, &found.token) {
        findings.wrong.push(fatal);
    }
    findings.good.push(format!("token of bot {}", found.token.bot_id()));
}

/// The bot's own id is easily copied for a person's.
pub(super) fn own_bot_is_no_operator(config: &Config, token: &token::Token) -> Option<Fatal> {
    let operator = config.operators.get(&token.bot_id())?;
    let text = format!("operator.{}.id: {} is the bot itself, not a person", operator.name, operator.id);
    Some(Fatal::new(ExitCode::ConfigInvalid, text))
}

fn look_at_state(config: &Config, findings: &mut Findings) {
    let shown = config.state_dir.display().to_string();
    let Some(existing) = findings.of(lock::inspect(&config.state_dir)) else { return };
    look_at_space(&config.state_dir, existing.is_some(), findings);
    if existing.is_none() {
        findings.good.push(format!("{shown} will be made at the first start"));
        return;
    }
    findings.good.push(format!("{shown} can be used"));
    if UnixStream::connect(config.state_dir.join(SOCKET_NAME)).is_ok() {
        findings.good.push("a daemon is running".into());
        let ops = Client::new(&config.state_dir).ask(&fresh_key(), &["ops".to_owned()]);
        if ops.is_ok_and(|ops| ops.data["draining"] == true) {
            findings
                .warnings
                .push("the daemon is draining: nothing new starts before undrain or its next start".into());
        }
    }
    let database = config.state_dir.join(DATABASE_NAME);
    if findings.of(examine_database(&config.state_dir)).is_some() && database.exists() {
        let events = store::inspect_record(&database).and_then(|store| {
            let then =
                if store.is_current()? { "" } else { ", of an older version; the next start brings it up to date" };
            Ok(format!("{}: up to event {}{then}", database.display(), store.events()))
        });
        let events = findings.of(events.map_err(|error| crate::run::fatal(&error)));
        findings.good.extend(events);
    }
}

/// The daemon starts without its page when the address is taken, so this is never wrong, only strange.
fn look_at_page(config: &Config, findings: &mut Findings) {
    let Some(address) = config.status else { return };
    let is_running = UnixStream::connect(config.state_dir.join(SOCKET_NAME)).is_ok();
    match (is_running, TcpListener::bind(address)) {
        (false, Ok(_)) => findings.good.push(format!("the status page can listen on {address}")),
        (true, Err(error)) if error.kind() == ErrorKind::AddrInUse && is_our_page(address) => {
            findings.good.push(format!("the status page is at http://{address}/"));
        }
        (true, Ok(_)) => findings.warnings.push(format!(
            "status.listen: nobody listens on {address}: the running daemon has no status page before its next start"
        )),
        (_, Err(error)) => findings
            .warnings
            .push(format!("status.listen: {address} can't be had ({error}): without it there is no status page")),
    }
}

/// Whether what listens there answers as the page does.
fn is_our_page(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, policy::CLIENT_PAGE_WITHIN)?;
        stream.set_read_timeout(Some(policy::CLIENT_PAGE_WITHIN))?;
        stream.set_write_timeout(Some(policy::CLIENT_PAGE_WITHIN))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let mut head = [0; 1024];
        let n = stream.read(&mut head)?;
        Ok(String::from_utf8_lossy(&head[..n]).into_owned())
    };
    asked().is_ok_and(|head| head.contains(report::METRICS_TYPE))
}

/// On a disk that is full a daemon does not start, or only to end what runs; under the reserve it starts no task.
fn look_at_space(state_dir: &Path, exists: bool, findings: &mut Findings) {
    let made_in = state_dir.parent().unwrap_or(Path::new("/"));
    let Some(free) = store::free_bytes(if exists { state_dir } else { made_in }) else { return };
    let (shown, free_mib, reserve_mib) = (state_dir.display(), free >> 20, policy::DISK_RESERVE_BYTES >> 20);
    if free < policy::DISK_RESERVE_BYTES {
        let text = format!(
            "{free_mib} MiB are free for {shown}: no task starts where it is less than {reserve_mib} MiB; make room"
        );
        findings.wrong.push(Fatal::new(ExitCode::DiskFull, text));
    } else {
        findings.good.push(format!("{free_mib} MiB are free for it; {reserve_mib} are kept in reserve"));
    }
}
