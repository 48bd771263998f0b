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

from contextlib import contextmanager
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.nn import functional as F

from speechbrain_apcodec.lobes.folding import fold_weight_norm
from speechbrain_apcodec.losses.codec import DISTILLATION
from speechbrain_apcodec.utils.errors import ConfigurationError


@contextmanager
def watched(codec, names):
    """Collect what some layers of a codec put out while it runs.

    Arguments
    ---------
    codec : speechbrain_apcodec.lobes.codec.Codec
        The codec, not wrapped by DDP.
    names : iterable of str
        Names of modules in it.

    Yields
    ------
    dict
        From a name to float [batch, frames, channels], filled as the layers
        run.
    """
    features = {}

    def keep(name):
        def hook(module, inputs, output):
            del module, inputs
            features[name] = output

        return hook

    handles = [
        codec.get_submodule(name).register_forward_hook(keep(name))
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

    def __init__(self, student, load_teacher, layers):
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
        widths = [self._widths(codec) for codec in (student, self.teacher)]
        self.projections = nn.ModuleDict(
            {
                name.replace(".", "/"): nn.Linear(width, widths[1][name])
                for name, width in widths[0].items()
                if width != widths[1][name]
            }
        )

    def _names(self, student, pattern):
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
    def _widths(self, codec):
        silence = next(codec.parameters()).new_zeros(1, codec.hop_length)
        with watched(codec, self.names) as features:
            codec(silence, quantize=False)
        return {name: x.shape[-1] for name, x in features.items()}

    def train(self, mode=True):
        """Switch the projections' mode; the teacher stays in evaluation.

        Arguments
        ---------
        mode : bool
            Whether to train.

        Returns
        -------
        FeatureDistillation
        """
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, features, natural):
        """Compare features.

        Arguments
        ---------
        features : dict
            Of the student, from ``watched``.
        natural : speechbrain_apcodec.lobes.spectrum.Spectrum
            What the student saw.

        Returns
        -------
        dict
            From ``distillation_<group>`` to a scalar, the sum over the
            group's layers.
        """
        teacher = self.teacher
        with torch.no_grad(), watched(teacher, self.names) as targets:
            latent = teacher.encoder(natural.log_amplitude, natural.phase)
            tokens = teacher.quantizer.encode(latent)
            teacher.decoder(teacher.quantizer.decode(tokens))
        terms = {}
        for group, names in self.groups.items():
            errors = []
            for name in names:
                x = features[name]
                key = name.replace(".", "/")
                if key in self.projections:
                    x = self.projections[key](x)
                errors.append(F.mse_loss(x.float(), targets[name].float()))
            terms[DISTILLATION + group] = sum(errors)
        return terms
