//! Ways to tamper with a bundle, each at several places. Who does it may write the manifest anew, and sign with a key of their
//! own; whoever verifies with the key that is trusted refuses all of it, and names the place.
//!
//! What shows even without any key is marked [`Seen::Always`]: chains, seeds, commit and verdict give it away.

use super::small::{SUITES, Small, copy, everything, ours, seal};
use crate::gate::ended::Ended;
use crate::gate::head::{Head, Wanted};
use crate::gate::policy::{FULL, Policy};
use crate::gate::sign::Secret;
use crate::gate::{judge, layout, plan, raw};
use mainstay_metric::ledger::{Line, Origin};
use std::path::Path;

/// Who notices.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Everybody who verifies, also without a key.
    Always,
    /// Who has the key: nothing else contradicts it.
    ByKey,
}

struct Way {
    name: &'static str,
    seen: Seen,
    /// The place, as the refusal names it when the manifest was written anew.
    place: &'static str,
    /// Does it.
    act: fn(&Path),
}

const DICE: &str = "raw/dice/throw-0002.jsonl.zst";
const KEPT: &str = "raw/dice/kept.jsonl.zst";
const LOOK: &str = "raw/look/left.jsonl.zst";

const WAYS: &[Way] = &[
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

/// What was done to the seal afterwards.
const SEALS: [&str; 4] = [
    "manifest as it was",
    "manifest anew, old signature",
    "manifest anew, unsigned",
    "manifest anew, signed by another",
];

fn sealed(bundle: &Path, how: usize) {
    let old = std::fs::read(bundle.join("MANIFEST.sig")).expect("signed");
    // A bundle with links can't be sealed anew.
    if how == 0 || layout::files(bundle).is_err() {
        return;
    }
    seal(bundle, (how == 3).then(|| Secret::of([9; 32])).as_ref());
    if how == 1 {
        put(bundle, "MANIFEST.sig", &old);
    }
}

#[test]
fn every_way_of_tampering_is_refused_by_the_key_and_most_without() {
    let small = Small::new();
    let clean = small.run("clean", everything()).expect("a bundle").bundle;
    let mut tried = 0;
    for way in WAYS {
        for (how, seal) in SEALS.iter().enumerate() {
            let bundle = small.out.join(format!("tampered-{tried}"));
            copy(&clean, &bundle);
            (way.act)(&bundle);
            sealed(&bundle, how);
            refused(&format!("{}, {seal}", way.name), small.verify(&bundle).map(drop), "");
            if way.seen == Seen::Always && how == 2 {
                // No key at hand: what contradicts itself is refused all the same, and the place is named.
                refused(&format!("{}, {seal}, no key", way.name), small.doubt(&bundle, None, 0).map(drop), way.place);
            }
            tried += 1;
            std::fs::remove_dir_all(&bundle).expect("removed");
        }
    }
    assert!(WAYS.len() >= 24 && tried == WAYS.len() * SEALS.len());
    small.verify(&clean).expect("the clean one is not refused");
}

/// Every byte counts: one is changed at many places of every file.
#[test]
fn a_changed_byte_in_any_file_is_refused_and_the_file_is_named() {
    let small = Small::new();
    let clean = small.run("clean", everything()).expect("a bundle").bundle;
    for path in layout::files(&clean).expect("readable") {
        let whole = layout::read(&clean, &path).expect("readable");
        for place in [0, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            put(&clean, &path, &changed);
            let name = if path == "MANIFEST" { "MANIFEST" } else { &path };
            refused(&format!("{path} at {place}"), small.verify(&clean).map(drop), name);
        }
        put(&clean, &path, &whole);
    }
    small.verify(&clean).expect("everything is as it was");
}

/// Made-up evidence with a whole chain shows when it is run again, and in no other way.
#[test]
fn made_up_evidence_shows_when_it_is_run_again() {
    let small = Small::new();
    let clean = small.run("clean", everything()).expect("a bundle").bundle;
    chained(&clean, DICE, invented);
    derived(&clean);
    seal(&clean, Some(&ours()));
    small.verify(&clean).expect("without replaying nothing is to be seen");
    let all = 100;
    refused("made up", small.doubt(&clean, Some(ours().public()), all).map(drop), DICE);
}

/// A unit of a run of another commit does not fit, although it is whole.
#[test]
fn a_unit_of_another_run_is_refused() {
    let small = Small::new();
    let first = small.run("first", everything()).expect("a bundle").bundle;
    let chosen = small.run("chosen", Wanted { seeds_from: Some(3), ..everything() }).expect("a bundle").bundle;
    std::fs::write(small.gate.checkout.root.join("scenarios/b.toml"), "about = \"b\"\n").expect("written");
    small.commit("second");
    let second = small.run("second", everything()).expect("a bundle").bundle;
    for (n, (from, path)) in [(&first, DICE), (&first, LOOK), (&chosen, DICE), (&chosen, LOOK)].into_iter().enumerate()
    {
        let bundle = small.out.join(format!("mixed-{n}"));
        copy(&second, &bundle);
        put(&bundle, path, &layout::read(from, path).expect("there"));
        // Even by the one with the key.
        seal(&bundle, Some(&ours()));
        refused(path, small.verify(&bundle).map(drop), path);
    }
}

/// Who left out what they could not show is not helped by signing it.
#[test]
fn a_part_or_an_unsigned_bundle_does_not_pass_for_a_whole_one() {
    let small = Small::new();
    let wanted = Wanted { part: Some("1/2".parse().expect("a part")), ..everything() };
    let part = small.run("part", wanted).expect("a part").bundle;
    refused("a part", small.verify(&part).map(drop), layout::HEAD);
    let unsigned = small.run("unsigned", everything()).expect("a bundle").bundle;
    seal(&unsigned, None);
    refused("unsigned", small.verify(&unsigned).map(drop), "MANIFEST.sig");
    small.doubt(&unsigned, None, 0).expect("without a key it is only said");
}

fn refused(what: &str, done: Result<(), Ended>, place: &str) {
    match done {
        Err(Ended::Refused(why)) => {
            assert!(why.contains(place), "{what}: refused for another place than {place}: {why}")
        }
        Err(other) => panic!("{what}: not refused, but: {other}"),
        Ok(()) => panic!("{what}: not refused"),
    }
}

fn put(bundle: &Path, path: &str, bytes: &[u8]) {
    layout::write(&bundle.join(path), bytes).expect("written");
}

fn bytes(bundle: &Path, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = layout::read(bundle, path).expect("there");
    change(&mut bytes);
    put(bundle, path, &bytes);
}

/// Changes a text; if it is packed, without its chain following.
fn text(bundle: &Path, path: &str, change: impl FnOnce(String) -> String) {
    let old = layout::read(bundle, path).expect("there");
    let packed = path.ends_with(layout::RAW_END);
    let before = if packed { raw::unpack(&old).expect("packed") } else { String::from_utf8(old).expect("text") };
    let after = change(before.clone());
    assert_ne!(before, after, "{path} is changed");
    let after = after.into_bytes();
    put(bundle, path, &if packed { zstd::encode_all(&after[..], 3).expect("packed") } else { after });
}

fn lines(bundle: &Path, path: &str, change: impl FnOnce(&mut Vec<String>)) {
    text(bundle, path, |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        lines.iter().map(|line| format!("{line}\n")).collect()
    });
}

