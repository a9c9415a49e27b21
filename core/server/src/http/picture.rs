//! QR codes as pictures (ISO/IEC 18004), for pages and for printing.

use qrcode::{Color, EcLevel, QrCode, render::svg};

use super::problem::{INVALID, Problem};

/// Modules of white around a code (ISO/IEC 18004, section 5.3.8).
const QUIET_MODULES: usize = 4;
/// Of a module on paper: a code of 33 modules is then 656 pixels wide, 5.5 cm at 300 dots an inch.
const MODULE_PIXELS: usize = 16;

/// A code for paper, which may be dirty or bent: a quarter of it may be lost (level Q).
///
/// # Errors
/// `INVALID` for a text that is too long.
fn code(text: &str) -> Result<QrCode, Problem> {
    QrCode::with_error_correction_level(text, EcLevel::Q)
        .map_err(|error| Problem::new(INVALID, format!("This cannot be drawn as a code: {error}.")))
}

/// # Errors
/// `INVALID` for a text that is too long.
pub fn to_svg(text: &str) -> Result<String, Problem> {
    Ok(code(text)?.render::<svg::Color<'_>>().min_dimensions(600, 600).build())
}

/// # Errors
/// `INVALID` for a text that is too long, `INTERNAL`.
pub fn to_png(text: &str) -> Result<Vec<u8>, Problem> {
    let code = code(text)?;
    let modules = code.width();
    let side = (modules + 2 * QUIET_MODULES) * MODULE_PIXELS;
    let is_dark = |x: usize, y: usize| {
        let module = |at: usize| (at / MODULE_PIXELS).checked_sub(QUIET_MODULES).filter(|module| *module < modules);
        matches!((module(x), module(y)), (Some(x), Some(y)) if code[(x, y)] == Color::Dark)
    };
    let pixels: Vec<u8> = (0..side * side).map(|at| if is_dark(at % side, at / side) { 0 } else { u8::MAX }).collect();
    let side = u32::try_from(side).map_err(|error| Problem::internal(&error))?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|error| Problem::internal(&error))?;
    Ok(bytes)
}

/// A code as an image's address within a page; nothing for a text that is too long.
pub fn data_url(text: &str) -> Option<String> {
    let svg = QrCode::new(text).ok()?.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    Some(format!("data:image/svg+xml;base64,{}", data_encoding::BASE64.encode(svg.as_bytes())))
}
