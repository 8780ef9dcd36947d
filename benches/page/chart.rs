//! A drawing of one group: a band for each figure, in it a point for each subject at its median, and a line from one quartile to
//! the other; along a scale on which each step is ten times the one before.
//!
//! It is white behind, so that it can be read wherever it is shown. It never draws what was not measured.

use std::path::Path;

use globe_bench::{Done, Record, Subject, Unit};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// In pixels: the names of the figures, the scale, what is left free on its right; a line of the legend, what is around a band,
/// the place of a subject in it, and what is below all.
const NAMES: i32 = 270;
const SCALE: i32 = 640;
const MARGIN: i32 = 40;
const LEGEND: i32 = 22;
const AROUND: i32 = 4;
const PLACE: i32 = 6;
const BELOW: i32 = 34;

/// How many subjects a line of the legend names.
const ABREAST: usize = 4;

/// Ours is the first; all can be told from each other by those who see few colours, and on white.
const COLOURS: [RGBColor; 8] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
    RGBColor(120, 60, 160),
];
const BAND: RGBColor = RGBColor(245, 245, 245);
const LINE: RGBColor = RGBColor(205, 205, 205);

/// Draws these records, which have the same subjects, into a file.
pub(crate) fn draw(file: &Path, records: &[&Record]) -> Done {
    let Some(first) = records.first() else {
        return Ok(());
    };
    let chart = Chart::of(records, first);
    let size = (NAMES + SCALE + MARGIN, chart.bottom() + BELOW);
    let size = (size.0.unsigned_abs(), size.1.unsigned_abs());
    let area = SVGBackend::new(file, size).into_drawing_area();
    area.fill(&WHITE)?;
    chart.legend(&area, &first.subjects)?;
    for (place, record) in records.iter().enumerate() {
        chart.band(&area, place as i32, record)?;
    }
    chart.scale(&area, first.unit)?;
    for (place, record) in records.iter().enumerate() {
        chart.points(&area, place as i32, record)?;
    }
    Ok(area.present()?)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Where everything stands.
struct Chart {
    bands: i32,
    subjects: i32,
    /// The powers of ten at both ends of the scale.
    from: i32,
    to: i32,
}

impl Chart {
    fn of(records: &[&Record], first: &Record) -> Chart {
        let subjects = records.iter().flat_map(|record| &record.subjects);
        let is_shown = |amount: &f64| amount.is_finite() && *amount > 0.0;
        let ends = subjects.flat_map(|subject| [subject.spread.low, subject.spread.high]);
        let powers: Vec<f64> = ends.filter(is_shown).map(f64::log10).collect();
        let least = powers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = powers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (from, to) = (least.floor() as i32, most.ceil() as i32);
        Chart {
            bands: records.len() as i32,
            subjects: first.subjects.len() as i32,
            from,
            to: to.max(from + 1),
        }
    }

    fn top(&self) -> i32 {
        let lines = (self.subjects as usize).div_ceil(ABREAST) as i32;
        lines * LEGEND + 2 * AROUND
    }

    fn band_height(&self) -> i32 {
        // A name fits in, also where it stands beside a single point.
        (self.subjects * PLACE + 2 * AROUND).max(18)
    }

    fn bottom(&self) -> i32 {
        self.top() + self.bands * self.band_height()
    }

    /// How far from the left an amount stands.
    fn across(&self, amount: f64) -> i32 {
        let powers = f64::from(self.to - self.from);
        let power = amount.log10() - f64::from(self.from);
        NAMES + (power / powers * f64::from(SCALE)).round() as i32
    }

    fn legend(&self, area: &Area, subjects: &[Subject]) -> Done {
        for (place, subject) in subjects.iter().enumerate() {
            let (column, line) = ((place % ABREAST) as i32, (place / ABREAST) as i32);
            let left = 20 + column * (NAMES + SCALE) / ABREAST as i32;
            let middle = AROUND + LEGEND / 2 + line * LEGEND;
            let name = subject.name.replace('`', "");
            area.draw(&Circle::new((left, middle), 4, colour(place).filled()))?;
            area.draw(&Text::new(name, (left + 10, middle), text(13, HPos::Left)))?;
        }
        Ok(())
    }

    fn band(&self, area: &Area, place: i32, record: &Record) -> Done {
        let top = self.top() + place * self.band_height();
        if place % 2 == 0 {
            let corners = [(0, top), (NAMES + SCALE + MARGIN, top + self.band_height())];
            area.draw(&Rectangle::new(corners, BAND.filled()))?;
        }
        let beside = (NAMES - 12, top + self.band_height() / 2);
        let figure = record.figure.replace('`', "");
        Ok(area.draw(&Text::new(figure, beside, text(12, HPos::Right)))?)
    }

    fn scale(&self, area: &Area, unit: Unit) -> Done {
        for power in self.from..=self.to {
            let amount = 10_f64.powi(power);
            let across = self.across(amount);
            let line = vec![(across, self.top()), (across, self.bottom() + 6)];
            area.draw(&PathElement::new(line, LINE))?;
            let below = (across, self.bottom() + 16);
            area.draw(&Text::new(unit.show(amount), below, text(12, HPos::Center)))?;
        }
        Ok(())
    }

    fn points(&self, area: &Area, place: i32, record: &Record) -> Done {
        let top = self.top() + place * self.band_height();
        let free = (self.band_height() - self.subjects * PLACE) / 2;
        for (place, subject) in record.subjects.iter().enumerate() {
            let spread = subject.spread;
            if !(spread.low > 0.0 && spread.high.is_finite()) {
                continue;
            }
            let down = top + free + place as i32 * PLACE + PLACE / 2;
            let line = vec![
                (self.across(spread.low), down),
                (self.across(spread.high), down),
            ];
            let middle = (self.across(spread.median), down);
            let colour = colour(place);
            area.draw(&PathElement::new(line, colour.stroke_width(2)))?;
            area.draw(&Circle::new(middle, 3, colour.filled()))?;
        }
        Ok(())
    }
}

fn colour(subject: usize) -> RGBColor {
    COLOURS[subject % COLOURS.len()]
}

fn text(size: i32, side: HPos) -> TextStyle<'static> {
    let place = Pos::new(side, VPos::Center);
    ("sans-serif", size).into_font().color(&BLACK).pos(place)
}
