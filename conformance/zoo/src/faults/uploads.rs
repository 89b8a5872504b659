//! Faults of uploads.

use super::declare::faults;

faults! {
    STAGED_BESIDE = "staged-beside-the-root", ["PATH-10"],
        "It stages uploads in a directory beside the served one.";
    CHUNKS_GO_BEHIND = "chunks-go-behind", ["APPEND-1"],
        "It puts every chunk behind the one before, wherever it was meant to go.";
    UPLOADS_ARE_SHARED = "uploads-are-shared", ["APPEND-2", "COMMIT-1"],
        "It knows an upload by its id alone, and lets two clients write one.";
}
