//! Checked values to a [`Config`], and what no single key can tell: names given twice, people who are missing, groups
//! that disagree.

use super::read::{Fields, Problem, Reader};
use super::{Config, Kind, Operator, RecordConfig, TelegramConfig, keys::Section};
use crate::command::{Mode, Role};
use crate::policy;
use core::net::SocketAddr;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A valid configuration, and what is strange about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Valid {
    /// The configuration.
    pub config: Config,
    /// Probably not meant, but possible.
    pub warnings: Vec<Problem>,
}

/// Where Telegram answers.
pub const TELEGRAM_API_URL: &str = "https://api.telegram.org";

/// Where the status page listens, if there is one.
const STATUS_LISTEN: &str = "127.0.0.1:8787";

/// Accounts behind which Telegram hides people: service messages, anonymous admins, channels.
const SHARED_ACCOUNTS: [i64; 3] = [777_000, 1_087_968_824, 136_817_688];

/// Reads a configuration file's text. `folder` is where the file lies, absolute: relative paths start there.
///
/// # Errors
/// Every problem, in the order of lines.
pub fn parse(text: &str, folder: &Path) -> Result<Valid, Vec<Problem>> {
    let mut reader = Reader::new(text);
    let sections = reader.sections();
    let mut builder = Builder { reader, folder, warnings: Vec::new() };
    // Without any TOML there is nothing to build from, and "no operator" would be noise.
    let config = sections.first().map(|top| builder.config(top, &sections));
    let (mut problems, mut warnings) = (builder.reader.problems, builder.warnings);
    problems.sort();
    warnings.sort();
    match config {
        Some(config) if problems.is_empty() => Ok(Valid { config, warnings }),
        Some(_) | None => Err(problems),
    }
}

struct Builder<'a> {
    reader: Reader<'a>,
    folder: &'a Path,
    warnings: Vec<Problem>,
}

