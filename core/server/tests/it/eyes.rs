//! QR codes read back from pixels by two decoders that are not ours and have nothing in common: zbar, and quircs (quirc's algorithm).

use std::{fs, process::Command};

/// In which core draws a code.
pub const FORMATS: [&str; 3] = ["svg", "png", "terminal"];

/// What is read on a picture of core's; in a terminal, whether that is dark or light.
pub async fn read_answer(drawn: reqwest::Response, format: &str) -> String {
    assert_eq!(drawn.status(), 200, "{format}");
    let kind = drawn.headers()["content-type"].to_str().unwrap().to_owned();
    let bytes = drawn.bytes().await.unwrap();
    match format {
        "svg" => {
            assert_eq!(kind, "image/svg+xml");
            read(&svg_drawn(&bytes))
        }
        "png" => {
            assert_eq!(kind, "image/png");
            read(&bytes)
        }
        _ => {
            assert_eq!(kind, "text/plain; charset=utf-8");
            let blocks = std::str::from_utf8(&bytes).unwrap();
            assert!(blocks.lines().count() < 24, "it fits a small terminal: {}", blocks.lines().count());
            let [dark, light] =
                [(229, 0), (30, 255)].map(|(ink, paper)| read(&blocks_drawn(blocks, Terminal { ink, paper })));
            assert_eq!(dark, light);
            dark
        }
    }
}

/// What is read on the picture within a page.
pub fn read_page(html: &str) -> String {
    let (_, data) = html.split_once("src=\"data:image/svg+xml;base64,").unwrap();
    let (data, _) = data.split_once('"').unwrap();
    read(&svg_drawn(&data_encoding::BASE64.decode(data.as_bytes()).unwrap()))
}

/// The one text that both read on a PNG.
fn read(png: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("code.png");
    fs::write(&file, png).unwrap();
    let read = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&file).output().expect("zbar-tools");
    let by_zbar = String::from_utf8(read.stdout).unwrap().trim_end().to_owned();
    let (width, pixels) = greys(png);
    let mut decoder = quircs::Quirc::default();
    let codes = decoder.identify(width, pixels.len() / width, &pixels);
    let read: Vec<String> = codes
        .filter_map(|code| code.ok()?.decode().ok())
        .map(|code| String::from_utf8(code.payload).unwrap())
        .collect();
    assert_eq!(read, [by_zbar.as_str()], "quircs and zbar");
    by_zbar
}

fn greys(png: &[u8]) -> (usize, Vec<u8>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut samples).unwrap();
    // Black and white: the first channel of a pixel is as good as all.
    let pixels = samples.chunks(frame.color_type.samples()).map(|pixel| pixel[0]).collect();
    (frame.width.try_into().unwrap(), pixels)
}

/// As librsvg draws it, on white paper.
fn svg_drawn(svg: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (drawing, pixels) = (folder.path().join("code.svg"), folder.path().join("code.png"));
    fs::write(&drawing, svg).unwrap();
    let drawn = Command::new("rsvg-convert")
        .args(["--width", "600", "--background-color", "white", "--output"])
        .args([&pixels, &drawing])
        .output()
        .expect("librsvg2-bin");
    assert!(drawn.status.success(), "{drawn:?}");
    fs::read(pixels).unwrap()
}

/// A terminal's own colours, as greys.
#[derive(Clone, Copy, Debug)]
struct Terminal {
    ink: u8,
    paper: u8,
}

const DOTS: usize = 6;
/// Of the terminal's own, around what is printed.
const MARGIN: usize = 2;

/// As a terminal shows it whose characters are twice as high as they are wide. What it does not know is an error.
fn blocks_drawn(text: &str, terminal: Terminal) -> Vec<u8> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = text.lines().map(|line| halves(line, terminal)).collect();
    let columns = rows.iter().map(|(upper, _)| upper.len()).max().unwrap();
    let empty = || (vec![], vec![]);
    let framed = (0..MARGIN).map(|_| empty()).chain(rows).chain((0..MARGIN).map(|_| empty()));
    let mut pixels = Vec::new();
    for half in framed.flat_map(|(upper, lower)| [upper, lower]) {
        let cell = |x: usize| x.checked_sub(MARGIN).and_then(|x| half.get(x)).copied().unwrap_or(terminal.paper);
        let line: Vec<u8> = (0..columns + 2 * MARGIN).flat_map(|x| [cell(x); DOTS]).collect();
        (0..DOTS).for_each(|_| pixels.extend_from_slice(&line));
    }
    let side = |n: usize| u32::try_from(n).unwrap();
    let width = (columns + 2 * MARGIN) * DOTS;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(width), side(pixels.len() / width));
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

/// The greys of a line's upper and lower halves.
fn halves(line: &str, terminal: Terminal) -> (Vec<u8>, Vec<u8>) {
    let Terminal { mut ink, mut paper } = terminal;
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        if let Some(sequence) = rest.strip_prefix("\x1b[") {
            let (colours, after) = sequence.split_once('m').unwrap();
            (ink, paper) = match colours {
                "0" => (terminal.ink, terminal.paper),
                // xterm's table of 256: 16 is black, 231 white.
                "38;5;231;48;5;16" => (255, 0),
                unknown => panic!("colours {unknown}"),
            };
            rest = after;
            continue;
        }
        let (above, below) = match character {
            ' ' => (paper, paper),
            '▀' => (ink, paper),
            '▄' => (paper, ink),
            '█' => (ink, ink),
            unknown => panic!("{unknown:?} is no block"),
        };
        upper.push(above);
        lower.push(below);
        rest = &rest[character.len_utf8()..];
    }
    (upper, lower)
}
