//! Ways to tamper with a bundle, each with the place that a refusal has to name.
//!
//! What shows even without any key is marked [`Seen::Always`]: chains, seeds, commit and verdict give it away.

use super::changes::{bytes, chained, derived, head, invented, lines, link, put, run, text, twice};
use crate::gate::{layout, raw};
use mainstay_metric::ledger::Origin;
use std::path::Path;

/// Who notices.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Everybody who verifies, also without a key.
    Always,
    /// Who has the key: nothing else contradicts it.
    ByKey,
}

pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) seen: Seen,
    /// The place, as the refusal names it when the manifest was written anew.
    pub(super) place: &'static str,
    /// Does it.
    pub(super) act: fn(&Path),
}

pub(super) const DICE: &str = "raw/dice/throw-0002.jsonl.zst";
pub(super) const KEPT: &str = "raw/dice/kept.jsonl.zst";
pub(super) const LOOK: &str = "raw/look/left.jsonl.zst";

pub(super) const WAYS: &[Way] = &[
    Way {
        name: "edited line",
        seen: Seen::Always,
        place: DICE,
        act: |b| text(b, DICE, |t| t.replacen("\"looked\":", "\"looked\":1", 1)),
    },
    Way {
        name: "edited line of a lab",
        seen: Seen::Always,
        place: LOOK,
        act: |b| text(b, LOOK, |t| t.replace("clear", "fine")),
    },
    Way { name: "dropped line", seen: Seen::Always, place: DICE, act: |b| lines(b, DICE, |l| drop(l.remove(1))) },
    Way { name: "dropped link", seen: Seen::Always, place: DICE, act: |b| lines(b, DICE, |l| drop(l.remove(3))) },
    Way { name: "dropped run", seen: Seen::Always, place: DICE, act: |b| lines(b, DICE, |l| drop(l.drain(0..4))) },
    Way {
        name: "dropped last run",
        seen: Seen::Always,
        place: DICE,
        act: |b| lines(b, DICE, |l| drop(l.drain(8..12))),
    },
    Way { name: "swapped lines", seen: Seen::Always, place: DICE, act: |b| lines(b, DICE, |l| l.swap(1, 5)) },
    Way { name: "swapped runs", seen: Seen::Always, place: DICE, act: |b| lines(b, DICE, |l| l.rotate_left(4)) },
    Way { name: "added line", seen: Seen::Always, place: DICE, act: |b| lines(b, DICE, |l| l.insert(1, l[1].clone())) },
    Way {
        name: "line after the end",
        seen: Seen::Always,
        place: DICE,
        act: |b| lines(b, DICE, |l| l.push(l[0].clone())),
    },
    Way { name: "lines cut off", seen: Seen::Always, place: DICE, act: |b| lines(b, DICE, |l| l.truncate(8)) },
    Way {
        name: "bytes cut off",
        seen: Seen::Always,
        place: DICE,
        act: |b| bytes(b, DICE, |v| v.truncate(v.len() / 2)),
    },
    Way { name: "file emptied", seen: Seen::Always, place: DICE, act: |b| bytes(b, DICE, Vec::clear) },
    Way {
        name: "dropped file",
        seen: Seen::Always,
        place: DICE,
        act: |b| std::fs::remove_file(b.join(DICE)).expect("removed"),
    },
    Way {
        name: "dropped suite",
        seen: Seen::Always,
        place: "raw/look",
        act: |b| std::fs::remove_dir_all(b.join("raw/look")).expect("removed"),
    },
    Way {
        name: "extra file",
        seen: Seen::Always,
        place: "raw/dice/more.txt",
        act: |b| put(b, "raw/dice/more.txt", b"x"),
    },
    Way {
        name: "extra unit",
        seen: Seen::Always,
        place: "raw/dice/throw-0099.jsonl.zst",
        act: |b| twice(b, DICE, "raw/dice/throw-0099.jsonl.zst"),
    },
    Way {
        name: "extra report",
        seen: Seen::Always,
        place: "report/more.html",
        act: |b| put(b, "report/more.html", b"x"),
    },
    Way {
        name: "extra derived file",
        seen: Seen::Always,
        place: "derived/more.json",
        act: |b| put(b, "derived/more.json", b"{}\n"),
    },
    Way { name: "hidden file", seen: Seen::Always, place: ".hidden", act: |b| put(b, ".hidden", b"x") },
    Way {
        name: "unit in place of another",
        seen: Seen::Always,
        place: DICE,
        act: |b| twice(b, "raw/dice/throw-0001.jsonl.zst", DICE),
    },
    Way { name: "link to a file", seen: Seen::Always, place: DICE, act: |b| link(b, DICE) },
    Way {
        name: "link to a folder",
        seen: Seen::Always,
        place: "more",
        act: |b| std::os::unix::fs::symlink("/", b.join("more")).expect("linked"),
    },
    Way {
        name: "edited verdict",
        seen: Seen::Always,
        place: layout::VERDICT,
        act: |b| text(b, layout::VERDICT, |t| t.replace("\"attempt\": 1", "\"attempt\": 2")),
    },
    Way {
        name: "edited metrics",
        seen: Seen::Always,
        place: layout::METRICS,
        act: |b| text(b, layout::METRICS, |t| t.replacen("\"why\": \"", "\"why\": \"x", 1)),
    },
    Way {
        name: "dropped metrics",
        seen: Seen::Always,
        place: layout::METRICS,
        act: |b| std::fs::remove_file(b.join(layout::METRICS)).expect("removed"),
    },
    Way {
        name: "edited policy",
        seen: Seen::Always,
        place: layout::POLICY,
        act: |b| text(b, layout::POLICY, |t| t.replacen("swarm_seeds = ", "swarm_seeds = 1", 1)),
    },
    Way {
        name: "other policy, named in the head",
        seen: Seen::Always,
        place: layout::POLICY,
        act: |b| {
            text(b, layout::POLICY, |t| t.replacen("swarm_seeds = ", "swarm_seeds = 1", 1));
            let digest = raw::digest(&layout::read(b, layout::POLICY).expect("there"));
            head(b, |head| head.policy = digest);
        },
    },
    Way {
        name: "part of the policy removed",
        seen: Seen::Always,
        place: layout::POLICY,
        act: |b| text(b, layout::POLICY, |t| t.replacen("[amounts.quick]", "", 1)),
    },
    Way {
        name: "edited configuration",
        seen: Seen::Always,
        place: layout::CONFIG,
        act: |b| text(b, layout::CONFIG, |t| t.replacen("a.toml", "b.toml", 1)),
    },
    Way {
        name: "lucky seeds in the list",
        seen: Seen::Always,
        place: layout::SEEDS,
        act: |b| text(b, layout::SEEDS, |t| t.replacen("[\n", "[\n 7,\n", 1)),
    },
    Way {
        name: "lucky seed in a run, chained anew",
        seen: Seen::Always,
        place: DICE,
        act: |b| chained(b, DICE, |l| run(l, |r| r.seed = 7)),
    },
    Way {
        name: "chosen seeds denied",
        seen: Seen::Always,
        place: layout::SEEDS,
        act: |b| head(b, |head| head.seeds_from = Some(1)),
    },
    Way {
        name: "changed origin, chained anew",
        seen: Seen::Always,
        place: DICE,
        act: |b| chained(b, DICE, |l| run(l, |r| r.origin = Origin::Production)),
    },
    Way {
        name: "changed suite, chained anew",
        seen: Seen::Always,
        place: DICE,
        act: |b| chained(b, DICE, |l| run(l, |r| r.suite = "look".into())),
    },
    Way {
        name: "kept flag set, chained anew",
        seen: Seen::Always,
        place: DICE,
        act: |b| chained(b, DICE, |l| run(l, |r| r.kept = true)),
    },
    Way {
        name: "kept flag removed, chained anew",
        seen: Seen::Always,
        place: KEPT,
        act: |b| chained(b, KEPT, |l| run(l, |r| r.kept = false)),
    },
    Way {
        name: "run without its end, chained anew",
        seen: Seen::Always,
        place: DICE,
        act: |b| chained(b, DICE, |l| drop(l.pop())),
    },
    Way { name: "lines chained anew", seen: Seen::Always, place: "derived/", act: |b| chained(b, DICE, invented) },
    Way {
        name: "lines chained and derived anew",
        seen: Seen::ByKey,
        place: "MANIFEST.sig",
        act: |b| {
            chained(b, DICE, invented);
            derived(b);
        },
    },
    Way {
        name: "stale commit",
        seen: Seen::Always,
        place: layout::HEAD,
        act: |b| head(b, |head| head.commit = "0".repeat(40)),
    },
    Way {
        name: "no commit at all",
        seen: Seen::Always,
        place: layout::HEAD,
        act: |b| head(b, |head| head.commit = "--help".into()),
    },
    Way {
        name: "other tree",
        seen: Seen::Always,
        place: layout::HEAD,
        act: |b| head(b, |head| head.tree = "0".repeat(40)),
    },
    Way {
        name: "other date",
        seen: Seen::Always,
        place: layout::HEAD,
        act: |b| head(b, |head| head.committed.push('0')),
    },
    Way { name: "dirty flag", seen: Seen::Always, place: "raw/", act: |b| head(b, |head| head.dirty = !head.dirty) },
    Way {
        name: "a planted bug that was none",
        seen: Seen::Always,
        place: "raw/",
        act: |b| head(b, |head| head.planted = Some("a-bug".into())),
    },
    Way { name: "quick flag", seen: Seen::Always, place: "", act: |b| head(b, |head| head.quick = !head.quick) },
    Way {
        name: "other toolchain",
        seen: Seen::Always,
        place: "raw/",
        act: |b| head(b, |head| head.toolchain.push('x')),
    },
    Way {
        name: "other configuration",
        seen: Seen::Always,
        place: layout::HEAD,
        act: |b| head(b, |head| head.config = "0".repeat(64)),
    },
    Way {
        name: "attempt number",
        seen: Seen::Always,
        place: layout::VERDICT,
        act: |b| head(b, |head| head.attempt += 1),
    },
    Way {
        name: "attempt number, and derived anew",
        seen: Seen::ByKey,
        place: "MANIFEST.sig",
        act: |b| {
            head(b, |head| head.attempt = 9);
            derived(b);
        },
    },
    Way {
        name: "suite left out of the head",
        seen: Seen::Always,
        place: "raw/look",
        act: |b| head(b, |head| drop(head.suites.pop())),
    },
    Way {
        name: "suites in another order",
        seen: Seen::Always,
        place: layout::HEAD,
        act: |b| head(b, |head| head.suites.reverse()),
    },
    Way {
        name: "head with a field more",
        seen: Seen::Always,
        place: layout::HEAD,
        act: |b| text(b, layout::HEAD, |t| t.replacen('{', "{\n  \"x\": 1,", 1)),
    },
    Way {
        name: "edited machines",
        seen: Seen::Always,
        place: "report/",
        act: |b| text(b, layout::ENV, |t| t.replacen("\"kernel\": \"", "\"kernel\": \"9", 1)),
    },
    Way {
        name: "edited machines, and derived anew",
        seen: Seen::ByKey,
        place: "MANIFEST.sig",
        act: |b| {
            text(b, layout::ENV, |t| t.replacen("\"kernel\": \"", "\"kernel\": \"9", 1));
            derived(b);
        },
    },
    Way {
        name: "edited report",
        seen: Seen::Always,
        place: "report/index.html",
        act: |b| text(b, "report/index.html", |t| t.replacen("INCONCLUSIVE", "PASS", 1)),
    },
    Way {
        name: "edited summary",
        seen: Seen::Always,
        place: "report/summary.md",
        act: |b| text(b, "report/summary.md", |t| t + "x\n"),
    },
    Way {
        name: "edited probes",
        seen: Seen::Always,
        place: layout::PROBES,
        act: |b| text(b, layout::PROBES, |t| t.replacen("\"unknown\"", "\"yes\"", 1)),
    },
    Way {
        name: "machines removed",
        seen: Seen::Always,
        place: layout::ENV,
        act: |b| put(b, layout::ENV, b"{\n  \"machines\": []\n}\n"),
    },
    Way {
        name: "edited attachment",
        seen: Seen::ByKey,
        place: "MANIFEST.sig",
        act: |b| put(b, "bench/left.json", b"[]\n"),
    },
];
