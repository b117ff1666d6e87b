//! Wrong files and what is said about them. The snapshot is the reviewed list of messages.

use super::*;
use crate::config::keys::KEYS;
use std::fmt::Write;

/// The least that is valid: every case below is this with something changed or added.
const OPERATOR: &str = "[[operator]]\nid = 1001\nname = \"ana\"\nroles = [\"admin\"]\n";
const KIND: &str = "[[kind]]\nname = \"build\"\nargv = [\"/usr/bin/make\"]\nself_approval = true\n";

fn read(text: &str) -> Result<Valid, Vec<Problem>> {
    parse(text, Path::new("/etc/mainstay"))
}

fn valid(text: &str) -> Config {
    read(text).unwrap_or_else(|problems| panic!("{}", listed(&problems))).config
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut all, problem| {
        let _ = writeln!(all, "  {problem}");
        all
    })
}

fn operator(line: &str) -> String {
    format!("[[operator]]\nid = 7\nname = \"bo\"\nroles = [\"viewer\"]\n{line}\n{OPERATOR}{KIND}")
}

fn kind(lines: &str) -> String {
    format!("{OPERATOR}{KIND}{lines}\n")
}

fn telegram(lines: &str) -> String {
    format!("[telegram]\n{lines}\n{OPERATOR}{KIND}")
}

fn top(lines: &str) -> String {
    format!("{lines}\n{OPERATOR}{KIND}")
}

