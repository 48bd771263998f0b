"""Distillation: a student codec learns the features of a frozen teacher.

The paper trains its streamable codec so and leaves the layers open; the
same lab's StreamCodec2 names them: convolutions at the inputs, every block,
latents, down- and up-sampling and heads, with trainable projections where
the widths differ.

Papers: https://arxiv.org/abs/2402.10533 (section II-D),
https://arxiv.org/abs/2509.13670

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.codec import Codec
from speechbrain_apcodec.lobes.folding import fold_weight_norm
from speechbrain_apcodec.lobes.spectrum import Spectrum
from speechbrain_apcodec.losses.codec import DISTILLATION
from speechbrain_apcodec.utils.errors import ConfigurationError


@contextmanager
def captured_features(
    codec: Codec, names: Iterable[str]
) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of some layers of a codec while it runs.

    The codec must not be wrapped by DDP. Outputs are float [batch, frames,
    channels].
    """
    features: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        features[name] = output

    handles = [
        codec.get_submodule(name).register_forward_hook(partial(keep, name))
        for name in names
    ]
    try:
        yield features
    finally:
        for handle in handles:
            handle.remove()


class FeatureDistillation(nn.Module):
    """Mean squared error between the features of student and teacher.

    Arguments
    ---------
    student : speechbrain_apcodec.lobes.codec.Codec
        The codec to be trained; it is not kept.
    load_teacher : callable
        Loads a trained model, an ``inference.apcodec.APCodec``; called with
        ``freeze_params=False``, since a frozen one has fewer layers.
    layers : dict
        From the name of a group to a pattern of layer names, in which ``*``
        and ``?`` have their usual meaning. Student and teacher must both
        have the layers.

    Raises
    ------
    ConfigurationError
        If a pattern fits no layer, or the teacher lacks a layer or has
        other frames than the student.
    """

    def __init__(
        self,
        student: Codec,
        load_teacher: Callable[..., Any],
        layers: Mapping[str, str],
    ) -> None:
        super().__init__()
        teacher = load_teacher(freeze_params=False)
        self.teacher = teacher.mods["codec"].cpu().eval()
        self.teacher.requires_grad_(False)
        fold_weight_norm(self.teacher)
        for name in ("sample_rate", "stft", "hop_length"):
            theirs, ours = getattr(self.teacher, name), getattr(student, name)
            if theirs != ours:
                raise ConfigurationError(
                    f"the teacher has a {name} of {theirs}, the student of "
                    f"{ours}: their frames cannot be compared"
                )
        self.groups = {
            group: self._names(student, pattern)
            for group, pattern in layers.items()
        }
        self.names = sorted(
            {n for names in self.groups.values() for n in names}
        )
        ours, theirs = self._widths(student), self._widths(self.teacher)
        self.projections = nn.ModuleDict(
            {
                _key(name): nn.Linear(width, theirs[name])
                for name, width in ours.items()
                if width != theirs[name]
            }
        )

    def _names(self, student: Codec, pattern: str) -> list[str]:
        names = [
            name
            for name, _ in student.named_modules()
            if fnmatchcase(name, pattern)
        ]
        theirs = dict(self.teacher.named_modules())
        missing = [name for name in names if name not in theirs]
        if missing or not names:
            raise ConfigurationError(
                f"distilled_layers has the pattern {pattern}, but "
                + (
                    f"the teacher has no {', '.join(missing)}"
                    if missing
                    else "the student has no such layer"
                )
            )
        return names

    @torch.no_grad()
    def _widths(self, codec: Codec) -> dict[str, int]:
        silence = next(codec.parameters()).new_zeros(1, codec.hop_length)
        with captured_features(codec, self.names) as features:
            codec(silence, quantize=False)
        return {name: x.shape[-1] for name, x in features.items()}

    def train(self, mode: bool = True) -> "FeatureDistillation":
        """Switch the projections' mode; the teacher stays in evaluation."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(
        self, features: Mapping[str, Tensor], natural: Spectrum
    ) -> dict[str, Tensor]:
        """Compare the student's features, ``natural`` being its input.

        Returns, for each group, the term ``distillation_<group>``, the sum
        over the group's layers.
        """
        teacher = self.teacher
        with (
            torch.no_grad(),
            captured_features(teacher, self.names) as targets,
        ):
            latent = teacher.encoder(natural.log_amplitude, natural.phase)
            tokens = teacher.quantizer.encode(latent)
            teacher.decoder(teacher.quantizer.decode(tokens))
        terms = {}
        for group, names in self.groups.items():
            errors = []
            for name in names:
                x = features[name]
                if _key(name) in self.projections:
                    x = self.projections[_key(name)](x)
                errors.append(F.mse_loss(x.float(), targets[name].float()))
            terms[DISTILLATION + group] = sum(errors[1:], errors[0])
        return terms


def _key(name: str) -> str:
    """Name a projection: the names of modules must have no dot."""
    return name.replace(".", "/")
