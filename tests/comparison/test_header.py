"""The lines above the rows of a table: titles, names and units, or none."""

import pytest

from skreg.comparison.header import is_data_row, split_header, unique_names


def split(text):
    """Return the names of a table between commas, and how many lines are above."""
    rows, notes = [line.split(",") for line in text.splitlines()], []
    return *split_header(rows, max(map(len, rows)), notes), notes


@pytest.mark.parametrize(
    ("text", "names", "n_above"),
    [
        ("a title,,\nby me,,\na,b,c\n1,2,3\n4,5,6", ["a", "b", "c"], 3),
        ("506,3,,\na,b,c,d\n1,2,3,4.5\n5,6,7,8.5", ["a", "b", "c", "d"], 2),
        (
            ",,,d\n1,2,3,4.5\n5,6,7,8.5",
            [*("Unnamed: 0", "Unnamed: 1"), *["Unnamed: 2", "d"]],
            1,
        ),
        # Row names have no name.
        ("a,b\n1,5,x\n2,6,y", ["Unnamed: 0", "a", "b"], 1),
        (",x\n1,850\n2,740\n3,900", ["Unnamed: 0", "x"], 1),
        (",0\n1821,269\n1822,321\n1823,585", ["Unnamed: 0", "0"], 1),
        (",1.5,2.5\n70,0,1\n71,1,0\n72,1,1", ["Unnamed: 0", "1.5", "2.5"], 1),
        (
            ",a,b,,\n,1,5,,\n,2,6,,\n,3,7,,",
            [*("Unnamed: 0", "a", "b"), *("Unnamed: 3", "Unnamed: 4")],
            1,
        ),
        # Years and positions are names.
        ("2019,2020,y\n1,2,0\n3,4,1", ["2019", "2020", "y"], 1),
        ("0,1,2\n5,1,0\n3,4,1", ["0", "1", "2"], 1),
        ("10,20,30\n5,1,0\n3,4,1", ["10", "20", "30"], 1),
        ("colour,size\nred,s\nred,m\nblue,s\nblue,m", ["colour", "size"], 1),
        ("#,Name,T\n1,Bulb,g\n2,Ivy,g", ["#", "Name", "T"], 1),
        # Units.
        ("w,h,c\nkg,cm,-\n61,180,a\n70,172,b", ["w kg", "h cm", "c"], 2),
        ("w,h\nNA,180\n61,175\n70,172", ["w", "h"], 1),
        ("w,h\nlow,low\n6,7\n5,9\nlow,low\n" + "4,8\n" * 20, ["w", "h"], 1),
    ],
)
def test_names(text, names, n_above):
    assert split(text)[:2] == (names, n_above)


@pytest.mark.parametrize(
    "text",
    [
        # UCI's files hold no names.
        "5.1,3.5,setosa\n4.9,3.0,setosa\n7.0,3.2,virginica",
        "vhigh,2,low\nvhigh,2,low\nhigh,3,low",
        "1,5,1,1\n2,5,4,4\n3,1,1,1",
        "2,6,1\n2,7,0\n1,9,1",
        "Adams,35\nBaker,20\nClark,31",
        "?,5.5,1\n2,5,4\n3,1,1",
    ],
)
def test_no_names(text):
    names, n_above, notes = split(text)
    assert names == [f"column {i + 1}" for i in range(len(names))]
    assert n_above == 0
    assert notes == ["the first line holds no names: columns are numbered from 1"]


def test_what_is_not_obvious_is_said():
    assert split("0,1,2\n5,1,0\n3,4,1")[2] == [
        "the first line holds the names, which are numbers"
    ]
    assert split("a title,,\na,b,c\nkg,cm,s\n1,2,3\n4,5,6")[2] == [
        "lines before the table are left out",
        "the second line is joined to the names",
    ]
    with pytest.raises(ValueError, match="it holds no table"):
        split_header([], 0, [])


def test_is_data_row_needs_evidence():
    assert not is_data_row(["a", "b"], [])
    assert not is_data_row(["a"], [["x"], ["y"]])


def test_unique_names():
    notes = []
    assert unique_names(["x", "", "x", "x.1", " x "], notes) == [
        *("x", "Unnamed: 1", "x.1", "x.1.1", "x.2")
    ]
    assert len(notes) == 3
