"""Paths and names, by the rules that every server has and by those of Windows."""

GOOD, NAME, LIMIT = "accept", "BAD_NAME", "LIMIT"


def add(book):
    posix(book)
    controls(book)
    reserved(book)
    sizes(book)
    windows(book)


def path(book, name, expect, rules, comment, text, names="posix"):
    book.add(name, "path", expect, rules, comment, names=names, path=text)


def posix(book):
    for name, expect, text, comment in (
        ("path-of-the-root", GOOD, "/", "The served directory itself."),
        ("path-of-one-name", GOOD, "/a", "The shortest but one."),
        ("path-of-three-names", GOOD, "/photos/2025/a.jpg", "Names with slashes before them."),
        ("path-of-nothing", NAME, "", "A path begins with a slash."),
        ("path-without-a-slash", NAME, "a", "There is no current directory."),
        ("path-that-is-relative", NAME, "a/b", "There is no current directory."),
        ("path-with-a-slash-after-it", NAME, "/a/", "Only the root ends with a slash."),
        ("path-with-two-slashes-before-it", NAME, "//a", "The first name is empty."),
        ("path-with-two-slashes-in-it", NAME, "/a//b", "The second name is empty."),
        ("path-of-two-slashes", NAME, "//", "Its name is empty."),
        ("path-with-two-slashes-after-it", NAME, "/a//", "Its names are empty."),
    ):
        path(book, name, expect, "PATH-1" if expect == GOOD else "PATH-1 PATH-2 PATH-7", comment, text)
    for name, expect, text, comment in (
        ("name-of-a-dot", NAME, "/.", "A dot is no name."),
        ("name-of-two-dots", NAME, "/..", "Two dots are no name."),
        ("path-through-two-dots", NAME, "/a/../b", "Nothing is resolved."),
        ("path-through-a-dot", NAME, "/a/./b", "Nothing is resolved."),
        ("path-that-ends-in-two-dots", NAME, "/a/..", "Nothing is resolved."),
        ("path-out-of-the-root", NAME, "/../../etc/passwd", "Nothing is resolved."),
        ("path-that-is-relative-through-two-dots", NAME, "../a", "Wrong twice over."),
        ("name-of-three-dots", GOOD, "/...", "Three dots are a name like any other."),
        ("name-that-begins-with-a-dot", GOOD, "/.hidden", "Hidden is a matter of taste."),
        ("name-that-begins-with-two-dots", GOOD, "/..a", "Not the same as two dots."),
        ("name-that-ends-with-two-dots", GOOD, "/a..", "Not the same as two dots."),
        ("name-of-two-dots-and-a-space", GOOD, "/.. ", "Not the same as two dots."),
        ("name-of-fullwidth-dots", GOOD, "/\uff0e\uff0e", "Nothing is normalised."),
    ):
        path(book, name, expect, "PATH-2", comment, text)
    for name, text, comment in (
        ("name-with-a-backslash", "/a\\b", "A backslash is an ordinary character."),
        ("name-of-backslashes-and-dots", "/..\\..\\a", "A backslash is an ordinary character."),
        ("name-of-a-space", "/ ", "A space is a name."),
        ("name-with-spaces-around-it", "/ a ", "Nothing is trimmed."),
        ("name-with-a-dot-after-it", "/a.", "Nothing is trimmed."),
        ("name-with-shell-characters", "/a*?\"'<>|:;&$`!{}[]()~#%", "Names are never given to a shell."),
        ("name-that-begins-with-a-hyphen", "/-rf", "Names are never given to a shell."),
        ("name-with-a-percent-escape", "/%2e%2e%2f", "Nothing is unescaped."),
        ("name-with-an-umlaut", "/\u00e4", "Composed: one character."),
        ("name-with-a-combining-umlaut", "/a\u0308", "Decomposed: another name than the composed one."),
        ("name-beyond-the-basic-plane", "/\U0001f600", "Four bytes of UTF-8."),
        ("name-of-the-last-character", "/\U0010ffff", "U+10FFFF is valid UTF-8."),
        ("name-with-a-byte-order-mark", "/\ufeffa", "U+FEFF is no control character."),
        ("name-with-a-noncharacter", "/\ufffe\uffff", "Noncharacters are valid UTF-8."),
        ("name-with-a-right-to-left-override", "/a\u202egpj.exe", "How to display it is up to the client."),
        ("name-with-a-zero-width-joiner", "/a\u200db", "A format character is no control character."),
        ("name-with-a-line-separator", "/a\u2028b", "U+2028 is no control character."),
        ("name-with-a-replacement-character", "/\ufffd", "Valid UTF-8, however it came about."),
        ("name-in-another-script", "/\u5199\u771f", "Any script."),
        ("name-of-a-no-break-space", "/\u00a0", "U+00A0 is the first character after the controls."),
        ("name-with-a-fullwidth-slash", "/a\uff0fb", "Only U+002F separates names."),
        ("name-of-windows-con", "/con", "Reserved names are a matter of Windows."),
    ):
        path(book, name, GOOD, "PATH-8", comment, text)


def controls(book):
    for name, character in (
        ("nul", "\x00"),
        ("control-01", "\x01"),
        ("tab", "\t"),
        ("line-feed", "\n"),
        ("carriage-return", "\r"),
        ("escape", "\x1b"),
        ("control-1f", "\x1f"),
        ("delete", "\x7f"),
        ("control-80", "\x80"),
        ("next-line", "\x85"),
        ("control-sequence-introducer", "\x9b"),
        ("control-9f", "\x9f"),
    ):
        path(
            book,
            f"name-with-{name}",
            NAME,
            "PATH-3 PATH-7",
            "Control characters are no part of names.",
            f"/a{character}b",
        )
    path(book, "name-with-nul-after-it", NAME, "PATH-3 PATH-7", "A C string would end here.", "/a.txt\x00")
    path(book, "path-with-a-line-feed-in-an-upper-name", NAME, "PATH-3 PATH-7", "Every name is checked.", "/a\n/b")


