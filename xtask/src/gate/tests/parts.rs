//! Parts, merging, resuming, and that nothing clean is refused.

use super::small::{SUITES, Small, everything, ours};
use crate::gate::ended::Ended;
use crate::gate::head::Wanted;
use crate::gate::merge::merge;
use crate::gate::run::{How, resume};
use crate::gate::shard::Shard;
use crate::gate::sign::{Secret, Signed};
use crate::gate::site::Stop;
use crate::gate::suites::Suite;
use crate::gate::verify::Assurance;
use crate::gate::{Gate, judge, keep, layout, policy};
use mainstay_metric::ledger::Origin;
use mainstay_metric::scorecard::Outcome;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn bytes(bundle: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = layout::files(bundle).expect("readable");
    files.into_iter().map(|path| (path.clone(), layout::read(bundle, &path).expect("readable"))).collect()
}

fn parts(small: &Small, of: usize) -> Vec<PathBuf> {
    let part = |number| {
        let wanted = Wanted { part: Some(Shard { number, of }), ..everything() };
        let ran = small.run(&format!("of-{of}"), wanted).expect("a part");
        assert!(ran.derived.is_none(), "a part has no verdict");
        ran.bundle
    };
    (1..=of).map(part).collect()
}

#[test]
fn any_number_of_parts_merges_to_the_bytes_of_one_machine() {
    let small = Small::new();
    let whole = bytes(&small.run("whole", everything()).expect("a bundle").bundle);
    for of in [1, 2, 7] {
        small.forget();
        let mut made = parts(&small, of);
        made.reverse();
        let (merged, _) =
            merge(&small.gate, &made, &small.out.join(format!("merged-{of}")), Some(&ours())).expect("merged");
        let merged = bytes(&merged);
        assert_eq!(whole.keys().collect::<Vec<_>>(), merged.keys().collect::<Vec<_>>(), "{of} parts");
        for (path, bytes) in &whole {
            assert!(merged[path] == *bytes, "{path} of {of} parts");
        }
    }
}

#[test]
fn parts_that_are_missing_twice_there_or_of_another_run_do_not_merge() {
    let small = Small::new();
    let two = parts(&small, 2);
    let three = parts(&small, 3);
    small.gate.checkout.head().expect("a head");
    std::fs::write(small.gate.checkout.root.join("scenarios/b.toml"), "about = \"b\"\n").expect("written");
    small.commit("second");
    let later = parts(&small, 2);
    let mut n = 0;
    let mut refused = |parts: &[PathBuf], why: &str| {
        n += 1;
        let out = small.out.join(format!("merged-{n}"));
        match merge(&small.gate, parts, &out, None) {
            Err(Ended::Refused(what)) => assert!(what.contains(why), "{what}"),
            other => panic!("{why}: {:?}", other.map(|(path, _)| path)),
        }
    };
    refused(&two[..1], "part 2/2 is missing");
    refused(&[two[0].clone(), two[0].clone()], "the same part");
    refused(&[two[0].clone(), three[1].clone(), three[2].clone()], "another number of parts");
    refused(&[two[0].clone(), later[1].clone()], "another commit");
    let whole = small.run("whole", everything()).expect("a bundle").bundle;
    refused(&[whole], "is no part");
    super::small::seal(&later[1], Some(&Secret::of([9; 32])));
    let by_ours = merge(&small.gate, &later, &small.out.join("signed"), Some(&ours()));
    assert!(matches!(by_ours, Err(Ended::Refused(what)) if what.contains("MANIFEST.sig")), "signed by another");
    let unit = layout::files(&two[1]).expect("readable").into_iter().find(|p| p.starts_with("raw/")).expect("a unit");
    std::fs::remove_file(two[1].join(&unit)).expect("removed");
    refused(&two, &unit);
}

