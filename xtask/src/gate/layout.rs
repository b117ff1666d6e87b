//! Where things are in a bundle, and in the folder of a run that becomes one.

use std::path::{Path, PathBuf};

/// What is tried, and how.
pub(crate) const HEAD: &str = "bundle.json";
/// All that decides besides the evidence.
pub(crate) const POLICY: &str = "policy.toml";
/// The machines.
pub(crate) const ENV: &str = "env.json";
/// What was configured.
pub(crate) const CONFIG: &str = "config.json";
/// The seeds, and what they follow from.
pub(crate) const SEEDS: &str = "seeds.json";
/// The evidence: `raw/SUITE/UNIT.jsonl.zst`.
pub(crate) const RAW: &str = "raw";
/// The end of a file of evidence.
pub(crate) const RAW_END: &str = ".jsonl.zst";
/// What was computed from the evidence.
pub(crate) const METRICS: &str = "derived/metrics.json";
/// Yes-or-no questions to the artifacts.
pub(crate) const PROBES: &str = "derived/probes.json";
/// What comes of it all.
pub(crate) const VERDICT: &str = "derived/verdict.json";
/// The folder for people.
pub(crate) const REPORT: &str = "report";
/// Digest, size and path of each file.
pub(crate) const MANIFEST: &str = "MANIFEST";
/// The signature over the manifest.
pub(crate) const SIGNATURE: &str = "MANIFEST.sig";
/// Folders for what suites add besides lines. Nothing is computed from it: it is attested, not recomputed.
pub(crate) const ATTACHED: [&str; 4] = ["tests", "bench", "drills", "sbom"];

/// The file of a unit's evidence.
pub(crate) fn raw(suite: &str, unit: &str) -> String {
    format!("{RAW}/{suite}/{unit}{RAW_END}")
}

/// Whether a suite may add a file of this name.
pub(crate) fn is_attachment(path: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
    };
    path.split_once('/').is_some_and(|(folder, name)| ATTACHED.contains(&folder) && word(name))
}

/// Writes a file whole or not at all, with its folders.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut temporary, bytes).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(temporary.path(), permissions).map_err(failed)?;
    temporary.persist(path).map(drop).map_err(|error| failed(error.error))
}

/// Removes what [`fn@write`] left of files that it had no time to finish.
pub(crate) fn sweep(run: &Path) -> Result<(), String> {
    for path in files(run)? {
        if path.rsplit('/').next().is_some_and(|name| name.starts_with('.')) {
            std::fs::remove_file(run.join(&path)).map_err(|error| format!("{path}: {error}"))?;
        }
    }
    Ok(())
}

/// Reads a file of a bundle.
pub(crate) fn read(bundle: &Path, path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(bundle.join(path)).map_err(|error| format!("{path}: {error}"))
}

/// A value as the bundle has it: fields in their order, one a line, and a newline at the end.
pub(crate) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("words and numbers");
    bytes.push(b'\n');
    bytes
}

/// Every file below a folder, by path from there with `/`, sorted. Links and whatever else is neither file nor folder are
/// errors: what they lead to is not in the bundle.
pub(crate) fn files(bundle: &Path) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let shown = || bundle.join(&folder).display().to_string();
        for entry in std::fs::read_dir(bundle.join(&folder)).map_err(|error| format!("{}: {error}", shown()))? {
            let entry = entry.map_err(|error| format!("{}: {error}", shown()))?;
            let path = folder.join(entry.file_name());
            let name = path.to_str().ok_or_else(|| format!("{}: a name that is no text", path.display()))?.to_owned();
            let kind = entry.file_type().map_err(|error| format!("{name}: {error}"))?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                files.push(name);
            } else {
                return Err(format!("{name}: neither a file nor a folder"));
            }
        }
    }
    files.sort();
    Ok(files)
}
