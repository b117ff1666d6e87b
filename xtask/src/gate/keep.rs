//! Puts what git keeps of a bundle into `audits/`: verdict, metrics, manifest, signature, report. The evidence itself stays
//! outside, where the manifest's digests find it again.

use super::ended::Ended;
use super::head::Head;
use super::{layout, manifest};
use std::path::{Path, PathBuf};

/// What is kept: files, and what is below folders.
const KEPT: [&str; 8] = [
    layout::HEAD,
    layout::METRICS,
    layout::PROBES,
    layout::VERDICT,
    layout::MANIFEST,
    layout::SIGNATURE,
    "report/",
    "bench/",
];

/// Copies it to `audits/NAME`.
pub(crate) fn keep(bundle: &Path, audits: &Path) -> Result<PathBuf, Ended> {
    let text = layout::read(bundle, layout::MANIFEST).map_err(Ended::Refused)?;
    let text = String::from_utf8(text).map_err(Ended::refused)?;
    let entries = manifest::parse(&text).map_err(Ended::Refused)?;
    manifest::check(bundle, &entries).map_err(Ended::Refused)?;
    if Head::read(bundle).map_err(Ended::Refused)?.part.is_some() {
        return Err(Ended::Usage(format!("{}: is a part; merge it with the others first", bundle.display())));
    }
    let name = bundle.canonicalize().map_err(Ended::machine)?;
    let to = audits.join(name.file_name().unwrap_or_default());
    for path in layout::files(bundle).map_err(Ended::Infrastructure)? {
        let kept = |part: &&str| path == **part || (part.ends_with('/') && path.starts_with(*part));
        if KEPT.iter().any(kept) {
            let bytes = layout::read(bundle, &path).map_err(Ended::Infrastructure)?;
            layout::write(&to.join(&path), &bytes).map_err(Ended::Infrastructure)?;
        }
    }
    Ok(to)
}