impl Builder<'_> {
    fn config(&mut self, top: &Fields, sections: &[Fields]) -> Config {
        let of = |section: Section| sections.iter().filter(move |fields| fields.section == section);
        let running_max = small(top.number("running_max"), policy::RUNNING_MAX);
        let operators = self.operators(of(Section::Operator));
        let telegram = of(Section::Telegram).next().map(|fields| self.telegram(fields, &operators));
        let status = of(Section::Status).next().and_then(|fields| self.status(fields));
        let kinds = self.kinds(&of(Section::Kind).collect::<Vec<_>>(), running_max, &operators);
        let mut config = Config {
            state_dir: self.path(top.text("state_dir").as_deref().unwrap_or("state")),
            autonomy: top.text("autonomy").and_then(|name| Mode::named(&name)).unwrap_or(Mode::Supervised),
            telegram,
            status,
            operators,
            kinds,
            running_max,
            record: of(Section::Record).next().map_or_else(RecordConfig::default, |fields| self.record(fields)),
            given: sections.iter().flat_map(Fields::paths).collect(),
            hash: String::new(),
        };
        config.hash = hash(&config);
        config
    }

    fn record(&mut self, fields: &Fields) -> RecordConfig {
        let usual = RecordConfig::default();
        let keep_ms = fields.number("keep").unwrap_or(usual.keep_ms);
        if keep_ms < policy::RECORD_KEEP_SLACK_MS {
            self.warn(fields, "keep", "is less than a day: soon nobody can tell any more what happened yesterday");
        }
        let secret_env = fields.texts("secret_env").unwrap_or_default();
        RecordConfig {
            keep_ms,
            max_bytes: small(fields.number("max_size"), usual.max_bytes),
            secret_env: secret_env.into_iter().map(|(name, _)| name).collect(),
        }
    }

    fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    fn wrong(&mut self, fields: &Fields, key: &str, text: impl Into<String>) {
        self.reader.problem(fields.line_of(key), fields.path(key), text);
    }

    fn warn(&mut self, fields: &Fields, key: &str, text: impl Into<String>) {
        let (line, key) = (fields.line_of(key), fields.path(key));
        self.warnings.push(Problem { line, key, text: text.into(), nobody: false });
    }

    /// Something was wrong with this key already.
    fn is_blamed(&self, key: &str) -> bool {
        self.reader.problems.iter().any(|problem| problem.key.split(['.', ' ']).next() == Some(key))
    }

    fn telegram(&mut self, fields: &Fields, operators: &BTreeMap<i64, Operator>) -> TelegramConfig {
        let api_url = fields.text("api_url").unwrap_or_else(|| TELEGRAM_API_URL.into());
        let api_url = api_url.trim_end_matches('/').to_owned();
        let rest = api_url.strip_prefix("https://").or_else(|| api_url.strip_prefix("http://"));
        match rest {
            None | Some("") => self.wrong(fields, "api_url", "must begin with https:// or http:// and name a host"),
            Some(rest) if rest.contains(|c: char| c.is_whitespace() || "?#@".contains(c)) => {
                self.wrong(fields, "api_url", "must be a plain address: no user, query or fragment");
            }
            Some(rest) if api_url.starts_with("http:") && !is_loopback(rest) => {
                self.warn(fields, "api_url", "sends the token unencrypted over the network; use https://");
            }
            Some(_) => {}
        }
        let poll_timeout_ms = fields.number("poll_timeout").unwrap_or(policy::POLL_TIMEOUT_MS);
        if poll_timeout_ms % 1_000 != 0 {
            self.wrong(fields, "poll_timeout", "Telegram takes whole seconds");
        }
        let mut chats = Vec::new();
        for (chat, line) in fields.numbers("chats").unwrap_or_default() {
            let key = fields.path("chats");
            if chat >= 0 {
                let text =
                    format!("{chat} is no group (those are negative); operators' private chats are allowed anyway");
                self.reader.problem(line, key, text);
            } else if chats.contains(&chat) {
                self.reader.problem(line, key, format!("{chat} is there twice"));
            } else {
                chats.push(chat);
            }
        }
        let report_chat = fields.number("report_chat");
        if let Some(chat) = report_chat.filter(|chat| !chats.contains(chat) && !operators.contains_key(chat)) {
            let text = format!("{chat} is neither the id of an operator nor one of chats: add it there");
            self.wrong(fields, "report_chat", text);
        }
        let token_file = fields.text("token_file").map(|path| self.path(&path));
        TelegramConfig { api_url, token_file, poll_timeout_ms, chats, report_chat }
    }

    /// Whoever can reach the page can read it, so nobody beyond this machine may.
    fn status(&mut self, fields: &Fields) -> Option<SocketAddr> {
        let text = fields.text("listen").unwrap_or_else(|| STATUS_LISTEN.into());
        let Ok(address) = text.parse::<SocketAddr>() else {
            let text = format!("{text:?} is no address with a port: write \"127.0.0.1:8787\" or \"[::1]:8787\"");
            self.wrong(fields, "listen", text);
            return None;
        };
        if !address.ip().is_loopback() {
            let text = format!(
                "{} can be reached from other machines, and the page asks nobody who they are: write \"127.0.0.1:{}\", and come through `ssh -L`",
                address.ip(),
                address.port()
            );
            self.wrong(fields, "listen", text);
            return None;
        }
        Some(address)
    }

    fn operators<'f>(&mut self, sections: impl Iterator<Item = &'f Fields>) -> BTreeMap<i64, Operator> {
        let mut operators: BTreeMap<i64, Operator> = BTreeMap::new();
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        let mut any = false;
        for fields in sections {
            any = true;
            let name = fields.text("name").unwrap_or_default();
            if let Some(line) = first.get(&name).filter(|_| !name.is_empty()) {
                self.wrong(fields, "name", format!("{name:?} is the name of the operator in line {line} too"));
            }
            first.entry(name.clone()).or_insert(fields.line);
            let roles: Vec<Role> =
                fields.texts("roles").unwrap_or_default().iter().filter_map(|(role, _)| role_named(role)).collect();
            if roles.is_empty() && fields.texts("roles").is_some() {
                self.wrong(fields, "roles", "is empty, so they may do nothing: give a role or remove the operator");
            }
            let uid = fields.number("uid").and_then(|uid| u32::try_from(uid).ok());
            if let Some(other) = operators.values().find(|o| uid.is_some() && o.uid == uid) {
                let text = format!("is the user of {} too: nobody could tell who of them it is", other.name);
                self.wrong(fields, "uid", text);
            }
            let Some(id) = fields.number("id") else { continue };
            if id <= 0 {
                self.wrong(fields, "id", format!("{id} is no person: groups have negative ids, people positive ones"));
            } else if SHARED_ACCOUNTS.contains(&id) {
                self.wrong(fields, "id", format!("{id} is an account that Telegram shares among people"));
            } else if let Some(other) = operators.get(&id) {
                let text = format!("{id} is the id of {} too: give one operator all the roles", other.name);
                self.wrong(fields, "id", text);
            } else {
                operators.insert(id, Operator { id, name, roles, uid });
            }
        }
        if !any && !self.is_blamed("operator") {
            let text = "nobody may do anything: add an [[operator]] with id, name and roles";
            self.reader.problems.push(Problem { line: 1, key: "operator".into(), text: text.into(), nobody: true });
        }
        operators
    }

    fn kinds(
        &mut self,
        sections: &[&Fields],
        running_max: u32,
        operators: &BTreeMap<i64, Operator>,
    ) -> BTreeMap<String, Kind> {
        if sections.is_empty() && !self.is_blamed("kind") {
            self.reader.problem(1, "kind", "there is nothing to run: add a [[kind]] with name and argv");
        }
        let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        // Of each group: the limit somebody wrote, where, and in which kind.
        let mut limits: BTreeMap<String, (u32, String)> = BTreeMap::new();
        for fields in sections {
            let kind = self.kind(fields, running_max, operators);
            if let Some(limit) = fields.number("concurrency").map(|n| small(Some(n), running_max)) {
                let known = limits.entry(kind.group.clone()).or_insert((limit, kind.name.clone()));
                if known.0 != limit {
                    let text = format!("kind {} says {} for the same group {}", known.1, known.0, kind.group);
                    self.wrong(fields, "concurrency", text);
                }
            }
            if kind.name.is_empty() {
                continue;
            }
            if let Some(line) = first.get(&kind.name) {
                self.wrong(fields, "name", format!("{:?} is the name of the kind in line {line} too", kind.name));
            }
            first.entry(kind.name.clone()).or_insert(fields.line);
            kinds.insert(kind.name.clone(), kind);
        }
        for kind in kinds.values_mut() {
            kind.concurrency = limits.get(&kind.group).map_or(running_max, |(limit, _)| *limit);
        }
        kinds
    }

    fn kind(&mut self, fields: &Fields, running_max: u32, operators: &BTreeMap<i64, Operator>) -> Kind {
        let texts = |key| fields.texts(key).map(|items| items.into_iter().map(|(t, _)| t).collect::<Vec<_>>());
        let flag = |key, default| fields.flag(key).unwrap_or(default);
        let name = fields.text("name").unwrap_or_default();
        let base = Kind::new(&name, flag("heavy", true), texts("argv").unwrap_or_default());
        let kind = Kind {
            about: fields.text("about").unwrap_or_default(),
            cwd: fields.text("cwd").map(|path| self.path(&path)),
            env: texts("env").unwrap_or(base.env),
            approvals: small(fields.number("approvals"), base.approvals),
            self_approval: flag("self_approval", base.self_approval),
            requires_plan: flag("requires_plan", base.requires_plan),
            requires_review: flag("requires_review", base.requires_review),
            idempotent: flag("idempotent", base.idempotent),
            transient_exit_codes: fields.numbers("transient_exit_codes").map_or(base.transient_exit_codes, |codes| {
                codes.into_iter().filter_map(|(code, _)| i32::try_from(code).ok()).collect()
            }),
            timeout_ms: fields.number("timeout").unwrap_or(base.timeout_ms),
            stop_grace_ms: fields.number("stop_grace").unwrap_or(base.stop_grace_ms),
            approval_ttl_ms: fields.number("approval_ttl").unwrap_or(base.approval_ttl_ms),
            queue_ttl_ms: fields.number("queue_ttl").unwrap_or(base.queue_ttl_ms),
            max_attempts: small(fields.number("max_attempts"), base.max_attempts),
            backoff_ms: fields.number("backoff").unwrap_or(base.backoff_ms),
            max_log_bytes: small(fields.number("max_log_bytes"), base.max_log_bytes),
            group: fields.text("group").unwrap_or(base.group),
            // Settled when every kind of the group is known.
            concurrency: base.concurrency,
            nice: small(fields.number("nice"), base.nice),
            memory_max: fields.number("memory_max").and_then(|n| n.try_into().ok()),
            cpu_percent: fields.number("cpu_percent").and_then(|n| n.try_into().ok()),
            denied_words: texts("denied_words").unwrap_or(base.denied_words),
            ..base
        };
        self.check_program(fields, &kind);
        self.check_gates(fields, &kind, operators);
        if fields.number("concurrency").is_some_and(|n| n > i64::from(running_max)) {
            self.wrong(fields, "concurrency", format!("is above running_max ({running_max})"));
        }
        if kind.max_attempts == 1 && fields.has("backoff") {
            self.warn(fields, "backoff", "never applies: max_attempts is 1");
        }
        kind
    }

    fn check_program(&mut self, fields: &Fields, kind: &Kind) {
        match kind.argv.first().map(String::as_str) {
            None if !fields.has("argv") || fields.texts("argv").is_none() => {}
            None | Some("") => self.wrong(fields, "argv", "names no program"),
            Some(program) if program.contains('/') && !program.starts_with('/') => {
                let text =
                    format!("{program:?} depends on the working directory: write the whole path, or a name in PATH");
                self.wrong(fields, "argv", text);
            }
            Some(program) if program.contains(char::is_whitespace) && kind.argv.len() == 1 => {
                let text = format!("{program:?} looks like a shell line: write [\"program\", \"argument\", ...]");
                self.wrong(fields, "argv", text);
            }
            Some(_) => {}
        }
        for (name, line) in fields.texts("env").unwrap_or_default() {
            let legal = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit());
            if !legal {
                let text = format!("{name:?} is no variable's name (values are taken from the daemon's environment)");
                self.reader.problem(line, fields.path("env"), text);
            } else if name.starts_with("MAINSTAY_") || name == "CREDENTIALS_DIRECTORY" {
                self.reader.problem(
                    line,
                    fields.path("env"),
                    format!("{name} is the daemon's own and is never handed on"),
                );
            }
        }
    }

    fn check_gates(&mut self, fields: &Fields, kind: &Kind, operators: &BTreeMap<i64, Operator>) {
        if self.is_blamed("operator") {
            // Who is missing here may be the one whose lines are wrong.
            return;
        }
        let approvers = operators.values().filter(|o| o.may(Role::Approver)).count();
        if kind.approvals as usize > approvers {
            let text = format!(
                "asks for {} approvers, but only {approvers} of the operators may approve: name more, or lower it",
                kind.approvals
            );
            self.wrong(fields, "approvals", text);
        } else if kind.requires_review && approvers == 0 {
            self.wrong(fields, "requires_review", "nobody may review: give an operator the role approver");
        } else if kind.approvals as usize == approvers && kind.approvals > 0 && !kind.self_approval {
            let askers = operators.values().filter(|o| o.may(Role::Operator));
            let stuck: Vec<&str> = askers.filter(|o| o.may(Role::Approver)).map(|o| o.name.as_str()).collect();
            if !stuck.is_empty() {
                let text = format!(
                    "what {} asks for can't be approved, as own approvals don't count: set self_approval = true, or name another approver",
                    stuck.join(" or ")
                );
                self.warn(fields, "approvals", text);
            }
        }
        if kind.heavy && kind.approvals == 0 {
            self.warn(fields, "approvals", "is 0 for a heavy kind: it runs without anybody's approval");
        }
    }
}

fn role_named(name: &str) -> Option<Role> {
    [Role::Viewer, Role::Operator, Role::Approver, Role::Admin].into_iter().find(|role| role.name() == name)
}

/// The table's ranges make every conversion here succeed.
fn small<T: TryFrom<i64>>(number: Option<i64>, default: T) -> T {
    number.and_then(|n| n.try_into().ok()).unwrap_or(default)
}

fn is_loopback(rest: &str) -> bool {
    let host = rest.split('/').next().unwrap_or_default();
    host.starts_with("127.") || host.starts_with("[::1]") || host.split(':').next() == Some("localhost")
}

/// Tells one meaning from another: comments, order and defaults that were written out change nothing.
fn hash(config: &Config) -> String {
    let canonical = serde_json::to_vec(config).expect("plain data");
    crate::hex::hex(&Sha256::digest(&canonical))
}

#[cfg(test)]
mod tests;
