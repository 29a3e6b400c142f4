//! The ClientHello, read from a connection's first bytes before anything is paid for it (RFC 8446
//! section 4.1.2, RFC 5246 section 7.4.1.2): which host, which protocols, what kind of client.
//!
//! It decides nothing about TLS: the same bytes go to the TLS library afterwards, which alone says
//! whether they are a hello it takes. What is read here is good for counting and telling clients apart.
//!
//! Limits: a message of [`HELLO_BYTES_MAX`] bytes in [`RECORDS_MAX`] records, lists of
//! [`ja4::ENTRIES_MAX`] entries. Encrypted hellos show their outer one (RFC 9849).

mod cursor;
mod ja4;
#[cfg(test)]
mod tests;

use cursor::Cursor;
pub(crate) use ja4::Ja4;
use ja4::Lists;

/// The longest hello that is read; one with post-quantum key shares takes two thousand bytes.
pub(crate) const HELLO_BYTES_MAX: usize = 16 * 1024;

/// The most records it may come in; it comes in one, or in two where somebody hides its host.
pub(crate) const RECORDS_MAX: usize = 32;

/// Bytes on the wire at the most: each record has a head of five.
pub(crate) const WIRE_BYTES_MAX: usize = HELLO_BYTES_MAX + 4 + RECORDS_MAX * RECORD_HEAD_BYTES;

const RECORD_HEAD_BYTES: usize = 5;
const MESSAGE_HEAD_BYTES: usize = 4;
/// RFC 8446 section 5.1.
const RECORD_PAYLOAD_BYTES_MAX: usize = 1 << 14;
const CONTENT_HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;

/// Why bytes are no ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HelloFault {
    /// They are not TLS: HTTP in clear text, say.
    NotTls,
    /// They are SSL 2.0's, which nobody may speak any more (RFC 6176).
    Ssl2,
    /// The hello is longer, or in more records, or has longer lists, than is read here.
    TooLong,
    /// A length or a place contradicts another.
    Malformed,
}

impl HelloFault {
    /// Whether the TLS library need not be asked: no TLS client sends this.
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::NotTls | Self::Ssl2 | Self::TooLong => true,
            Self::Malformed => false,
        }
    }
}

/// What a hello says. It borrows from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello<'a> {
    /// The host it asks for (RFC 6066 section 3), as it is written.
    pub(crate) server_name: Option<&'a [u8]>,
    /// The protocols it offers (RFC 7301), each with its length before it; read them by
    /// [`Self::protocols`].
    alpn: &'a [u8],
    /// Whether it brings a ticket, so that the handshake would be a cheap one. It may be a false one.
    pub(crate) claims_ticket: bool,
    /// What kind of client it is.
    pub(crate) ja4: Ja4,
}

impl<'a> ClientHello<'a> {
    /// The protocols it offers, the one it likes best first.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = Cursor(self.alpn);
        std::iter::from_fn(move || rest.short_list())
    }
}

/// Reads a hello from a connection's bytes as they come.
#[derive(Debug, Default)]
pub(crate) struct HelloReader {
    /// Where in the connection's bytes the next record begins.
    next_record: usize,
    records: usize,
    /// The message as far as it came, where it came in several records.
    message: Vec<u8>,
}

impl HelloReader {
    /// Reads on; `input` is all that has come, from the first byte on. `None` while there is more to
    /// come.
    pub(crate) fn read_on<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<ClientHello<'a>>, HelloFault> {
        while let Some(payload) = next_record(input.get(self.next_record..).unwrap_or_default())? {
            self.next_record += RECORD_HEAD_BYTES + payload.len();
            self.records += 1;
            if self.records == 1 && whole_message(payload)?.is_some() {
                return whole_message(payload)?.map(read_hello).transpose();
            }
            if self.records > RECORDS_MAX {
                return Err(HelloFault::TooLong);
            }
            self.message.extend_from_slice(payload);
            if whole_message(&self.message)?.is_some() {
                return whole_message(&self.message)?.map(read_hello).transpose();
            }
        }
        Ok(None)
    }
}

