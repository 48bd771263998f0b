"""Encoder and decoder of APCodec, by the names that YAMLs know.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from speechbrain_apcodec.lobes.decoder import Decoder, SubDecoder
from speechbrain_apcodec.lobes.encoder import Encoder, SubEncoder

__all__ = ["Decoder", "Encoder", "SubDecoder", "SubEncoder"]
