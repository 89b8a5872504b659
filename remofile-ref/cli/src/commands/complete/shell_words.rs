//! Splits a bash command line into words, and quotes words for bash.

/// The part of a command line before the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The complete words, without quotes.
    pub(super) words: Vec<String>,
    /// The word at the cursor, without quotes.
    pub(super) current: String,
    /// The word at the cursor, as typed.
    typed: String,
    /// The quote that is open at the cursor.
    quote: Option<char>,
}

impl Line {
    /// Splits at white space, and removes quotes and backslashes. A new command starts after `;`, `|` and `&`.
    pub(super) fn split(text: &str) -> Self {
        let mut line = Self { words: Vec::new(), current: String::new(), typed: String::new(), quote: None };
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            line.typed.push(character);
            match (line.quote, character) {
                (None, '\'' | '"') => line.quote = Some(character),
                (Some(quote), _) if character == quote => line.quote = None,
                (None | Some('"'), '\\') => {
                    if let Some(next) = characters.next() {
                        line.typed.push(next);
                        line.current.push(next);
                    }
                }
                (None, ';' | '|' | '&') => {
                    line.words.clear();
                    line.next_word();
                }
                (None, blank) if blank.is_whitespace() => {
                    line.typed.pop();
                    if !line.typed.is_empty() {
                        line.words.push(std::mem::take(&mut line.current));
                    }
                    line.next_word();
                }
                _ => line.current.push(character),
            }
        }
        line.words.retain({
            // Assignments before the command are omitted.
            let mut is_before = true;
            move |word| {
                is_before &= word.contains('=') && !word.starts_with('-');
                !is_before
            }
        });
        line
    }

    /// Quotes a word that replaces the current one, and removes what precedes `shell_word`, which bash considers the
    /// current one.
    pub(super) fn quote(&self, word: &str, shell_word: &str) -> String {
        let mut quoted = String::new();
        for character in word.chars() {
            let special = match self.quote {
                Some('\'') => false,
                Some(_) => "\"\\$`".contains(character),
                None => !character.is_alphanumeric() && !"/._-+,@%=:".contains(character),
            };
            if special {
                quoted.push('\\');
            }
            quoted.push(character);
        }
        let typed = self.typed.trim_start_matches(['\'', '"']);
        let before = typed.strip_suffix(shell_word.trim_start_matches(['\'', '"'])).unwrap_or_default();
        quoted.strip_prefix(before).unwrap_or(&quoted).to_owned()
    }

    fn next_word(&mut self) {
        self.current.clear();
        self.typed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (Vec<String>, String) {
        let line = Line::split(text);
        (line.words, line.current)
    }

    #[test]
    fn spaces_separate_words_and_the_last_one_is_current() {
        assert_eq!(split("remofile  list /a"), (vec!["remofile".into(), "list".into()], "/a".into()));
        assert_eq!(split("remofile list ").1, "");
    }

    #[test]
    fn quotes_and_backslashes_are_removed() {
        assert_eq!(split(r#"r 'a b' "c\"d" e\ f"#), (vec!["r".into(), "a b".into(), "c\"d".into()], "e f".into()));
        assert_eq!(split("r \"/my d").1, "/my d");
        assert_eq!(split("r '' x").0, ["r", ""]);
    }

    #[test]
    fn text_before_the_command_is_omitted() {
        assert_eq!(split("ls; A=1 remofile list x").0, ["remofile", "list"]);
    }

    #[test]
    fn a_word_is_quoted_in_the_style_of_its_start() {
        assert_eq!(Line::split("r /a").quote("/a b$", "/a"), r"/a\ b\$");
        assert_eq!(Line::split("r '/a").quote("/a b$", "/a"), "/a b$");
        assert_eq!(Line::split("r \"/a").quote("/a b$", "/a"), r"/a b\$");
    }

    #[test]
    fn a_part_that_bash_splits_off_is_omitted() {
        assert_eq!(Line::split("r --color=al").quote("--color=always", "al"), "always");
        assert_eq!(Line::split("r /a:b").quote("/a:bc", "b"), "bc");
    }
}