def reserved(book):
    for name, text in (
        ("at-the-root", "/.remofile"),
        ("in-capitals", "/.REMOFILE"),
        ("in-mixed-case", "/.ReMoFiLe"),
        ("below-a-directory", "/a/b/.remofile"),
        ("above-something", "/.remofile/staged"),
        ("in-the-middle", "/a/.Remofile/b"),
    ):
        path(
            book,
            f"reserved-name-{name}",
            NAME,
            "PATH-6 PATH-7",
            ".remofile is the server's, at any depth and in any case.",
            text,
        )
    for name, text in (
        ("with-a-letter-more", "/.remofiles"),
        ("with-a-letter-less", "/.remofil"),
        ("without-its-dot", "/remofile"),
        ("with-a-suffix", "/.remofile-trash"),
        ("with-a-long-s", "/.remof\u0131le"),
        ("with-a-space-after-it", "/.remofile "),
    ):
        path(
            book,
            f"name-like-the-reserved-one-{name}",
            GOOD,
            "PATH-6",
            "Only .remofile itself is reserved, in ASCII case.",
            text,
        )


def sizes(book):
    path(book, "name-of-255-bytes", GOOD, "PATH-4", "The longest name.", "/" + "a" * 255)
    path(book, "name-of-256-bytes", NAME, "PATH-4 PATH-7", "Too long by one.", "/" + "a" * 256)
    path(
        book,
        "name-of-128-characters-in-256-bytes",
        NAME,
        "PATH-4 PATH-7",
        "Bytes are counted, not characters.",
        "/" + "\u00e9" * 128,
    )
    path(
        book,
        "name-of-127-characters-in-254-bytes",
        GOOD,
        "PATH-4",
        "Bytes are counted, not characters.",
        "/" + "\u00e9" * 127,
    )
    path(
        book,
        "path-with-an-upper-name-of-256-bytes",
        NAME,
        "PATH-4 PATH-7",
        "Every name is checked.",
        "/" + "a" * 256 + "/b",
    )
    path(book, "path-of-4096-bytes", GOOD, "PATH-5", "The longest path.", ("/" + "a" * 255) * 16)
    path(book, "path-of-4097-bytes", LIMIT, "PATH-5 PATH-7", "Too long by one.", ("/" + "a" * 240) * 17)
    path(
        book,
        "path-of-2057-characters-in-4097-bytes",
        LIMIT,
        "PATH-5 PATH-7",
        "Bytes are counted, not characters.",
        ("/" + "\u00e9" * 120) * 17,
    )
    path(book, "path-of-128-names", GOOD, "PATH-5", "The deepest path.", "/a" * 128)
    path(book, "path-of-129-names", LIMIT, "PATH-5 PATH-7", "Too deep by one.", "/a" * 129)
    path(
        book, "path-of-5000-bytes-in-one-name", LIMIT, "PATH-5 PATH-7", "LIMIT comes before BAD_NAME.", "/" + "a" * 4999
    )


def windows(book):
    for character, name in zip(
        '<>:"|?*\\', ("less", "greater", "colon", "quote", "bar", "question-mark", "asterisk", "backslash")
    ):
        path(
            book,
            f"windows-name-with-a-{name}",
            NAME,
            "PATH-9",
            "Windows does not take this character.",
            f"/a{character}b",
            "windows",
        )
    for text, name in (
        ("/con", "con"),
        ("/CON", "con-in-capitals"),
        ("/prn", "prn"),
        ("/aux", "aux"),
        ("/Nul", "nul"),
        ("/com1", "com1"),
        ("/LPT9", "lpt9"),
        ("/com0", "com0"),
        ("/con.txt", "con-with-an-extension"),
        ("/nul.tar.gz", "nul-with-two-extensions"),
        ("/a/con/b", "con-in-the-middle"),
        ("/a.", "a-dot-after-it"),
        ("/a ", "a-space-after-it"),
        ("/a./b", "a-dot-after-an-upper-name"),
        ("/PROGRA~1", "a-tilde-and-a-digit"),
        ("/PROGRA~12.TXT", "a-tilde-and-digits-before-an-extension"),
    ):
        path(
            book,
            f"windows-name-{'with' if name.startswith('a-') else 'of'}-{name}",
            NAME,
            "PATH-9",
            "Windows would take it for something else.",
            text,
            "windows",
        )
    for text, name in (
        ("/console", "console"),
        ("/com", "com"),
        ("/com10", "com10"),
        ("/a.con", "con-as-an-extension"),
        ("/conin", "conin"),
        ("/a~b", "tilde-and-a-letter"),
        ("/~1a", "tilde-digit-letter"),
        ("/a b.txt", "space-in-the-middle"),
        ("/.hidden", "dot-before-it"),
        ("/\u00e4", "umlaut"),
    ):
        path(book, f"windows-name-{name}", GOOD, "PATH-9", "Windows accepts it unchanged.", text, "windows")
    path(book, "windows-path-of-nothing", NAME, "PATH-1 PATH-9", "The rules for all servers hold too.", "", "windows")
    path(
        book,
        "windows-path-of-129-names",
        LIMIT,
        "PATH-5 PATH-9",
        "The rules for all servers hold too.",
        "/a" * 129,
        "windows",
    )
