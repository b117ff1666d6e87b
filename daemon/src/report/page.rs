//! The status page: what `ops` and `board` answer, as HTML for a phone at the end of a tunnel.
//!
//! It works without script, fetches nothing, and asks for itself again. It knows few fields by name: what `ops` gains appears
//! among the numbers without a line here. Every text goes through [`Html::text`], whoever wrote it.

use super::{short, span, utc, visible};
use crate::policy;
use crate::task::State;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

/// What is shown above the numbers in one way or another, and not again among them.
const SHOWN_ABOVE: [&str; 10] = [
    "status",
    "reasons",
    "anomalies",
    "mode",
    "tasks",
    "running",
    "stale_running",
    "oldest_queued",
    "version",
    "epoch",
];

/// What waits for whom, in the order in which a person looks for it.
const LISTS: [(State, &str); 4] = [
    (State::Running, "Running"),
    (State::Queued, "Waiting for a slot"),
    (State::Approved, "Waiting for somebody to resume"),
    (State::Requested, "Waiting for approval"),
];

/// The page, from the data of `ops` and `board`. `now_ms` is the wall clock, ms since 1970.
pub fn page(ops: &Value, board: &Value, now_ms: i64) -> String {
    let status = text_of(&ops["status"]);
    let mut html = Html::begin(&status);
    header(&mut html, ops, &status, now_ms);
    tiles(&mut html, ops);
    for (state, heading) in LISTS {
        list(&mut html, ops, &board[state.name()], state, heading, now_ms);
    }
    numbers(&mut html, ops, now_ms);
    html.end()
}

/// The page when `ops` has no answer: why, as it was said.
pub fn no_page(why: &str) -> String {
    let mut html = Html::begin("broken");
    html.raw("<header class=\"broken\"><h1>no answer</h1><p>");
    html.text(why);
    html.raw("</p></header>");
    html.end()
}

/// The page's style as a content security policy names it: no other one is in force, whatever gets into the page.
pub fn style_hash() -> String {
    format!("sha256-{}", base64(&Sha256::digest(STYLE)))
}

