"""Codecs behind one kind of function: our own, and those to compare with.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechbrain_apcodec.evaluation.codec2 import MODES, codec2_roundtrip
from speechbrain_apcodec.evaluation.neural import (
    CODECS,
    load_neural_codec,
    neural_roundtrip,
)
from speechbrain_apcodec.evaluation.opus import opus_roundtrip
from speechbrain_apcodec.evaluation.programs import require_programs
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Wav

if TYPE_CHECKING:
    from speechbrain_apcodec.inference import APCodec


@dataclass(frozen=True)
class System:
    """A codec under test.

    Arguments
    ---------
    name : str
        As the tables call it.
    identity : str
        Changes whenever its output may: rows of another identity are not
        reused.
    code : callable
        Waveform ``[T]`` -> (decoded waveform, kbps of what was stored).
    """

    name: str
    identity: str
    code: Callable[[Wav], tuple[Wav, float]]


def codec_system(
    model: APCodec, num_codebooks: int | None = None, name: str = "APCodec"
) -> System:
    """Make a ``System`` of a model, named by the name and its bitrate."""

    def code(wav: Wav) -> tuple[Wav, float]:
        tokens, token_lens = model.encode(wav[None], None, num_codebooks)
        decoded, _ = model.decode(tokens, token_lens, len(wav))
        bits = tokens.numel() * math.log2(model.codebook_size)
        return decoded[0].cpu(), bits * model.sample_rate / len(wav) / 1000

    kbps = model.bitrate(num_codebooks) / 1000
    return System(
        name=f"{name} {kbps:g} kbps",
        identity=f"{model.weights_sha256} {num_codebooks}",
        code=code,
    )


def peer_system(name: str, sample_rate: int) -> System:
    """Make a ``System`` of a peer's short name.

    That is ``opus``, ``encodec`` or ``dac`` and the bitrate in kbps, such as
    ``"opus6"``, or ``codec2-`` and the bitrate in bit/s. Its programs, package
    and weights have to be on this machine.
    """
    match = re.fullmatch(r"(opus|codec2-|encodec|dac)(\d+(?:\.\d+)?)", name)
    kind, digits = match.groups() if match else ("", "0")
    rate = float(digits)
    code: Callable[..., tuple[Wav, float]]
    if kind == "opus" and rate in range(6, 257):
        require_programs("opusenc", "opusdec", package="opus-tools")
        title = f"Opus {rate:g} kbps"
        code = functools.partial(opus_roundtrip, kbps=int(rate))
    elif kind == "codec2-" and rate in MODES:
        require_programs("c2enc", "c2dec", package="codec2")
        title = f"Codec2 {rate / 1000:g} kbps"
        code = functools.partial(codec2_roundtrip, mode=int(rate))
    elif kind in CODECS:
        title = f"{kind} {rate:g} kbps"
        model = load_neural_codec(kind, rate)
        code = functools.partial(neural_roundtrip, kbps=rate, model=model)
    else:
        modes = ", ".join(f"codec2-{mode}" for mode in MODES)
        raise ConfigurationError(
            f"there is no peer {name!r}: name opus6 to opus256, {modes}, "
            "encodec6 or dac6"
        )
    code = functools.partial(code, sample_rate=sample_rate)
    return System(name=title, identity=name, code=code)
