//! The orders in the state directory: written whole or not at all.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use floodwall_policy::Order;
use serde::{Deserialize, Serialize};

use super::ShownOrder;

/// The file in the state directory.
pub(super) const FILE: &str = "orders.json";
const FORMAT: &str = "floodwall orders of operators";
const VERSION: u32 = 1;
/// Largest file that is read; a full book has less than two of them.
const BYTES_MAX: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    orders: Vec<ShownOrder>,
}

/// Writes the file beside its place first, then into it. An address that is blocked says of somebody that
/// he was taken for an attacker, so it is the owner's alone.
pub(super) fn write(path: &Path, orders: &[Order]) -> io::Result<()> {
    let orders = orders.iter().map(ShownOrder::from).collect();
    let document = Document { format: FORMAT.to_owned(), version: VERSION, orders };
    let text = serde_json::to_string_pretty(&document).map_err(io::Error::from)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".orders-").tempfile_in(directory)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// What is kept, and what of it cannot be used, in words. A file with faults is copied beside itself, so
/// that the next order does not overwrite what somebody may still want to read.
pub(super) fn read_at_start(path: &Path) -> (Vec<Order>, Vec<String>) {
    let (orders, mut faults) = match read(path) {
        Ok(document) => {
            let read: Vec<Result<Order, String>> = document.orders.iter().map(ShownOrder::read).collect();
            let faults = read.iter().filter_map(|order| order.as_ref().err().cloned()).collect();
            (read.into_iter().filter_map(Result::ok).collect(), faults)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (Vec::new(), Vec::new()),
        Err(error) => (Vec::new(), vec![format!("{}: {error}", path.display())]),
    };
    if !faults.is_empty() {
        let aside = path.with_extension("json.damaged");
        faults.push(match fs::copy(path, &aside) {
            Ok(_) => format!("what was there is kept in {}", aside.display()),
            Err(error) => format!("what was there could not be copied to {}: {error}", aside.display()),
        });
    }
    (orders, faults)
}

fn read(path: &Path) -> io::Result<Document> {
    let mut text = String::new();
    let bytes = fs::File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(bytes).unwrap_or(u64::MAX) > BYTES_MAX {
        return Err(io::Error::other("too long to be orders"));
    }
    let document: Document = serde_json::from_str(&text)?;
    if document.format != FORMAT || document.version != VERSION {
        let (format, version) = (document.format, document.version);
        return Err(io::Error::other(format!(
            "of form {format:?}, version {version}; this program reads {FORMAT:?}, version {VERSION}"
        )));
    }
    Ok(document)
}
