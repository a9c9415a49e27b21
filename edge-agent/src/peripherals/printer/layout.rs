//! Where a line ends: text broken to the paper's width, counted in columns of half-width characters. Pure.

use super::escpos::Encoding;

/// Breaks `text` into lines of at most `columns`, at spaces and around Chinese characters where possible. Always at least
/// one line.
pub(super) fn wrap(text: &str, columns: usize, encoding: Encoding) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    // How much of `line` may stay if it has to be broken.
    let mut keep = 0;
    for character in text.chars() {
        let width = encoding.columns(character);
        if used + width > columns && !line.is_empty() {
            if character == ' ' {
                lines.push(std::mem::take(&mut line));
                (used, keep) = (0, 0);
                continue;
            }
            let cut = if width > 1 || keep == 0 { line.len() } else { keep };
            let rest = line.split_off(cut);
            lines.push(std::mem::replace(&mut line, rest).trim_end().to_owned());
            used = encoding.columns_of(&line);
            keep = 0;
        }
        if width > 1 {
            keep = line.len();
        }
        line.push(character);
        used += width;
        if width > 1 || character == ' ' {
            keep = line.len();
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// `left` and `right` at the two ends of one line, if both fit with a space between them.
pub(super) fn both_ends(left: &str, right: &str, columns: usize, encoding: Encoding) -> Option<String> {
    let space = columns.checked_sub(encoding.columns_of(left) + encoding.columns_of(right))?;
    let gap = usize::from(!left.is_empty() && !right.is_empty());
    (space >= gap).then(|| format!("{left}{}{right}", " ".repeat(space)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_break_at_spaces_and_around_chinese() {
        let table: &[(&str, usize, &[&str])] = &[
            ("", 8, &[""]),
            ("milk tea", 8, &["milk tea"]),
            ("milk teas", 8, &["milk", "teas"]),
            ("milktealarge", 8, &["milkteal", "arge"]),
            ("奶茶大杯少冰", 8, &["奶茶大杯", "少冰"]),
            ("a奶茶大杯少冰", 8, &["a奶茶大", "杯少冰"]),
            ("奶茶 large cup", 8, &["奶茶", "large", "cup"]),
            ("12345678 9", 8, &["12345678", "9"]),
            ("奶茶abcdef", 8, &["奶茶", "abcdef"]),
        ];
        for (text, columns, lines) in table {
            assert_eq!(wrap(text, *columns, Encoding::Gb18030), *lines, "{text:?}");
        }
    }

    #[test]
    fn two_ends_need_a_space_between_them() {
        let ends = |left, right| both_ends(left, right, 10, Encoding::Gb18030);
        assert_eq!(ends("合计", "12.50").as_deref(), Some("合计 12.50"));
        assert_eq!(ends("合计:", "12.50"), None);
        assert_eq!(ends("", "1234567890").as_deref(), Some("1234567890"));
        assert_eq!(ends("", "12345678901"), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_wide(text in "[a-z 茶店€]{0,60}", columns in 2_usize..20) {
            let lines = wrap(&text, columns, Encoding::Gb18030);
            for line in &lines {
                prop_assert!(Encoding::Gb18030.columns_of(line) <= columns);
            }
            let words = |text: &str| text.chars().filter(|character| *character != ' ').collect::<String>();
            prop_assert_eq!(words(&lines.concat()), words(&text));
        }
    }
}
