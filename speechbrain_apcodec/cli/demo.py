"""Code a clip that comes with the package, to hear and see the codec.

Writes original.wav, decoded.wav, tokens.apc, tokens.npy ([frames,
codebooks]), spectrograms.png and index.html, a page to listen to them, and
prints bitrate, quality and speed. Needs no network.

For example:
  apcodec demo apcodec_demo

Authors
 * speechbrain_apcodec contributors, 2026
"""

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

import speechbrain_apcodec
from speechbrain_apcodec.cli.model import (
    add_codebooks_argument,
    add_force_argument,
    add_model_arguments,
    load_model,
    print_facts,
)
from speechbrain_apcodec.utils.errors import ConfigurationError

_FOLDER = Path(speechbrain_apcodec.__file__).parent / "pretrained" / "clips"

#: Band of each clip, Hz, and the attribution that its licence asks for. Above
#: the band a spectral distance would compare silence with silence.
_CLIPS = {
    "ccby3_gcin_chulo": (
        17000,
        "a Mandarin voice by Chu Lo, from gcin-voice, CC BY 3.0",
    ),
    "ccbysa3_0ad_persian": (
        20500,
        "a Persian voice by Wildfire Games, from 0 A.D., CC BY-SA 3.0",
    ),
}


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "output",
        nargs="?",
        default="apcodec_demo",
        metavar="OUT_DIR",
        help="folder to write, made if missing (default: apcodec_demo)",
    )
    parser.add_argument(
        "--clip",
        choices=_CLIPS,
        default="ccby3_gcin_chulo",
        help="which clip (default: ccby3_gcin_chulo)",
    )
    add_force_argument(parser)
    add_codebooks_argument(parser)
    add_model_arguments(parser)


def run(arguments: Namespace) -> None:
    """Code the clip, measure and draw it, and make a page of it."""
    import numpy

    from speechbrain_apcodec.evaluation.listening import (
        Example,
        Sound,
        write_listening_page,
    )
    from speechbrain_apcodec.evaluation.metrics import (
        log_spectral_distance,
        mel_distance,
    )
    from speechbrain_apcodec.files.apc_header import measured_kbps
    from speechbrain_apcodec.files.bitstream import read_apc
    from speechbrain_apcodec.files.coding import decode_file, encode_file
    from speechbrain_apcodec.utils.atomic import atomic_path
    from speechbrain_apcodec.utils.audio import read_audio
    from speechbrain_apcodec.utils.audio_writing import write_audio
    from speechbrain_apcodec.utils.figures import save_spectrogram_rows

    folder = Path(arguments.output)
    if folder.is_dir() and any(folder.iterdir()) and not arguments.force:
        raise ConfigurationError(
            f"{folder} is not empty: name another folder, or replace what an "
            "earlier demo wrote with --force"
        )
    model = load_model(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    original, sample_rate = read_audio(_FOLDER / f"{arguments.clip}.flac")
    write_audio(folder / "original.wav", original, sample_rate)

    apc = folder / "tokens.apc"
    start = time.perf_counter()
    header = encode_file(
        model, folder / "original.wav", apc, arguments.codebooks, force=True
    )
    encoded = time.perf_counter()
    decode_file(model, apc, folder / "decoded.wav", force=True)
    finished = time.perf_counter()

    _, tokens = read_apc(apc)
    with atomic_path(folder / "tokens.npy") as temporary:
        numpy.save(temporary, tokens[0].astype(numpy.int16))
    decoded, _ = read_audio(folder / "decoded.wav")
    save_spectrogram_rows(
        folder / "spectrograms.png",
        {"original": original[0], "decoded": decoded[0]},
        sample_rate,
        title=f"{arguments.clip}, {model.model_id}",
    )
    band, attribution = _CLIPS[arguments.clip]
    lsd, mel = (
        distance(original[0], decoded[0], sample_rate, max_frequency=band)
        for distance in (log_spectral_distance, mel_distance)
    )
    kbps = measured_kbps(apc.stat().st_size, header)
    facts = {
        "model": model.model_id,
        "clip": f"{arguments.clip}, {header.seconds:.2f} s",
        "tokens": f"{header.num_frames} frames x {header.num_codebooks} "
        "codebooks",
        "bitrate": f"{header.bitrate / 1000:.2f} kbps "
        f"({kbps:.2f} kbps with the header of tokens.apc)",
        "LSD": f"{lsd:.3f} up to {band} Hz, the band of the clip (0 is best)",
        "mel distance": f"{mel:.3f} likewise",
        "speed": f"encoding {header.seconds / (encoded - start):.1f}, "
        f"decoding {header.seconds / (finished - encoded):.1f} "
        "times real time",
    }
    sounds = [
        Sound("original", folder / "original.wav"),
        Sound("decoded", folder / "decoded.wav"),
    ]
    write_listening_page(
        folder / "index.html",
        "APCodec demo",
        facts,
        [Example(arguments.clip, attribution, sounds)],
    )
    facts["written"] = (
        "index.html (open it to listen), original.wav, decoded.wav, "
        f"tokens.apc, tokens.npy and spectrograms.png in {folder}"
    )
    print_facts(facts)
