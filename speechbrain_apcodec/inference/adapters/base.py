"""What the adapters share: a codec inside, on one device.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import torch
from torch import nn

from speechbrain_apcodec import DEFAULT_MODEL
from speechbrain_apcodec.inference.apcodec import APCodec
from speechbrain_apcodec.inference.checks import check_num_codebooks
from speechbrain_apcodec.utils.types import AnyPath


class CodecAdapter(nn.Module):
    """A module with a codec inside; where the module goes, the codec goes.

    Arguments
    ---------
    source : str or pathlib.Path or APCodec
        Folder of an exported model, hub id, or a codec that is loaded
        already; default: the model inside the package.
    num_codebooks : int, optional
        Number of codebooks to use; default: all.
    freeze : bool
        Whether the codec's weights stay as they are.
    save_path : str, optional
        Folder in which the model's files are collected; default: they are
        read where they lie.

    Raises
    ------
    APCodecError
        If there is no such model or number of codebooks.
    """

    def __init__(
        self,
        source: AnyPath | APCodec = DEFAULT_MODEL,
        num_codebooks: int | None = None,
        freeze: bool = True,
        save_path: AnyPath | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(source, APCodec):
            source = APCodec.from_hparams(
                source,
                savedir=save_path,
                freeze_params=freeze,
                run_opts={"device": "cpu"},
            )
        self.codec = source
        self.sample_rate = source.sample_rate
        self.num_codebooks = check_num_codebooks(
            num_codebooks, source.num_codebooks
        )
        self.freeze = freeze
        self.requires_grad_(not freeze)

    @property
    def device(self) -> str:
        """Where the codec computes; to be assigned, too."""
        return self.codec.device

    @device.setter
    def device(self, device: str | torch.device) -> None:
        self.to(device)
