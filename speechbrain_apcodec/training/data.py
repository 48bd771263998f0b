"""Datasets of crops, and samplers that give full-band audio its share.

``hparams/base.yaml`` and ``default.yaml`` name these functions. A YAML names
functions, not data sets, because the manifests do not exist before the
preparation.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.dataio.sampler import ReproducibleRandomSampler
from speechbrain.utils.epoch_loop import EpochCounter
from speechbrain.utils.logger import get_logger
from torch.utils.data import Sampler

from speechbrain_apcodec.training.clips import Clips
from speechbrain_apcodec.training.crops import CentreCrop
from speechbrain_apcodec.utils.atomic import read_json
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.types import AnyPath

logger = get_logger(__name__)


def make_dataset(
    manifest: AnyPath,
    crop: CentreCrop,
    seconds_per_crop: float | None = None,
) -> DynamicItemDataset:
    """Make the dataset of a manifest.

    Arguments
    ---------
    manifest : str or pathlib.Path
        JSON file that `prepare_manifests` wrote.
    crop : RandomCrop or CentreCrop
        Makes the segment of an item.
    seconds_per_crop : float, optional
        A longer recording gives one crop an epoch for each part of this
        length. Default: every recording gives one.

    Returns
    -------
    DynamicItemDataset
        Items with ``id`` and ``sig`` (``[segment_length]``, float32). The
        manifest's own keys, such as ``band_hz``, can be added with
        `set_output_keys`.

    Raises
    ------
    ConfigurationError
        If there is no such manifest, it is empty or of another kind.
    """
    path = Path(manifest)
    if not path.is_file():
        raise ConfigurationError(
            f"{path}: there is no such manifest; prepare the data first"
        )
    content = read_json(path)
    if not content:
        raise ConfigurationError(f"{path}: the manifest holds no items")
    for item_id, item in content.items():
        absent = {"wav", "num_samples", "peak", "band_hz"} - set(item)
        if absent:
            raise ConfigurationError(
                f"{path}: item {item_id!r} lacks {', '.join(sorted(absent))};"
                " prepare the data first"
            )
    further = {}
    if seconds_per_crop is not None:
        for item_id, item in content.items():
            seconds = item["num_samples"] / crop.sample_rate
            for number in range(1, int(seconds / seconds_per_crop)):
                further[f"{item_id}~{number}"] = item_id
    items = content | {new: content[old] for new, old in further.items()}
    dataset = DynamicItemDataset(items, output_keys=["id", "sig"])
    # A partial can be sent to loader processes that are not forked.
    dataset.add_dynamic_item(
        functools.partial(crop, clips=Clips(content, further)),
        takes="id",
        provides="sig",
    )
    return dataset


class ShuffledEpochSampler(ReproducibleRandomSampler):
    """SpeechBrain's shuffle, following the epoch counter.

    SpeechBrain's Brain calls `set_epoch` on samplers that it made itself,
    but, without DDP, not on one that it was given: that one would draw the
    same order in every epoch.
    """

    def __init__(
        self, *args: Any, epoch_counter: EpochCounter, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.epoch_counter = epoch_counter

    def __iter__(self) -> Iterator[int]:
        self.set_epoch(self.epoch_counter.current)
        return super().__iter__()


@dataclass(eq=False)
class FullBandSampler(Sampler[int]):
    """Items of two kinds, spread so evenly that every batch has its share.

    ``full_band`` is bool [items]. Nothing is drawn twice in an epoch, since
    the crop of an item is the same throughout it: an epoch ends when one of
    the two kinds is used up.

    Example
    -------
    >>> full_band = np.array([True, True, False, False, False, False])
    >>> sampler = FullBandSampler(full_band, 0.5, 0, EpochCounter(9))
    >>> [bool(full_band[item]) for item in sampler]
    [False, True, False, True]
    """

    full_band: NDArray[np.bool_]
    fraction: float
    seed: int
    epoch_counter: EpochCounter

    def __len__(self) -> int:
        full = int(self.full_band.sum())
        other = len(self.full_band) - full
        return int(min(full / self.fraction, other / (1 - self.fraction)))

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch_counter.current])
        full, other = (
            iter(random.permutation(np.flatnonzero(kind)))
            for kind in (self.full_band, ~self.full_band)
        )
        shares = np.floor(np.arange(len(self) + 1) * self.fraction + 1e-9)
        for is_full in np.diff(shares) > 0:
            yield int(next(full if is_full else other))


def full_band_sampler(
    dataset: DynamicItemDataset,
    fraction: float | None,
    full_band_hz: float,
    seed: int,
    epoch_counter: EpochCounter,
) -> Sampler[int]:
    """Make a sampler that gives full-band recordings their share.

    A codec that is trained on recordings without high frequencies learns to
    be silent there.

    Arguments
    ---------
    dataset : DynamicItemDataset
        Made by `make_dataset`.
    fraction : float or None
        Share of full-band items in every batch, more than 0 and less than
        1. None, or a dataset of one kind only, gives a plain shuffle.
    full_band_hz : float
        An item is full-band if its ``band_hz`` is at least this.
    seed : int
        The run's seed.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter
        The run's epoch counter.

    Returns
    -------
    torch.utils.data.Sampler
        For the train loader.

    Raises
    ------
    ConfigurationError
        If the fraction is out of range.
    """
    full_band = np.array(
        [
            dataset.data[item_id]["band_hz"] >= full_band_hz
            for item_id in dataset.data_ids
        ]
    )
    shuffled = ShuffledEpochSampler(
        dataset, seed=seed, epoch_counter=epoch_counter
    )
    if fraction is None or full_band.all():
        return shuffled
    if not 0 < fraction < 1:
        raise ConfigurationError(
            f"full_band_fraction {fraction} must lie between 0 and 1, or be "
            "null for a plain shuffle"
        )
    if not full_band.any():
        logger.warning(
            "No recording reaches %.0f Hz: the codec will learn to be silent "
            "at high frequencies. Add full-band recordings or take a "
            "configuration with a lower sampling rate",
            full_band_hz,
        )
        return shuffled
    return FullBandSampler(full_band, fraction, seed, epoch_counter)


@dataclass(eq=False)
class SourceSampler(Sampler[int]):
    """Items of several sources, each with its share of every epoch.

    ``weights``, float [items], are not negative; an epoch has ``num_items``,
    at most as many as have a weight, and none twice.

    Example
    -------
    >>> sampler = SourceSampler(np.array([0, 1, 3]), 2, 0, EpochCounter(9))
    >>> sorted(sampler)
    [1, 2]
    """

    weights: NDArray[np.float64]
    num_items: int
    seed: int
    epoch_counter: EpochCounter

    def __len__(self) -> int:
        return self.num_items

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch_counter.current])
        shares = self.weights / self.weights.sum()
        yield from random.choice(
            len(shares), self.num_items, replace=False, p=shares
        ).tolist()


def source_sampler(
    dataset: DynamicItemDataset,
    source_weights: Mapping[str, float] | None,
    items_per_epoch: int | None,
    seed: int,
    epoch_counter: EpochCounter,
) -> SourceSampler:
    """Make a sampler that gives every source its share.

    Arguments
    ---------
    dataset : DynamicItemDataset
        Made by `make_dataset`.
    source_weights : dict or None
        From the name of a folder in a recording's path to its share; within
        a source all items count the same. None: all items do.
    items_per_epoch : int or None
        Items drawn in an epoch; None: all that have a weight.
    seed : int
        The run's seed.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter
        The run's epoch counter.

    Returns
    -------
    torch.utils.data.Sampler
        For the train loader.

    Raises
    ------
    ConfigurationError
        If a source has no recordings, a recording has no source or there are
        too few items.
    """
    if source_weights is None:
        weights = np.ones(len(dataset))
    else:
        weights = _weights_by_source(dataset, source_weights)
    weighted = int((weights > 0).sum())
    if items_per_epoch is None:
        items_per_epoch = weighted
    if items_per_epoch > weighted:
        raise ConfigurationError(
            f"items_per_epoch is {items_per_epoch}, but only {weighted} items "
            "have a weight; lower it, or seconds_per_crop"
        )
    return SourceSampler(weights, items_per_epoch, seed, epoch_counter)


def _weights_by_source(
    dataset: DynamicItemDataset, source_weights: Mapping[str, float]
) -> NDArray[np.float64]:
    """Share the weight of each source evenly among its items."""
    sources = []
    for item_id in dataset.data_ids:
        path = Path(dataset.data[item_id]["source"])
        found = [name for name in source_weights if name in path.parts[:-1]]
        if len(found) != 1:
            raise ConfigurationError(
                f"source_weights: {dataset.data[item_id]['source']} lies in "
                f"{' and '.join(found) or 'none'} of its folders; give every "
                "recording's folder one weight, 0 to leave it out"
            )
        sources += found
    counts = Counter(sources)
    for name in source_weights:
        if not counts[name]:
            raise ConfigurationError(
                f"source_weights names {name}, but no recording to train on "
                "lies in a folder of this name"
            )
    return np.array([source_weights[s] / counts[s] for s in sources])
