//! Text of others, made safe to show: what a terminal would obey is spelled out instead.

use std::fmt;

/// Shows a text on one line. Control characters, and those that turn the direction of what
/// follows, are written as `\u{1b}`.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::with_capacity(self.0.len());
        for character in self.0.chars() {
            if is_obeyed(character) {
                shown.extend(character.escape_unicode());
            } else {
                shown.push(character);
            }
        }
        f.pad(&shown)
    }
}

/// Whether a terminal does something else with it than to show it.
fn is_obeyed(character: char) -> bool {
    let turns = matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    character.is_control() || turns
}

#[cfg(test)]
mod tests {
    use super::Plain;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        for (text, shown) in [
            ("hello, w\u{f6}rld \u{1f980}", "hello, w\u{f6}rld \u{1f980}"),
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("a\rb\nc\td\0", r"a\u{d}b\u{a}c\u{9}d\u{0}"),
            ("\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}"),
            ("user\u{202e}txt.exe", r"user\u{202e}txt.exe"),
        ] {
            assert_eq!(Plain(text).to_string(), shown);
        }
    }

    #[test]
    fn a_column_is_kept() {
        assert_eq!(format!("{:<8}|", Plain("ab")), "ab      |");
    }
}
