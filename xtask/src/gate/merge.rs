//! One bundle of the parts of a run. They have to be complete, of one plan, and each sound in itself; the order in which they
//! are given, and where they were made, changes nothing but the list of machines.

use super::ended::Ended;
use super::head::Head;
use super::judge::{self, Derived};
use super::machine::Machines;
use super::policy::{self, Policy};
use super::sign::{self, Secret};
use super::{Gate, finish, layout, manifest, plan};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What all parts have alike, byte for byte.
const ALIKE: [&str; 3] = [layout::POLICY, layout::CONFIG, layout::SEEDS];

/// Puts parts together.
pub(crate) fn merge(
    gate: &Gate,
    parts: &[PathBuf],
    out: &Path,
    key: Option<&Secret>,
) -> Result<(PathBuf, Derived), Ended> {
    let mut heads: BTreeMap<usize, (&PathBuf, Head)> = BTreeMap::new();
    for part in parts {
        let head = sound(part, key).map_err(|error| Ended::Refused(format!("{}: {error}", part.display())))?;
        let Some(shard) = head.part else {
            return Err(Ended::Refused(format!("{}: is no part, but a whole bundle", part.display())));
        };
        if let Some((other, _)) = heads.insert(shard.number, (part, head)) {
            return Err(Ended::Refused(format!("{} and {}: the same part", other.display(), part.display())));
        }
    }
    let head = one_run(&heads)?;
    let text = layout::read(parts[0].as_path(), layout::POLICY).map_err(Ended::refused)?;
    if text != policy::text(gate.suites).as_bytes() {
        return Err(Ended::Usage(format!(
            "the parts are judged by the policy of {}: check that out, and merge there",
            head.commit
        )));
    }
    gate.is_at(&head)?;
    let policy = Policy::of(&gate.checkout, &head.commit, head.quick).map_err(Ended::Infrastructure)?;
    let name = name(parts, &head);
    let bundle = out.join(&name);
    if bundle.exists() {
        return Err(Ended::Usage(format!("{}: is there already", bundle.display())));
    }
    let mut machines = Machines::default();
    for (part, of) in heads.values() {
        // Each part has just its own units, each with its chain and its seeds; so none is there twice, and none is missing.
        for (suite, unit) in plan::of(gate.suites, of, &policy) {
            judge::read(part, of, &suite, &unit, &mut |_| {})
                .map_err(|error| Ended::Refused(format!("{}: {error}", part.display())))?;
            copy(part, &bundle, &layout::raw(suite.name, &unit.name))?;
        }
        for path in layout::files(part).map_err(Ended::Infrastructure)? {
            if layout::is_attachment(&path) {
                if bundle.join(&path).exists() {
                    return Err(Ended::Refused(format!("{path}: two parts have it")));
                }
                copy(part, &bundle, &path)?;
            }
        }
        machines.machines.append(&mut Machines::read(part).map_err(Ended::Refused)?.machines);
    }
    for path in ALIKE {
        copy(&parts[0], &bundle, path)?;
    }
    let put = |path: &str, bytes: &[u8]| layout::write(&bundle.join(path), bytes).map_err(Ended::Infrastructure);
    put(layout::ENV, &layout::json(&machines))?;
    put(layout::HEAD, &layout::json(&head))?;
    let derived = finish::finish(gate.suites, &bundle, &head, &policy, key)?;
    let derived = derived.ok_or_else(|| Ended::machine("what was merged is a part itself"))?;
    Ok((bundle, derived))
}

/// A part whose files are what its manifest says. If it is signed, then by the key that signs the whole: who signs that vouches
/// for its parts.
fn sound(part: &Path, key: Option<&Secret>) -> Result<Head, String> {
    let read = |path: &str| String::from_utf8(layout::read(part, path)?).map_err(|error| format!("{path}: {error}"));
    let text = read(layout::MANIFEST)?;
    if part.join(layout::SIGNATURE).exists() {
        sign::check(text.as_bytes(), Some(&read(layout::SIGNATURE)?), key.map(Secret::public).as_deref())?;
    }
    manifest::check(part, &manifest::parse(&text)?)?;
    Head::read(part)
}

/// The head of the whole, if these are all of its parts.
fn one_run(heads: &BTreeMap<usize, (&PathBuf, Head)>) -> Result<Head, Ended> {
    let Some((first, head)) = heads.values().next() else {
        return Err(Ended::Usage("no part was given".into()));
    };
    let of = head.part.map_or(0, |part| part.of);
    for (path, other) in heads.values() {
        if let Some(what) = head.differs(other) {
            let (a, b) = (first.display(), path.display());
            return Err(Ended::Refused(format!("{a} and {b}: another {what}: not of one run")));
        }
        if other.part.is_some_and(|part| part.of != of) {
            return Err(Ended::Refused(format!("{}: of another number of parts than {of}", path.display())));
        }
        for file in ALIKE {
            if layout::read(first, file).map_err(Ended::refused)? != layout::read(path, file).map_err(Ended::refused)? {
                return Err(Ended::Refused(format!("{}: another {file} than {}", path.display(), first.display())));
            }
        }
    }
    if let Some(missing) = (1..=of).find(|number| !heads.contains_key(number)) {
        return Err(Ended::Refused(format!("part {missing}/{of} is missing")));
    }
    let attempt = heads.values().map(|(_, head)| head.attempt).max().unwrap_or(1);
    Ok(Head { part: None, attempt, ..head.clone() })
}

/// When the first part began, and the commit.
fn name(parts: &[PathBuf], head: &Head) -> String {
    let began = |part: &PathBuf| {
        let name = part.file_name()?.to_str()?.split('-').next()?;
        name.ends_with('Z').then(|| name.to_owned())
    };
    let time = parts.iter().filter_map(began).min().unwrap_or_else(|| "merged".to_owned());
    format!("{time}-{}", &head.commit[..12])
}

fn copy(from: &Path, to: &Path, path: &str) -> Result<(), Ended> {
    let bytes = layout::read(from, path).map_err(Ended::Refused)?;
    layout::write(&to.join(path), &bytes).map_err(Ended::Infrastructure)
}
