//! Escapes text for XML and HTML.

/// Escapes text for an element or an attribute in double quotes. Characters that XML does not allow become `\u{…}`.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            '\u{fffe}' | '\u{ffff}' => escaped.extend(character.escape_unicode()),
            control if control.is_control() => escaped.extend(control.escape_unicode()),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_what_xml_cannot_hold_are_escaped() {
        assert_eq!(escape("<a b=\"&\">\u{0}\u{1b}\u{ffff}"), "&lt;a b=&quot;&amp;&quot;&gt;\\u{0}\\u{1b}\\u{ffff}");
    }
}
