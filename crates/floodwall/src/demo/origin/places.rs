//! The made-up polling places.

use super::stable_hash::stable_hash;

/// A polling place, as text to be shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) street: &'static str,
    pub(crate) town: &'static str,
    /// How to get in without steps.
    pub(crate) entrance: &'static str,
}

/// The place for `key` and the number of the precinct there.
///
/// The same key always gives the same place; different keys spread evenly.
pub(crate) fn assign(key: &str) -> (&'static Place, String) {
    let hash = stable_hash(key.as_bytes());
    let [first, ..] = &PLACES;
    let number = (hash % PLACES.len() as u64) + 1;
    let place = PLACES.iter().zip(1..).find(|(_, at)| *at == number).map_or(first, |(place, _)| place);
    (place, format!("{number:02}-{:03}", (hash >> 40) % 400 + 1))
}

const fn place(
    name: &'static str,
    street: &'static str,
    town: &'static str,
    entrance: &'static str,
) -> Place {
    Place { name, street, town, entrance }
}

const LEVEL: &str = "Step-free at the main door. Marked parking in front.";
const SIDE: &str = "Step-free at the side door on the left. Follow the blue signs from the parking lot.";
const RAMP: &str = "Ramp to the main door. Marked parking beside it.";
const LIFT: &str = "Step-free at the main door, then the elevator to level 1.";

pub(crate) static PLACES: [Place; 24] = [
    place("Riverside Elementary School, gym", "200 River Road", "Example City", LEVEL),
    place("Central Library, reading room", "15 Capitol Square", "Example City", LIFT),
    place("Fire Station 4", "1120 Oak Street", "Example City", LEVEL),
    place("Eastside Community Center", "88 Maple Avenue", "Example City", RAMP),
    place("Saint Brigid Parish Hall", "402 Chapel Lane", "Example City", SIDE),
    place("Washington High School, cafeteria", "2300 School Street", "Example City", SIDE),
    place("Northgate Senior Center", "51 Elm Court", "Example City", LEVEL),
    place("County Fairgrounds, hall B", "700 Fair Road", "Birchfield", LEVEL),
    place("Birchfield Town Hall", "10 Court Street", "Birchfield", RAMP),
    place("Mill Creek Elementary School", "33 Creek Road", "Mill Creek", SIDE),
    place("Port Sample Maritime Museum", "5 Dock Road", "Port Sample", LEVEL),
    place("Harbor Point Recreation Center", "640 Beach Street", "Port Sample", RAMP),
    place("Dockworkers’ Hall", "18 Anchor Street", "Port Sample", LEVEL),
    place("Lakeview Public Library", "90 Shore Drive", "Lakeview", LEVEL),
    place("Lakeview Middle School, gym", "415 Pine Street", "Lakeview", SIDE),
    place("Grange Hall", "2 County Road 9", "Flatland", RAMP),
    place("Flatland Volunteer Fire House", "27 Main Street", "Flatland", LEVEL),
    place("Prairie View Church, fellowship hall", "1400 Wheat Road", "Prairie View", SIDE),
    place("Prairie View Elementary School", "61 Meadow Lane", "Prairie View", LEVEL),
    place("High Pass Lodge", "208 Ridge Road", "High Pass", RAMP),
    place("Summit County Courthouse, lobby", "1 Summit Square", "High Pass", LIFT),
    place("Cedar Falls Community College, student center", "900 College Drive", "Cedar Falls", LIFT),
    place("Cedar Falls Armory", "320 Armory Way", "Cedar Falls", LEVEL),
    place("Tribal Government Center, council room", "77 Eagle Road", "Two Rivers", LEVEL),
];
