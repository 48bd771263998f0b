"""Other voices than those of the recordings: how a crop is changed.

Level, speed, band and colour are drawn anew for each crop, so that a codec
takes none of them for granted.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speechbrain_apcodec.training.equalizer import equalize
from speechbrain_apcodec.training.top_band import replicate_top_band
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import Wav


@dataclass(frozen=True)
class VoiceChanges:
    """What may be changed of a recording, at random.

    Arguments
    ---------
    level_range_db : list of float, optional
        Lowest and highest level in dBFS. Each recording is scaled so that the
        peak of the whole recording (not of the crop: a pause stays quiet) is
        at a level drawn evenly between them. None leaves levels alone.
    speeds_percent : list of int
        Speeds of which one is drawn, in percent: 110 plays a tenth faster and
        higher, as another voice, and keeps a full band full. Below 100 it
        would no longer be, unless the top band is replicated.
    replicate_top_band : bool
        Whether recordings that end below the codec's band get a top band,
        see ``training.top_band``.
    equalization_db : dict, optional
        From a frequency in Hz to the lowest and highest gain of a random
        filter, in dB, see ``training.equalizer``. None: no filter.

    Raises
    ------
    ConfigurationError
        If a level is above 0 dBFS or a speed below 100 % without a top band
        replicated.

    Example
    -------
    >>> changes = VoiceChanges(speeds_percent=[100, 110])
    >>> changes.speed(0.4), changes.speed(0.6), changes.level(0.5)
    (100, 110, None)
    """

    level_range_db: Sequence[float] | None = None
    speeds_percent: Sequence[int] = (100,)
    replicate_top_band: bool = False
    equalization_db: Mapping[float, Sequence[float]] | None = None

    def __post_init__(self) -> None:
        if self.level_range_db is not None:
            lowest, highest = self.level_range_db
            if not lowest <= highest <= 0:
                raise ConfigurationError(
                    f"level_range_db {list(self.level_range_db)} must be two "
                    "levels in dBFS, the lower one first, neither above 0"
                )
        slowest = 1 if self.replicate_top_band else 100
        if min(self.speeds_percent, default=0) < slowest:
            raise ConfigurationError(
                f"speeds_percent {list(self.speeds_percent)} must be one or "
                "more numbers of at least 100: slower, a recording that fills "
                "the band would no longer do so, unless "
                "replicate_top_band: True"
            )

    def level(self, choice: float) -> float | None:
        """Choose a recording's peak by a number from 0 to 1."""
        if self.level_range_db is None:
            return None
        lowest, highest = self.level_range_db
        return 10 ** ((lowest + choice * (highest - lowest)) / 20)

    def speed(self, choice: float) -> int:
        """Choose a speed, in percent, by a number from 0 to 1."""
        return self.speeds_percent[int(choice * len(self.speeds_percent))]

    def color(
        self,
        segment: Wav,
        band_hz: float,
        sample_rate: int,
        random: np.random.Generator,
    ) -> Wav:
        """Fill the top of a segment's spectrum, and filter it."""
        if self.replicate_top_band:
            segment = replicate_top_band(segment, band_hz, sample_rate, random)
        if self.equalization_db is not None:
            segment = equalize(
                segment, self.equalization_db, sample_rate, random
            )
        return segment
