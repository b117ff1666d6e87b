//! The policy as a text: everything that decides what passes, in the words of [`crate::table`] and [`crate::limits`]. It
//! stands in `audits/policy-v1.2.toml`, where a change of a target is a changed line that somebody reviews.
//!
//! Suites, seeds and probes have their own texts, beside what makes them.

use crate::decimal::Unit;
use crate::fold::samples::OVER_LIMIT;
use crate::ledger::Origin;
use crate::limits;
use crate::stats;
use crate::table::{Least, Parts, ROWS, Role, Row, Rule, SUITES};
use std::fmt::Write;

/// The whole text.
pub fn policy_text() -> String {
    let mut text = String::from(
        "# What passes. Generated from the table of metrics: MAINSTAY_BLESS=1 cargo test -p mainstay-metric\n\
         # Bounds are one-sided. Numbers are rounded towards failing. Timeouts, crashes, missing parts and unfinished work\n\
         # are failures. Samples of different origins are never put together.\n",
    );
    statistics(&mut text);
    suites(&mut text);
    model(&mut text);
    for row in &ROWS {
        metric(&mut text, row);
    }
    text
}

fn statistics(text: &mut String) {
    let _ = writeln!(text, "\n[statistics]");
    let _ = writeln!(text, "error_percent = {}", stats::ERROR_PERCENT);
    let _ = writeln!(
        text,
        "share = \"the worst of Clopper-Pearson, of whole seeds drawn again, and of Korn-Graubard by seed\""
    );
    let _ = writeln!(text, "mean = \"resampled by seed\"");
    let _ = writeln!(text, "resamples = {}", stats::RESAMPLES);
    let _ = writeln!(text, "resampling_seed = {}", stats::BOOTSTRAP_SEED);
    let _ = writeln!(text, "\n[exclusions]\nallowed = [\"{OVER_LIMIT}\"]");
    let _ = writeln!(text, "most_percent = {}", limits::EXCLUDED_PERCENT);
}

fn suites(text: &mut String) {
    let _ = writeln!(text, "\n# Each has to be there.\n[suites]");
    for (suite, origin) in SUITES {
        let _ = writeln!(text, "{suite} = \"{}\"", origin_name(origin));
    }
}

fn model(text: &mut String) {
    let constants: [(&str, u64); 11] = [
        ("recover_within_ms", limits::RECOVER_WITHIN_MS.unsigned_abs()),
        ("recovery_cap_ms", limits::RECOVERY_CAP_MS.unsigned_abs()),
        ("running_within_ms", limits::RUNNING_WITHIN_MS.unsigned_abs()),
        ("approve_to_running_ms", limits::APPROVE_TO_RUNNING_MS.unsigned_abs()),
        ("slice_ms", limits::SLICE_MS.unsigned_abs()),
        ("session_gap_ms", limits::SESSION_GAP_MS.unsigned_abs()),
        ("day_most_ms", limits::DAY_MOST_MS.unsigned_abs()),
        ("mind_ms", limits::MIND_MS),
        ("hand_ms", limits::HAND_MS),
        ("key_ms", limits::KEY_MS),
        ("characters_read_a_minute", limits::READ_PER_MINUTE),
    ];
    let _ = writeln!(text, "\n[limits]");
    for (name, value) in constants {
        let _ = writeln!(text, "{name} = {value}");
    }
    let _ = writeln!(text, "schedules_of_a_job = {}", limits::SCHEDULES);
    let _ = writeln!(text, "class_in_time = \"{}\"", Unit::Share.text(limits::CLASS_IN_TIME));
    let _ = writeln!(text, "critical_probe_cap = {}", limits::CRITICAL_CAP);
}

fn metric(text: &mut String, row: &Row) {
    let _ = writeln!(text, "\n[metric.{}]", row.id);
    let _ = writeln!(text, "title = {:?}", row.title);
    let _ = writeln!(text, "counts = {:?}", row.counts);
    let _ = writeln!(text, "of = {:?}", row.of);
    let _ = writeln!(text, "lines = {:?}", row.lines);
    let _ = writeln!(text, "target = \"{} {}\"", row.comparison.sign(), row.unit.text(row.target));
    let _ = writeln!(text, "unit = {:?}", row.unit.name());
    let _ = writeln!(text, "rule = {:?}", rule_name(row.rule));
    let _ = writeln!(text, "sim = {:?}", role_name(row.sim));
    let _ = writeln!(text, "lab = {:?}", role_name(row.lab));
    let _ = writeln!(text, "parts = {:?}", parts_name(row.parts));
    let _ = writeln!(text, "least = {}", least_text(row.least));
    match row.production.lacks {
        None => {
            let _ = writeln!(text, "least_production = {}", least_text(row.production.least));
        }
        Some(lacks) => {
            let _ = writeln!(text, "production_lacks = {lacks:?}");
        }
    }
}

fn least_text(least: Least) -> String {
    let named = [
        ("sample", least.sample),
        ("seeds", least.seeds),
        ("parts", least.parts),
        ("per_part", least.per_part),
        ("one_run", least.one_run),
    ];
    let set: Vec<String> = named.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} = {n}")).collect();
    format!("{{ {} }}", set.join(", "))
}

const fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Sim => "sim",
        Origin::Lab => "lab",
        Origin::Production => "production",
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Required => "required",
        Role::Watched => "a failure counts",
        Role::Shown => "shown",
    }
}

const fn parts_name(parts: Parts) -> &'static str {
    match parts {
        Parts::Shown => "shown",
        Parts::Decide => "each has to hold",
    }
}

const fn rule_name(rule: Rule) -> &'static str {
    match rule {
        Rule::Bound => "the bound of the share meets the target",
        Rule::Never => "never; the rate is below three in the sample",
        Rule::All => "all of them",
        Rule::Properties => "each property never broken, asked often enough, and shown to be able to fail",
        Rule::Recovery => "each class in time by its bound, and the mean of all by its bound",
        Rule::Mean => "the mean by its bound, and none over the most",
        Rule::Score => "weighted probes; unknown is nothing; a critical one caps",
    }
}
