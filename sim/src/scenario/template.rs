//! A scenario to begin with.

/// The text of a new scenario, which passes [`super::check`] as it is.
pub fn text() -> &'static str {
    TEMPLATE
}

const TEMPLATE: &str = r#"#:schema ./scenario.schema.json
# Every word that may stand here is in docs/SCENARIOS.md; an editor that knows TOML schemas completes them.
#   cargo xtask scenario check FILE     what is wrong with it, or what it means
#   cargo xtask sim run FILE            plays it (--trace: what happened when)
#   cargo xtask sim sweep FILE          the same with other chances: people's reactions, the network, the disk

about = "What would break if this did not hold, in a sentence"

# For so long people ask and things go wrong; then ten minutes are left for everything to come to rest.
lasts = "5m"

# What must come of it, besides what must hold of every run. Delete what does not matter here.
[expect]
tasks = 1
repeats = "at most 1"

# The first [[job]] is job 1. Somebody else approves it, and ana resumes it, by themselves.
[[job]]
at = "10s"
by = "ana"
kind = "build"
# Exits with 0 after 20 s of work.
does = "exit:0@20000"
ends = "SUCCEEDED success"
runs = 1

# What goes wrong. `when` is better than a time alone: people are quicker with one seed than with another.
[[fault]]
fault = "daemon-killed"
when = "job 1 runs"
at = "3s"
down = "2s"
"#;
