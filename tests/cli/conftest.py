"""What the tests of several commands share."""

import pytest

from speechbrain_apcodec.cli.main import main


@pytest.fixture
def call(tiny_model_folder, capsys):
    """Run a command with the tiny model; return code, stdout and stderr."""

    def run(*arguments, model=tiny_model_folder):
        code = main([*map(str, arguments), "--model", str(model)])
        return code, *capsys.readouterr()

    return run
