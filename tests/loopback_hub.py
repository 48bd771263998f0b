"""A hub on this machine: models to fetch, and room for what is pushed.

It answers what huggingface_hub asks for when it fetches a file, makes a
repository, commits to it and tags it.
"""

import base64
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager

from tests.installed import ROOT

TOKEN = "hf_write"
READ_TOKEN = "hf_read"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Repository:
    """Commits, each a dict of files, and names for them."""

    def __init__(self, files=None):
        self.commits = {COMMIT: dict(files or {})}
        self.refs = {"main": COMMIT}

    def files(self, revision):
        """Return commit id and files, or None."""
        commit = self.refs.get(revision, revision)
        return commit, self.commits.get(commit)

    def commit(self, files):
        digest = hashlib.sha1(repr(sorted(files)).encode())
        digest.update(str(len(self.commits)).encode())
        self.refs["main"] = digest.hexdigest()
        self.commits[self.refs["main"]] = files
        return self.refs["main"]


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves ``repositories``, by name, and takes notes in ``pushed``."""

    repositories = None
    blobs = None
    pushed = None

    def do_HEAD(self):  # noqa: N802
        self.get(with_body=False)

    def do_GET(self):  # noqa: N802
        self.get(with_body=True)

    def get(self, with_body):
        path = self.path.partition("?")[0].strip("/").split("/")
        if path[:2] == ["api", "models"]:
            name, revision = "/".join(path[2:4]), path[-1]
        else:
            name, revision = "/".join(path[:2]), path[3]
        if name not in self.repositories:
            return self.refuse(404, "RepoNotFound")
        if path[0] == "api" and path[4:5] != ["tree"]:
            return self.refuse(403, "")  # facts of a model, never needed
        commit, files = self.repositories[name].files(revision)
        if files is None:
            return self.refuse(404, "RevisionNotFound")
        if path[0] == "api":
            return self.answer(
                [
                    {"type": "file", "path": file, "size": len(content)}
                    | {"oid": hashlib.sha1(content).hexdigest()}
                    for file, content in files.items()
                ]
            )
        if path[4] not in files:
            return self.refuse(404, "EntryNotFound")
        content = files[path[4]]
        return self.respond(
            200,
            content,
            with_body,
            ETag=f'"{hashlib.sha256(content).hexdigest()}"',
            **{"X-Repo-Commit": commit},
        )

    def do_PUT(self):  # noqa: N802
        content = self.body()
        assert self.path == f"/blobs/{hashlib.sha256(content).hexdigest()}"
        self.blobs[self.path.rpartition("/")[2]] = content
        return self.respond(200, b"")

    def do_POST(self):  # noqa: N802
        body = self.body()
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if token != TOKEN:
            return self.refuse(403 if token == READ_TOKEN else 401, "")
        path = self.path.partition("?")[0].strip("/").split("/")
        if self.path == "/api/repos/create":
            return self.create(json.loads(body))
        if self.path.endswith("/info/lfs/objects/batch"):
            return self.offer_upload(json.loads(body))
        name, action = "/".join(path[2:4]), path[4]
        if name not in self.repositories:
            return self.refuse(404, "RepoNotFound")
        if action == "preupload":
            return self.answer(
                {
                    "files": [
                        {
                            "path": file["path"],
                            "uploadMode": "lfs"
                            if file["path"].endswith(".safetensors")
                            else "regular",
                            "shouldIgnore": False,
                        }
                        for file in json.loads(body)["files"]
                    ]
                }
            )
        repository = self.repositories[name]
        if action == "tag":
            tag = json.loads(body)["tag"]
            if tag in repository.refs:
                return self.refuse(409, "")
            repository.refs[tag] = repository.refs.get(path[5], path[5])
            return self.answer({})
        assert action == "commit"
        return self.commit(name, repository, body.splitlines())

    def create(self, wanted):
        name = f"{wanted['organization']}/{wanted['name']}"
        # Versions of the client differ in what they call it.
        private = wanted.get("private") or wanted.get("visibility")
        self.pushed.append(("create", name, private in (True, "private")))
        url = f"{self.address()}/{name}"
        if name in self.repositories:
            return self.respond(409, json.dumps({"url": url}).encode())
        self.repositories[name] = Repository({".gitattributes": b""})
        return self.answer({"url": url, "name": name})

    def offer_upload(self, wanted):
        return self.answer(
            {
                "transfer": "basic",
                "objects": [
                    {
                        **blob,
                        "actions": {
                            "upload": {
                                "href": f"{self.address()}/blobs/{blob['oid']}"
                            }
                        },
                    }
                    for blob in wanted["objects"]
                ],
            }
        )

    def commit(self, name, repository, lines):
        files = dict(repository.files("main")[1])
        changes = {}
        for line in map(json.loads, lines):
            value = line["value"]
            if line["key"] == "file":
                content = base64.b64decode(value["content"])
                files[value["path"]] = content
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            if "path" in value:
                changes[value["path"]] = line["key"]
        self.pushed.append(("commit", name, changes))
        oid = repository.commit(files)
        url = f"{self.address()}/{name}/commit/{oid}"
        return self.answer(
            {"commitUrl": url, "commitOid": oid, "success": True}
        )

    def body(self):
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, content):
        self.respond(200, json.dumps(content).encode())

    def refuse(self, status, code):
        self.respond(status, b"", **{"X-Error-Code": code})

    def respond(self, status, content, with_body=True, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@contextmanager
def running_hub(repositories):
    """Yield a server of ``Repository`` objects by name."""
    state = {"repositories": repositories, "blobs": {}, "pushed": []}
    handler = type("RunningHub", (Hub,), state)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.pushed = state["pushed"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def run_client(server, home, code, *arguments):
    """Run Python whose hub is the server: its address is read at import."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def files_of(folder):
    """Read a folder as a repository holds it."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
