"""Speech from text: a Transformer that predicts the tokens of a codec."""

from speechbrain_apcodec.tts.interface import TokenTTS

__all__ = ["TokenTTS"]
