"""A share of the changed files and streams; the benchmark tries more."""

import numpy
import pytest

from benchmarks.mutations import (
    MOST_MEGABYTES,
    MOST_SECONDS,
    MUTATIONS,
    make_files,
    read_file,
    read_rest,
    read_stream,
    sign,
    try_mutations,
)


def test_changed_files_and_streams_are_refused(tiny_model):
    figures = try_mutations(tiny_model, 2000, seed=1)
    assert figures["wrong"] == 0
    assert figures["slowest_seconds"] < MOST_SECONDS
    assert figures["added_megabytes"] < MOST_MEGABYTES
    total = sum(sum(c.values()) for c in figures["outcomes"].values())
    assert total == 2000
    # Both versions are tried, and of the second one something is left.
    outcomes = figures["outcomes"].values()
    assert sum(counts.get("salvaged", 0) for counts in outcomes) > 10
    # What the checksums would hide is reached too.
    assert figures["outcomes"]["file, signed again"]["decoded"] > 10
    assert figures["outcomes"]["stream, signed again"]["decoded"] > 10


def test_a_change_that_nobody_notices_would_be_seen(tiny_model):
    for data, tokens in make_files(tiny_model)[0][:2]:
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        signed = sign(changed, data)
        assert read_file(tiny_model, data, tokens, False) == "unchanged"
        assert read_file(tiny_model, bytes(changed), tokens, False) == "refused"
        assert read_file(tiny_model, signed, tokens, False) == "WRONG"
    data, tokens = make_files(tiny_model)[0][-2]
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    assert read_rest(bytes(changed), tokens) == "salvaged"
    assert read_rest(sign(changed, data), tokens) == "WRONG"


def test_a_stream_is_right_up_to_its_fault(tiny_model):
    (data, tokens), *_ = make_files(tiny_model)[1]
    assert read_stream(tiny_model, data, tokens, False) == "unchanged"
    changed = bytearray(data)
    changed[-20] ^= 1
    outcome = read_stream(tiny_model, bytes(changed), tokens, False)
    assert outcome == "refused after a right beginning"
    assert read_stream(tiny_model, data, tokens[::-1], False) == "WRONG"


@pytest.mark.parametrize("change", MUTATIONS)
def test_every_change_is_one(change):
    rng = numpy.random.default_rng(0)
    data, other = rng.bytes(500), rng.bytes(300)
    results = [bytes(change(rng, bytearray(data), other)) for _ in range(20)]
    assert sum(result != data for result in results) > 15
    assert len(set(results)) > 10
