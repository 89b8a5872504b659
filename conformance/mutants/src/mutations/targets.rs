//! Mutations of kinds and targets.

use super::declare::mutations;

mutations! {
    DIRECTORIES_ARE_OF_NO_KIND = "directories-are-of-no-kind", ["KIND-1"],
        "It says of a directory, where it needs a file, what it says of a FIFO.";
    LINKS_ARE_NO_FILES = "links-are-no-files", ["KIND-1"],
        "It has one code for everything that is not a file.";
    FILES_ARE_NO_FILES = "a-listed-file-is-no-file", ["KIND-2", "LIST-1"],
        "It says NOT_FILE where it is asked to list one.";
    LISTED_LINKS = "a-listed-link-is-of-no-kind", ["KIND-2", "LIST-1"],
        "It says UNSUPPORTED_KIND of every link, where it needs a directory too.";
    ETAG_BEFORE_KIND = "the-etag-is-compared-before-the-kind", ["TARGET-1", "TARGET-5", "TARGET-6"],
        "It compares etags first, and whatever has none is changed.";
    KIND_BEFORE_ABSENT = "the-kind-is-looked-at-before-absence", ["TARGET-1", "TARGET-4"],
        "It looks at the kind of what is there before it asks whether anything may be.";
    MOVE_REPLACES = "move-replaces", ["TARGET-4", "TARGET-1"],
        "It renames without a look, and whatever file was there is gone.";
    PUT_REPLACES = "put-replaces", ["TARGET-4", "TARGET-1", "REFUSE-1"],
        "It takes put for what its name says in other protocols.";
    COPY_REPLACES = "copy-replaces", ["TARGET-4", "TARGET-1", "REFUSE-1"],
        "It opens the copy for writing, whatever is there.";
    COMMIT_REPLACES = "commit-replaces", ["TARGET-4", "TARGET-1"],
        "It finds that who has sent a whole file wants it to be there.";
    ABSENT_IS_UNKNOWN = "absent-is-unknown", ["TARGET-4", "OP-4"],
        "It knows any and etags, and no word for what is to be left out.";
    ANY_NEEDS_A_FILE = "any-needs-a-file", ["TARGET-1"],
        "It takes any for the leave to replace, and finds nothing that could be.";
    ANY_REPLACES_NOTHING = "any-replaces-nothing", ["TARGET-1"],
        "It knows absent and etags, and replaces a file for its etag alone.";
    ETAG_REPLACES_NOTHING = "an-etag-replaces-nothing", ["TARGET-7"],
        "It compares the etag with one of the staged file, which is never the same.";
    BROKEN_LINKS = "a-broken-link-is-nothing", ["TARGET-6", "PATH-11"],
        "It asks the system whether a file is there, which looks at what a link leads to.";
    LINKS_ARE_REPLACED = "links-are-replaced", ["TARGET-6"],
        "It replaces whatever is no directory.";
    LINK_IS_NOT_FILE = "a-link-as-a-target-is-no-file", ["TARGET-6"],
        "It has one code for every target that is no file.";
    DIRECTORY_EXISTS = "a-directory-as-a-target-exists", ["TARGET-5"],
        "It says that something is there, whatever pre says.";
    EMPTY_REPLACED = "an-empty-directory-is-replaced", ["TARGET-5"],
        "It lets the system rename a directory onto one that is empty.";
    FILE_IS_IN_THE_WAY = "a-file-as-the-target-of-a-directory-is-not-dir", ["TARGET-5"],
        "It says NOT_DIR, as the system does, when a directory is moved onto a file.";
    ANY_ETAG = "any-etag-fits-a-target", ["TARGET-7"],
        "It takes an etag for the leave to replace whatever is there.";
    ETAG_MAKES = "an-etag-makes-what-is-absent", ["TARGET-7"],
        "It compares etags where there is something, and makes the file where there is nothing.";
    ETAG_OF_NOTHING = "an-etag-of-nothing-is-not-found", ["TARGET-7"],
        "It looks for the file that an etag is of, and does not find it.";
    EXISTS_FOR_ETAG = "another-etag-exists", ["TARGET-7"],
        "It says EXISTS of a file that may not be replaced, with an etag too.";
    REMOVED_FIRST = "the-replaced-file-is-removed-first", ["TARGET-8"],
        "It makes room before it renames, as it must on other systems.";
    WRITTEN_IN_PLACE = "the-replaced-file-is-written-over", ["TARGET-8"],
        "It copies the staged bytes into the file that is there.";
    PRIVATE_FILES = "new-files-are-private", ["TARGET-10"],
        "It makes its staged files for itself alone, and leaves them so under their names.";
    PRIVATE_DIRECTORIES = "new-directories-are-private", ["TARGET-10"],
        "It makes directories for itself alone.";
    BITS_ARE_LOST = "permissions-are-lost", ["TARGET-10"],
        "It replaces a file by a new one, with the permissions of a new one.";
    BITS_OF_THE_TARGET = "move-takes-over-permissions", ["TARGET-10"],
        "It gives what it moves the permissions of what was there.";
    BITS_OF_THE_SOURCE = "copy-copies-permissions", ["TARGET-10"],
        "It copies the permissions of the source too.";
    REFUSALS_RELEASE = "a-refusal-ends-the-session", ["REFUSE-2"],
        "It hangs up when something is denied.";
    WRITTEN_FIRST = "write-writes-before-it-compares", ["REFUSE-1", "OP-7"],
        "It compares the etag when the bytes are written.";
    CUT_FIRST = "a-refused-truncate-cuts", ["REFUSE-1", "OP-7"],
        "It compares the etag when the file is cut.";
    MOVED_FIRST = "a-refused-put-removes", ["REFUSE-1", "TARGET-7"],
        "It removes the file that was to be replaced before it finds that it is another one.";
    CLASH_IS_REPLACED = "another-spelling-is-replaced", ["TARGET-3", "PATH-8"],
        "It replaces what it finds under a name, however that is spelled.";
    CLASH_EXISTS = "another-spelling-exists", ["TARGET-3"],
        "It says EXISTS of whatever it finds under a name.";
    CLASH_AFTER_ABSENT = "absence-is-looked-at-before-the-spelling", ["TARGET-3", "TARGET-1"],
        "It looks at pre first, and at the spelling of what may be replaced.";
    RESPELLED_CLASHES = "a-new-spelling-is-a-clash", ["TARGET-2"],
        "It finds the name taken to which a file is to be respelled: by the file itself.";
    RESPELLED_STAYS = "a-new-spelling-is-the-old-one", ["TARGET-2"],
        "It sees that the target is the source, and that there is nothing to do.";
    RESPELLED_IS_REMOVED = "a-new-spelling-is-a-hard-link", ["TARGET-2", "MOVE-1"],
        "It takes two spellings for two links of one file, and removes the one.";
    RESPELLED_FILES_ALONE = "directories-are-not-respelled", ["TARGET-2"],
        "It says of a directory that is to be respelled that a directory is there.";
    PRE_IS_NEEDED = "pre-is-required", ["TARGET-4", "OP-2"],
        "It wants pre of whatever makes a file but put.";
    PUT_NEEDS_PRE = "put-needs-pre", ["TARGET-4", "OP-2"],
        "It wants to be told what put may replace.";
    COMMITTED_IS_PRIVATE = "committed-files-are-private", ["TARGET-10"],
        "It leaves a committed file with the permissions that it had while it was staged.";
}
