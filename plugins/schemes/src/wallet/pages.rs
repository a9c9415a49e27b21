//! The wallet's pages: plain HTML, CSS and JavaScript, no request to anywhere else. The texts, in both languages, are in
//! `text.js`.

use qrcode::{EcLevel, QrCode, render::svg, types::QrError};

pub const WALLET: &str = include_str!("pages/wallet.html");
pub const PAY: &str = include_str!("pages/pay.html");

/// A file that the pages load: its content type and text.
#[must_use]
pub fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "style.css" => Some(("text/css; charset=utf-8", include_str!("pages/style.css"))),
        "text.js" => Some(("text/javascript; charset=utf-8", include_str!("pages/text.js"))),
        "wallet.js" => Some(("text/javascript; charset=utf-8", include_str!("pages/wallet.js"))),
        "pay.js" => Some(("text/javascript; charset=utf-8", include_str!("pages/pay.js"))),
        _ => None,
    }
}

/// `zh` or `en`: what the address asks for, else the browser's first known choice, else English.
#[must_use]
pub fn language(asked: Option<&str>, accepted: &str) -> &'static str {
    let known = |tag: &str| {
        let tag = tag.trim().to_ascii_lowercase();
        match tag.split(['-', '_', ';']).next() {
            Some("zh") => Some("zh"),
            Some("en") => Some("en"),
            _ => None,
        }
    };
    let weight = |entry: &str| {
        let quality = entry.split_once(";q=").map_or("1", |(_, quality)| quality).trim();
        // "0.8" and "1.0" compare rightly as text: one digit before the point, at most three after it.
        quality.to_owned()
    };
    let mut entries: Vec<&str> = accepted.split(',').collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(weight(entry)));
    asked.and_then(known).or_else(|| entries.into_iter().find_map(known)).unwrap_or("en")
}

/// A QR of the text as an SVG document, with its quiet zone.
///
/// # Errors
/// If the text is too long for any QR.
pub fn qr_svg(text: &str) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_speaks_the_customers_language() {
        for (asked, accepted, lang) in [
            (None, "", "en"),
            (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
            (None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
            (None, "fr,zh;q=0.5,en;q=0.7", "en"),
            (None, "de", "en"),
            (Some("zh"), "en", "zh"),
            (Some("en"), "zh-CN", "en"),
            (Some("xx"), "zh-TW", "zh"),
        ] {
            assert_eq!(language(asked, accepted), lang, "{asked:?} {accepted:?}");
        }
    }
}