/// Changes the lines of a unit and writes its chain anew, as who has the program can.
fn chained(bundle: &Path, path: &str, change: impl FnOnce(&mut Vec<Line>)) {
    let head = Head::read(bundle).expect("a head");
    let mut lines = Vec::new();
    raw::each(&bundle.join(path), None, &mut |at| {
        lines.push(at.line);
        Ok(())
    })
    .expect("readable");
    change(&mut lines);
    let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(layout::RAW_END)).expect("a unit");
    let suite = SUITES.iter().find(|suite| path.starts_with(&format!("raw/{}/", suite.name))).expect("a suite");
    let genesis = head.genesis(suite, &crate::gate::suites::Unit::new(name));
    put(bundle, path, &raw::pack(&genesis, &lines).expect("packed"));
}

/// Better figures than there were.
fn invented(lines: &mut Vec<Line>) {
    for line in lines {
        if let Line::Property(property) = line {
            property.looked += 1;
        }
    }
}

/// Writes anew what is derived, as who has the program can.
fn derived(bundle: &Path) {
    let head = Head::read(bundle).expect("a head");
    let policy = Policy { quick: false, amounts: FULL, scenarios: Vec::new(), mutants: Vec::new() };
    let planned = plan::of(SUITES, &head, &policy);
    for (path, bytes) in judge::derive(bundle, &head, SUITES, &planned).expect("derived").files {
        put(bundle, &path, &bytes);
    }
}

fn run(lines: &mut [Line], change: impl FnOnce(&mut mainstay_metric::ledger::Run)) {
    if let Some(Line::Run(run)) = lines.first_mut() {
        change(run);
    }
}

fn head(bundle: &Path, change: impl FnOnce(&mut Head)) {
    let mut head = Head::read(bundle).expect("a head");
    change(&mut head);
    put(bundle, layout::HEAD, &layout::json(&head));
}

fn twice(bundle: &Path, from: &str, to: &str) {
    put(bundle, to, &layout::read(bundle, from).expect("there"));
}

fn link(bundle: &Path, path: &str) {
    let elsewhere = bundle.with_extension("elsewhere");
    std::fs::rename(bundle.join(path), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, bundle.join(path)).expect("linked");
}
