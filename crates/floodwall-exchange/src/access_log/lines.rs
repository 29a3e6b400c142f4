//! Pieces of a line: cut at a byte, quoted, a number, an address.

use std::net::{IpAddr, Ipv4Addr};

use memchr::{memchr, memchr2, memrchr};

/// What stands before and after the first `byte`.
pub(super) fn cut(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr(byte, text)?)?;
    Some((before, rest.get(1..)?))
}

/// What stands before and after the last `byte`.
pub(super) fn cut_last(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memrchr(byte, text)?)?;
    Some((before, rest.get(1..)?))
}

/// The first word and what follows the spaces or tabs after it.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    match memchr2(b' ', b'\t', text).and_then(|at| text.split_at_checked(at)) {
        Some((word, rest)) => (word, rest.trim_ascii_start()),
        None => (text, b""),
    }
}

/// The inside of a quoted text whose opening quote was read, escapes as they are, and what follows.
pub(super) fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        let (inside, rest) = text.split_at_checked(at)?;
        match rest {
            [b'"', after @ ..] => return Some((inside, after)),
            _ => from = at + 2,
        }
    }
}

/// A text, or `None` where `-` or nothing stands for it.
pub(super) fn given(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty() && text != b"-").then_some(text)
}

/// A whole number without sign.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| sum * 10 + u64::from(digit))
    })
}

/// A status: three digits.
pub(super) fn status(text: &[u8]) -> Option<u16> {
    let number = number(text)?;
    (text.len() == 3 && number >= 100).then(|| u16::try_from(number).ok()).flatten()
}

/// Seconds with a decimal fraction, in microseconds.
pub(super) fn seconds(text: &[u8]) -> Option<u64> {
    let (whole, fraction) = cut(text, b'.').unwrap_or((text, b""));
    number(whole)?.checked_mul(1_000_000)?.checked_add(fraction_micros(fraction)?)
}

/// The digits of a fraction of a second, in microseconds; what is finer is left out.
pub(super) fn fraction_micros(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return Some(0);
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let kept = digits.get(..6).unwrap_or(digits);
    let power = 6_u32.checked_sub(u32::try_from(kept.len()).ok()?)?;
    Some(number(kept)? * 10_u64.pow(power))
}

/// An address: bare, with a port (`192.0.2.1:4711`, `[2001:db8::1]:4711`), or with a zone.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    if let Some(v4) = dotted(text) {
        return Some(IpAddr::V4(v4));
    }
    let bare = match text {
        [b'[', inside @ ..] => cut(inside, b']')?.0,
        _ => text,
    };
    let bare = cut(bare, b'%').map_or(bare, |(address, _zone)| address);
    // The longest text of an address has 45 letters (RFC 4291, section 2.2, form 3).
    if bare.len() > 45 {
        return None;
    }
    let parse = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<IpAddr>().ok();
    parse(bare)
        .or_else(|| {
            cut_last(bare, b':').and_then(|(host, port)| {
                number(port)?;
                dotted(host).map(IpAddr::V4)
            })
        })
        .map(|address| address.to_canonical())
}

/// `192.0.2.1` and nothing else.
fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    if text.len() > 15 {
        return None;
    }
    let (mut octets, mut octet, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 => {
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && octet < 256 && dots < 3 => {
                octets = octets << 8 | octet;
                (octet, digits, dots) = (0, 0, dots + 1);
            }
            _ => return None,
        }
    }
    (digits > 0 && octet < 256 && dots == 3).then(|| Ipv4Addr::from(octets << 8 | octet))
}