fn cases() -> Vec<(&'static str, String)> {
    vec![
        ("nothing at all", String::new()),
        ("no operators", KIND.into()),
        ("no kinds", OPERATOR.into()),
        ("no toml", top("state_dir = [")),
        ("no toml in two places", top("state_dir = \"a\nautonomy = ?")),
        ("a key twice", top("running_max = 1\nrunning_max = 2")),
        ("mistyped keys everywhere", top("state_dri = \"x\"\n[telegrams]\n") + "timeuot = \"3m\"\n"),
        ("a key in the wrong place", telegram("running_max = 3\ntimeout = \"3m\"\nwhatever = 1")),
        ("one bracket too few", format!("{OPERATOR}[kind]\nname = \"build\"\n")),
        ("one bracket too many", format!("[[telegram]]\n{OPERATOR}{KIND}")),
        ("a section as a value", format!("operator = [1]\n{KIND}")),
        ("wrong mode", top("autonomy = \"supervized\"")),
        ("mode of another type", top("autonomy = true")),
        ("numbers out of range", top("running_max = 0") + "nice = 20\napprovals = -1\nmax_attempts = 1.5\n"),
        ("number too great for anything", top("running_max = 99999999999999999999")),
        ("empty texts", format!("state_dir = \"\"\n[[operator]]\nid = 1\nname = \"\"\nroles = [\"admin\"]\n{KIND}")),
        ("missing keys", "[[operator]]\n[[kind]]\n".into()),
        ("poll longer than telegram allows", telegram("poll_timeout = \"51s\"")),
        ("poll of half a second more", telegram("poll_timeout = \"1500ms\"")),
        ("duration without a unit", kind("timeout = 30")),
        (
            "durations that are none",
            kind("timeout = \"soon\"\nstop_grace = \"-1s\"\nqueue_ttl = \"1y\"\nbackoff = \"1h\""),
        ),
        ("no time at all", kind("timeout = \"0s\"")),
        ("sizes that are none", kind("max_log_bytes = \"16 potatoes\"\nmemory_max = \"1KiB\"")),
        ("addresses that are none", telegram("api_url = \"telegram.org\"")),
        ("address with a secret", telegram("api_url = \"https://me:secret@telegram.org\"")),
        ("a private chat among the groups", telegram("chats = [1001, -5, -5]")),
        ("names among the groups", telegram("chats = [\"@ops\", \"-100\"]")),
        ("report to strangers", telegram("chats = [-5]\nreport_chat = -6")),
        ("a page for everybody", top("[status]\nlisten = \"0.0.0.0:8787\"")),
        ("a page for the network", top("[status]\nlisten = \"192.168.1.5:8787\"")),
        ("a page at a name", top("[status]\nlisten = \"localhost:8787\"")),
        ("a page at a port", top("[status]\nlisten = 8787")),
        ("two pages", top("[[status]]\nlisten = \"127.0.0.1:8787\"")),
        ("a name for an id", format!("[[operator]]\nid = \"@ana\"\nname = \"ana\"\nroles = [\"admin\"]\n{KIND}")),
        ("a quoted id", format!("[[operator]]\nid = \"1001\"\nname = \"ana\"\nroles = [\"admin\"]\n{KIND}")),
        ("a group for a person", format!("[[operator]]\nid = -100123\nname = \"ana\"\nroles = [\"admin\"]\n{KIND}")),
        ("a shared account", format!("[[operator]]\nid = 1087968824\nname = \"ana\"\nroles = [\"admin\"]\n{KIND}")),
        (
            "a role that is none",
            operator("") + "[[operator]]\nid = 8\nname = \"cy\"\nroles = [\"aprover\", \"root\"]\n",
        ),
        ("no roles", operator("") + "[[operator]]\nid = 8\nname = \"cy\"\nroles = []\n"),
        ("one role without brackets", operator("") + "[[operator]]\nid = 8\nname = \"cy\"\nroles = \"admin\"\n"),
        ("the same person twice", operator("") + "[[operator]]\nid = 7\nname = \"ana\"\nroles = [\"viewer\"]\n"),
        (
            "the same user twice",
            operator("uid = 1000") + "[[operator]]\nid = 8\nname = \"cy\"\nroles = [\"viewer\"]\nuid = 1000\n",
        ),
        ("no user", operator("uid = -1")),
        ("the same kind twice", kind("") + KIND),
        ("a kind of two words", kind("[[kind]]\nname = \"Big build\"\nargv = [\"make\"]\nself_approval = true")),
        ("empty argv", kind("[[kind]]\nname = \"b\"\nargv = []\nself_approval = true")),
        ("empty program", kind("[[kind]]\nname = \"b\"\nargv = [\"\"]\nself_approval = true")),
        ("argv with numbers", kind("[[kind]]\nname = \"b\"\nargv = [\"sleep\", 5]\nself_approval = true")),
        ("a relative program", kind("[[kind]]\nname = \"b\"\nargv = [\"./run.sh\"]\nself_approval = true")),
        ("a shell line", kind("[[kind]]\nname = \"b\"\nargv = [\"make all\"]\nself_approval = true")),
        ("a shell line as text", kind("[[kind]]\nname = \"b\"\nargv = \"make all\"\nself_approval = true")),
        ("environment with values", kind("env = [\"A=b\", \"MAINSTAY_TELEGRAM_TOKEN\"]")),
        ("exit codes that are none", kind("transient_exit_codes = [0, 256, \"x\"]")),
        ("more approvals than approvers", kind("approvals = 2")),
        (
            "a review by nobody",
            format!(
                "[[operator]]\nid = 1\nname = \"a\"\nroles = [\"operator\"]\n{KIND}approvals = 0\nrequires_review = true\n"
            ),
        ),
        ("more at once than in all", top("running_max = 4") + "concurrency = 5\n"),
        (
            "a group that disagrees",
            kind(
                "group = \"g\"\nconcurrency = 1\n[[kind]]\nname = \"b\"\nargv = [\"make\"]\nself_approval = true\ngroup = \"g\"\nconcurrency = 2",
            ),
        ),
        ("words that are none", kind("denied_words = [\"\", 3]")),
    ]
}

