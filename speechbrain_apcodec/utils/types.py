"""What the tensors of this package hold, as names for its signatures.

A type checker sees a tensor; a reader sees its axes.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from os import PathLike
from typing import TypeAlias

from torch import Tensor

Wavs: TypeAlias = Tensor
"""float [batch, samples], from -1 to 1."""

Wav: TypeAlias = Tensor
"""float [samples], from -1 to 1."""

Tokens: TypeAlias = Tensor
"""int64 [batch, frames, codebooks], from 0 to codewords less one."""

Latent: TypeAlias = Tensor
"""float [batch, channels, frames], between encoder and decoder."""

Lengths: TypeAlias = Tensor
"""float [batch]: share of the longest item, above 0 and up to 1."""

AnyPath: TypeAlias = str | PathLike[str]
"""A file or folder."""
