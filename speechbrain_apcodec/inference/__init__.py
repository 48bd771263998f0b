"""Trained codecs: loading, encoding and decoding, export, conversion."""

from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.inference.token_tts import TokenTTS

__all__ = ["APCodec", "TokenTTS"]
