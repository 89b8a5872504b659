//! Mutations of list.

use super::declare::mutations;

mutations! {
    FILES_LIST_THEMSELVES = "a-file-lists-itself", ["LIST-1", "KIND-2"],
        "It lists a file as a directory of that file alone.";
    LINKS_ARE_LISTED_THROUGH = "a-listed-link-is-followed", ["LIST-1", "PATH-11", "PATH-10"],
        "It opens the directory that a link leads to.";
    ORDER_OF_THE_SYSTEM = "a-listing-is-not-sorted", ["LIST-2"],
        "It lists in the order in which the system does.";
    ORDER_WITHOUT_CASE = "a-listing-ignores-case", ["LIST-2"],
        "It sorts names as people like them, capitals beside small letters.";
    AFTER_IS_INCLUDED = "after-is-included", ["LIST-3", "LIST-8"],
        "It begins a page with the name that the page before ended with.";
    AFTER_HAS_TO_BE_THERE = "after-has-to-be-there", ["LIST-3", "LIST-8"],
        "It looks for the name in `after`, and starts at the beginning where it is gone.";
    AFTER_SKIPS_WHAT_IS_IN_IT = "after-a-directory-skips-its-content", ["LIST-3", "LIST-8"],
        "It continues after a directory with the next entry beside it.";
    AFTER_IS_A_NAME = "after-has-to-be-a-name", ["LIST-4"],
        "It checks after like every other name.";
    AFTER_IS_SHORT = "after-has-255-bytes", ["LIST-4"],
        "It limits after like a name, and forgets that in a tree it is a path.";
    AFTER_IS_LONG = "after-has-no-limit", ["LIST-4"],
        "It compares after, however long it is.";
    LIMIT_IGNORED = "limit-is-ignored", ["LIST-5"],
        "It has a limit of its own, and does not look at the client's.";
    ONE_MORE = "a-page-has-one-more", ["LIST-5"],
        "It finds out that a page is full when it has too much.";
    LIMIT_OF_NOTHING = "a-limit-of-0-is-none", ["LIST-5", "OP-2"],
        "It takes a limit of 0 for one that was left out.";
    PAGES_BY_COUNT = "pages-are-counted", ["LIST-6", "LIMIT-2"],
        "It fills pages by the number of entries, however long these are.";
    FULL_IS_MORE = "a-full-page-has-more", ["LIST-7"],
        "It says that there is more whenever a page is full.";
    NEVER_MORE = "more-is-false", ["LIST-7", "LIST-8"],
        "It never says that there is more.";
    EMPTY_PAGE_WITH_MORE = "an-empty-page-has-more", ["LIST-7"],
        "It returns `more` after the last entry, and then an empty page.";
    KEPT_LISTINGS = "listings-are-kept", ["LIST-8", "SEQ-9"],
        "It keeps the names of a directory for the next page, and looks at the directory no more.";
    TREES_ENTER_LINKS = "a-tree-enters-links", ["LIST-9", "PATH-11", "PATH-10"],
        "It enters what is a directory, seen through links.";
    BAD_NAMES_ARE_MENDED = "names-that-are-no-text-are-repaired", ["LIST-10"],
        "It puts question marks in the place of what is not UTF-8.";
    CONTROLS_ARE_LISTED = "control-characters-are-listed", ["LIST-10"],
        "It lists whatever the system allows in a name.";
    DEEP_IS_LISTED = "entries-that-are-too-deep-are-listed", ["LIST-10"],
        "It lists names whose paths it would not take.";
    STAGING_IS_LISTED = "the-reserved-directory-is-listed", ["LIST-11", "PATH-6"],
        "It lists its own directory among the others.";
    STAGING_IS_COUNTED = "the-reserved-directory-is-counted", ["LIST-11", "LIST-12"],
        "It leaves its own directory out like every other name that is not allowed.";
    RESERVED_IS_NOT_COUNTED = "reserved-names-are-not-counted", ["LIST-11", "LIST-12"],
        "It leaves out what has the name of its own directory wherever it is, and says nothing of it.";
    NOTHING_SKIPPED = "skipped-is-0", ["LIST-12"],
        "It does not count what it leaves out.";
    ALL_SKIPPED = "skipped-is-of-the-whole", ["LIST-12"],
        "It counts in every page what it leaves out of all.";
    SKIPPED_INSIDE = "skipped-counts-what-is-inside", ["LIST-12"],
        "It counts a directory that it leaves out with all that is in it.";
    UNREADABLE_IS_DENIED = "an-unreadable-directory-ends-a-listing", ["LIST-13"],
        "It says DENIED of a whole tree for one directory in it that it may not read.";
    UNREADABLE_IS_NOT_COUNTED = "an-unreadable-directory-looks-empty", ["LIST-13", "LIST-12"],
        "It lists a directory that it may not read, and takes it for an empty one.";
    TREES_LIST_PATHS = "trees-list-whole-paths", ["LIST-2"],
        "It lists a tree with paths from the served directory on.";
    THE_REST_IS_SKIPPED = "the-next-page-counts-as-skipped", ["LIST-12"],
        "It counts what stands on the next page among the skipped.";
    LARGE_LIMITS = "large-limits-are-refused", ["LIST-5", "LIMIT-1"],
        "It refuses a limit that is larger than its own.";
}
