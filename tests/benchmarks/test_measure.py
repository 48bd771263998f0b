"""Tables that go on where they were interrupted."""

from benchmarks.measure import Table, paired


def test_a_table_keeps_its_rows(tmp_path):
    path = tmp_path / "results" / "table.csv"
    columns = ["threads", "system", "seconds"]
    table = Table(path, columns, keys=2)
    assert not table.has(2)
    table.add(2, "ours, fast", 0.123456)
    table.add(2, "theirs", 1.0)
    again = Table(path, columns, keys=2)
    assert again.has(2) and again.has(2, "theirs")
    assert not again.has(1) and not again.has(2, "ours")
    again.add(2, "theirs", 2.0)
    assert [row["seconds"] for row in again] == ["0.1235", "2"]
    again.write_markdown("Somewhere.")
    lines = path.with_suffix(".md").read_text().splitlines()
    assert lines[0] == "Somewhere."
    assert lines[-1] == "| 2 | theirs | 2 |"


def test_paired_functions_take_turns():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    medians = paired(functions, rounds=2)
    assert calls == ["a", "b"] * 3
    assert set(medians) == {"a", "b"}
