"""Change files and streams of tokens at random, and see what is made of them.

Recordings of noise are coded, changed in one of many ways, and read again.
Each reading has to end soon, within little memory, and with the tokens that
were coded, a beginning of them and an error, or an error alone::

    python benchmarks/mutations.py MODEL mutations.json --count 100000

Some are signed again behind the change, or read without looking at the
checksums, so that what lies behind these is tried as well: whatever is then
accepted has to decode to as many finite samples as it promises.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse
import io
import resource
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy
import torch
from tqdm import tqdm

from speechbrain_apcodec.files.apc_header import MAX_HEADER_BYTES, parse_header
from speechbrain_apcodec.files.bitstream import block_bytes, pack_apc, read_apc
from speechbrain_apcodec.files.coding import (
    bitstream_model_id,
    check_model,
    decode_recording,
    encode_recording,
)
from speechbrain_apcodec.files.packets import (
    PacketReader,
    PacketWriter,
    StreamHeader,
)
from speechbrain_apcodec.files.salvage import salvage_apc
from speechbrain_apcodec.files.token_format import pack_tokens
from speechbrain_apcodec.inference import APCodec
from speechbrain_apcodec.utils.atomic import write_json
from speechbrain_apcodec.utils.errors import APCodecError

#: What no reading may take.
MOST_SECONDS = 1.0
MOST_MEGABYTES = 500.0

#: (rate in Hz, channels, samples) of the recordings.
RECORDINGS = (
    (48000, 1, 9600),
    (44100, 2, 3000),
    (8000, 1, 1),
    (48000, 3, 320),
    (48000, 1, 60_000),
)

#: Frames of the packets of a stream.
PACKETS = (3, 1, 2, 24)


def flip(rng, data, other):
    """Flip a few bits."""
    for _ in range(rng.integers(1, 9)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return data


def overwrite(rng, data, other):
    """Put random bytes over others."""
    start, end = _part(rng, data)
    data[start:end] = rng.bytes(end - start)
    return data


def clear(rng, data, other):
    """Put zeros over bytes, as a disk does that lost a sector."""
    start, end = _part(rng, data)
    data[start:end] = bytes(end - start)
    return data


def cut(rng, data, other):
    """Keep the beginning alone."""
    return data[: rng.integers(len(data))]


def remove(rng, data, other):
    """Leave bytes out."""
    start, end = _part(rng, data)
    return data[:start] + data[end:]


def repeat(rng, data, other):
    """Give some bytes twice."""
    start, end = _part(rng, data)
    return data[:end] + data[start:]


def insert(rng, data, other):
    """Put random bytes between others."""
    start, end = _part(rng, data)
    return data[:start] + rng.bytes(end - start) + data[start:]


def exchange(rng, data, other):
    """Let two parts change places."""
    a, b, c = sorted(rng.integers(len(data) + 1, size=3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def splice(rng, data, other):
    """Go on with another recording."""
    return data[: rng.integers(len(data))] + other[rng.integers(len(other)) :]


def extend(rng, data, other):
    """Put random bytes behind the last."""
    return data + rng.bytes(rng.integers(1, 65))


MUTATIONS = (
    flip,
    overwrite,
    clear,
    cut,
    remove,
    repeat,
    insert,
    exchange,
    splice,
    extend,
)


def _part(rng, data):
    start = int(rng.integers(len(data)))
    return start, min(len(data), start + int(rng.integers(1, 65)))


class _Unchecked(PacketReader):
    """A reader that takes every checksum for right."""

    def _checked(self, data, part):
        self.num_bytes += len(data)
        return data[:-2]


def make_files(model):
    """Code noise into files and streams.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        A streamable codec, better a tiny one.

    Returns
    -------
    files, streams : list of (bytes, numpy.ndarray)
        What would be stored or sent, and its tokens.
    """
    generator = torch.Generator().manual_seed(0)
    files, streams = [], []
    for rate, channels, samples in RECORDINGS:
        wav = 0.1 * torch.randn(channels, samples, generator=generator)
        header, tokens = encode_recording(model, wav, rate, "PCM_16")
        tokens = tokens.numpy()
        data = pack_apc(header, tokens)
        files.append((data, tokens))
        files.append((as_version_1(data, tokens), tokens))
        sent = io.BytesIO()
        writer = PacketWriter(
            sent,
            StreamHeader(
                bitstream_model_id(model),
                model.sample_rate,
                model.hop_length,
                model.codebook_size,
                model.num_codebooks,
            ),
        )
        frames, packets = tokens[0], [*PACKETS]
        while len(frames):
            number = packets.pop(0) if packets else 1
            writer.write(frames[:number])
            frames = frames[number:]
        writer.end(len(tokens[0]) * model.hop_length)
        streams.append((sent.getvalue(), tokens[0]))
    return files, streams


def as_version_1(data, tokens):
    """Write a file as version 1 did."""
    header, header_size, _ = parse_header(data[:MAX_HEADER_BYTES], "the data")
    start = data[:4] + b"\1" + data[5 : header_size - 4]
    return _summed(start + pack_tokens(tokens, header.codebook_size))


def read_file(model, data, tokens, is_signed):
    """Read a changed file and judge what comes of it.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        What decodes it.
    data : bytes
        The file.
    tokens : numpy.ndarray
        What was coded.
    is_signed : bool
        Whether the checksum fits nonetheless.

    Returns
    -------
    str
        ``refused``, ``unchanged``, ``decoded`` or ``WRONG``.
    """
    try:
        header, found = read_apc(data)
        if numpy.array_equal(found, tokens):
            return "unchanged"
        if not is_signed:
            return "WRONG"
        wav = decode_recording(model, header, torch.from_numpy(found))
    except APCodecError:
        return "refused"
    whole = wav.shape == (header.channels, header.num_samples)
    return "decoded" if whole and wav.isfinite().all() else "WRONG"


def read_stream(model, data, tokens, is_signed):
    """Read a changed stream; see ``read_file``."""
    reader, parts, ended = None, [], True
    try:
        reader = (_Unchecked if is_signed else PacketReader)(io.BytesIO(data))
        parts.extend(reader)
    except APCodecError:
        ended = False
    if not parts:
        return "unchanged" if ended and not len(tokens) else "refused"
    found = numpy.concatenate(parts)
    if not is_signed:
        if not numpy.array_equal(found, tokens[: len(found)]):
            return "WRONG"
        if ended:
            return "unchanged" if len(found) == len(tokens) else "WRONG"
        return "refused after a right beginning"
    try:
        check_model(model, reader.header)
        wav, _ = model.decode(torch.from_numpy(found)[None])
    except APCodecError:
        return "refused"
    whole = wav.shape == (1, len(found) * model.hop_length)
    return "decoded" if whole and wav.isfinite().all() else "WRONG"


def read_rest(data, tokens):
    """Salvage a changed file; what is not concealed has to be right."""
    try:
        salvaged = salvage_apc(data)
    except APCodecError:
        return "refused"
    found = salvaged.tokens.copy()
    if found.shape != tokens.shape:
        return "WRONG"
    for start, end in salvaged.gaps:
        found[:, start:end] = tokens[:, start:end]
    return "salvaged" if numpy.array_equal(found, tokens) else "WRONG"


def sign(data, original):
    """Give a changed file the checksums of its version in their places."""
    data = bytes(data)
    header, offset, version = parse_header(
        original[:MAX_HEADER_BYTES], "the data"
    )
    if version == 1:
        return _summed(data[:-4])
    signed = _summed(data[: offset - 4])
    for index in range(header.num_blocks):
        end = offset + block_bytes(header, index) - 4
        number, packed = index.to_bytes(4, "little"), data[offset:end]
        signed += _summed(number + packed)[4:]
        offset = end + 4
    return _summed(signed)


def _summed(data):
    """Put its checksum behind the data."""
    return data + zlib.crc32(data).to_bytes(4, "little")


def try_mutations(model, count, seed=0):
    """Read ``count`` changed files and streams.

    Arguments
    ---------
    model : speechbrain_apcodec.inference.APCodec
        See ``make_files``.
    count : int
        How many in all.
    seed : int
        Of the changes.

    Returns
    -------
    dict
        The outcomes of each kind, the slowest reading in seconds of the
        processor, and by how many MB the memory grew at most. A crash is one.
    """
    rng = numpy.random.default_rng(seed)
    kinds = dict(zip(("file", "stream"), make_files(model), strict=True))
    readers = {"file": read_file, "stream": read_stream}
    for kind, originals in kinds.items():  # whatever is loaded at first
        readers[kind](model, *originals[0], True)
    outcomes, slowest, before = {}, 0.0, _megabytes()
    for number in tqdm(range(count), disable=None):
        kind = ("file", "stream")[number % 2]
        # Every sixth is read as if its checksums were right.
        is_signed = number // 2 % 6 == 0
        data, tokens = kinds[kind][rng.integers(len(kinds[kind]))]
        other, _ = kinds[kind][rng.integers(len(kinds[kind]))]
        change = MUTATIONS[rng.integers(len(MUTATIONS))]
        changed = bytes(change(rng, bytearray(data), other))
        if is_signed and kind == "file":
            changed = sign(changed, data)
        start = time.process_time()
        if changed in {whole for whole, _ in kinds[kind]}:
            outcome = "unchanged"  # or just another recording
        else:
            outcome = readers[kind](model, changed, tokens, is_signed)
            if kind == "file" and outcome == "refused" and not is_signed:
                outcome = read_rest(changed, tokens)
        slowest = max(slowest, time.process_time() - start)
        name = f"{kind}, {'signed again' if is_signed else change.__name__}"
        outcomes.setdefault(name, Counter())[outcome] += 1
    return {
        "count": count,
        "seed": seed,
        "slowest_seconds": round(slowest, 3),
        "added_megabytes": round(_megabytes() - before, 1),
        "wrong": sum(counts["WRONG"] for counts in outcomes.values()),
        "outcomes": {name: dict(outcomes[name]) for name in sorted(outcomes)},
    }


def _megabytes():
    """Return the most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    """Try them, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = APCodec.from_hparams(arguments.model, run_opts={"device": "cpu"})
    figures = try_mutations(model, arguments.count, arguments.seed)
    write_json(arguments.output, figures)
    print(arguments.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
