//! The paper, drawn: as text and as a picture.

use super::{
    escpos::{COLUMN_DOTS, LINE_DOTS},
    paper::{Cell, Mark, Picture},
};
use crate::{peripherals::Rendering, receipt::Align};

/// Pixels of the picture per dot of the paper. The font's glyphs are 8 × 16, a column of the printer 12 × 24 dots: at two
/// pixels a dot each pixel of a glyph is exactly three of the picture.
const PIXELS_PER_DOT: u32 = 2;
const PIXELS_PER_GLYPH_PIXEL: u32 = 3;
/// White at the paper's two sides: rolls of 58 mm print on 48.
const MARGIN_DOTS: u32 = 32;
/// Longest slip that is drawn, 2.5 m; what is below is not.
const HEIGHT_DOTS_MAX: u32 = 20_000;

/// Draws `slip` as `width_dots` of paper.
///
/// # Errors
/// If the picture cannot be encoded; never seen.
pub(super) fn render(slip: &[Mark], width_dots: u32) -> Result<Rendering, png::EncodingError> {
    Ok(Rendering { text: text(slip, width_dots), png: picture(slip, width_dots)? })
}

fn text(slip: &[Mark], width_dots: u32) -> String {
    let mut text = String::new();
    for mark in slip {
        match mark {
            Mark::Line { cells, align } => {
                let indent = left_dots(cells.iter().map(Cell::width_dots).sum(), *align, width_dots) / COLUMN_DOTS;
                let line: String = (0..indent).map(|_| ' ').chain(cells.iter().map(|cell| cell.character)).collect();
                text.push_str(line.trim_end());
                text.push('\n');
            }
            Mark::Picture { qr_text: Some(qr_text), .. } => text.push_str(&format!("[QR code: {qr_text}]\n")),
            Mark::Picture { picture, .. } => {
                text.push_str(&format!("[picture of {} × {} dots]\n", picture.width_dots, picture.height_dots));
            }
            Mark::Blank { dots } => (0..dots / LINE_DOTS).for_each(|_| text.push('\n')),
            Mark::Cut => text.push_str("- - - - cut - - - -\n"),
        }
    }
    text
}

fn left_dots(used: u32, align: Align, width_dots: u32) -> u32 {
    let space = width_dots.saturating_sub(used);
    match align {
        Align::Left => 0,
        Align::Centre => space / 2,
        Align::Right => space,
    }
}

fn height_dots(mark: &Mark) -> u32 {
    match mark {
        Mark::Line { cells, .. } => cells.iter().map(Cell::height_dots).fold(LINE_DOTS, u32::max),
        Mark::Picture { picture, .. } => picture.height_dots,
        Mark::Blank { dots } => *dots,
        // From the print head to the cutter.
        Mark::Cut => 2 * LINE_DOTS,
    }
}

fn picture(slip: &[Mark], width_dots: u32) -> Result<Vec<u8>, png::EncodingError> {
    let height = slip.iter().map(height_dots).fold(MARGIN_DOTS, u32::saturating_add).min(HEIGHT_DOTS_MAX);
    let mut canvas = Canvas::new((width_dots + 2 * MARGIN_DOTS) * PIXELS_PER_DOT, height * PIXELS_PER_DOT);
    let mut top = MARGIN_DOTS;
    for mark in slip {
        let height = height_dots(mark);
        match mark {
            Mark::Line { cells, align } => {
                let mut left = MARGIN_DOTS + left_dots(cells.iter().map(Cell::width_dots).sum(), *align, width_dots);
                let highest = cells.iter().map(Cell::height_dots).max().unwrap_or_default();
                // Characters of different heights stand on one line, in the middle of what the line takes.
                let baseline = top + (height - highest) / 2 + highest;
                for cell in cells {
                    canvas.cell(cell, left, baseline - cell.height_dots());
                    left += cell.width_dots();
                }
            }
            Mark::Picture { picture, align, .. } => {
                canvas.picture(picture, MARGIN_DOTS + left_dots(picture.width_dots, *align, width_dots), top);
            }
            Mark::Blank { .. } | Mark::Cut => {}
        }
        top = top.saturating_add(height);
    }
    canvas.png()
}

/// One bit a pixel, 1 is white, as PNG has it.
struct Canvas {
    width: u32,
    height: u32,
    rows: Vec<u8>,
}

impl Canvas {
    fn new(width: u32, height: u32) -> Self {
        let len = usize::try_from(width.div_ceil(8)).unwrap_or(0) * usize::try_from(height).unwrap_or(0);
        Self { width, height, rows: vec![0xff; len] }
    }

    /// Blackens a square of `size` pixels; what is outside the paper is nowhere.
    fn blacken(&mut self, left: u32, top: u32, size: u32) {
        for y in top..top.saturating_add(size).min(self.height) {
            for x in left..left.saturating_add(size).min(self.width) {
                let at = u64::from(y) * u64::from(self.width.div_ceil(8)) + u64::from(x / 8);
                if let Some(byte) = usize::try_from(at).ok().and_then(|at| self.rows.get_mut(at)) {
                    *byte &= !(0x80 >> (x % 8));
                }
            }
        }
    }

    /// `left` and `top` in dots of the paper.
    fn cell(&mut self, cell: &Cell, left: u32, top: u32) {
        // A character that the font lacks is a box, as on paper.
        let Some(glyph) = unifont::get_glyph(cell.character).or_else(|| unifont::get_glyph('□')) else { return };
        let glyph_columns = u32::try_from(glyph.get_width()).unwrap_or(8) / 8;
        // The printer's two-byte font gives two columns to some characters that are narrow in ours.
        let indent = cell.columns.saturating_sub(glyph_columns) * 4;
        let bold = if cell.bold { 1 } else { 0 };
        for y in 0..16_u8 {
            for x in 0..16_u8 {
                if !glyph.get_pixel(usize::from(x), usize::from(y)) {
                    continue;
                }
                let across = (indent + u32::from(x)) * PIXELS_PER_GLYPH_PIXEL * cell.times_wide;
                let down = u32::from(y) * PIXELS_PER_GLYPH_PIXEL * cell.times_high;
                for i in 0..cell.times_wide {
                    for j in 0..cell.times_high {
                        let left = left * PIXELS_PER_DOT + across + i * PIXELS_PER_GLYPH_PIXEL;
                        let top = top * PIXELS_PER_DOT + down + j * PIXELS_PER_GLYPH_PIXEL;
                        self.blacken(left, top, PIXELS_PER_GLYPH_PIXEL + bold);
                    }
                }
            }
        }
    }

    fn picture(&mut self, picture: &Picture, left: u32, top: u32) {
        for (dots, y) in picture.dots.chunks(usize::try_from(picture.width_dots.max(1)).unwrap_or(1)).zip(top..) {
            for (_, x) in dots.iter().zip(left..).filter(|(black, _)| **black) {
                self.blacken(x * PIXELS_PER_DOT, y * PIXELS_PER_DOT, PIXELS_PER_DOT);
            }
        }
    }

    fn png(self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rows)?;
        writer.finish()?;
        Ok(bytes)
    }
}
