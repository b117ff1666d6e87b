//! The software bill of materials: what is linked into the programs that are shipped, and what built them, as CycloneDX. The
//! same commit and toolchain give the same text: no serial number, no time, everything sorted.
//!
//! What cargo would build for `-p mainstay` is asked of `cargo tree`, which resolves features as a build does; `cargo
//! metadata` would tell of the whole workspace, whose other packages ask for more. Digests are those of `Cargo.lock`.

mod resolve;

use resolve::{Graph, Package};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What is shipped.
const ROOT: &str = "mainstay";
/// Brings SQLite along, whose source it compiles.
const SQLITE_IN: &str = "libsqlite3-sys";
/// Where it does.
const SQLITE_HEADER: &str = "sqlite3/sqlite3.h";

/// Something in the list that is no package of cargo's.
struct Other {
    reference: String,
    name: &'static str,
    version: String,
    licence: Value,
}

/// The list, for the programs of a tree built for a target.
pub(crate) fn text(root: &Path, target: &str) -> Result<String, String> {
    let packages = resolve::packages(root, target)?;
    let linked = resolve::graph(root, target, &["normal", "no-proc-macro"])?;
    let all = resolve::graph(root, target, &["normal", "build"])?;
    let sqlite = sqlite(&packages)?;
    let std = std(root)?;
    list(&packages, &linked, &all, &sqlite, &std).map(crate::release::canonical)
}

fn list(
    packages: &BTreeMap<(String, String), Package>,
    linked: &Graph,
    all: &Graph,
    sqlite: &Other,
    std: &Other,
) -> Result<Value, String> {
    let mut components = BTreeMap::new();
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut application = None;
    for (id, needs) in &all.needs {
        let package = packages.get(id).ok_or_else(|| format!("cargo metadata knows no {} {}", id.0, id.1))?;
        let reference = reference(id);
        let mut needed: BTreeSet<String> = needs.iter().map(self::reference).collect();
        if linked.needs.contains_key(id) {
            needed.insert(std.reference.clone());
        }
        if id.0 == SQLITE_IN {
            needed.insert(sqlite.reference.clone());
        }
        dependencies.insert(reference.clone(), needed);
        if id.0 == ROOT {
            application = Some(component(id, package, "application", None));
        } else {
            // Excluded: nothing of it runs where the programs do; it ran where they were built.
            let scope = if linked.needs.contains_key(id) { "required" } else { "excluded" };
            components.insert(reference, component(id, package, "library", Some(scope)));
        }
    }
    for other in [sqlite, std] {
        dependencies.insert(other.reference.clone(), BTreeSet::new());
        let value = json!({
            "type": "library", "bom-ref": other.reference, "name": other.name, "version": other.version,
            "scope": "required", "licenses": [other.licence], "purl": other.reference,
        });
        components.insert(other.reference.clone(), value);
    }
    let dependencies: Vec<Value> =
        dependencies.iter().map(|(reference, needed)| json!({ "ref": reference, "dependsOn": needed })).collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": application.ok_or_else(|| format!("cargo tree does not list {ROOT}"))? },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    }))
}

fn reference((name, version): &(String, String)) -> String {
    format!("pkg:cargo/{name}@{version}")
}

