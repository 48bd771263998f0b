"""A trained codec in use: encoding, decoding, streams, adapters."""

from speechbrain_apcodec.inference.apcodec import APCodec

__all__ = ["APCodec"]
