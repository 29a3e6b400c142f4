//! JSON of any length, an entry at a time.
//!
//! What is not asked for is passed over without being held; what is held is bounded by a meter on the
//! reader, which is set anew before each value.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{ENTRY_BYTES_MAX, ImportFault};

/// Bytes of a key or a name at most.
const NAME_BYTES_MAX: usize = 64 * 1024;

/// Where entries are in a file.
pub(super) struct Shape {
    /// The format's name, for messages.
    pub(super) format: &'static str,
    /// The key of the list whose elements are entries.
    pub(super) entries: &'static str,
    /// Keys of objects and lists in which such a list can be.
    pub(super) within: &'static [&'static str],
}

/// Hands over each entry with the `name` of the object that it is in.
pub(super) fn each_entry(
    shape: &Shape,
    reader: impl BufRead,
    take: &mut dyn FnMut(&str, Value),
) -> Result<(), ImportFault> {
    let left = Cell::new(usize::MAX);
    let metered = Metered { inner: reader, left: &left };
    let mut json = serde_json::Deserializer::from_reader(metered);
    let mut walk = Walk { shape, left: &left, take, name: String::new(), found: false };
    let fault = |why: String| ImportFault::Format { format: shape.format, why };
    json.deserialize_any(&mut walk).map_err(|error| fault(error.to_string()))?;
    if !walk.found {
        return Err(fault(format!("it has no list `{}`", shape.entries)));
    }
    left.set(usize::MAX);
    json.end().map_err(|error| fault(error.to_string()))
}

/// A reader that refuses to go on when its meter has run out.
struct Metered<'a, R> {
    inner: R,
    left: &'a Cell<usize>,
}

impl<R: BufRead> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("a single entry is longer than 1 MiB"));
        }
        let most = buffer.len().min(left);
        let read = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        if left != usize::MAX {
            self.left.set(left - read);
        }
        Ok(read)
    }
}

struct Walk<'a> {
    shape: &'a Shape,
    left: &'a Cell<usize>,
    take: &'a mut dyn FnMut(&str, Value),
    /// Of the object that is read.
    name: String,
    /// Whether a list of entries was there.
    found: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a list `{}`", self.shape.entries)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        loop {
            self.left.set(NAME_BYTES_MAX);
            let Some(key) = map.next_key::<String>()? else { break };
            if key == self.shape.entries {
                self.found = true;
                map.next_value_seed(Entries(&mut *self))?;
            } else if key == "name" {
                let name = map.next_value::<Value>()?;
                self.name = name.as_str().unwrap_or_default().to_owned();
            } else {
                self.left.set(usize::MAX);
                if self.shape.within.contains(&key.as_str()) {
                    map.next_value_seed(&mut *self)?;
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.left.set(usize::MAX);
        self.name.clear();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    // Where an object is expected, anything else holds no entries.
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The list of entries itself.
struct Entries<'w, 'a>(&'w mut Walk<'a>);

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list `{}`", self.0.shape.entries)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            self.0.left.set(ENTRY_BYTES_MAX);
            let Some(entry) = list.next_element::<Value>()? else { return Ok(()) };
            (self.0.take)(&self.0.name, entry);
        }
    }
}
