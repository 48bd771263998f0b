"""Tokens in a few large files, as WebDataset reads them.

A shard is a plain tar file. Each utterance is two neighbours in it: its
tokens, ``000000042.npy``, and its entry in the manifest, ``000000042.json``.
Packing the same tokens twice gives the same bytes.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import dataclasses
import io
import json
import tarfile
from pathlib import Path

from speechbrain_apcodec.corpus.meta import META_FILE, read_meta
from speechbrain_apcodec.utils.atomic import atomic_path, read_json, write_json
from speechbrain_apcodec.utils.types import AnyPath


def write_shards(index: AnyPath, shard_size: int) -> list[Path]:
    """Pack the tokens of a manifest.

    Older shards of the manifest are removed.

    Arguments
    ---------
    index : str or pathlib.Path
        The JSON file that `extract_tokens` wrote, in its folder.
    shard_size : int
        Utterances in a shard.

    Returns
    -------
    list of pathlib.Path
        The shards, ``shards/NAME-000000.tar`` and so on beside the manifest;
        ``tokens_meta.json`` goes with them.
    """
    index = Path(index)
    folder = index.parent / "shards"
    write_json(folder / META_FILE, dataclasses.asdict(read_meta(index.parent)))
    items = list(read_json(index).items())
    for old in folder.glob(f"{index.stem}-{'[0-9]' * 6}.tar"):
        old.unlink()
    shards: list[Path] = []
    for start in range(0, len(items), shard_size):
        path = folder / f"{index.stem}-{len(shards):06d}.tar"
        with (
            atomic_path(path) as temporary,
            tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for number, (identity, entry) in enumerate(
                items[start : start + shard_size], start
            ):
                entry = {"id": identity, **entry}
                name = entry.pop("tokens").removeprefix("{data_root}/")
                text = json.dumps(entry, ensure_ascii=False)
                for suffix, content in (
                    ("npy", (index.parent / name).read_bytes()),
                    ("json", text.encode(errors="backslashreplace")),
                ):
                    # A header that says nothing of this machine.
                    info = tarfile.TarInfo(f"{number:09d}.{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
        shards.append(path)
    return shards
