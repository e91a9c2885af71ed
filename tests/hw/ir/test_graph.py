from hw.ir.graph import Add, Conv, Graph, Input

SHAPE = (4, 4, 2)


def graph():
    return Graph(
        (
            Input(name="input", inputs=(), shape=SHAPE),
            Conv(name="a", inputs=("input",), shape=SHAPE),
            Conv(name="unread", inputs=("a",), shape=SHAPE),
            Add(name="sum", inputs=("a", "a"), shape=SHAPE),
        )
    )


def test_readers_by_position():
    assert graph().readers == {
        "input": (("a", 0),),
        "a": (("unread", 0), ("sum", 0), ("sum", 1)),
        "unread": (),
        "sum": (),
    }


def test_pruned_keeps_what_reaches_the_output():
    assert [node.name for node in graph().pruned()] == ["input", "a", "sum"]


def test_look_up():
    found = graph()
    assert found["sum"] is found.output
    assert found.input.name == "input"
    assert found.in_shapes(found["sum"]) == (SHAPE, SHAPE)
    assert len(found) == 4
