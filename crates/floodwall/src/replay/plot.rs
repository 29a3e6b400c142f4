//! The traffic as a picture (SVG): what came, the band of what was expected, and the episodes.
//!
//! It says the same in words in its `<desc>`; the table beside it is in the text that is printed.
//! Colours are apart in lightness too, and every mark has a name in the legend.

use std::fmt::Write;

use super::outcome::Outcome;
use super::series::{Bin, Series};
use super::words::{counted, minute, rate, span, time, to_f64};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 380.0;
/// The drawing area: left, top, right, bottom.
const LEFT: f64 = 70.0;
const TOP: f64 = 56.0;
const RIGHT: f64 = 915.0;
const BOTTOM: f64 = 320.0;

/// Marks on the time axis, about.
const TIME_MARKS: i64 = 6;

/// Places in the drawing.
struct Scale {
    first_s: f64,
    last_s: f64,
    most: f64,
}

impl Scale {
    fn of(series: &Series) -> Self {
        let length = i64::try_from(series.bins().len()).unwrap_or(1).max(1);
        let first_s = series.first_s();
        let highest = |bin: &Bin| mean(series, bin).max(bin.band().map_or(0.0, |(_, high)| high));
        let most = series.bins().iter().map(highest).fold(0.0, f64::max);
        Self {
            first_s: seconds(first_s),
            last_s: seconds(first_s + length * series.bin_s()),
            most: rounded_up(most),
        }
    }

    fn x(&self, unix_s: f64) -> f64 {
        let part = (unix_s - self.first_s) / (self.last_s - self.first_s).max(1.0);
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn y(&self, per_second: f64) -> f64 {
        BOTTOM - (per_second / self.most).clamp(0.0, 1.0) * (BOTTOM - TOP)
    }
}

/// The picture; empty of traffic where there was none.
pub(super) fn svg(outcome: &Outcome) -> String {
    let series = &outcome.series;
    let scale = Scale::of(series);
    let mut svg = String::new();
    // Writing to a string does not fail.
    let _ = head(&mut svg, outcome);
    let _ = axes(&mut svg, series, &scale);
    let _ = episodes(&mut svg, outcome, &scale);
    let _ = traffic(&mut svg, series, &scale);
    let _ = legend(&mut svg);
    svg.push_str("</svg>\n");
    svg
}

type Written = std::fmt::Result;

fn head(svg: &mut String, outcome: &Outcome) -> Written {
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-labelledby=\"title desc\" font-family=\"sans-serif\" font-size=\"12\">"
    )?;
    writeln!(svg, "<title id=\"title\">Requests a second, and what was expected</title>")?;
    writeln!(svg, "<desc id=\"desc\">{}</desc>", words(outcome))?;
    writeln!(svg, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>")
}

/// The picture in words.
fn words(outcome: &Outcome) -> String {
    let Some((first, last)) = outcome.span_micros else { return "There were no requests.".to_owned() };
    let series = &outcome.series;
    let fullest = series.bins().iter().zip(0_i64..).max_by_key(|(bin, _)| bin.requests);
    let mut words =
        format!("{} from {} to {} UTC.", counted(outcome.requests, "request"), time(first), time(last));
    if let Some((bin, place)) = fullest {
        let from = minute(series.first_s() + place * series.bin_s());
        let _ = write!(
            words,
            " The fullest step, from {from} on, had {}, {} a second.",
            counted(bin.requests, "request"),
            rate(mean(series, bin))
        );
    }
    match outcome.detected.episodes.len() {
        0 => words.push_str(" Nothing was out of the ordinary."),
        number => {
            let _ = write!(words, " {}:", counted(u64::try_from(number).unwrap_or(0), "episode"));
            for episode in &outcome.detected.episodes {
                let _ = write!(
                    words,
                    " {} from {} UTC;",
                    episode.verdict.as_str(),
                    time(episode.onset_s.saturating_mul(1_000_000))
                );
            }
        }
    }
    words
}

fn axes(svg: &mut String, series: &Series, scale: &Scale) -> Written {
    for part in 0..=4 {
        let value = scale.most * f64::from(part) / 4.0;
        let y = scale.y(value);
        writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" stroke=\"#d0d0d0\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#222222\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            rate(value)
        )?;
    }
    let bins = i64::try_from(series.bins().len()).unwrap_or(0);
    let every = (bins / TIME_MARKS).max(1);
    for place in (0..=bins).filter(|place| place % every == 0) {
        let unix_s = series.first_s() + place * series.bin_s();
        let x = scale.x(seconds(unix_s));
        let text = minute(unix_s);
        let (day, clock) = text.split_once(' ').unwrap_or((&text, ""));
        writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{BOTTOM}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#222222\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#222222\">{clock}</text>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#222222\">{day}</text>",
            BOTTOM + 5.0,
            BOTTOM + 20.0,
            BOTTOM + 35.0
        )?;
    }
    writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.1}\" fill=\"#222222\">requests a second, means of {}</text>",
        TOP - 12.0,
        span(series.bin_s().saturating_mul(1_000_000))
    )
}

