//! What releases are made of: the built programs, and scripts in front of them that make a release bad.

use super::supervisor::By;
use crate::stage::{Profile, Programs};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Names of the programs, as cargo builds them.
pub(crate) const NAMES: [&str; 4] = ["mainstay", "mainstay-shim", "mainstay-botapi", "mainstay-older"];
/// What `mainstay facts` looks at besides: any valid configuration.
const CONFIG: &str = "deploy/mainstay.toml";

/// Programs to make releases of, and to play with.
pub(crate) struct Goods {
    /// What is played with.
    pub(super) programs: Programs,
    /// What starts the daemon.
    pub(super) supervisor: By,
    /// Makes older and newer databases.
    pub(super) older: PathBuf,
    /// The versions of its database, as a release says them.
    pub(super) database: Value,
    program: File,
    shim: File,
    /// As long as it lives, its files are there.
    _folder: TempDir,
}

/// A file and its digest.
struct File {
    path: PathBuf,
    sha256: String,
}

/// Builds the programs, in the order of [`NAMES`].
pub(crate) fn build(profile: Profile) -> Result<[PathBuf; 4], String> {
    let mut build = crate::cargo::cargo();
    build
        .args(["build", "--package", "mainstay", "--bin", "mainstay", "--bin", "mainstay-shim"])
        .args(["--package", "mainstay-sim", "--bin", "mainstay-botapi", "--bin", "mainstay-older"])
        .args((profile == Profile::Release).then_some("--release"));
    crate::cargo::programs(&mut build, NAMES)
}

impl Goods {
    /// Of built programs, in the order of [`NAMES`]; called in the checkout's folder.
    pub(crate) fn new(
        [mainstay, shim, botapi, older]: [PathBuf; 4],
        root: &Path,
        supervisor: By,
    ) -> Result<Goods, String> {
        let failed = |error: io::Error| format!("failed to make ready what releases are made of: {error}");
        let folder = tempfile::Builder::new().prefix("mainstay-goods-").tempdir().map_err(failed)?;
        let program = lean(&mainstay, &folder.path().join("mainstay")).map_err(failed)?;
        let shim = lean(&shim, &folder.path().join("mainstay-shim")).map_err(failed)?;
        let database = facts(&mainstay, &root.join(CONFIG))?;
        Ok(Goods {
            programs: Programs { mainstay, botapi },
            supervisor,
            older,
            database,
            program,
            shim,
            _folder: folder,
        })
    }

    /// Makes a release of this id in a new folder. `script` is a shell's, and stands in front of the program.
    pub(super) fn release(&self, folder: &Path, id: &str, script: Option<&str>) -> io::Result<()> {
        fs::create_dir_all(folder.join("bin"))?;
        let manifest = json!({
            "format": 1, "id": id, "target": format!("{}-unknown-linux-gnu", std::env::consts::ARCH), "binaries": {},
            "database": self.database,
        });
        let mut sums = put(folder, "release.json", manifest.to_string().as_bytes())?;
        sums += &place(folder, "bin/mainstay-shim", &self.shim)?;
        sums += &match script {
            None => place(folder, "bin/mainstay", &self.program)?,
            Some(script) => {
                place(folder, "bin/mainstay-real", &self.program)? + &put(folder, "bin/mainstay", script.as_bytes())?
            }
        };
        fs::write(folder.join("SHA256SUMS"), sums)
    }
}

/// A copy without what only a debugger reads, where the tool for that is there: less to copy and to hash each time.
fn lean(from: &Path, to: &Path) -> io::Result<File> {
    let stripped = Command::new("strip").arg("-o").arg(to).arg(from).stderr(Stdio::null()).status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(from, to)?;
    }
    Ok(File { path: to.to_owned(), sha256: hex(&fs::read(to)?) })
}

fn facts(mainstay: &Path, config: &Path) -> Result<Value, String> {
    let output = Command::new(mainstay).arg("facts").arg(config).output();
    let output = output.map_err(|error| format!("failed to start {}: {error}", mainstay.display()))?;
    let facts: Value = serde_json::from_slice(&output.stdout).map_err(|error| {
        format!("mainstay facts says no facts ({error}): {}", String::from_utf8_lossy(&output.stderr).trim())
    })?;
    Ok(facts["database"].clone())
}

/// Gives a file its place in a release; its line of the sums.
fn place(folder: &Path, path: &str, file: &File) -> io::Result<String> {
    let to = folder.join(path);
    if fs::hard_link(&file.path, &to).is_err() {
        fs::copy(&file.path, &to)?;
    }
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
    Ok(format!("{}  {path}\n", file.sha256))
}

fn put(folder: &Path, path: &str, bytes: &[u8]) -> io::Result<String> {
    fs::write(folder.join(path), bytes)?;
    let mode = if path.starts_with("bin/") { 0o755 } else { 0o644 };
    fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode))?;
    Ok(format!("{}  {path}\n", hex(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
