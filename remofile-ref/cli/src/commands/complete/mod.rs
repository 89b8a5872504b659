//! `__complete`: the words that can stand at the cursor.

mod offer;
mod remote_paths;
mod shell_words;

pub(crate) use self::offer::{CompleteArgs, run};
