//! Mutations of paths and names.

use super::declare::mutations;

mutations! {
    RELATIVE = "relative-paths-are-taken", ["PATH-1", "PATH-7"],
        "It puts a slash in front of a path that begins with none.";
    TRAILING_SLASH = "a-trailing-slash-is-dropped", ["PATH-1", "PATH-7"],
        "It drops a slash at the end of a path, as shells do.";
    EMPTY_NAMES = "empty-names-are-skipped", ["PATH-2", "PATH-7"],
        "It splits a path at its slashes, and throws away what is empty.";
    DOT = "a-dot-is-skipped", ["PATH-2", "PATH-7"],
        "It takes a dot for the directory itself.";
    DOT_DOT = "dot-dot-leads-out", ["PATH-2", "PATH-7", "PATH-10"],
        "It takes .. for a name, and the system takes it for the directory above.";
    TO_UNCHECKED = "the-target-is-not-checked", ["PATH-2", "PATH-3", "PATH-4", "PATH-6", "PATH-7", "PATH-10"],
        "It checks the names of every path but the one that something is moved or copied to.";
    BEGIN_UNCHECKED = "the-path-of-begin-is-not-checked", ["PATH-1", "PATH-2", "PATH-3", "PATH-4", "PATH-6", "PATH-7"],
        "It stages an upload first, and looks at its path when it is committed.";
    CONTROLS = "controls-are-characters", ["PATH-3", "PATH-7"],
        "It refuses in a name what the system refuses, which is U+0000 alone.";
    DELETE = "delete-is-no-control", ["PATH-3", "PATH-7"],
        "It takes everything from the space on for printable.";
    C1_CONTROLS = "controls-end-at-7f", ["PATH-3", "PATH-7"],
        "It looks for the control characters of ASCII alone.";
    NUL = "nul-is-left-to-the-system", ["PATH-3", "PATH-7"],
        "It has the system find U+0000 in a name, which says no more than that something is invalid.";
    NAME_OF_256 = "a-name-has-256-bytes", ["PATH-4", "PATH-7"],
        "It compares the length of a name with one more than the limit.";
    NAMES_IN_CHARACTERS = "names-are-measured-in-characters", ["PATH-4", "PATH-7"],
        "It counts the characters of a name where its bytes count.";
    NAME_OF_254 = "a-name-has-254-bytes", ["PATH-4", "LIMIT-1"],
        "It takes the limit of a name for the first length that is too long.";
    PATHS_IN_CHARACTERS = "paths-are-measured-in-characters", ["PATH-5", "PATH-7"],
        "It counts the characters of a path where its bytes count.";
    PATH_OF_4097 = "a-path-has-4097-bytes", ["PATH-5", "PATH-7"],
        "It does not count the slash that a path begins with.";
    PATH_OF_4095 = "a-path-has-4095-bytes", ["PATH-5", "LIMIT-1"],
        "It reserves a byte of the longest path for a final NUL.";
    ANY_DEPTH = "depth-has-no-limit", ["PATH-5", "PATH-7"],
        "It limits the length of a path, and not its depth.";
    DEPTH_OF_129 = "a-path-has-129-names", ["PATH-5", "PATH-7"],
        "It counts the slashes between names.";
    EMPTY_ARE_NOT_COUNTED = "empty-names-are-not-counted", ["PATH-5", "PATH-7", "CODE-5"],
        "It counts the names of a path, and not the slashes, before it finds that some are empty.";
    DEPTH_OF_127 = "a-path-has-127-names", ["PATH-5", "LIMIT-1"],
        "It counts the served directory as a name.";
    LONG_IS_BAD = "a-long-path-is-a-bad-name", ["PATH-7", "CODE-5"],
        "It has one code for all that may be wrong with a path.";
    NAMES_FIRST = "names-are-looked-at-before-the-length", ["PATH-7", "CODE-5"],
        "It looks at every name of a path, and at its length in the end.";
    RESERVED_BELOW = "the-reserved-name-is-free-below", ["PATH-6", "PATH-7"],
        "It keeps the name of its own directory free where that directory is, and nowhere else.";
    RESERVED_IN_CAPITALS = "the-reserved-name-is-free-in-capitals", ["PATH-6", "PATH-7"],
        "It compares the reserved name byte for byte.";
    RESERVED_INSIDE = "paths-in-the-reserved-directory-are-free", ["PATH-6", "PATH-7"],
        "It looks for the reserved name at the end of a path alone.";
    BAD_IS_MISSING = "a-bad-name-is-not-found", ["PATH-7", "CODE-5"],
        "It says of a name that cannot be there that it is not there.";
    COMPOSED = "accents-are-composed", ["PATH-8"],
        "It brings names into the form in which an accented letter is one character.";
    LOWER_CASE = "names-are-lower-cased", ["PATH-8", "HELLO-5"],
        "It looks up and stores names in lower case.";
    TRIMMED = "trailing-spaces-are-dropped", ["PATH-8"],
        "It drops trailing white space of a path, as if a person had typed it.";
    BACKSLASHES = "a-backslash-is-a-slash", ["PATH-8"],
        "It lets a backslash divide names too, for the sake of clients on Windows.";
    LINKS_ARE_FOLLOWED = "links-are-followed", ["PATH-11", "PATH-13", "PATH-10"],
        "It opens a directory through a link, as every program does that does not ask.";
    LAST_LINK = "a-link-at-the-end-is-followed", ["PATH-11", "KIND-1", "PATH-10"],
        "It asks that no link be followed on the way to a file, and opens the file itself through one.";
    FIFOS_ARE_READ = "fifos-are-opened", ["PATH-12", "KIND-1"],
        "It takes everything for a file that is no directory and no link.";
    FILE_ON_THE_WAY = "a-file-on-the-way-is-not-found", ["PATH-13"],
        "It says of what is below a file that it is not there.";
    NOTHING_ON_THE_WAY = "nothing-on-the-way-is-no-directory", ["PATH-13"],
        "It says of a directory that is not there that it is none.";
    LINK_ON_THE_WAY = "a-link-on-the-way-is-of-no-kind", ["PATH-13"],
        "It answers a link on the way like a link at the end.";
    PARENTS_ARE_MADE = "put-makes-parents", ["PATH-13", "REFUSE-1"],
        "It makes what directories are missing on the way to a new file.";
    MARKS_ARE_LETTERS = "marks-are-left-to-windows", ["PATH-9"],
        "It hands < > : | and the like to the system, which takes some of them for what they mean.";
    COLONS_ALONE = "colons-alone-are-refused", ["PATH-9"],
        "It has heard of streams, and refuses colons, and no other mark.";
    ENDS_ARE_KEPT = "ends-of-names-are-left-to-windows", ["PATH-9"],
        "It takes names that end with a dot or a space, which the system drops.";
    SHORT_NAMES_ARE_NAMES = "short-names-are-names", ["PATH-9"],
        "It has not heard that a file may be found by the short form of its name.";
    SHORT_NAMES_WITH_ENDINGS = "short-names-have-no-endings", ["PATH-9"],
        "It looks for a tilde and digits at the end of the whole name.";
    DEVICES_ARE_NAMES = "devices-are-names", ["PATH-9"],
        "It takes CON for a name, and the system takes it for the console.";
    DEVICES_WITH_ENDINGS = "devices-have-no-endings", ["PATH-9"],
        "It refuses NUL, and takes NUL.txt for a file.";
    DEVICES_IN_CAPITALS = "devices-are-in-capitals", ["PATH-9"],
        "It compares names with those of devices byte for byte.";
    DEVICES_FROM_ONE = "devices-are-numbered-from-one", ["PATH-9"],
        "It refuses COM1 to COM9, and no COM0.";
    LIKE_DEVICES = "any-letter-numbers-a-device", ["PATH-9", "LIMIT-1"],
        "It takes three letters and a fourth for a device and its number, whatever the fourth is.";
    NO_TILDES = "tildes-are-refused", ["PATH-9", "LIMIT-1"],
        "It refuses every tilde, to be on the safe side.";
}
