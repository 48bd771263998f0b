"""The interface of a term of the codec's loss.

A new loss is one class of this kind and one line below ``loss: terms:`` in a
YAML; its weight is another below ``loss_weights:``.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from torch import Tensor, nn

from speechbrain_apcodec.lobes.codec import CodecOutput


class Term(nn.Module):
    """One part of the codec's loss, or a few that are computed together.

    Example
    -------
    >>> class PeakLoss(Term):
    ...     names = ("peak",)
    ...
    ...     def compare(self, output):
    ...         peaks = (x.abs().amax(1) for x in (output.wavs, output.decoded))
    ...         natural, decoded = peaks
    ...         return {"peak": (decoded - natural).abs().mean()}
    """

    #: Names of the values, which the weights name.
    names: tuple[str, ...] = ()
    #: Whether validation needs it even without a weight.
    always_computed = False

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare a batch, in float32, with its decoding.

        Returns
        -------
        dict
            From a name to a scalar, not weighted.
        """
        raise NotImplementedError