fn component(id: &(String, String), package: &Package, kind: &str, scope: Option<&str>) -> Value {
    let reference = reference(id);
    let mut component = json!({
        "type": kind, "bom-ref": reference, "name": id.0, "version": id.1, "purl": reference,
    });
    if let Some(scope) = scope {
        component["scope"] = json!(scope);
    }
    if let Some(licence) = &package.licence {
        component["licenses"] = json!([{ "expression": licence }]);
    }
    if let Some(checksum) = &package.checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// SQLite itself, whose version is not that of the package which compiles it.
fn sqlite(packages: &BTreeMap<(String, String), Package>) -> Result<Other, String> {
    let found = packages.iter().find(|((name, _), _)| name == SQLITE_IN);
    let (_, package) = found.ok_or_else(|| format!("cargo metadata knows no {SQLITE_IN}"))?;
    let path = package.folder.join(SQLITE_HEADER);
    let header = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let version = header.lines().find_map(|line| line.strip_prefix("#define SQLITE_VERSION ")?.split('"').nth(1));
    let version = version.ok_or_else(|| format!("{}: no SQLITE_VERSION", path.display()))?.to_owned();
    let licence = json!({ "license": { "id": "blessing" } });
    Ok(Other { reference: format!("pkg:generic/sqlite@{version}"), name: "sqlite", version, licence })
}

/// The standard library, which comes with the compiler.
fn std(root: &Path) -> Result<Other, String> {
    let said = resolve::ask(Command::new("rustc"), root, &["-V"])?;
    let version = said.split(' ').nth(1).ok_or_else(|| format!("rustc -V: {said:?}"))?.to_owned();
    let licence = json!({ "expression": "MIT OR Apache-2.0" });
    Ok(Other { reference: format!("pkg:generic/rust-std@{version}"), name: "rust-std", version, licence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn id(name: &str) -> (String, String) {
        (name.to_owned(), "1.0.0".to_owned())
    }

    fn other(name: &'static str) -> Other {
        let licence = json!({ "license": { "id": "blessing" } });
        Other { reference: format!("pkg:generic/{name}@2"), name, version: "2".to_owned(), licence }
    }

    fn packages() -> BTreeMap<(String, String), Package> {
        let package = |name: &str| {
            let checksum = (name != ROOT).then(|| "ab".repeat(32));
            (id(name), Package { licence: Some("MIT".to_owned()), checksum, folder: PathBuf::new() })
        };
        ["mainstay", "libsqlite3-sys", "cc", "serde_derive"].map(package).into()
    }

    #[test]
    fn what_is_linked_is_required_and_what_only_built_is_excluded() {
        let linked = resolve::parse("0mainstay v1.0.0 (/x/daemon)\n1libsqlite3-sys v1.0.0\n").expect("a tree");
        let all = resolve::parse(
            "0mainstay v1.0.0 (/x/daemon)\n1libsqlite3-sys v1.0.0\n2cc v1.0.0\n1serde_derive v1.0.0 (proc-macro)\n",
        )
        .expect("a tree");
        let list = list(&packages(), &linked, &all, &other("sqlite"), &other("rust-std")).expect("listed");
        assert_eq!(list["metadata"]["component"]["name"], "mainstay");
        let scope = |name: &str| {
            let components = list["components"].as_array().expect("a list");
            components.iter().find(|component| component["name"] == name).map(|component| component["scope"].clone())
        };
        assert_eq!(scope("libsqlite3-sys"), Some(json!("required")));
        assert_eq!(scope("sqlite"), Some(json!("required")));
        assert_eq!(scope("rust-std"), Some(json!("required")));
        assert_eq!(scope("cc"), Some(json!("excluded")));
        assert_eq!(scope("serde_derive"), Some(json!("excluded")));
        assert_eq!(scope("mainstay"), None, "it is what the list is of");
        let needs = |reference: &str| {
            let dependencies = list["dependencies"].as_array().expect("a list");
            dependencies.iter().find(|one| one["ref"] == reference).map(|one| one["dependsOn"].clone())
        };
        let sqlite = json!(["pkg:cargo/cc@1.0.0", "pkg:generic/rust-std@2", "pkg:generic/sqlite@2"]);
        assert_eq!(needs("pkg:cargo/libsqlite3-sys@1.0.0"), Some(sqlite));
        assert_eq!(needs("pkg:cargo/cc@1.0.0"), Some(json!([])));
    }

    #[test]
    fn a_package_that_nothing_is_known_of_is_an_error() {
        let unknown = resolve::parse("0mainstay v1.0.0 (/x)\n1stranger v1.0.0\n").expect("a tree");
        let error = list(&packages(), &unknown, &unknown, &other("sqlite"), &other("std"));
        assert!(error.is_err_and(|error| error.contains("stranger 1.0.0")));
    }

    /// Of this very tree; asks cargo, and no network.
    #[test]
    fn the_programs_have_one_list_with_a_licence_and_a_digest_for_each_package() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in the repository");
        let text = text(root, "x86_64-unknown-linux-gnu").expect("a list");
        let list: Value = serde_json::from_str(&text).expect("JSON");
        let components = list["components"].as_array().expect("a list");
        let find = |name: &str| components.iter().find(|component| component["name"] == name);
        for (name, scope) in [("rusqlite", "required"), ("sqlite", "required"), ("cc", "excluded")] {
            assert_eq!(find(name).map(|component| &component["scope"]), Some(&json!(scope)), "{name}");
        }
        // Others of the workspace use it; the daemon does not.
        assert!(find("zstd").is_none() && find("turmoil").is_none());
        for component in components {
            let name = component["name"].as_str().expect("a name");
            assert!(component["licenses"].is_array(), "{name} has no licence");
            let foreign = component["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:cargo/"));
            assert!(!foreign || name.starts_with("mainstay") || component["hashes"].is_array(), "{name} has no digest");
        }
        let of_application = [&list["metadata"]["component"]];
        let known: BTreeSet<&str> =
            components.iter().chain(of_application).filter_map(|component| component["bom-ref"].as_str()).collect();
        for one in list["dependencies"].as_array().expect("a list") {
            let needed = one["dependsOn"].as_array().expect("a list");
            let all = [&one["ref"]].into_iter().chain(needed);
            assert!(all.flat_map(Value::as_str).all(|reference| known.contains(reference)), "{one}");
        }
    }
}
