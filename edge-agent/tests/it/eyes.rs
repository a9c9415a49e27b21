//! QR codes read back from pixels by two decoders that are not ours and have nothing in common: zbar, and quircs (quirc's algorithm).

use std::process::Command;

/// The one text that both read on a PNG.
pub fn read(png: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    std::fs::write(&path, png).unwrap();
    let output = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(&path)
        .output()
        .unwrap_or_else(|error| panic!("install zbarimg (Debian: apt-get install zbar-tools): {error}"));
    let by_zbar = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut samples).unwrap();
    // Black and white: the first channel of a pixel is as good as all.
    let pixels: Vec<u8> = samples.chunks(frame.color_type.samples()).map(|pixel| pixel[0]).collect();
    let mut decoder = quircs::Quirc::default();
    let found = decoder.identify(frame.width.try_into().unwrap(), frame.height.try_into().unwrap(), &pixels);
    let read: Vec<String> = found
        .filter_map(|code| code.ok()?.decode().ok())
        .map(|code| String::from_utf8(code.payload).unwrap())
        .collect();
    assert_eq!(read, [by_zbar.as_str()], "quircs and zbar");
    by_zbar
}
