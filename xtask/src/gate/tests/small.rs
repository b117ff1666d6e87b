//! A repository with one commit, and suites whose lines follow from their seeds.

use crate::gate::checkout::Checkout;
use crate::gate::ended::Ended;
use crate::gate::head::Wanted;
use crate::gate::policy::{self, Policy};
use crate::gate::run::{How, Ran, begin};
use crate::gate::sign::Secret;
use crate::gate::site::{Site, Stop};
use crate::gate::suites::{Load, Suite, Unit, pieces};
use crate::gate::verify::{Doubt, Verified, verify};
use crate::gate::{Gate, finish};
use mainstay_metric::ledger::{End, Line, Origin, Property, Run, Step};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A suite with seeds and a kept unit, which replays; and one without, which does not.
pub(super) const SUITES: &[Suite] = &[
    Suite {
        name: "dice",
        about: "throws dice",
        origin: Origin::Sim,
        load: Load::Computes,
        replays: true,
        prepare: |_| Ok(()),
        units: |_| {
            let kept = Unit { kept: true, ..Unit::seeded("kept", 900..902) };
            pieces("throw", 0, 20, 3).into_iter().chain([kept]).collect()
        },
        run: throw,
    },
    Suite {
        name: "look",
        about: "looks around",
        origin: Origin::Lab,
        load: Load::Alone,
        replays: false,
        prepare: |_| Ok(()),
        units: |_: &Policy| vec![Unit::new("left"), Unit::new("right")],
        run: look,
    },
];

fn run_of(suite: &Suite, seed: u64, kept: bool) -> Line {
    Line::Run(Run {
        suite: suite.name.to_owned(),
        origin: suite.origin,
        seed,
        scenario: "table".into(),
        persona: None,
        faults: false,
        kept,
    })
}

fn throw(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let one = |seed: u64| {
        let property = Property { name: "it lies".into(), looked: 1 + seed % 1_000_003, broken: None };
        let end = End { at_ms: 1, cut_off: None, digest: Some(format!("{seed:016x}")) };
        [run_of(site.suite, seed, unit.kept), Line::Property(property), Line::End(end)]
    };
    Ok(site.seeds(unit).into_iter().flat_map(one).collect())
}

fn look(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    site.attach(&format!("bench/{}.json", unit.name), b"{}\n")?;
    let step = Step { name: unit.name.clone(), held: Some(true), seen: "clear".into() };
    let end = End { at_ms: 0, cut_off: None, digest: None };
    Ok(vec![run_of(site.suite, 0, false), Line::Step(step), Line::End(end)])
}

/// The repository, and where its bundles are made.
pub(super) struct Small {
    _folder: tempfile::TempDir,
    pub(super) gate: Gate,
    pub(super) out: PathBuf,
}

impl Small {
    /// A repository with one commit.
    pub(super) fn new() -> Small {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path().canonicalize().expect("there");
        let root = top.join("repository");
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        for (path, text) in policy::FILES {
            put(path, &text(SUITES));
        }
        put("scenarios/a.toml", "about = \"a\"\n");
        put("sim/mutants.toml", "[[mutant]]\nname = \"a-bug\"\n");
        put("Cargo.lock", "");
        let small = Small {
            _folder: folder,
            gate: Gate { checkout: Checkout { root: root.clone() }, suites: SUITES },
            out: top.join("out"),
        };
        git(&root, &["init", "--quiet"]);
        small.commit("first");
        small
    }

    /// Commits all that is there.
    pub(super) fn commit(&self, message: &str) {
        let root = &self.gate.checkout.root;
        git(root, &["add", "--all"]);
        git(root, &["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--message", message]);
    }

    /// A gate of it, in a folder of its own below `out`.
    pub(super) fn run(&self, out: &str, wanted: Wanted) -> Result<Ran, Ended> {
        let stop = Stop::default();
        let how = How { out: self.out.join(out), jobs: 2, key: Some(ours()), stop: &stop };
        begin(&self.gate, wanted, &how)
    }

    /// Forgets the attempts so far, as another clone would not know them.
    pub(super) fn forget(&self) {
        // Where nothing was tried yet there is none.
        let _ = std::fs::remove_file(self.gate.checkout.root.join(".git/mainstay-gate-attempts.jsonl"));
    }

    /// Verifies a bundle by our key.
    pub(super) fn verify(&self, bundle: &Path) -> Result<Verified, Ended> {
        self.doubt(bundle, Some(ours().public()), 0)
    }

    /// Verifies a bundle.
    pub(super) fn doubt(&self, bundle: &Path, key: Option<String>, replay: usize) -> Result<Verified, Ended> {
        let doubt = Doubt { key, replay, nonce: "n".into(), stop: &Stop::default() };
        verify(&self.gate, bundle, &doubt)
    }
}

/// Everything, in full.
pub(super) fn everything() -> Wanted {
    Wanted { suites: SUITES.iter().map(|suite| suite.name.to_owned()).collect(), ..Wanted::default() }
}

/// The key that is trusted.
pub(super) fn ours() -> Secret {
    Secret::of([7; 32])
}

/// Writes manifest and signature anew, as who changed something and has no key that is trusted would.
pub(super) fn seal(bundle: &Path, key: Option<&Secret>) {
    // Without a key there is no new signature either.
    let _ = std::fs::remove_file(bundle.join("MANIFEST.sig"));
    finish::seal(bundle, key).expect("sealed");
}

/// Copies a bundle.
pub(super) fn copy(from: &Path, to: &Path) {
    for path in crate::gate::layout::files(from).expect("readable") {
        let target = to.join(&path);
        std::fs::create_dir_all(target.parent().expect("has one")).expect("made");
        std::fs::copy(from.join(&path), target).expect("copied");
    }
}

fn git(root: &Path, arguments: &[&str]) {
    let output = Command::new("git").args(arguments).current_dir(root).output().expect("git");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
