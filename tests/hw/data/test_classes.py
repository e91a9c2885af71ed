"""hw.data.classes: by name and order, or by number."""

import pytest

from hw import data
from hw.data.classes import Classes

CATS = Classes(3, ("cat", "dog", "owl"))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (CATS, None),
        (Classes(3), None),
        (Classes(4), "4 classes, expected 3"),
        (Classes(3, ("cat", "owl", "dog")), "class 1 is 'owl', expected 'dog'"),
        (
            Classes(4, (".x", "cat", "dog", "owl")),
            "4 classes, expected 3; class 0 is '.x', expected 'cat'",
        ),
        (Classes(2, ("cat", "dog")), "2 classes, expected 3; class 2 is none, expected 'owl'"),
    ],
)
def test_the_first_difference_in_words(found, said):
    assert found.difference(CATS) == said
    assert (CATS.difference(found) is None) == (said is None)


def test_without_names_the_number_counts():
    assert CATS.difference(Classes(3)) is None
    assert CATS.difference(Classes(2)) == "3 classes, expected 2"


def test_names_are_as_many_as_classes():
    with pytest.raises(ValueError, match="2 names of 3 classes"):
        Classes(3, ("a", "b"))
    for damaged in ("abc", 3, [1, 2, 3], {"a": 1}):
        with pytest.raises(ValueError, match=r"^class_names: expected a list of names$"):
            Classes.from_plain(3, damaged)
    assert Classes.from_plain(3, None) == Classes(3) == Classes.from_plain(3, [])


def test_named_data_sets_know_what_their_classes_are_called():
    assert data.load("digits", "test").class_names == tuple("0123456789")
    if data.is_available("fashion"):
        names = data.load("fashion", "test").class_names
        assert (len(names), names[0], names[9]) == (10, "T-shirt/top", "Ankle boot")
