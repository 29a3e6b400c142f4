//! Stand-in until the real set-up is here: says which packages are missing.

/// Checks that programs are there; names the packages they come from where they are not.
pub(crate) fn require_packages(packages: &[(&str, &str)]) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> =
        std::env::split_paths(&path).chain([std::path::PathBuf::from("/usr/sbin")]).collect();
    let missing = packages.iter().filter(|(program, _)| !places.iter().any(|p| p.join(program).is_file()));
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("missing packages: run `sudo apt-get install {}`", missing.join(" ")))
}
