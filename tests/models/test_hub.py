"""Loading from a hub, by YAML and without: a server here plays the hub."""

import json

import pytest
import torch

from tests.loopback_hub import Repository, files_of, run_client, running_hub

SCRIPT = """
import json, sys
import torch
from speechbrain.utils.fetching import FetchConfig
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.errors import CheckpointError

def load(source, **kwargs):
    try:
        model = way(source, run_opts={"device": "cpu"}, **kwargs)
    except CheckpointError as error:
        return str(error)
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    return model.encode(wavs)[0].flatten().tolist()

way = getattr(APCodec, sys.argv[1])
savedir = sys.argv[2]
offline = FetchConfig(allow_network=False, revision="v1")
v1 = FetchConfig(revision="v1")
print(json.dumps({
    "pinned": load("here/codec", fetch_config=v1),
    "cache": load("here/codec", fetch_config=offline),
    "savedir": load("here/codec", savedir=savedir, fetch_config=v1),
    "savedir again": load("here/codec", savedir=savedir, fetch_config=v1),
    "other revision": load("here/codec", savedir=savedir),
    "newest": load("here/codec"),
    "not cached": load("here/other", fetch_config=offline),
    "no model": load("here/nothing"),
    "no revision": load("here/codec", fetch_config=FetchConfig(revision="x")),
    "no APCodec": load("here/empty"),
    "truncated": load("here/truncated"),
    "changed": load("here/changed"),
    "partial": load("here/partial"),
}))
"""
WEIGHTS = "codec.safetensors"
WAYS = ["from_hparams", "from_config"]


def damaged(files):
    """Make faulty copies of a model's files."""
    weights = files[WEIGHTS]
    changed = bytearray(weights)
    changed[-3] ^= 1
    partial = {key: value for key, value in files.items() if key != WEIGHTS}
    return {
        "here/empty": {},
        "here/truncated": {**files, WEIGHTS: weights[:1000]},
        "here/changed": {**files, WEIGHTS: bytes(changed)},
        "here/partial": partial,
    }


@pytest.fixture(scope="module", params=WAYS)
def outcomes(request, tiny_model_folder, tmp_path_factory):
    files = files_of(tiny_model_folder)
    repositories = {
        name: Repository(content) for name, content in damaged(files).items()
    }
    # After v1 the branch goes on to something that is no model.
    codec = repositories["here/codec"] = Repository(files)
    codec.refs["v1"] = codec.refs["main"]
    codec.commit({"README.md": b"moved"})
    home = tmp_path_factory.mktemp("hub")
    with running_hub(repositories) as server:
        done = run_client(server, home, SCRIPT, request.param, home / "savedir")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_hub_model_is_the_local_one(outcomes, tiny_model):
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    expected = tiny_model.encode(wavs)[0].flatten().tolist()
    for way in ("pinned", "cache", "savedir", "savedir again"):
        assert outcomes[way] == expected, way


@pytest.mark.parametrize(
    "case, message",
    [
        ("other revision", "holds the files of here/codec (revision v1)"),
        ("newest", "the hub model here/codec holds no config.json"),
        ("not cached", "is no folder, and config.json of a hub model"),
        ("no model", "neither a folder nor a hub model here/nothing"),
        ("no revision", "the hub model here/codec has no revision x"),
        ("no APCodec", "the hub model here/empty holds no config.json"),
        ("truncated", "not a whole safetensors file"),
        ("changed", "was changed or damaged: its SHA-256 is not the one"),
        ("partial", f"the hub model here/partial holds no {WEIGHTS}"),
    ],
)
def test_hub_errors(outcomes, case, message):
    assert message in outcomes[case]
    assert "\n" not in outcomes[case]
