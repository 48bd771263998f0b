"""What commands share: the arguments around a model, and its loading.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import argparse

from speechbrain_apcodec import DEFAULT_MODEL


def add_model_argument(parser):
    """Add ``--model``.

    Arguments
    ---------
    parser : argparse.ArgumentParser
        Gets the argument.

    Example
    -------
    >>> parser = argparse.ArgumentParser()
    >>> add_model_argument(parser)
    >>> parser.parse_args([]).model == DEFAULT_MODEL
    True
    """
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="FOLDER_OR_HUB_ID",
        help="folder of an exported model, or its id on the hub "
        "(default: the model inside the package)",
    )


def add_device_argument(parser):
    """Add ``--device``.

    Arguments
    ---------
    parser : argparse.ArgumentParser
        Gets the argument.

    Example
    -------
    >>> parser = argparse.ArgumentParser()
    >>> add_device_argument(parser)
    >>> parser.parse_args([]).device
    'cpu'
    """
    parser.add_argument(
        "--device",
        default="cpu",
        help="where to compute: cpu, cuda, cuda:1... (default: cpu)",
    )


def add_force_argument(parser):
    """Add ``--force``.

    Arguments
    ---------
    parser : argparse.ArgumentParser
        Gets the argument.

    Example
    -------
    >>> parser = argparse.ArgumentParser()
    >>> add_force_argument(parser)
    >>> parser.parse_args([]).force
    False
    """
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace what is there already, but never the input",
    )


def add_codebooks_argument(parser):
    """Add ``--codebooks``.

    Arguments
    ---------
    parser : argparse.ArgumentParser
        Gets the argument.

    Example
    -------
    >>> parser = argparse.ArgumentParser()
    >>> add_codebooks_argument(parser)
    >>> parser.parse_args(["--codebooks", "2"]).codebooks
    2
    """
    parser.add_argument(
        "--codebooks",
        type=positive,
        metavar="K",
        help="use only the first K codebooks: fewer bits, less quality "
        "(default: all)",
    )


def load_model(arguments):
    """Load the model that ``--model`` and ``--device`` name.

    Arguments
    ---------
    arguments : argparse.Namespace
        With ``model`` and ``device``.

    Returns
    -------
    speechbrain_apcodec.inference.APCodec

    Raises
    ------
    APCodecError
        If there is no such model or device.
    """
    from speechbrain_apcodec.inference import APCodec

    device = checked_device(arguments.device)
    return APCodec.from_hparams(
        source=arguments.model, run_opts={"device": device}
    )


def checked_device(device):
    """Call ``utils.devices.check_device``, and import torch only now."""
    from speechbrain_apcodec.utils.devices import check_device

    return check_device(device)


def positive(text):
    """Parse a whole number from 1.

    Arguments
    ---------
    text : str
        What stands on the command line.

    Returns
    -------
    int

    Example
    -------
    >>> positive("12")
    12
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)
