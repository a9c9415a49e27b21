//! Reading codes as a phone does: by a decoder that is not ours (zbar), from pixels.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

/// The text of the QR code in an SVG image, drawn by librsvg and read by zbar.
pub fn read_svg_code(svg: &[u8], folder: &Path) -> Result<String> {
    let (drawing, pixels) = (folder.join("code.svg"), folder.join("code.png"));
    std::fs::write(&drawing, svg)?;
    let drawn = Command::new("rsvg-convert")
        .args(["--width", "600", "--background-color", "white", "--output"])
        .args([&pixels, &drawing])
        .output()
        .context("rsvg-convert is missing: apt-get install librsvg2-bin")?;
    if !drawn.status.success() {
        bail!("the code's image cannot be drawn: {}", String::from_utf8_lossy(&drawn.stderr));
    }
    read_png_code(&pixels)
}

/// The text of the QR code in a PNG file, read by zbar.
pub fn read_png_code(pixels: &Path) -> Result<String> {
    let read = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(pixels)
        .output()
        .context("zbarimg is missing: apt-get install zbar-tools")?;
    let text = String::from_utf8(read.stdout)?.trim_end().to_owned();
    if text.is_empty() { bail!("zbar finds no code in {}", pixels.display()) } else { Ok(text) }
}
