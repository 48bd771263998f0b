"""TensorBoard with curves over steps, spectrograms and sound.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Mapping
from typing import Any

from speechbrain.utils.distributed import (
    if_main_process,
    main_process_only,
)
from speechbrain.utils.train_logger import TensorboardLogger

from speechbrain_apcodec.utils.errors import MissingExtraError
from speechbrain_apcodec.utils.figures import spectrogram_image
from speechbrain_apcodec.utils.types import Wav


class CodecTensorboardLogger(TensorboardLogger):
    """SpeechBrain's TensorBoard logger, counted in optimiser steps.

    SpeechBrain's own counts its calls from zero, so that the curves of a
    resumed run start over.

    Arguments
    ---------
    save_dir : str
        Folder of the event files.
    purge_step : int, optional
        First step whose events of an interrupted run are hidden.

    Raises
    ------
    MissingExtraError
        If TensorBoard is not installed.
    """

    def __init__(self, save_dir: str, purge_step: int | None = None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "TensorBoard is not installed: pip install "
                "'speechbrain_apcodec[train]', or set use_tensorboard: False"
            ) from error
        self.writer: Any = None
        if if_main_process():
            self.writer = SummaryWriter(save_dir, purge_step=purge_step)

    @main_process_only
    def log_stats(
        self,
        stats_meta: Mapping[str, Any],
        train_stats: Mapping[str, float] | None = None,
        valid_stats: Mapping[str, float] | None = None,
        test_stats: Mapping[str, float] | None = None,
        verbose: bool = False,
    ) -> None:
        """Write scalars at the ``step`` of ``stats_meta``."""
        for stage, stats in (
            ("train", train_stats),
            ("valid", valid_stats),
            ("test", test_stats),
        ):
            for name, value in (stats or {}).items():
                self.writer.add_scalar(
                    f"{name}/{stage}", value, stats_meta["step"]
                )

    @main_process_only
    def log_pair(
        self, original: Wav, decoded: Wav, sample_rate: int, step: int
    ) -> None:
        """Write a pair of waveforms as sound and as spectrograms."""
        for name, wav in (("original", original), ("decoded", decoded)):
            self.writer.add_audio(name, wav[None], step, sample_rate)
            self.writer.add_image(
                f"spectrogram/{name}", spectrogram_image(wav, sample_rate), step
            )
        # An epoch ends here; the writer's own thread may be minutes late.
        self.writer.flush()