#[test]
fn every_problem_is_named_with_line_and_key_and_what_to_do() {
    let mut all = String::new();
    for (title, text) in cases() {
        let problems = read(&text).expect_err(title);
        let _ = writeln!(all, "{title}\n{}", listed(&problems).trim_end());
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let texts = [
        kind("approvals = 0"),
        kind("backoff = \"1s\""),
        telegram("api_url = \"http://10.0.0.7:8081\""),
        telegram("api_url = \"http://127.0.0.1:8081\""),
        format!("{OPERATOR}[[kind]]\nname = \"build\"\nargv = [\"make\"]\n"),
        operator("").replace("viewer", "approver").replace("self_approval = true", ""),
    ];
    let all: String = texts.iter().map(|text| listed(&read(text).expect("valid").warnings) + "--\n").collect();
    insta::assert_snapshot!(all);
}

#[test]
fn only_a_missing_allow_list_has_its_own_exit_code() {
    assert!(read(KIND).expect_err("nobody").iter().all(|problem| problem.nobody));
    assert!(!read("").expect_err("nothing").iter().all(|problem| problem.nobody));
}

#[test]
fn what_is_left_out_means_the_documented_default() {
    let config = valid(&format!("{OPERATOR}[[kind]]\nname = \"build\"\nargv = [\"/usr/bin/make\"]\n"));
    let mut kind = Kind::new("build", true, vec!["/usr/bin/make".into()]);
    kind.concurrency = policy::RUNNING_MAX;
    assert_eq!(config.kinds["build"], kind);
    assert_eq!(config.state_dir, Path::new("/etc/mainstay/state"));
    assert_eq!((config.autonomy, config.running_max, &config.telegram), (Mode::Supervised, policy::RUNNING_MAX, &None));
    assert_eq!(config.status, None, "nothing listens unless it is asked for");
    assert_eq!(valid(&top("[status]")).status, "127.0.0.1:8787".parse().ok());
    assert_eq!(valid(&top("[status]\nlisten = \"[::1]:90\"")).status, "[::1]:90".parse().ok());
    let telegram = valid(&telegram("")).telegram.expect("a section");
    assert_eq!(telegram.api_url, TELEGRAM_API_URL);
    assert_eq!(telegram.poll_timeout_ms, policy::POLL_TIMEOUT_MS);
}

#[test]
fn writing_the_defaults_of_the_manual_out_changes_nothing() {
    let implicit = top("");
    let mut explicit = String::new();
    for section in [Section::Top, Section::Operator, Section::Kind, Section::Record] {
        match section {
            Section::Operator => explicit += OPERATOR,
            Section::Kind => explicit += KIND,
            Section::Record => explicit += "[record]\n",
            Section::Top | Section::Telegram | Section::Status => {}
        }
        for key in section.keys() {
            // Those that stand for themselves in TOML; the others describe.
            let value = key.default.unwrap_or("none");
            if value.starts_with(['"', '[']) && value != "\"\"" || value.parse::<i64>().is_ok() || value == "false" {
                let _ = writeln!(explicit, "{} = {value}", key.name);
            }
        }
    }
    let (implicit, mut written) = (valid(&implicit), valid(&explicit));
    assert!(written.given.contains("kind.build.timeout") && !implicit.given.contains("kind.build.timeout"));
    written.given.clone_from(&implicit.given);
    assert_eq!(implicit, written, "{explicit}");
}

#[test]
fn the_hash_follows_the_meaning_and_not_the_writing() {
    let base = valid(&top(""));
    let rewritten = format!("# the same\n{KIND}heavy = true\n\n{OPERATOR}");
    assert_eq!(valid(&rewritten).hash, base.hash);
    assert_eq!(base.hash.len(), 64);
    for changed in [top("running_max = 3"), kind("timeout = \"31m\""), operator("")] {
        assert_ne!(valid(&changed).hash, base.hash);
    }
}

#[test]
fn a_group_shares_the_limit_that_one_of_its_kinds_names() {
    let text = kind(
        "group = \"g\"\nconcurrency = 1\n[[kind]]\nname = \"b\"\nargv = [\"make\"]\nself_approval = true\ngroup = \"g\"",
    );
    let config = valid(&text);
    assert!(config.kinds.values().all(|kind| kind.concurrency == 1 && kind.group == "g"));
}

#[test]
fn no_key_stands_in_the_table_twice_and_every_one_is_described() {
    for (n, key) in KEYS.iter().enumerate() {
        assert!(!KEYS[..n].iter().any(|other| (other.section, other.name) == (key.section, key.name)), "{}", key.name);
        assert!(!key.about.is_empty() && !key.takes.describe().is_empty());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(\\[\\[?|\\]\\]?|kind|operator|telegram|name|id|argv|=|\"|\n|[a-z0-9 ,.@-]){0,40}") {
        let _ = read(&text);
    }

    #[test]
    fn no_value_of_any_key_makes_the_reader_panic(n in 0..KEYS.len(), value in "(-?[0-9]{1,20}|\"[a-z0-9@/ ]{0,9}\"|true|\\[\\]|\\[1, \"a\"\\]|\\{a=1\\}|1979-05-27|nan)") {
        let key = &KEYS[n];
        let line = format!("{} = {value}", key.name);
        let _ = match key.section {
            Section::Top => read(&top(&line)),
            Section::Telegram => read(&telegram(&line)),
            Section::Status => read(&top(&format!("[status]\n{line}"))),
            Section::Operator => read(&format!("[[operator]]\n{line}\n{KIND}")),
            Section::Kind => read(&format!("{OPERATOR}[[kind]]\n{line}\n")),
            Section::Record => read(&top(&format!("[record]\n{line}\n"))),
        };
    }
}
