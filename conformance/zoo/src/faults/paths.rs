//! Faults of paths and names.

use super::declare::faults;

faults! {
    DOT_DOT = "dot-dot-leads-out", ["PATH-2", "PATH-7", "PATH-10"],
        "It takes .. for a name, and the system takes it for the directory above.";
    LINKS_ARE_FOLLOWED = "links-are-followed", ["PATH-11", "PATH-13", "PATH-10"],
        "It opens a directory through a link, as every program does that does not ask.";
}
