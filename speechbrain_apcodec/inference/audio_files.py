"""Audio files in and out, as a part of ``inference.APCodec``.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch

from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import APCodecError


class FileInterface:
    """Encodes an audio file to tokens, and decodes tokens into one."""

    def encode_file(self, path, num_codebooks=None):
        """Encode an audio file, mixed to mono and resampled where needed.

        Arguments
        ---------
        path : str or pathlib.Path
            A file of any rate and number of channels that soundfile reads.
        num_codebooks : int, optional
            Number of codebooks to use; default: all.

        Returns
        -------
        torch.Tensor
            int64 [1, frames, codebooks].

        Raises
        ------
        AudioFileError
            If the file is missing, empty, damaged or holds NaN.
        """
        wav, sample_rate = read_audio(path)
        wav = self.audio_normalizer(wav.T, sample_rate)
        tokens, _ = self.encode(wav[None], num_codebooks=num_codebooks)
        return tokens

    def decode_file(self, tokens, path, num_samples=None):
        """Decode the tokens of one waveform into an audio file.

        Arguments
        ---------
        tokens : torch.Tensor
            Integers [1, frames, codebooks] or [frames, codebooks].
        path : str or pathlib.Path
            The file to write at ``sample_rate``, 16 bits; its suffix names
            the container, such as ``.wav``.
        num_samples : int, optional
            Length of the file; default: frames * hop_length.

        Raises
        ------
        APCodecError
            If the tokens are not those of one waveform.
        AudioFileError
            If the file cannot be written.
        """
        if isinstance(tokens, torch.Tensor) and tokens.dim() == 2:
            tokens = tokens[None]
        wavs, _ = self.decode(tokens, num_samples=num_samples)
        if len(wavs) != 1:
            raise APCodecError(
                f"decode_file takes the tokens of one waveform, not of "
                f"{len(wavs)}: call it for each"
            )
        write_audio(path, wavs.cpu(), self.sample_rate)
