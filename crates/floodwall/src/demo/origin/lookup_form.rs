//! The polling-place form: reading what a visitor sent, and showing the form with or without
//! faults.
//!
//! Limits: a query string of 2,048 bytes, an address of 120 characters.

use super::layout::escape;
use super::percent::percent_decode;

const QUERY_BYTES_MAX: usize = 2048;
const ADDRESS_CHARACTERS_MAX: usize = 120;

const NOTHING: &str = "Enter your house number and street, or your ZIP code.";
const NO_NUMBER: &str = "Start with your house number, for example: 120 Main Street.";
const NO_STREET: &str = "Add your street, for example: 120 Main Street.";
const TOO_LONG: &str = "Use 120 characters or fewer. We need only the house number and street.";
const UNREADABLE: &str = "We could not read this. Please type it again.";
const TWICE: &str = "This was sent twice. Please enter it once.";
const NOT_A_ZIP: &str = "Enter a ZIP code of 5 digits, for example: 00112.";

/// What to look up; at least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookUp {
    /// House number and street, white space collapsed.
    pub(crate) address: Option<String>,
    /// Five digits.
    pub(crate) zip: Option<String>,
}

impl LookUp {
    /// Decides the polling place: upper and lower case and white space make no difference.
    pub(crate) fn key(&self) -> String {
        let address = self.address.as_deref().unwrap_or_default().to_lowercase();
        format!("{address}|{}", self.zip.as_deref().unwrap_or_default())
    }
}

/// One field as it was sent, with what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    /// Text, not HTML.
    pub(crate) sent: String,
    pub(crate) fault: Option<&'static str>,
}

/// The form, empty or as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) address: Field,
    pub(crate) zip: Field,
}

/// Reads the form's query string; fields of other names are passed over.
///
/// # Errors
/// The form with all of its faults, to be shown again.
pub(crate) fn read(query: &str) -> Result<LookUp, Form> {
    let mut form = Form::default();
    if query.len() > QUERY_BYTES_MAX {
        form.address.fault = Some(TOO_LONG);
        return Err(form);
    }
    let (mut address, mut zip) = (None, None);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (seen, field) = match name {
            "address" => (&mut address, &mut form.address),
            "zip" => (&mut zip, &mut form.zip),
            _ => continue,
        };
        if seen.replace(()).is_some() {
            field.fault = Some(TWICE);
        } else {
            match decode(value) {
                Some(text) => field.sent = text,
                None => field.fault = Some(UNREADABLE),
            }
        }
    }
    check(form)
}

fn check(mut form: Form) -> Result<LookUp, Form> {
    let address = checked(&mut form.address, address_fault, ToOwned::to_owned);
    let zip = checked(&mut form.zip, zip_fault, |zip| zip.chars().take(5).collect());
    if form.address.fault.is_some() || form.zip.fault.is_some() {
        return Err(form);
    }
    if address.is_none() && zip.is_none() {
        form.address.fault = Some(NOTHING);
        return Err(form);
    }
    Ok(LookUp { address, zip })
}

fn checked(
    field: &mut Field,
    fault: fn(&str) -> Option<&'static str>,
    normal: impl Fn(&str) -> String,
) -> Option<String> {
    if field.fault.is_some() || field.sent.is_empty() {
        return None;
    }
    field.fault = fault(&field.sent);
    Some(normal(&field.sent))
}

fn address_fault(address: &str) -> Option<&'static str> {
    if address.chars().count() > ADDRESS_CHARACTERS_MAX {
        Some(TOO_LONG)
    } else if !address.starts_with(|first: char| first.is_ascii_digit()) {
        Some(NO_NUMBER)
    } else if !address.contains(char::is_alphabetic) {
        Some(NO_STREET)
    } else {
        None
    }
}

/// Five digits, or five and four: `00112`, `00112-0034`.
fn zip_fault(zip: &str) -> Option<&'static str> {
    let all_digits =
        |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = match zip.split_once(['-', ' ']) {
        Some((five, four)) => all_digits(five, 5) && all_digits(four, 4),
        None => all_digits(zip, 5),
    };
    (!fits).then_some(NOT_A_ZIP)
}

/// One value of `application/x-www-form-urlencoded` with its white space collapsed; `None` where
/// it is not UTF-8 or holds control characters.
fn decode(value: &str) -> Option<String> {
    let text = String::from_utf8(percent_decode(&value.replace('+', " "))?).ok()?;
    let collapsed = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!collapsed.contains(char::is_control)).then_some(collapsed)
}

/// The inside of `<main>`: the form, after a summary of its faults if it has any.
pub(crate) fn render(form: &Form) -> String {
    format!(
        include_str!("../site/polling-place.html"),
        faults = summary(form),
        address = escape(&form.address.sent),
        address_fault = fault_text("address", &form.address),
        address_state = state("address", &form.address),
        zip = escape(&form.zip.sent),
        zip_fault = fault_text("zip", &form.zip),
        zip_state = state("zip", &form.zip),
    )
}

fn summary(form: &Form) -> String {
    let entries: String = [("address", &form.address), ("zip", &form.zip)]
        .into_iter()
        .filter_map(|(id, field)| {
            field.fault.map(|fault| format!("<li><a href=\"#{id}\">{fault}</a></li>\n"))
        })
        .collect();
    if entries.is_empty() {
        return String::new();
    }
    format!(
        "<div class=\"faults\" role=\"alert\" aria-labelledby=\"faults\">\n<h2 id=\"faults\">There is a problem</h2>\n\
         <ul>\n{entries}</ul>\n</div>\n"
    )
}

fn fault_text(id: &str, field: &Field) -> String {
    field.fault.map_or_else(String::new, |fault| {
        format!("<span class=\"fault\" id=\"{id}-fault\">Error: {fault}</span>\n")
    })
}

fn state(id: &str, field: &Field) -> String {
    match field.fault {
        Some(_) => format!(" aria-describedby=\"{id}-hint {id}-fault\" aria-invalid=\"true\""),
        None => format!(" aria-describedby=\"{id}-hint\""),
    }
}