#[test]
fn a_clean_bundle_is_never_refused_whatever_its_size() {
    let small = Small::new();
    let only = |names: &[&str]| Wanted { suites: names.iter().map(|n| (*n).to_owned()).collect(), ..Wanted::default() };
    for (n, (wanted, caps)) in [
        (everything(), 0),
        (only(&["dice"]), 1),
        (only(&["look"]), 1),
        (Wanted { quick: true, ..everything() }, 1),
        (Wanted { seeds_from: Some(5), ..everything() }, 1),
        (Wanted { planted: Some("a-bug".into()), ..everything() }, 1),
        (Wanted { quick: true, seeds_from: Some(5), ..only(&["look"]) }, 3),
    ]
    .into_iter()
    .enumerate()
    {
        let ran = small.run(&format!("{n}"), wanted).expect("a bundle");
        let verdict = ran.derived.expect("no part").verdict;
        assert_eq!(verdict.caps.len(), caps, "{:?}", verdict.caps);
        assert!(caps == 0 || verdict.verdict != Outcome::Pass, "{verdict:?}");
        for key in [None, Some(ours().public())] {
            let found = small.doubt(&ran.bundle, key.clone(), 2).unwrap_or_else(|error| panic!("{n}: {error}"));
            assert_eq!(found.verdict, verdict.verdict);
            assert_eq!(matches!(found.signed, Signed::Vouched(_)), key.is_some());
        }
    }
}

#[test]
fn only_a_bug_that_the_commit_lists_can_be_planted() {
    let small = Small::new();
    match small.run("unknown", Wanted { planted: Some("another".into()), ..everything() }) {
        Err(Ended::Usage(why)) => assert!(why.contains("another") && why.contains("sim/mutants.toml"), "{why}"),
        Err(other) => panic!("not a question of usage: {other}"),
        Ok(_) => panic!("nothing was planted, and it ran"),
    }
}

#[test]
fn a_dirty_tree_never_passes() {
    let small = Small::new();
    std::fs::write(small.gate.checkout.root.join("Cargo.lock"), "changed").expect("written");
    let ran = small.run("dirty", everything()).expect("a bundle");
    let verdict = ran.derived.expect("no part").verdict;
    assert_ne!(verdict.verdict, Outcome::Pass);
    assert!(verdict.caps.iter().any(|cap| cap.contains("differed from the commit")), "{verdict:?}");
    small.verify(&ran.bundle).expect("it says so itself");
}

#[test]
fn a_tree_that_changes_meanwhile_gives_no_evidence() {
    const CHANGES: &[Suite] = &[Suite {
        run: |site, unit| {
            std::fs::write(site.root.join("scenarios/b.toml"), "about = \"b\"\n").map_err(|e| e.to_string())?;
            (SUITES[1].run)(site, unit)
        },
        ..SUITES[1]
    }];
    let small = Small::new();
    let gate = Gate { checkout: small.gate.checkout.clone(), suites: CHANGES };
    let how = How { out: small.out.clone(), jobs: 1, key: None, stop: &Stop::default() };
    let wanted = Wanted { suites: vec!["look".into()], ..Wanted::default() };
    for (path, text) in policy::FILES {
        std::fs::write(small.gate.checkout.root.join(path), text(CHANGES)).expect("written");
    }
    small.commit("of one suite");
    let Err(ended) = crate::gate::run::begin(&gate, wanted, &how) else { panic!("it was seen") };
    assert_eq!(ended.code(), 5);
    assert!(ended.to_string().contains("the tree is not what it was"), "{ended}");
}

