"""The coverage subcommand: its views, what is out of reach, the bar."""

import json

import pytest
from click.testing import CliRunner

from sim.commands.coverage import coverage
from sim.coverage import overlays, store
from sim.coverage.group import Group
from sim.coverage.store import Coverage


def call(*arguments) -> tuple[int, str, str]:
    """Exit code, stdout, stderr, as `shiftnas coverage` has them."""
    result = CliRunner().invoke(coverage, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def files(tmp_path):
    """Two runs of one network, and one of another."""
    found = []
    for number, (digest, bin_name) in enumerate(
        (("a" * 64, "low"), ("a" * 64, "high"), ("b" * 64, "low"))
    ):
        run = Coverage()
        run.hit("classes", "10")
        layer = Group.of("stem/conv", ["low", "high", "beyond"], {"beyond": "-5 to 7"})
        layer.hit(bin_name)
        run.networks[digest] = {"stem/conv": layer}
        run.testbenches["mine"] = Group.of("mine", ["one", "two"])
        run.testbenches["mine"].hit("one")
        found.append(tmp_path / f"{number}.json")
        store.save(run, found[-1])
    return found


def test_by_instance_each_network_has_its_own_table(files):
    code, out, err = call(*files, "--by", "instance", "--json")
    assert code == 0, err
    tables = {table["title"]: table for table in json.loads(out)["tables"]}
    assert list(tables) == ["network aaaaaaaaaaaa", "network bbbbbbbbbbbb", "testbenches"]
    whole, half = tables["network aaaaaaaaaaaa"], tables["network bbbbbbbbbbbb"]
    assert (whole["hit"], whole["bins"], whole["share"], whole["missing"]) == (2, 2, 100, [])
    assert whole["out_of_reach"] == {"stem/conv: beyond": "-5 to 7"}
    assert (half["hit"], half["bins"], half["missing"]) == (1, 2, ["stem/conv: high"])
    assert half["groups"]["stem/conv"] == {"hit": 1, "bins": 2, "out_of_reach": 1}
    code, out, _ = call(*files, "--by", "instance")
    assert code == 0
    assert "out of reach  stem/conv: beyond (-5 to 7)" in out
    assert "missing  stem/conv: high" in out


def test_the_bar_is_of_bins_within_reach_and_holds_for_each_network(files):
    assert call(*files[:2], "--by", "instance", "--bar", 50)[0] == 0
    code, _, err = call(*files, "--by", "instance", "--bar", 60)
    assert code == 1
    assert err.splitlines()[-1] == (
        "shiftnas: error: coverage: network bbbbbbbbbbbb: 50.0 % of 2 bins, the bar is 60 %; the "
        "first one missing is stem/conv: high"
    )


def test_by_kind_counts_the_campaign_and_the_testbenches(files, tmp_path):
    out = tmp_path / "all.json"
    code, text, err = call(*files, "--json", "--out", out)
    assert code == 0, err
    content = json.loads(text)
    assert (content["files"], content["by"], content["hit"]) == (3, "kind", 2)
    assert content["groups"]["classes"] == {"hit": 1, "bins": 4, "out_of_reach": 0}
    assert content["groups"]["mine"]["hit"] == 1
    assert "mine: two" in content["missing"]
    assert store.load(out).networks["a" * 64]["stem/conv"].hits["high"] == 1


def test_by_testbench_shows_only_theirs(files):
    code, text, _ = call(*files, "--by", "testbench", "--json")
    content = json.loads(text)
    assert (code, list(content["groups"]), content["share"]) == (0, ["mine"], 50)


def test_views_of_nothing_are_refused(tmp_path):
    store.save(Coverage(), tmp_path / "empty.json")
    for by, message in (
        ("instance", "--by instance: no run of a network"),
        ("testbench", "--by testbench: no cover group"),
    ):
        code, out, err = call(tmp_path / "empty.json", "--by", by)
        assert (code, out) == (2, "")
        assert message in err and len(err.splitlines()) == 1


def test_overlays_have_their_own_view(files, tmp_path):
    """It is the usual one where nothing else was simulated."""
    run = Coverage(overlays=overlays.declare())
    run.overlays["word"].hit("IMM")
    alone, both = tmp_path / "overlay.json", tmp_path / "both.json"
    store.save(run, alone)
    code, out, err = call(alone, alone, "--json")
    assert code == 0, err
    shown = json.loads(out)
    assert (shown["by"], shown["hit"]) == ("overlay", 1)
    assert "word: BODY of one pass" in shown["missing"]
    assert list(shown["out_of_reach"]) == ["status: LOADING"]
    assert call(files[0], alone, "--out", both)[0] == 0
    assert store.load(both).overlays["word"].hits["IMM"] == 1
    assert json.loads(call(both, "--json")[1])["by"] == "kind"
    assert json.loads(call(both, "--by", "overlay", "--json")[1])["hit"] == 1
    code, _, err = call(files[0], "--by", "overlay")
    assert code == 2
    assert "--by overlay: no run of an overlay is in these files" in err