fn header(html: &mut Html, ops: &Value, status: &str, now_ms: i64) {
    // Only these have a colour: a class is not a place for any text.
    let class = ["healthy", "degraded", "broken"].into_iter().find(|known| *known == status).unwrap_or_default();
    html.raw(&format!("<header class=\"{class}\"><h1>"));
    html.text(status);
    html.raw("</h1><p class=\"soft\">");
    let draining = if ops["draining"] == true { ", draining" } else { "" };
    let (mode, version, life) = (text_of(&ops["mode"]), text_of(&ops["version"]), text_of(&ops["epoch"]));
    html.text(&format!("mode {mode}{draining} · mainstay {version} · life {life}"));
    html.raw("<br>");
    html.text(&format!("{} UTC", utc(now_ms)));
    html.raw("</p>");
    let reasons = ops["reasons"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !reasons.is_empty() {
        html.raw("<ul>");
        for reason in reasons {
            html.element("li", &text_of(reason));
        }
        html.raw("</ul>");
    }
    html.raw("</header>");
}

fn tiles(html: &mut Html, ops: &Value) {
    html.raw("<section><dl class=\"tiles\">");
    for (state, name) in [
        (State::Running, "running"),
        (State::Queued, "queued"),
        (State::Approved, "to resume"),
        (State::Requested, "to approve"),
    ] {
        html.pair(name, &ops["tasks"][state.name()].as_i64().unwrap_or(0).to_string());
    }
    html.raw("</dl></section>");
}

fn list(html: &mut Html, ops: &Value, tasks: &Value, state: State, heading: &str, now_ms: i64) {
    let Some(tasks) = tasks.as_array().filter(|tasks| !tasks.is_empty()) else { return };
    html.raw("<section>");
    html.element("h2", heading);
    html.raw("<ul>");
    for task in tasks {
        html.raw("<li><strong>");
        html.text(&format!("#{} {}", task["task_id"], text_of(&task["kind"])));
        html.raw("</strong> <span class=\"soft\">");
        html.text(&since(ops, task, state, now_ms));
        html.raw("</span>");
        let stale = ops["stale_running"].as_array().is_some_and(|stale| stale.contains(&task["task_id"]));
        if stale {
            html.raw(" <span class=\"mark\">should have ended long ago</span>");
        }
        let prompt = task["prompt"].as_str().unwrap_or_default();
        if !prompt.is_empty() {
            html.raw("<br><span class=\"soft\">");
            html.text(&short(prompt, 120));
            html.raw("</span>");
        }
        html.raw("</li>");
    }
    let (shown, all) = (tasks.len(), ops["tasks"][state.name()].as_u64().unwrap_or(0));
    if all > shown as u64 {
        html.element("li", &format!("and {} more: /list", all - shown as u64));
    }
    html.raw("</ul></section>");
}

/// How long a task has been at what it is at, as far as that is told.
fn since(ops: &Value, task: &Value, state: State, now_ms: i64) -> String {
    let asked = task["created_ms"].as_i64().map(|at| format!("asked {} ago", span(now_ms - at))).unwrap_or_default();
    if state != State::Running {
        return asked;
    }
    let running = ops["running"].as_array().into_iter().flatten().find(|r| r["task_id"] == task["task_id"]);
    match running.and_then(|running| running["age_ms"].as_i64()) {
        Some(age) => format!("attempt {} · for {}", task["attempt"], span(age)),
        None => asked,
    }
}

fn numbers(html: &mut Html, ops: &Value, now_ms: i64) {
    html.raw("<section>");
    html.element("h2", "Numbers");
    html.raw("<dl class=\"numbers\">");
    let mut leaves = Vec::new();
    for (name, value) in ops.as_object().into_iter().flatten() {
        if !SHOWN_ABOVE.contains(&name.as_str()) {
            collect(value, name, now_ms, &mut leaves);
        }
    }
    for (name, value) in leaves {
        html.pair(&name, &value);
    }
    html.raw("</dl></section>");
}

/// Every value below `value`, with its path in words.
fn collect(value: &Value, path: &str, now_ms: i64, leaves: &mut Vec<(String, String)>) {
    match value.as_object() {
        Some(fields) => {
            for (name, value) in fields {
                collect(value, &format!("{path} {name}"), now_ms, leaves);
            }
        }
        None => leaves.push((label(path), shown(value, path, now_ms))),
    }
}

/// `poll last_ms` is the last poll in words: units show with the value.
fn label(path: &str) -> String {
    let path = path.strip_suffix("_ms").or_else(|| path.strip_suffix("_bytes")).unwrap_or(path);
    path.replace('_', " ")
}

fn shown(value: &Value, name: &str, now_ms: i64) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => match (number.as_i64(), name) {
            (Some(at), name) if name.ends_with("_ms") && is_moment(at) => format!("{} ago", span(now_ms - at)),
            (Some(ms), name) if name.ends_with("_ms") => span(ms),
            (Some(bytes), name) if name.ends_with("bytes") && bytes < 1 << 20 => format!("{} KiB", bytes >> 10),
            (Some(bytes), name) if name.ends_with("bytes") => format!("{} MiB", bytes >> 20),
            _ => number.to_string(),
        },
        // As much as `check` tells of it: enough to see whether it is the same.
        Value::String(text) if name.ends_with("hash") => text.chars().take(12).collect(),
        Value::String(text) => short(text, 120),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(|item| shown(item, name, now_ms)).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{} {}", label(key), shown(value, key, now_ms)));
            fields.collect::<Vec<_>>().join(" ")
        }
    }
}

/// Whether so many ms can only be meant since 1970: as a span they would be thirty years.
fn is_moment(ms: i64) -> bool {
    ms > 1_000_000_000_000
}

/// A value on its own, without the quotes that JSON gives a text.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "?".to_owned() } else { value.to_string() }, str::to_owned)
}