fn episodes(svg: &mut String, outcome: &Outcome, scale: &Scale) -> Written {
    for (episode, number) in outcome.detected.episodes.iter().zip(1_u32..) {
        let from = scale.x(seconds(episode.onset_s));
        let end = episode.end_s.map_or(scale.last_s, seconds);
        // A minute of a year is still to be seen.
        let width = (scale.x(end) - from).max(2.0);
        writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"#f2b6a0\"/>\
             <text x=\"{from:.1}\" y=\"{:.1}\" fill=\"#7a1f00\">{number}. {}</text>",
            BOTTOM - TOP,
            TOP + 12.0 + 14.0 * f64::from((number - 1) % 3),
            episode.verdict.as_str()
        )?;
    }
    Ok(())
}

fn traffic(svg: &mut String, series: &Series, scale: &Scale) -> Written {
    let middle = |place: i64| {
        let from = series.first_s() + place * series.bin_s();
        scale.x(seconds(from) + seconds(series.bin_s()) / 2.0)
    };
    let (mut low, mut high, mut line) = (Vec::new(), Vec::new(), Vec::new());
    for (bin, place) in series.bins().iter().zip(0_i64..) {
        let x = middle(place);
        line.push(format!("{x:.1},{:.1}", scale.y(mean(series, bin))));
        if let Some((least, most)) = bin.band() {
            low.push(format!("{x:.1},{:.1}", scale.y(least)));
            high.push(format!("{x:.1},{:.1}", scale.y(most)));
        }
    }
    if !high.is_empty() {
        let shape = high.iter().chain(low.iter().rev()).map(String::as_str).collect::<Vec<_>>().join(" ");
        writeln!(svg, "<polygon points=\"{shape}\" fill=\"#9ecae1\" fill-opacity=\"0.7\"/>")?;
    }
    let points = line.join(" ");
    writeln!(svg, "<polyline points=\"{points}\" fill=\"none\" stroke=\"#08306b\" stroke-width=\"1.5\"/>")
}

fn legend(svg: &mut String) -> Written {
    writeln!(
        svg,
        "<g fill=\"#222222\">\
         <line x1=\"560\" y1=\"20\" x2=\"584\" y2=\"20\" stroke=\"#08306b\" stroke-width=\"2\"/><text x=\"590\" y=\"24\">traffic</text>\
         <rect x=\"650\" y=\"13\" width=\"24\" height=\"14\" fill=\"#9ecae1\"/><text x=\"680\" y=\"24\">expected</text>\
         <rect x=\"760\" y=\"13\" width=\"24\" height=\"14\" fill=\"#f2b6a0\"/><text x=\"790\" y=\"24\">episode</text></g>"
    )
}

/// Requests a second in a bin.
fn mean(series: &Series, bin: &Bin) -> f64 {
    to_f64(bin.requests) / seconds(series.bin_s()).max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "seconds of any calendar are far below 2^53")]
fn seconds(unix_s: i64) -> f64 {
    unix_s as f64
}

/// The next of 1, 2, 4, 5, 8, 10, ... at or above a value: quarters of it are round enough.
fn rounded_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10.0_f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 5.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= value)
        .unwrap_or(value)
}
