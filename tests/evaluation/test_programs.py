"""Programs of others: absence and failure are told in one line."""

import pytest

from speechbrain_apcodec.evaluation.programs import (
    call_program,
    require_programs,
)
from speechbrain_apcodec.utils.errors import APCodecError, MissingExtraError


def test_missing_programs_are_named(monkeypatch, tmp_path):
    require_programs("ls", package="coreutils")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="apt-get install coreutils"):
        require_programs("ls", package="coreutils")


def test_what_a_failing_program_says_is_told():
    call_program("sh", "-c", "exit 0")
    with pytest.raises(APCodecError, match="^sh failed: out of luck$"):
        call_program("sh", "-c", "echo out of >&2; echo luck >&2; exit 3")
    with pytest.raises(APCodecError, match="^sh failed: no message$"):
        call_program("sh", "-c", "exit 1")