/// A page in the making.
struct Html(String);

impl Html {
    fn begin(title: &str) -> Html {
        let refresh = policy::STATUS_REFRESH_S;
        let mut html = Html(String::with_capacity(STYLE.len() + 4 * 1024));
        html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        html.raw(&format!("<meta http-equiv=\"refresh\" content=\"{refresh}\"><title>"));
        html.text(title);
        html.raw(" · mainstay</title><style>");
        html.raw(STYLE);
        html.raw("</style></head><body><main>\n");
        html
    }

    fn end(mut self) -> String {
        let refresh = policy::STATUS_REFRESH_S;
        self.raw(&format!(
            "<footer class=\"soft\">read-only · again every {refresh} s</footer>\n</main></body></html>\n"
        ));
        self.0
    }

    /// Markup of ours.
    fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Any text: it is shown, and never read as markup.
    fn text(&mut self, text: &str) {
        for c in visible(text).chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    fn element(&mut self, name: &str, text: &str) {
        self.raw(&format!("<{name}>"));
        self.text(text);
        self.raw(&format!("</{name}>"));
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.raw("<div>");
        self.element("dt", name);
        self.element("dd", value);
        self.raw("</div>\n");
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * n) & 63) as usize];
            let _ = write!(text, "{}", if n <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ops() -> Value {
        json!({
            "status": "degraded",
            "reasons": ["a message to 7 could not be sent (<b>bad</b> & \"worse\")"],
            "mode": "supervised",
            "draining": false,
            "tasks": { "RUNNING": 2, "QUEUED": 60 },
            "running": [{ "task_id": 4, "kind": "build", "attempt": 2, "age_ms": 61_000 }],
            "stale_running": [4],
            "outbox": { "pending": 3 },
            "poll": { "last_ms": 1_800_000_000_000_i64 - 5_000, "last_event": null },
            "disk_free_bytes": 64 << 20,
            "version": "1.2.3",
            "epoch": 9,
            "config_hash": "0123456789abcdef0123456789abcdef",
            "added_later": { "since_ms": 90_000, "names": ["a", "b"], "each": [{ "name": "<i>", "age_ms": 1_000 }] },
        })
    }

    fn board() -> Value {
        let task = |id: i64, prompt: &str| json!({ "task_id": id, "kind": "build", "attempt": 2, "prompt": prompt, "created_ms": 1_800_000_000_000_i64 - 120_000 });
        json!({
            "RUNNING": [task(4, "<script>alert(1)</script>")],
            "QUEUED": [task(5, "'\"><img src=x onerror=alert(1)>\u{202e}\x1b[31m")],
        })
    }

    /// The page without its head, a tag a line.
    fn body() -> String {
        let page = page(&ops(), &board(), 1_800_000_000_000);
        page.split_once("<main>").expect("a body").1.replace("><", ">\n<")
    }

    #[test]
    fn the_page_reads_as_reviewed() {
        insta::assert_snapshot!(body());
    }

    #[test]
    fn what_others_wrote_is_text_whatever_it_looks_like() {
        let body = body();
        for evil in ["<script", "<img", "<b>", "<i>", "\u{202e}", "\x1b"] {
            assert!(!body.contains(evil), "{evil}: {body}");
        }
        assert!(body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{body}");
        assert!(no_page("<script>").contains("<p>&lt;script&gt;</p>"));
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere_and_no_script() {
        let page = page(&ops(), &Value::Null, 0);
        for word in ["<script", "javascript", "src=", "href=", "url(", "@import", "style=\"", "://"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains(&format!("<style>{STYLE}</style>")), "what the hash is of, byte by byte");
    }

    #[test]
    fn answers_of_any_form_make_a_page() {
        for odd in
            [Value::Null, json!([]), json!({ "tasks": 1, "reasons": "no list", "running": {}, "status": "x\"y" })]
        {
            let page = page(&odd, &odd, i64::MAX);
            assert!(page.ends_with("</html>\n") && !page.contains("x\"y"));
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }
}
