//! Reading codes as a phone does: from pixels, by two decoders that are not ours (zbar, and quircs, which has quirc's algorithm).

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail, ensure};

/// The text of the QR code in an SVG image, drawn by librsvg.
pub fn read_svg_code(svg: &[u8], folder: &Path) -> Result<String> {
    let (drawing, pixels) = (folder.join("code.svg"), folder.join("code.png"));
    fs::write(&drawing, svg)?;
    let drawn = Command::new("rsvg-convert")
        .args(["--width", "600", "--background-color", "white", "--output"])
        .args([&pixels, &drawing])
        .output()
        .context("rsvg-convert is missing: apt-get install librsvg2-bin")?;
    if !drawn.status.success() {
        bail!("the code's image cannot be drawn: {}", String::from_utf8_lossy(&drawn.stderr));
    }
    let by_zbar = read_by_zbar(&pixels)?;
    let by_quircs = read_by_quircs(&fs::read(&pixels)?)?;
    ensure!(by_zbar == by_quircs, "zbar reads {by_zbar}, and quircs {by_quircs}");
    Ok(by_zbar)
}

fn read_by_zbar(pixels: &Path) -> Result<String> {
    let read = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(pixels)
        .output()
        .context("zbarimg is missing: apt-get install zbar-tools")?;
    let text = String::from_utf8(read.stdout)?.trim_end().to_owned();
    if text.is_empty() { bail!("zbar finds no code in {}", pixels.display()) } else { Ok(text) }
}

fn read_by_quircs(png: &[u8]) -> Result<String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut samples = vec![0; reader.output_buffer_size().context("the image is too large")?];
    let frame = reader.next_frame(&mut samples)?;
    // Black and white: the first channel of a pixel is as good as all.
    let pixels: Vec<u8> =
        samples.chunks(frame.color_type.samples()).filter_map(|pixel| pixel.first().copied()).collect();
    let mut decoder = quircs::Quirc::default();
    let mut codes = decoder.identify(frame.width.try_into()?, frame.height.try_into()?, &pixels);
    let code = codes.find_map(|code| code.ok()?.decode().ok()).context("quircs finds no code")?;
    Ok(String::from_utf8(code.payload)?)
}
