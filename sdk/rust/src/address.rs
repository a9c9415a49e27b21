//! Web addresses among an account's settings.

/// The path of a web address, empty if it has none. `None` for what nothing can be added to: another scheme than `http` and `https`, no
/// host, a user before it, a query or a fragment, steps up (`..`), or characters that no address has.
#[must_use]
pub fn web_path(url: &str) -> Option<&str> {
    let url = url.trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\\@".contains(&byte);
    let is_fixed = !path.split('/').any(|step| matches!(step, "." | ".."));
    (!host.is_empty() && is_fixed && rest.bytes().all(is_plain)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, path) in [
            ("https://x.example", Some("")),
            ("http://x:1/a/", Some("/a")),
            ("https://x.example/a/b", Some("/a/b")),
            ("https:///a", None),
            ("https://", None),
            ("ftp://x", None),
            ("x.example", None),
            ("", None),
            ("https://x?y", None),
            ("https://x#y", None),
            ("https://user@x", None),
            ("https://x y", None),
            ("https://x\n", None),
            ("https://x/a/../b", None),
            ("https://x/./b", None),
            ("https://x\\b", None),
            ("https://银行.example", None),
        ] {
            assert_eq!(web_path(url), path, "{url}");
        }
    }
}
