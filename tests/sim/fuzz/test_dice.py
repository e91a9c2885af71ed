"""Random choices: the same for ever, within their bounds, every value possible."""

from collections import Counter

from sim.fuzz.dice import Dice


def test_the_same_key_gives_the_same_choices_for_ever():
    dice = Dice("a key")
    assert [dice.integer(0, 999) for _ in range(6)] == [573, 745, 648, 893, 245, 446]


def test_bounds_are_reached_and_kept():
    dice = Dice("bounds")
    assert {dice.integer(-1, 3) for _ in range(200)} == {-1, 0, 1, 2, 3}
    assert {dice.choice("abc") for _ in range(100)} == set("abc")
    assert not any(dice.chance(0.0) for _ in range(100))
    assert all(dice.chance(1.0) for _ in range(100))


def test_weights():
    dice = Dice("weights")
    counts = Counter(
        dice.weighted([("seldom", 1), ("never", 0), ("often", 9)]) for _ in range(1000)
    )
    assert counts["never"] == 0
    assert 50 < counts["seldom"] < 200


def test_shuffling_keeps_all():
    dice = Dice("shuffle")
    orders = [dice.shuffled(range(5)) for _ in range(20)]
    assert all(sorted(order) == list(range(5)) for order in orders)
    assert len(set(map(tuple, orders))) > 10
