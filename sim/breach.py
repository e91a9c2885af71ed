"""Broken rules of a stream, as the taps of streams.sv write them down."""


def breach(report: str) -> str:
    """What a tap has written about a broken rule: rule, beat, both payloads, cycle."""
    rule, beat, offered, now, cycle = report.split()
    text = {
        "withdrawn": f"valid withdrawn before it was taken (offered 0x{offered})",
        "changed": f"payload changed from 0x{offered} to 0x{now} before it was taken",
        "unknown": f"valid, ready or payload unknown (payload 0x{now})",
    }[rule]
    return f"beat {beat}: {text} (cycle {cycle})"
