//! All bugs in one program: each replaced text asks whether it is its turn, so that one build serves them all. The program
//! is built from a copy of the checkout; nothing of this is in the product's code.

use super::list::{Edit, LIST, Mutant};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the one bug that is tried. Without it the program is as the product is.
pub(super) const VARIABLE: &str = "MAINSTAY_PLANTED";
/// The name of the program with all bugs in it, so that the simulator itself is not overwritten.
const PROGRAM: &str = "mainstay-planted";

/// What the bugs ask.
const ASK: &str = r#"//! Which bug is planted; only in the copy for mutants.

/// Whether it is this one.
pub fn is(name: &str) -> bool {
    static NAME: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    NAME.get_or_init(|| std::env::var("MAINSTAY_PLANTED").ok()).as_deref() == Some(name)
}
"#;

/// The files that bugs change, with all of them in.
pub(super) fn planted(root: &Path, mutants: &[Mutant]) -> Result<BTreeMap<String, String>, String> {
    let mut files: BTreeMap<String, Vec<(usize, usize, String)>> = BTreeMap::new();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for mutant in mutants {
        for Edit { file, old, new } in mutant.edits() {
            let text = match texts.entry(file.clone()) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(std::fs::read_to_string(root.join(&file)).map_err(|error| format!("{file}: {error}"))?)
                }
            };
            let places: Vec<usize> = text.match_indices(&old).map(|(at, _)| at).collect();
            let [at] = places[..] else {
                let n = places.len();
                return Err(format!(
                    "mutant {}: its text occurs {n} times in {file} and has to occur once: adapt `old` in {LIST}",
                    mutant.name
                ));
            };
            if !new.contains("PLANTED") {
                return Err(format!("mutant {}: say `PLANTED` in `new`, where its turn is asked for", mutant.name));
            }
            let ask = if file.starts_with("daemon/") { "crate" } else { "mainstay" };
            let new = new.replace("PLANTED", &format!("{ask}::planted::is({:?})", mutant.name));
            files.entry(file).or_default().push((at, at + old.len(), new));
        }
    }
    let mut done = BTreeMap::new();
    for (file, mut edits) in files {
        edits.sort();
        if let Some(pair) = edits.windows(2).find(|pair| pair[1].0 < pair[0].1) {
            return Err(format!("{file}: two mutants replace the same text ({:?}); let each have its own", pair[1].2));
        }
        let mut text = texts.remove(&file).unwrap_or_default();
        for (from, to, new) in edits.into_iter().rev() {
            text.replace_range(from..to, &new);
        }
        done.insert(file, text);
    }
    Ok(done)
}

/// Builds the program with all bugs in it: where it is, and a number for what it was built from.
pub(super) fn build(root: &Path, mutants: &[Mutant]) -> Result<(PathBuf, u64), String> {
    let tree = root.join("target/mutants/tree");
    let mut files = planted(root, mutants)?;
    files.insert("daemon/src/planted.rs".into(), ASK.into());
    let lib = read(&root.join("daemon/src/lib.rs"))?;
    files.insert("daemon/src/lib.rs".into(), format!("{lib}\npub mod planted;\n"));
    let manifest = read(&root.join("sim/Cargo.toml"))?;
    let bin = format!("[[bin]]\nname = \"{PROGRAM}\"\npath = \"src/bin/mainstay-simulate/main.rs\"\n");
    files.insert("sim/Cargo.toml".into(), format!("{manifest}\n{bin}"));
    let made_of = copy(root, &tree, &files)?;
    let target = target(root);
    let built = crate::cargo::cargo()
        .args(["build", "--quiet", "--profile", super::super::PROFILE, "--package", "mainstay-sim", "--bin", PROGRAM])
        .arg("--target-dir")
        .arg(std::path::absolute(&target).map_err(|error| error.to_string())?)
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(&tree)
        .status();
    if built.is_ok_and(|status| status.success()) {
        Ok((program(root), made_of))
    } else {
        Err(format!("the copy with the bugs in {} does not build; cargo says why above", tree.display()))
    }
}

/// Its own: cargo takes packages at the same place of two checkouts for the same, and would mix them up.
fn target(root: &Path) -> PathBuf {
    root.join("target/mutants/build")
}

/// Where the program is, once it is built.
pub(super) fn program(root: &Path) -> PathBuf {
    target(root).join(super::super::PROFILE).join(PROGRAM)
}

/// A copy of what git tracks, as it is now, but for these files; and a number for all of it. Files that are as they were keep
/// their time, so that little is built again.
fn copy(root: &Path, tree: &Path, files: &BTreeMap<String, String>) -> Result<u64, String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    let mut names: Vec<String> =
        String::from_utf8_lossy(&listed.stdout).split('\0').filter(|n| !n.is_empty()).map(str::to_owned).collect();
    names.extend(files.keys().cloned());
    names.sort();
    names.dedup();
    let mut hash = Fnv::default();
    for name in &names {
        let to = tree.join(name);
        let new = match files.get(name) {
            Some(text) => text.clone().into_bytes(),
            None => match std::fs::read(root.join(name)) {
                Ok(bytes) => bytes,
                // Deleted and not yet committed.
                Err(_) => {
                    let _ = std::fs::remove_file(&to);
                    continue;
                }
            },
        };
        let of_programs = ["daemon/", "sim/src", "Cargo"].iter().any(|part| name.starts_with(part));
        if of_programs {
            hash.add(name.as_bytes());
            hash.add(&new);
        }
        if std::fs::read(&to).is_ok_and(|old| old == new) {
            continue;
        }
        let parent = to.parent().unwrap_or(tree);
        std::fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        std::fs::write(&to, new).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    forget(tree, tree, &names)?;
    Ok(hash.0)
}

/// FNV-1a: a number for bytes that is the same in every process.
pub(super) struct Fnv(pub(super) u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Removes from the copy what is no longer in the checkout: a file that was moved would be there twice.
fn forget(tree: &Path, folder: &Path, names: &[String]) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.strip_prefix(tree).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            forget(tree, &path, names)?;
        } else if ["sim/", "daemon/"].iter().any(|part| name.starts_with(part)) && names.binary_search(&name).is_err() {
            std::fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
