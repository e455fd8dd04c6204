"""Separated text: encodings, separators, headers, and lines before the table."""

import pytest

from skreg.comparison.delimited import read_delimited


def read(text, encoding="utf-8"):
    frame, separator, notes = read_delimited(text.encode(encoding))
    return frame.columns.tolist(), frame.to_numpy().tolist(), separator, notes


TABLE = (["a", "b"], [["1", "x"], ["2", "y"]])


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n1,x\n2,y\n", ","),
        ("a;b\n1;x\n2;y\n", ";"),
        ("a\tb\n1\tx\n2\ty\n", "\t"),
        ("a|b\n1|x\n2|y\n", "|"),
        ("a b\nx 1\ny 2\n", " "),
        ("a   b\n  x  1\n  y   2 \n", " "),
    ],
)
def test_separators(text, separator):
    names, rows, found, notes = read(text)
    assert (names, found) == (["a", "b"], separator)
    assert rows == (TABLE[1] if separator != " " else [["x", "1"], ["y", "2"]])
    assert len(notes) == (separator != ",")


@pytest.mark.parametrize(
    "text",
    [
        "a,b\r\n1,x\r\n2,y\r\n",
        "a,b\r1,x\r2,y",
        "\n\na,b\n\n1,x\n\n2,y\n\n",
        "a,b,\n1,x,\n2,y,\n",
        "a,b\n1,x,\n2,y,\n",
        'a,b\n"1","x"\n"2","y"\n',
        " a , b \n1, x\n2, y\n",
        "a,b\n1,x\n,\n2,y\n",
        "# made by a program\n# on a day\na,b\n1,x\n2,y\n",
        "% made by a program\n\na,b\n1,x\n2,y\n",
        "# made by a program\n# a,b\n1,x\n2,y\n1,x\n",
        "A title\na,b\n1,x\n2,y\n",
    ],
)
def test_layouts(text):
    names, rows, _, _ = read(text)
    # Empty columns and spaces behind texts are seen later.
    assert names[:2] == TABLE[0]
    assert [[cell.strip() for cell in row[:2]] for row in rows[:2]] == TABLE[1]
    assert not any(cell for row in rows for cell in row[2:])


def test_quotes():
    text = 'a,b\n"one, ""two""",1\n"two\nlines",2\n'
    assert read(text)[1] == [['one, "two"', "1"], ["two\nlines", "2"]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("# a b\n1 5\n2 6\n", ["a", "b"]),
        ("# a b\n1 5 3\n2 6 3\n", ["#", "a", "b"]),
        ("# one\n#a;b\n1;5\n2;6\n", ["a", "b"]),
        ("#,b\n1,5\n2,6\n", ["#", "b"]),
        ("# by me\n1,5\n2,6\n", ["column 1", "column 2"]),
    ],
)
def test_names_in_a_comment(text, names):
    assert read(text)[0] == names


def test_a_name_of_two_lines():
    assert read('"a\nb",c\n1,x\n2,y\n')[1] == [["1", "x"], ["2", "y"]]


def test_long_lines_and_fields():
    names = [f"{i} {'x' * 1000}" for i in range(140)]
    text = "\n".join([",".join(names), *[",".join(["1.5"] * len(names))] * 2])
    assert read(text)[0] == names
    assert read('a,b\n"' + "x" * 200_000 + '",1\n')[1] == [["x" * 200_000, "1"]]


def test_row_names_of_r_between_spaces():
    names, rows, separator, _ = read('"a" "b"\n"u 1" 5 x\n"u 2" 6 y\n"u 3" 7 8\n')
    assert (names, separator) == (["Unnamed: 0", "a", "b"], " ")
    assert rows[0] == ["u 1", "5", "x"]


def test_tables_aligned_by_spaces_may_have_tabs():
    text = '18.0   8\t"chevrolet malibu"\n15.0   8\t"buick"\n14.0   8\t"ford"\n'
    _, rows, separator, _ = read(text)
    assert separator == " "
    assert rows[0] == ["18.0", "8", "chevrolet malibu"]


def test_decimal_commas_are_no_separators():
    names, rows, separator, _ = read("a;b\n1,5;2,5\n3,5;4,5\n")
    assert (names, separator) == (["a", "b"], ";")
    assert rows == [["1,5", "2,5"], ["3,5", "4,5"]]


def test_short_lines_are_filled_up():
    assert read("a,b,c\n1,2\n3,4,5\n")[1] == [["1", "2", ""], ["3", "4", "5"]]


@pytest.mark.parametrize(
    ("encoding", "n_notes"),
    [
        ("utf-8", 0),
        ("utf-8-sig", 0),
        ("utf-16", 1),
        ("utf-16-le", 1),
        ("utf-32", 1),
        ("latin-1", 1),
        ("cp1252", 1),
    ],
)
def test_encodings(encoding, n_notes):
    names, rows, _, notes = read("größe,b\n1,é\n2,ü\n", encoding)
    assert names == ["größe", "b"]
    assert rows == [["1", "é"], ["2", "ü"]]
    assert len(notes) == n_notes


@pytest.mark.parametrize("encoding", ["cp1251", "cp850", "koi8-r", "mac-cyrillic"])
def test_other_encodings_keep_texts_apart(encoding):
    words = ["мир", "дом"] if encoding != "cp850" else ["Å", "ü"]
    _, rows, _, notes = read(f"a,b\n1,{words[0]}\n2,{words[1]}\n", encoding)
    assert rows[0][1] != rows[1][1]
    assert "if letters are wrong, save the file as UTF-8" in notes[0]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "it holds no table"),
        ("# only a comment\n", "it holds no table"),
        ("a,b\n1,2\n1,2,3\n", "a line has more than the 2 fields"),
        ("# one\n# two\na,b\n1,2\n1,2,3,4\n", "line 5 has more than the 2 fields"),
        ('a,b\n"1,2\n3,4\n', "double quotes that begin near line 2 do not end"),
        ("a,b\0\n1,2\n", "not a text file"),
    ],
)
def test_refused(text, match):
    with pytest.raises(ValueError, match=match):
        read(text)
