"""Loading from a hub: a server on this machine plays one."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from tests.installed import ROOT

COMMIT = "0123456789abcdef0123456789abcdef01234567"

# The hub's client reads its address at import, hence a process of its own.
SCRIPT = """
import json, sys
import torch
from speechbrain.utils.fetching import FetchConfig
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.errors import CheckpointError

def load(source, **kwargs):
    try:
        model = APCodec.from_hparams(
            source, run_opts={"device": "cpu"}, **kwargs
        )
    except CheckpointError as error:
        return str(error)
    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    return model.encode(wavs)[0].flatten().tolist()

savedir = sys.argv[1]
offline = FetchConfig(allow_network=False, revision="v1")
v1 = FetchConfig(revision="v1")
print(json.dumps({
    "pinned": load("here/codec", fetch_config=v1),
    "cache": load("here/codec", fetch_config=offline),
    "savedir": load("here/codec", savedir=savedir, fetch_config=v1),
    "savedir again": load("here/codec", savedir=savedir, fetch_config=v1),
    "other revision": load("here/codec", savedir=savedir),
    "not cached": load("here/other", fetch_config=offline),
    "no model": load("here/nothing"),
    "no revision": load("here/codec", fetch_config=FetchConfig(revision="x")),
    "no APCodec": load("here/empty"),
    "truncated": load("here/truncated"),
}))
"""


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves ``folder`` as the model here/codec, and faulty ones beside."""

    folder = None

    def do_HEAD(self):  # noqa: N802
        self.respond(body=False)

    def do_GET(self):  # noqa: N802
        self.respond(body=True)

    def respond(self, body):
        organisation, name, kind, revision, file = self.path[1:].split("/")
        assert (organisation, kind) == ("here", "resolve")
        if name not in ("codec", "empty", "truncated"):
            return self.refuse("RepoNotFound")
        if revision not in ("main", "v1", COMMIT):
            return self.refuse("RevisionNotFound")
        if name == "empty" or not (self.folder / file).is_file():
            return self.refuse("EntryNotFound")
        content = (self.folder / file).read_bytes()
        if name == "truncated" and file.endswith(".safetensors"):
            content = content[:1000]
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)
        return None

    def refuse(self, code):
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def outcomes(tiny_model_folder, tmp_path_factory):
    handler = type("TinyHub", (Hub,), {"folder": tiny_model_folder})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = tmp_path_factory.mktemp("hub")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(home / "savedir")],
        cwd=ROOT,
        env={
            **os.environ,
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "HF_HOME": str(home),
            "NO_PROXY": "127.0.0.1",
        },
        capture_output=True,
        text=True,
    )
    server.shutdown()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_hub_model_is_the_local_one(outcomes, tiny_model):
    import torch

    wavs = torch.linspace(-1, 1, 3000).sin()[None]
    expected = tiny_model.encode(wavs)[0].flatten().tolist()
    for way in ("pinned", "cache", "savedir", "savedir again"):
        assert outcomes[way] == expected, way


@pytest.mark.parametrize(
    "case, message",
    [
        ("other revision", "holds the files of here/codec (revision v1)"),
        ("not cached", "is no folder, and config.json of a hub model"),
        ("no model", "neither a folder nor a hub model here/nothing"),
        ("no revision", "the hub model here/codec has no revision x"),
        ("no APCodec", "the hub model here/empty holds no config.json"),
        ("truncated", "not a whole safetensors file"),
    ],
)
def test_hub_errors(outcomes, case, message):
    assert message in outcomes[case]
    assert "\n" not in outcomes[case]
