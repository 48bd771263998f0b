"""Trained codecs: loading, encoding and decoding, export, conversion."""

from speechbrain_apcodec.inference.apcodec import APCodec

__all__ = ["APCodec"]
