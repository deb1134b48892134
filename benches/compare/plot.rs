//! Curves as SVG files: two panels side by side, a few lines in each.

use std::path::Path;

use plotters::prelude::*;

/// Colours that people with any colour vision tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];

/// What grows to the right, and what that does to two things.
pub(crate) struct Figure {
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) panels: [Panel; 2],
}

/// Lines over one axis, which its title names with the unit.
pub(crate) struct Panel {
    y: &'static str,
    lines: Vec<Line>,
}

/// One line and its name in the legend.
pub(crate) struct Line {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

impl Line {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            points: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, x: u32, y: f64) {
        self.points.push((x.into(), y));
    }
}

impl Panel {
    pub(crate) fn new<const N: usize>(y: &'static str, lines: [Line; N]) -> Self {
        Self { y, lines: lines.into() }
    }
}

impl Figure {
    /// Writes the file.
    pub(crate) fn draw(&self, file: &Path) {
        let root = SVGBackend::new(file, (960, 340)).into_drawing_area();
        root.fill(&WHITE).unwrap();
        let root = root.titled(self.title, ("sans-serif", 20)).unwrap();
        for (panel, area) in self.panels.iter().zip(root.split_evenly((1, 2))) {
            let legend = panel.lines.len() > 1;
            let room = if legend { 1.4 } else { 1.1 };
            let points = || panel.lines.iter().flat_map(|line| &line.points);
            let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
            let mut chart = ChartBuilder::on(&area)
                .caption(panel.y, ("sans-serif", 14))
                .margin(10)
                .x_label_area_size(40)
                .y_label_area_size(56)
                .build_cartesian_2d(0.0..most(|point| point.0) * 1.02, 0.0..most(|point| point.1) * room)
                .unwrap();
            chart
                .configure_mesh()
                .x_desc(self.x)
                .x_label_formatter(&|x| format!("{x:.0}"))
                .light_line_style(TRANSPARENT)
                .label_style(("sans-serif", 13))
                .draw()
                .unwrap();
            for (line, colour) in panel.lines.iter().zip(COLOURS) {
                chart
                    .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)).point_size(3))
                    .unwrap()
                    .label(line.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            }
            if legend {
                chart
                    .configure_series_labels()
                    .position(SeriesLabelPosition::UpperLeft)
                    .background_style(WHITE)
                    .label_font(("sans-serif", 13))
                    .draw()
                    .unwrap();
            }
        }
        root.present().unwrap();
    }
}
