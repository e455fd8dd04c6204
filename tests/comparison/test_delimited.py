"""Separated text: encodings, separators, headers, and lines before the table."""

import pytest

from skreg.comparison.delimited import is_data_row, read_delimited, unique_names


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


def test_titles_of_wide_tables():
    text = '"Source","World",\n\n"Updated","2020",\na,b,c,d,e\n1,2,3,4,x\n5,6,7,8,y\n'
    names, rows, _, notes = read(text)
    assert names == ["a", "b", "c", "d", "e"]
    assert rows[0] == ["1", "2", "3", "4", "x"]
    assert notes == ["lines before the table are left out"]


def test_lines_with_few_fields_before_the_names():
    names, rows, _, _ = read("506,3,,\na,b,c,d\n1,2,3,4.5\n5,6,7,8.5\n")
    assert names == ["a", "b", "c", "d"]
    assert len(rows) == 2
    names, rows, _, _ = read(",,,d\n1,2,3,4.5\n5,6,7,8.5\n")
    assert names == ["Unnamed: 0", "Unnamed: 1", "Unnamed: 2", "d"]
    assert len(rows) == 2


def test_quotes():
    text = 'a,b\n"one, ""two""",1\n"two\nlines",2\n'
    assert read(text)[1] == [['one, "two"', "1"], ["two\nlines", "2"]]


def test_tables_aligned_by_spaces_may_have_tabs():
    text = '18.0   8\t"chevrolet malibu"\n15.0   8\t"buick"\n14.0   8\t"ford"\n'
    _, rows, separator, _ = read(text)
    assert separator == " "
    assert rows[0] == ["18.0", "8", "chevrolet malibu"]


def test_decimal_commas_are_no_separators():
    names, rows, separator, _ = read("a;b\n1,5;2,5\n3,5;4,5\n")
    assert (names, separator) == (["a", "b"], ";")
    assert rows == [["1,5", "2,5"], ["3,5", "4,5"]]


def test_row_names_have_no_header():
    names, rows, _, _ = read('"a","b"\n"1",5,x\n"2",6,y\n')
    assert names == ["Unnamed: 0", "a", "b"]
    assert rows == [["1", "5", "x"], ["2", "6", "y"]]


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
    ("text", "names"),
    [
        # UCI's files hold no names.
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n7.0,3.2,virginica\n", None),
        ("vhigh,2,low\nvhigh,2,low\nhigh,3,low\n", None),
        ("1,5,1,1\n2,5,4,4\n3,1,1,1\n", None),
        ("?,5.5,1\n2,5,4\n3,1,1\n", None),
        # Years and positions are names.
        ("2019,2020,y\n1,2,0\n3,4,1\n", ["2019", "2020", "y"]),
        ("0,1,2\n5,1,0\n3,4,1\n", ["0", "1", "2"]),
        ("colour,size\nred,s\nred,m\nblue,s\nblue,m\n", ["colour", "size"]),
        ("#,Name,T\n1,Bulb,g\n2,Ivy,g\n", ["#", "Name", "T"]),
    ],
)
def test_header(text, names):
    found, rows, _, notes = read(text)
    n_lines = text.count("\n")
    if names is None:
        assert found == [f"column {i + 1}" for i in range(len(found))]
        assert len(rows) == n_lines
        assert "columns are numbered" in notes[-1]
    else:
        assert found == names
        assert len(rows) == n_lines - 1


def test_is_data_row_needs_evidence():
    assert not is_data_row(["a", "b"], [])
    assert not is_data_row(["a"], [["x"], ["y"]])


def test_unique_names():
    notes = []
    assert unique_names(["x", "", "x", "x.1", " x "], notes) == [
        *("x", "Unnamed: 1", "x.1", "x.1.1", "x.2")
    ]
    assert len(notes) == 3


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "it holds no table"),
        ("# only a comment\n", "it holds no table"),
        ("a,b\n1,2\n1,2,3\n", "a line has more than the 2 fields"),
        ("# one\n# two\na,b\n1,2\n1,2,3,4\n", "line 5 has more than the 2 fields"),
        ('a,b\n"1,2\n3,4\n', "EOF inside string"),
        ("a,b\0\n1,2\n", "not a text file"),
        ('a,b\n"' + "x" * 200_000 + '",1\n', "field larger than"),
    ],
)
def test_refused(text, match):
    with pytest.raises(ValueError, match=match):
        read(text)
