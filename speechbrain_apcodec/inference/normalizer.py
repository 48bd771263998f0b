"""Any audio file as the codec's mono waveform.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from speechbrain.dataio.preprocess import AudioNormalizer

from speechbrain_apcodec.utils.audio import mix_to_mono, resample


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

    def __init__(self, sample_rate):
        super().__init__(sample_rate, mix="avg-to-mono")

    def __call__(self, audio, sample_rate):
        """Mix to mono and resample.

        Arguments
        ---------
        audio : torch.Tensor
            float [samples] or [samples, channels].
        sample_rate : int
            Its rate, Hz.

        Returns
        -------
        torch.Tensor
            float [samples].
        """
        mono = mix_to_mono(audio.reshape(len(audio), -1).T)
        return resample(mono, sample_rate, self.sample_rate)
