"""TensorBoard with curves over steps, spectrograms and sound.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from speechbrain.utils.distributed import (
    if_main_process,
    main_process_only,
)
from speechbrain.utils.train_logger import TensorboardLogger

from speechbrain_apcodec.utils.errors import MissingExtraError
from speechbrain_apcodec.utils.figures import spectrogram_image


class CodecTensorboardLogger(TensorboardLogger):
    """SpeechBrain's TensorBoard logger, counted in optimiser steps.

    SpeechBrain's own counts its calls from zero, so that the curves of a
    resumed run start over.

    Arguments
    ---------
    save_dir : str
        Folder of the event files.
    purge_step : int, optional
        Hide what an interrupted run wrote from this step on.

    Raises
    ------
    MissingExtraError
        If TensorBoard is not installed.
    """

    def __init__(self, save_dir, purge_step=None):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "TensorBoard is not installed: pip install "
                "'speechbrain_apcodec[train]', or set use_tensorboard: False"
            ) from error
        self.writer = None
        if if_main_process():
            self.writer = SummaryWriter(save_dir, purge_step=purge_step)

    @main_process_only
    def log_stats(
        self,
        stats_meta,
        train_stats=None,
        valid_stats=None,
        test_stats=None,
        verbose=False,
    ):
        """Write scalars.

        Arguments
        ---------
        stats_meta : dict
            With ``step``.
        train_stats : dict, optional
            From a name to a float.
        valid_stats : dict, optional
            From a name to a float.
        test_stats : dict, optional
            From a name to a float.
        verbose : bool
            Not used.
        """
        step = stats_meta["step"]
        for stage, stats in (
            ("train", train_stats),
            ("valid", valid_stats),
            ("test", test_stats),
        ):
            for name, value in (stats or {}).items():
                self.writer.add_scalar(f"{name}/{stage}", value, step)

    @main_process_only
    def log_pair(self, original, decoded, sample_rate, step):
        """Write a pair of waveforms as sound and as spectrograms.

        Arguments
        ---------
        original : torch.Tensor
            float [samples].
        decoded : torch.Tensor
            float [samples].
        sample_rate : int
            Hz.
        step : int
            Optimiser steps done.
        """
        for name, wav in (("original", original), ("decoded", decoded)):
            self.writer.add_audio(name, wav[None], step, sample_rate)
            self.writer.add_image(
                f"spectrogram/{name}", spectrogram_image(wav, sample_rate), step
            )
        # An epoch ends here; the writer's own thread may be minutes late.
        self.writer.flush()
