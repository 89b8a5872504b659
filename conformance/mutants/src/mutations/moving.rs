//! Mutations of remove, move and copy.

use super::declare::mutations;

mutations! {
    REMOVE_FILES_ALONE = "remove-needs-a-file", ["REMOVE-1"],
        "It removes files, and asks for another operation where there is a directory.";
    REMOVE_LINKED = "remove-follows-links", ["REMOVE-1", "PATH-11", "PATH-10"],
        "It resolves a link, and removes what it leads to.";
    REMOVE_NO_LINKS = "remove-refuses-links", ["REMOVE-1"],
        "It does nothing with what is neither a file nor a directory.";
    REMOVE_NOTHING = "remove-of-nothing-is-ok", ["REMOVE-1"],
        "It finds that what should be gone is gone.";
    REMOVE_ALL = "remove-removes-all", ["REMOVE-2"],
        "It removes a directory with all that is in it.";
    REMOVE_HIDDEN = "remove-removes-what-is-not-listed", ["REMOVE-2"],
        "It takes a directory for empty that lists as empty, and clears it.";
    NOT_EMPTY_IS_DENIED = "a-full-directory-is-denied", ["REMOVE-2"],
        "It says of a full directory that removing it is not allowed.";
    ROOT_IS_LEFT_TO_THE_SYSTEM = "the-root-is-left-to-the-system", ["REMOVE-3"],
        "It treats the served directory as any other, and the system finds it invalid to remove a dot.";
    REMOVE_UNGUARDED = "remove-ignores-the-etag", ["OP-7"],
        "It removes whatever is there.";
    NO_FILE_UNGUARDED = "an-etag-of-a-directory-is-ignored", ["OP-7"],
        "It compares etags of files, and lets what has none pass.";
    MOVE_FILES_ALONE = "move-needs-a-file", ["MOVE-1"],
        "It moves files, and leaves directories to the client.";
    MOVE_NO_LINKS = "move-refuses-links", ["MOVE-1"],
        "It does nothing with what is neither a file nor a directory.";
    MOVE_COPIES = "move-leaves-the-source", ["MOVE-3", "MOVE-1"],
        "It makes a second name for a file, and forgets the first.";
    MOVE_IS_NEW = "move-touches", ["MOVE-1"],
        "It leaves what it moved with the time at which it was moved.";
    HARD_LINKS_STAY = "a-hard-link-stays", ["MOVE-3"],
        "It leaves it to the system to rename one name of a file to another, which does nothing.";
    MOVE_TO_ITSELF = "a-move-to-itself-is-ok", ["MOVE-2"],
        "It finds that there is nothing to do.";
    COPY_TO_ITSELF = "a-copy-to-itself-is-ok", ["COPY-2"],
        "It finds that there is nothing to do.";
    MOVE_BELOW_ITSELF = "a-move-below-itself-is-left-to-the-system", ["MOVE-2", "CODE-5"],
        "It compares the two paths, and no more.";
    COPY_BELOW_ITSELF = "a-copy-below-itself-is-left-to-the-system", ["COPY-2", "CODE-5"],
        "It compares the two paths, and no more.";
    ALIKE_IS_BELOW = "a-name-that-begins-alike-is-below", ["MOVE-1", "COPY-1", "MOVE-2"],
        "It compares the beginning of one path with the other, and forgets the slash.";
    MOVE_UNGUARDED = "move-ignores-the-etag", ["OP-7"],
        "It moves whatever is there.";
    COPY_IS_NEW = "copy-is-new", ["COPY-1"],
        "It leaves the copy with the time at which it was made.";
    COPY_LINKS = "copy-makes-a-link", ["COPY-1"],
        "It gives the file a second name, which costs nothing.";
    COPY_OF_A_SLICE = "copy-copies-a-slice", ["COPY-1"],
        "It reads once, as much as its buffer takes.";
    COPY_OF_DIRECTORIES = "copy-of-a-directory-makes-one", ["COPY-1", "KIND-1"],
        "It makes a directory in the place of a copied one, and leaves its content to the client.";
    COPY_UNGUARDED = "copy-ignores-the-etag", ["OP-7"],
        "It copies whatever is there.";
    COPY_IS_NOT_HELD = "a-file-that-changes-is-copied", ["COPY-3"],
        "It copies what it reads, and does not ask whether the source changed.";
    TARGET_BEFORE_SOURCE = "the-target-is-looked-at-first", ["CODE-5"],
        "It makes sure that it may write before it looks for what to write.";
    MOVE_WRITES = "move-writes-over-the-target", ["MOVE-1", "TARGET-8"],
        "It moves a file over another one by writing its bytes there.";
}
