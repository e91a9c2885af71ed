"""What is seen in the resets of a run."""

from coverage_cases import hits, made

from hw.board.boards import device
from hw.dataflow.planner import propose
from sim.cosim import cosim
from sim.coverage import resets
from sim.coverage.store import Coverage
from sim.stimuli import Stimuli, random_images

NETWORK = made((("sep_conv_3x3", 0), ("avg_pool_3x3", 1)))


def test_states_of_a_reset():
    coverage, node = Coverage(), "cell0/node2"
    first = f"{node} input 0 ({NETWORK.graph[node].inputs[0]})"
    nothing = dict.fromkeys(
        ("mid_frame", "held_back", "filled", "full", "reading", "summed", "busy"), ()
    )
    found = [
        {**nothing, "mid_frame": [node, "classifier (m_axis)"], "filled": [first], "frames": 0},
        {**nothing, "held_back": ["stem/conv"], "busy": ["stem/conv"], "frames": 2},
    ]
    resets.measure(coverage, NETWORK, found)
    assert hits(coverage, "reset") == {
        "Add in mid-frame", "Linear in mid-frame", "Add, a FIFO with beats", "in the first frame",
        "Conv held back", "a requantiser is busy", "after the first frame",
    }  # fmt: skip


def test_resets_of_a_run_meet_a_design_that_is_full_and_one_under_way():
    built = propose(NETWORK, device("ulx3s-85f"))
    images = random_images(NETWORK, 5, seed=1)
    coverage = cosim(NETWORK, built, Stimuli(images), cover=True).coverage
    assert coverage is not None
    assert {
        "Conv held back", "Linear held back", "Conv in mid-frame", "an element holds a sum",
        "Add, a FIFO with beats", "in the first frame",
    } <= hits(coverage, "reset")  # fmt: skip
    none = cosim(NETWORK, built, Stimuli(images, resets=0), cover=True).coverage
    assert none is not None and not hits(none, "reset")