#[test]
fn a_bundle_is_verified_where_its_commit_is_checked_out() {
    let small = Small::new();
    let bundle = small.run("whole", everything()).expect("a bundle").bundle;
    let found = small.verify(&bundle).expect("sound");
    std::fs::write(small.gate.checkout.root.join("scenarios/b.toml"), "about = \"b\"\n").expect("written");
    small.commit("second");
    let elsewhere = small.verify(&bundle).map(drop);
    assert!(matches!(&elsewhere, Err(Ended::Usage(what)) if what.contains(&found.commit)), "{elsewhere:?}");
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_bytes_and_not_on_another_commit() {
    let small = Small::new();
    let whole = small.run("whole", everything()).expect("a bundle").bundle;
    let part_way = small.out.join("part-way").join("20260101T000000Z-x");
    super::small::copy(&whole, &part_way);
    for path in ["MANIFEST", "MANIFEST.sig", "derived", "report", "raw/dice/throw-0003.jsonl.zst", "raw/look"] {
        let path = part_way.join(path);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        assert!(removed.is_ok() || path.ends_with("report"), "{}", path.display());
    }
    // Who was killed while it wrote has left this.
    std::fs::write(part_way.join("raw/dice/.tmpAbCdEf"), "half").expect("written");
    let kept =
        std::fs::metadata(part_way.join("raw/dice/throw-0001.jsonl.zst")).expect("there").modified().expect("known");
    let stop = Stop::default();
    let how = How { out: small.out.clone(), jobs: 1, key: Some(ours()), stop: &stop };
    let ran = resume(&small.gate, &part_way, &how).expect("went on");
    assert!(bytes(&ran.bundle) == bytes(&whole));
    let now =
        std::fs::metadata(part_way.join("raw/dice/throw-0001.jsonl.zst")).expect("there").modified().expect("known");
    assert_eq!(kept, now, "what was there is not run again");
    assert!(matches!(resume(&small.gate, &part_way, &how), Err(Ended::Usage(what)) if what.contains("finished")));
    std::fs::remove_file(part_way.join("MANIFEST")).expect("there");
    std::fs::write(small.gate.checkout.root.join("scenarios/b.toml"), "about = \"b\"\n").expect("written");
    assert!(matches!(resume(&small.gate, &part_way, &how), Err(Ended::Usage(what)) if what.contains("another dirty")));
    small.commit("second");
    assert!(matches!(resume(&small.gate, &part_way, &how), Err(Ended::Usage(what)) if what.contains("another commit")));
}

#[test]
fn who_is_interrupted_leaves_a_run_that_can_go_on() {
    let small = Small::new();
    let stop = Stop::default();
    stop.set();
    let how = How { out: small.out.clone(), jobs: 1, key: None, stop: &stop };
    let Err(ended) = crate::gate::run::begin(&small.gate, everything(), &how) else { panic!("it was interrupted") };
    assert_eq!(ended.code(), 130);
    let run = std::fs::read_dir(&small.out).expect("there").next().expect("one").expect("readable").path();
    assert!(ended.to_string().contains(&run.display().to_string()), "{ended}");
    let how = How { stop: &Stop::default(), key: Some(ours()), ..how };
    let ran = resume(&small.gate, &run, &how).expect("went on");
    small.verify(&ran.bundle).expect("sound");
}

#[test]
fn attempts_at_a_commit_are_counted_and_looks_are_not() {
    let small = Small::new();
    let attempt = |out: &str, quick| {
        let ran = small.run(out, Wanted { quick, ..everything() }).expect("a bundle");
        ran.derived.expect("no part").verdict.attempt
    };
    assert_eq!([attempt("1", false), attempt("2", true), attempt("3", false)], [1, 2, 2]);
}

#[test]
fn how_far_each_metric_was_checked_is_told() {
    let small = Small::new();
    let bundle = small.run("whole", everything()).expect("a bundle").bundle;
    let of = |replay, id: &str, origin| {
        let found = small.doubt(&bundle, None, replay).expect("sound");
        let told = found.assurance.into_iter().find(|(name, from, _)| name == id && *from == origin);
        told.unwrap_or_else(|| panic!("{id} is told")).2
    };
    assert_eq!(of(0, "control-invariants", Origin::Sim), Assurance::Recomputed);
    assert_eq!(of(1, "control-invariants", Origin::Sim), Assurance::Replayed);
    assert_eq!(of(100, "uptime", Origin::Sim), Assurance::Recomputed, "no unit has slices");
    assert_eq!(of(100, "steps", Origin::Lab), Assurance::Attested);
}

#[test]
fn git_keeps_the_verdict_and_not_the_evidence() {
    let small = Small::new();
    let bundle = small.run("whole", everything()).expect("a bundle").bundle;
    let kept = keep::keep(&bundle, &small.out.join("audits")).expect("kept");
    let files = layout::files(&kept).expect("readable");
    for path in [layout::VERDICT, layout::METRICS, layout::MANIFEST, layout::SIGNATURE, layout::HEAD] {
        assert!(files.iter().any(|file| file == path), "{path}: {files:?}");
    }
    assert!(files.iter().all(|file| !file.starts_with("raw/")), "{files:?}");
    std::fs::write(bundle.join(layout::VERDICT), "{}").expect("written");
    assert!(matches!(keep::keep(&bundle, &small.out.join("other")), Err(Ended::Refused(_))));
}

#[test]
fn each_verdict_has_its_word_and_its_exit_code() {
    let codes = [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive].map(judge::said);
    assert_eq!(codes, [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 3)]);
}