/// The payload of the record that `bytes` begin with, where it is whole. What cannot become a record
/// of a hello is refused at its first byte that shows it.
fn next_record(bytes: &[u8]) -> Result<Option<&[u8]>, HelloFault> {
    match bytes {
        [] | [CONTENT_HANDSHAKE] => return Ok(None),
        [CONTENT_HANDSHAKE, 3, ..] => {}
        // Two bytes of length with the highest bit set, then the message's type.
        [length, _, CLIENT_HELLO, ..] if *length & 0x80 != 0 => return Err(HelloFault::Ssl2),
        [length] | [length, _] if *length & 0x80 != 0 => return Ok(None),
        _ => return Err(HelloFault::NotTls),
    }
    let [_, _, _, high, low, rest @ ..] = bytes else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length == 0 || length > RECORD_PAYLOAD_BYTES_MAX {
        return Err(HelloFault::Malformed);
    }
    Ok(rest.get(..length))
}

/// The body of the handshake message that `bytes` begin with, where it is whole.
fn whole_message(bytes: &[u8]) -> Result<Option<&[u8]>, HelloFault> {
    let Some((kind, rest)) = bytes.split_first() else { return Ok(None) };
    if *kind != CLIENT_HELLO {
        return Err(HelloFault::NotTls);
    }
    let [high, middle, low, body @ ..] = rest else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).unwrap_or(usize::MAX);
    if length > HELLO_BYTES_MAX {
        return Err(HelloFault::TooLong);
    }
    debug_assert_eq!(bytes.len() - body.len(), MESSAGE_HEAD_BYTES);
    Ok(body.get(..length))
}

fn read_hello(body: &[u8]) -> Result<ClientHello<'_>, HelloFault> {
    let mut lists = Lists::default();
    let mut hello = Fields::default();
    let mut rest = Cursor(body);
    hello.read(&mut rest, &mut lists).ok_or(HelloFault::Malformed)?;
    if lists.are_too_long() {
        return Err(HelloFault::TooLong);
    }
    let first_protocol = Cursor(hello.alpn).short_list().unwrap_or_default();
    Ok(ClientHello {
        server_name: hello.server_name,
        alpn: hello.alpn,
        claims_ticket: hello.claims_ticket,
        ja4: Ja4::of(&mut lists, hello.has_server_name, first_protocol),
    })
}

#[derive(Debug, Default)]
struct Fields<'a> {
    has_server_name: bool,
    server_name: Option<&'a [u8]>,
    alpn: &'a [u8],
    claims_ticket: bool,
}

impl<'a> Fields<'a> {
    /// `None`: a length or a place contradicts another.
    fn read(&mut self, rest: &mut Cursor<'a>, lists: &mut Lists) -> Option<()> {
        lists.legacy_version = rest.number()?;
        let _random = rest.take(32)?;
        let _session = rest.short_list()?;
        lists.take_ciphers(rest.list()?)?;
        let _compressions = rest.short_list()?;
        if rest.is_empty() {
            // A hello without extensions, as old clients send it.
            return Some(());
        }
        let mut extensions = Cursor(rest.list()?);
        while !extensions.is_empty() {
            let kind = extensions.number()?;
            let data = extensions.list()?;
            lists.take_extension(kind);
            self.read_extension(kind, data, lists)?;
        }
        rest.is_empty().then_some(())
    }

    fn read_extension(&mut self, kind: u16, data: &'a [u8], lists: &mut Lists) -> Option<()> {
        let mut rest = Cursor(data);
        match kind {
            SERVER_NAME => {
                self.has_server_name = true;
                let mut names = Cursor(rest.list()?);
                while !names.is_empty() {
                    let is_host = names.byte()? == 0;
                    let name = names.list()?;
                    if is_host && self.server_name.is_none() {
                        self.server_name = Some(name);
                    }
                }
            }
            ALPN => {
                self.alpn = rest.list()?;
                let mut protocols = Cursor(self.alpn);
                while !protocols.is_empty() {
                    protocols.short_list()?;
                }
            }
            SIGNATURE_ALGORITHMS => lists.take_signatures(rest.list()?)?,
            SUPPORTED_VERSIONS => lists.take_versions(rest.short_list()?)?,
            SESSION_TICKET => self.claims_ticket |= !data.is_empty(),
            PRE_SHARED_KEY => self.claims_ticket = true,
            _ => {}
        }
        Some(())
    }
}
