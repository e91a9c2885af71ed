"""What an `always @*` computes, as one continuous assignment."""

import re

import pytest

from hw.verilog import choices, yosys

WIDTHS = {"q": 4, "a": 4, "b": 4, "c": 4, "s": 2, "x": 1, "y": 1, "z": 1, "\\e.f": 2, "e.f": 2}

CASES = {
    "one choice": (
        "q = 4'h0; if (x) begin q = a; end",
        "assign q = x ? a : 4'h0;",
    ),
    "the last statement that applies counts": (
        "q = a; if (x) begin q = b; end if (y) begin q = c; end",
        "assign q = y ? c : x ? b : a;",
    ),
    "else": (
        "if (x) begin q = a; end else begin q = b; end",
        "assign q = x ? a : b;",
    ),
    "else after nothing": (
        "q = 4'h0; if (x) begin end else if (y) begin q = a; end",
        "assign q = !x && y ? a : 4'h0;",
    ),
    "one inside the other": (
        "q = c; if (x) begin q = b; if (y) begin q = a; end end",
        "assign q = x && y ? a : x ? b : c;",
    ),
    "all values of a case": (
        (
            "(* full_case = 32'd1 *) casez (s) 2'h0: q = a; 2'h1: q = b; 2'h2: q = c; "
            "2'h3: q = 4'h9; endcase"
        ),
        "assign q = s == 2'h0 ? a : s == 2'h1 ? b : s == 2'h2 ? c : 4'h9;",
    ),
    "some values of a case": (
        "q = 4'h0; casez (s) 2'h0: /* empty */; 2'h1: q = a; 2'h3: q = b; endcase",
        "assign q = s == 2'h1 ? a : s == 2'h3 ? b : 4'h0;",
    ),
    "a default after an empty arm": (
        "q = c; casez (s) 2'h1: /* empty */; 2'h2: q = b; default: q = a; endcase",
        "assign q = s == 2'h2 ? b : s != 2'h1 ? a : c;",
    ),
    "several patterns": (
        "q = c; casez (s) 2'h0, 2'h3: if (x) begin q = a; end default: q = b; endcase",
        "assign q = (s == 2'h0 || s == 2'h3) && x ? a : (s != 2'h0 && s != 2'h3) ? b : c;",
    ),
    "patterns that leave bits out, the first one first": (
        "q = c; casez (s) 2'b1?: q = a; 2'b?1: q = b; endcase",
        "assign q = s[1] ? a : s[0] ? b : c;",
    ),
    "a concatenation": (
        "q = c; casez ({ x, s, y }) 4'b01??: q = a; 4'b??01: if (z) begin q = b; end endcase",
        "assign q = { x, s[1] } == 2'h1 ? a : { s[0], y } == 2'h1 && z ? b : c;",
    ),
    "parts": (
        "q = { a[1:0], s }; if (x) begin q[2:1] = b[3:2]; end if (y) begin q[0] = 1'h1; end",
        (
            "assign q[0] = y ? 1'h1 : s[0];\n"
            "assign q[2:1] = x ? b[3:2] : { a[0], s[1] };\n"
            "assign q[3] = a[1];"
        ),
    ),
    "parts of a literal and of an escaped name": (
        "q = 4'h6; if (x) begin q[3:2] = \\e.f ; end if (y) begin q[2] = \\e.f [1]; end",
        (
            "assign q[1:0] = 2'h2;\n"
            "assign q[2] = y ? \\e.f [1] : x ? \\e.f [0] : 1'h1;\n"
            "assign q[3] = x ? \\e.f [1] : 1'h0;"
        ),
    ),
    "nothing to choose": ("q = a; if (x) begin q = a; end", "assign q = a;"),
}


def made(block: str) -> str:
    text = "".join(line for _, line in choices.assignments(block, WIDTHS))
    return "\n".join(" ".join(part.split()) for part in re.split(r"(?<=;)\n", text) if part)


@pytest.mark.parametrize("name", CASES)
def test_text(name):
    block, expected = CASES[name]
    assert made(block) == expected


def test_two_choices_or_more_stand_below_each_other():
    ((target, text),) = choices.assignments(CASES["one inside the other"][0], WIDTHS)
    assert (target, text) == (
        "q",
        "  assign q =\n    x && y ? a :\n    x ? b :\n    c;\n",
    )


def proved(bodies: dict[str, str], tmp_path) -> None:
    """Proves by SAT that module NAME_before is NAME_after, for each name."""
    ports = "input [3:0] a, b, c, input [1:0] s, \\e.f , input x, y, z"
    wires = ".a(a), .b(b), .c(c), .s(s), .\\e.f (\\e.f ), .x(x), .y(y), .z(z)"
    texts, same = [], []
    for number, (block, after) in enumerate(bodies.values()):
        texts += [
            (
                f"module before{number}({ports}, output reg [3:0] q);\n"
                f"always @* begin {block} end\nendmodule\n"
            ),
            f"module after{number}({ports}, output [3:0] q);\n{after}\nendmodule\n",
        ]
        same += [
            f"wire [3:0] l{number}, r{number};",
            f"before{number} f{number}({wires}, .q(l{number}));",
            f"after{number} g{number}({wires}, .q(r{number}));",
        ]
    differ = " | ".join(f"(l{n} != r{n})" for n in range(len(bodies)))
    texts.append(
        f"module top({ports}, output bad);\n" + "\n".join(same) + f"\nassign bad = {differ};\n"
        "endmodule\n"
    )
    (tmp_path / "both.v").write_text("".join(texts))
    yosys.run(
        "read_verilog both.v\nhierarchy -top top\nproc\nflatten\nopt_clean\n"
        "sat -verify -prove bad 0 top\n",
        tmp_path,
    )


def test_yosys_proves_them_equal(tmp_path):
    proved(CASES, tmp_path)
    block, text = CASES["one inside the other"]
    with pytest.raises(yosys.YosysError):
        proved({"wrong": (block, text.replace("x && y", "y"))}, tmp_path)


@pytest.mark.parametrize("block", [
    "if (x) begin q = a; end",
    "q[2:0] = a[2:0];",
    "casez (s) 2'h0: q = a; 2'h1: q = b; 2'h2: q = c; endcase",
])  # fmt: skip
def test_a_latch_is_refused(block):
    with pytest.raises(ValueError, match="not set in every case"):
        made(block)


@pytest.mark.parametrize(("block", "message"), [
    ("q = a; casez (s) 3'h1: q = b; endcase", "not 3 bits wide"),
    ("q = a + b; q[1] = x;", "no bits can be taken"),
    ("q = a; if x begin q = b; end", "expected \\("),
])  # fmt: skip
def test_what_yosys_does_not_write_is_refused(block, message):
    with pytest.raises(ValueError, match=message):
        made(block)
