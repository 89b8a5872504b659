//! What the command prints: messages, text for people, columns, JSON, progress.

mod entry;
mod json;
mod message;
mod screen;
mod style;
mod terminal;
mod text;

pub(crate) use self::{
    entry::{details, entry_json, kind_name, label, style_of},
    json::{JSON_SCHEMA, write_json},
    message::{error_line, log_to_stderr, note, print_error, print_hint, print_message, set_quiet, warn},
    screen::{ProgressMode, Screen, TransferPosition},
    terminal::{is_terminal, shown, size, stdout, terminal_width, write_columns},
    text::{counted, escaped, exact_time, human_duration, human_milliseconds, human_size, local_time},
};
