//! QR codes as pictures (ISO/IEC 18004): for pages, for printing, and for a shell that has nothing but characters.

use actix_web::{HttpResponse, http::header};
use qrcode::{
    Color, EcLevel, QrCode,
    render::{svg, unicode::Dense1x2},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::problem::{INVALID, Problem};

/// Modules of white around a code (ISO/IEC 18004, section 5.3.8).
const QUIET_MODULES: usize = 4;
/// Of a module on paper: a code of 33 modules is then 656 pixels wide, 5.5 cm at 300 dots an inch.
const MODULE_PIXELS: usize = 16;
/// White on black as fixed colours of a terminal's 256 (ECMA-48, SGR): what its own are, light or dark, is then no matter.
const WHITE_ON_BLACK: &str = "\x1b[38;5;231;48;5;16m";
const OWN_COLOURS: &str = "\x1b[0m";

/// In which form a picture is wanted.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PictureFormat {
    Svg,
    Png,
    /// Half-block characters in UTF-8 with ANSI colours: what `curl` shows in a terminal can be scanned there.
    Terminal,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PictureQuery {
    /// `svg` without it.
    #[param(inline)]
    format: Option<PictureFormat>,
}

impl PictureQuery {
    /// The text as a code, in the form that was asked for.
    ///
    /// # Errors
    /// `INVALID` for a text that is too long, `INTERNAL`.
    pub fn answer(&self, text: &str) -> Result<HttpResponse, Problem> {
        let (content_type, bytes) = match self.format.unwrap_or(PictureFormat::Svg) {
            PictureFormat::Svg => ("image/svg+xml", to_svg(text)?.into_bytes()),
            PictureFormat::Png => ("image/png", to_png(text)?),
            PictureFormat::Terminal => ("text/plain; charset=utf-8", to_blocks(text)?.into_bytes()),
        };
        Ok(HttpResponse::Ok()
            .content_type(content_type)
            .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CACHE_CONTROL, "private, no-cache"))
            .body(bytes))
    }
}

fn code(text: &str, level: EcLevel) -> Result<QrCode, Problem> {
    QrCode::with_error_correction_level(text, level)
        .map_err(|error| Problem::new(INVALID, format!("This cannot be drawn as a code: {error}.")))
}

/// For paper, which may be dirty or bent: a quarter of it may be lost (level Q).
fn to_svg(text: &str) -> Result<String, Problem> {
    Ok(code(text, EcLevel::Q)?.render::<svg::Color<'_>>().min_dimensions(600, 600).build())
}

/// For paper as well.
fn to_png(text: &str) -> Result<Vec<u8>, Problem> {
    let code = code(text, EcLevel::Q)?;
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

/// Two modules a character, one above the other. The least correction (level L), since a screen loses nothing and has few lines: a pay
/// code's address takes 19 of 24.
///
/// The light modules are the characters: where the colours get lost, it is right on a dark terminal and inverted on a light one.
fn to_blocks(text: &str) -> Result<String, Problem> {
    let drawing = code(text, EcLevel::L)?
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .module_dimensions(1, 1)
        .build();
    Ok(drawing.lines().map(|line| format!("{WHITE_ON_BLACK}{line}{OWN_COLOURS}\n")).collect())
}

/// A code as an image's address within a page; nothing for a text that is too long.
pub fn data_url(text: &str) -> Option<String> {
    let svg = QrCode::new(text).ok()?.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    Some(format!("data:image/svg+xml;base64,{}", data_encoding::BASE64.encode(svg.as_bytes())))
}
