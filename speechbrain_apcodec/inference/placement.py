"""Where a loaded model is: where its parameters are.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Iterable

import torch
from speechbrain.inference.interfaces import Pretrained
from speechbrain.utils.autocast import AMPConfig, TorchAutocast
from torch import nn


class PlacedPretrained(Pretrained):
    """SpeechBrain's ``Pretrained`` whose device is that of its parameters.

    SpeechBrain sets device and autocast once. PyTorch moves modules, on their
    own or with one that they are a part of, and says nothing; so both are
    looked up.

    Example
    -------
    >>> from speechbrain_apcodec.inference import APCodec
    >>> codec = APCodec.from_hparams(run_opts={"device": "cpu"})
    >>> codec.to("meta").device
    'meta'
    """

    @property
    def device(self) -> str:
        """Name of the parameters' device; to be assigned, too."""
        for parameter in self._parameters_if_built():
            return str(parameter.device)
        return self.__dict__["_device"]

    @device.setter
    def device(self, device: str | torch.device) -> None:
        self.__dict__["_device"] = device
        if any(True for _ in self._parameters_if_built()):
            self.to(device)

    @property
    def device_type(self) -> str:
        """``cpu``, ``cuda`` and so on."""
        return self.device.split(":")[0]

    @device_type.setter
    def device_type(self, device_type: str) -> None:
        del device_type  # that of the device

    @property
    def inference_ctx(self) -> TorchAutocast:
        """Autocast to the precision of ``run_opts``, on this device."""
        return TorchAutocast(
            device_type=self.device_type,
            dtype=AMPConfig.from_name(self.precision).dtype,
        )

    @inference_ctx.setter
    def inference_ctx(self, context: object) -> None:
        del context  # made when it is needed

    def _parameters_if_built(self) -> Iterable[nn.Parameter]:
        modules = self.__dict__.get("_modules", {})
        return modules["mods"].parameters() if "mods" in modules else ()
