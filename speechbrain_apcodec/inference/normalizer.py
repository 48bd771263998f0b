"""Any audio file as the codec's mono waveform.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from speechbrain.dataio.preprocess import AudioNormalizer
from torch import Tensor

from speechbrain_apcodec.utils.audio import mix_to_mono, resample
from speechbrain_apcodec.utils.types import Wav


class CodecAudioNormalizer(AudioNormalizer):
    """SpeechBrain's normaliser with the package's own resampler.

    A file then gives the same samples whether it is read by ``load_audio``,
    by ``encode_file`` or by the data preparation.

    Arguments
    ---------
    sample_rate : int
        Rate to which signals are resampled, Hz.

    Example
    -------
    >>> import torch
    >>> normalizer = CodecAudioNormalizer(48000)
    >>> normalizer(torch.zeros(160, 2), 16000).shape
    torch.Size([480])
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate, mix="avg-to-mono")

    def __call__(self, audio: Tensor, sample_rate: int) -> Wav:
        """Mix float [samples] or [samples, channels] to mono, and resample."""
        mono = mix_to_mono(audio.reshape(len(audio), -1).T)
        return resample(mono, sample_rate, self.sample_rate)
