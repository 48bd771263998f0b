"""What a term of the codec's loss is.

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
    #: Whether it is computed without a weight, as validation looks at it.
    is_watched = False

    def compare(self, output: CodecOutput) -> dict[str, Tensor]:
        """Compare what a codec made of a batch with the batch.

        Arguments
        ---------
        output : speechbrain_apcodec.lobes.codec.CodecOutput
            In float32.

        Returns
        -------
        dict
            From a name to a scalar, not weighted.
        """
        raise NotImplementedError
