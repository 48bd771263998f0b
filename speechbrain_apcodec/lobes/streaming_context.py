"""The state of a batch of streams through a whole codec.

Samples and tokens come in pieces of any length; the networks take whole
groups of frames. What lies between is kept here, one queue a stream.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from speechbrain_apcodec.lobes.streaming import NetworkState, like_state
from speechbrain_apcodec.utils.errors import ConfigurationError


@dataclass
class SideState:
    """What encoding and decoding both keep.

    Arguments
    ---------
    network : NetworkState
        State of the encoder or decoder.
    queues : list of torch.Tensor
        float [samples], one a stream: samples that wait to be encoded, or,
        already decoded, to be handed out.
    received : torch.Tensor
        int64 [batch], on the CPU: samples, or tokens, that came in.
    ended : torch.Tensor
        bool [batch], on the CPU: streams that were flushed.
    num_valid : torch.Tensor
        int64 [batch], on the CPU: tokens, or samples, of each stream in what
        the last call returned; the rest is padding.
    """

    network: NetworkState
    queues: list
    received: torch.Tensor
    ended: torch.Tensor
    num_valid: torch.Tensor

    @classmethod
    def of(cls, network, batch_size):
        """Make the state in which streams begin.

        Arguments
        ---------
        network : Encoder or Decoder
            From ``lobes.autoencoder``.
        batch_size : int
            Number of streams.

        Returns
        -------
        SideState
        """
        empty = like_state(network).new_zeros(0)
        return cls(
            network=NetworkState.of(network, batch_size),
            queues=[empty] * batch_size,
            received=torch.zeros(batch_size, dtype=torch.int64),
            ended=torch.zeros(batch_size, dtype=torch.bool),
            num_valid=torch.zeros(batch_size, dtype=torch.int64),
        )

    def reset(self, items):
        """Let some streams begin anew.

        Arguments
        ---------
        items : list of int
            Their places in the batch.
        """
        self.network.reset(items)
        for item in items:
            self.queues[item] = self.queues[item][:0]
        self.received[items] = 0
        self.ended[items] = False
        # The caller may still hold the lengths of the last call.
        self.num_valid = self.num_valid.clone()
        self.num_valid[items] = 0

    def to(self, device):
        """Move the state.

        Arguments
        ---------
        device : torch.device or str
            Where the network is.

        Returns
        -------
        SideState
            Itself.
        """
        self.network.to(device)
        self.queues = [queue.to(device) for queue in self.queues]
        return self


@dataclass
class EncodingState(SideState):
    """What encoding keeps: the samples that wait are in ``queues``."""


@dataclass
class DecodingState(SideState):
    """What decoding keeps: decoded samples that wait are in ``queues``.

    Arguments
    ---------
    tail : torch.Tensor
        float [batch, samples, 2]: sums that later frames still add to, see
        ``STFTSynthesis.overlap_add``.
    finished : torch.Tensor
        int64 [batch], on the CPU: samples that were handed out or wait.
    """

    tail: torch.Tensor = None
    finished: torch.Tensor = None

    def reset(self, items):
        """Let some streams begin anew.

        Arguments
        ---------
        items : list of int
            Their places in the batch.
        """
        super().reset(items)
        self.tail[items] = 0.0
        self.finished[items] = 0

    def to(self, device):
        """Move the state.

        Arguments
        ---------
        device : torch.device or str
            Where the network is.

        Returns
        -------
        DecodingState
            Itself.
        """
        super().to(device)
        self.tail = self.tail.to(device)
        return self


@dataclass
class StreamingContext:
    """The state of a batch of streams; made by ``make_streaming_context``.

    The caller owns it and passes it to ``encode_chunk``, ``decode_chunk``
    and their ``flush``, which update it. Encoding and decoding do not touch
    each other's part, so that one end of a connection needs only its own.

    Arguments
    ---------
    encoding : EncodingState
        State of the encoder.
    decoding : DecodingState
        State of the decoder.
    low_delay : bool
        Hand decoded samples out as soon as they are known.
    """

    encoding: EncodingState
    decoding: DecodingState
    low_delay: bool = False

    @property
    def batch_size(self):
        """Number of streams."""
        return len(self.encoding.received)

    @property
    def num_tokens(self):
        """Valid token frames a stream, int64 [batch], of the last call."""
        return self.encoding.num_valid

    @property
    def num_samples(self):
        """Valid samples a stream, int64 [batch], of the last call."""
        return self.decoding.num_valid

    def reset(self, items=None):
        """Let streams begin anew, whether they have ended or not.

        Arguments
        ---------
        items : list of int, optional
            Their places in the batch; default: all.

        Raises
        ------
        ConfigurationError
            If there is no such stream.
        """
        items = list(range(self.batch_size) if items is None else items)
        wrong = [item for item in items if not 0 <= item < self.batch_size]
        if wrong:
            raise ConfigurationError(
                f"the streams {wrong} do not exist: the context has "
                f"{self.batch_size}"
            )
        self.encoding.reset(items)
        self.decoding.reset(items)

    def to(self, device):
        """Move the state.

        Arguments
        ---------
        device : torch.device or str
            Where the codec is.

        Returns
        -------
        StreamingContext
            Itself.
        """
        self.encoding.to(device)
        self.decoding.to(device)
        return self


def joined(pieces, like):
    """Pad pieces of different length to a batch.

    Arguments
    ---------
    pieces : list of torch.Tensor
        [length, ...], one a stream.
    like : torch.Tensor
        Gives the batch its type where there is nothing.

    Returns
    -------
    batch : torch.Tensor
        [batch, length, ...], zero behind the end of each piece.
    lengths : torch.Tensor
        int64 [batch], on the CPU.
    """
    lengths = torch.tensor([len(piece) for piece in pieces])
    if len(pieces) == 1:
        return pieces[0][None].to(like), lengths
    return pad_sequence(pieces, batch_first=True).to(like), lengths
