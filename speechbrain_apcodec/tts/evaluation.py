"""How well a voice can be understood, beside recordings and the codec.

A recogniser transcribes each sentence three times: as recorded, after encoding
and decoding, and as the voice says it from text alone. The same transcripts
are also compared with another sentence's text: a much lower error rate than
that is understanding, not chance.

Below the output folder::

    voice.json         which voice, seed and sampling; another one is refused
    heard.json         what was understood; resumes
    codec/, voice/     what was heard, FLAC
    attention/         the attention of the voice to the text
    per_sentence.csv   text, transcripts and errors
    errors.csv         the table of the means
    errors.md          the same to read

Authors
 * speechbrain_apcodec contributors, 2026
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from speechbrain_apcodec.evaluation.recognition import Recognizer
from speechbrain_apcodec.evaluation.tables import markdown_table, write_rows
from speechbrain_apcodec.utils.atomic import atomic_path, write_json
from speechbrain_apcodec.utils.audio import read_audio
from speechbrain_apcodec.utils.audio_writing import write_audio
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.figures import save_attention
from speechbrain_apcodec.utils.types import AnyPath, Wav
from speechbrain_apcodec.utils.utterances import SPLIT_NAMES, read_utterances

if TYPE_CHECKING:
    from speechbrain_apcodec.tts.interface import TokenTTS

#: What is compared, and its name in the table.
_SYSTEMS = {
    "recording": "recording",
    "codec": "recording through the codec",
    "voice": "voice, from text",
}

_NUM_PICTURES = 5


def read_sentences(
    manifest: AnyPath, split: str = "test"
) -> list[dict[str, Any]]:
    """Read the recordings with text of a split from a CSV or JSON manifest.

    Raises a ``ConfigurationError`` if there are fewer than two: texts could
    not be exchanged.
    """
    sentences = [
        item
        for item in read_utterances(manifest)
        if item.get("text")
        and SPLIT_NAMES.get(item.get("split") or split) == SPLIT_NAMES[split]
    ]
    if len(sentences) < 2:
        raise ConfigurationError(
            f"{manifest} has {len(sentences)} sentences with text in the "
            f"split {split}: at least two are needed"
        )
    return sentences


def evaluate_voice(
    tts: TokenTTS,
    sentences: Sequence[dict[str, Any]],
    out_folder: AnyPath,
    recognise: Callable[[Wav, int], str],
    seed: int = 0,
    batch_size: int = 8,
    **options: float,
) -> list[dict[str, Any]]:
    """Let a voice say sentences, and count what is not understood.

    The same call continues after an interruption. The options are those of
    ``TokenTTS.generate``. Returns the rows of ``errors.csv``.
    """
    out_folder = Path(out_folder)
    _claim(tts, out_folder, {"seed": seed, **options})
    heard_file = out_folder / "heard.json"
    heard = {}
    if heard_file.exists():
        heard = json.loads(heard_file.read_text(encoding="utf-8"))
    left = [item for item in sentences if item["id"] not in heard]
    # Batches of similar lengths need little padding.
    left.sort(key=lambda item: len(item["text"]))
    with tqdm(
        total=len(sentences), initial=len(heard), desc="sentences"
    ) as progress:
        for start in range(0, len(left), batch_size):
            batch = left[start : start + batch_size]
            for item, entry in _hear(
                tts, batch, out_folder, recognise, seed, options
            ):
                heard[item["id"]] = entry
                write_json(heard_file, heard)
                progress.update()
    return _tabulate(sentences, heard, out_folder)


def _claim(tts: TokenTTS, out_folder: Path, options: dict[str, float]) -> None:
    """Refuse to mix the results of two voices."""
    path = out_folder / "voice.json"
    voice = {
        "model_sha256": tts.hparams.pretrainer.sha256["model"],
        "codec_sha256": tts.codec.weights_sha256,
        **options,
    }
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != voice:
            raise ConfigurationError(
                f"{out_folder} holds the results of another voice or of other "
                "sampling options: name another folder"
            )
        return
    write_json(path, voice)


def _hear(
    tts: TokenTTS,
    batch: Sequence[dict[str, Any]],
    out_folder: Path,
    recognise: Callable[[Wav, int], str],
    seed: int,
    options: dict[str, Any],
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each sentence of a batch and what was understood of it."""
    said = tts.generate([item["text"] for item in batch], seed, **options)
    for number, item in enumerate(batch):
        tokens = said.tokens[number : number + 1, : said.num_frames[number]]
        recording, rate = read_audio(item["source"])
        recording = tts.codec.audio_normalizer(recording.T, rate)
        wavs = {
            "recording": recording,
            "codec": tts.codec(recording[None])[0][0],
            "voice": tts.codec.decode(tokens)[0][0],
        }
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", item["id"])
        for system in ("codec", "voice"):
            path = out_folder / system / f"{name}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, wavs[system][None].cpu(), tts.sample_rate)
        pictures = out_folder / "attention"
        pictures.mkdir(exist_ok=True)
        if len(list(pictures.iterdir())) < _NUM_PICTURES:
            steps = int(said.num_frames[number]) // (
                tts.hparams.generate.keywords["pattern"].frames_per_step
            )
            save_attention(
                pictures / f"{name}.png",
                said.attention[number, :steps],
                said.pieces[number, :steps],
                title=item["text"],
            )
        entry: dict[str, Any] = {
            system: recognise(wav, tts.sample_rate)
            for system, wav in wavs.items()
        }
        entry["seconds"] = len(recording) / tts.sample_rate
        entry["voice_seconds"] = len(wavs["voice"]) / tts.sample_rate
        entry["ended"] = bool(said.ended[number])
        yield item, entry


def _tabulate(
    sentences: Sequence[dict[str, Any]],
    heard: dict[str, dict[str, Any]],
    out_folder: Path,
) -> list[dict[str, Any]]:
    """Write the tables; return the rows of the means."""
    rows = []
    details: list[dict[str, Any]] = []
    # The sentence half a list away is another one.
    half = len(sentences) // 2
    others = [*sentences[half:], *sentences[:half]]
    for item in sentences:
        entry = heard[item["id"]]
        detail = {"id": item["id"], "text": item["text"]}
        for system in _SYSTEMS:
            errors, words = Recognizer.word_errors(item["text"], entry[system])
            detail[f"{system}_heard"] = entry[system]
            detail[f"{system}_errors"] = errors
            detail["words"] = words
        detail["seconds"] = round(entry["seconds"], 2)
        detail["voice_seconds"] = round(entry["voice_seconds"], 2)
        detail["ended"] = entry["ended"]
        details.append(detail)
    words = sum(detail["words"] for detail in details)
    for system, name in _SYSTEMS.items():
        errors = sum(detail[f"{system}_errors"] for detail in details)
        shuffled = sum(
            Recognizer.word_errors(other["text"], heard[item["id"]][system])[0]
            for item, other in zip(sentences, others, strict=True)
        )
        rows.append(
            {
                "system": name,
                "sentences": len(sentences),
                "words": words,
                "errors": errors,
                "wer": round(errors / words, 4),
                # The other sentences are the same ones in another order.
                "wer_shuffled": round(shuffled / words, 4),
            }
        )
    write_rows(out_folder / "per_sentence.csv", details)
    write_rows(out_folder / "errors.csv", rows)
    with atomic_path(out_folder / "errors.md") as temporary:
        temporary.write_text(f"{_markdown(rows)}\n", encoding="utf-8")
    return rows


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Write the means as a table to read."""
    headings = (
        "heard by Whisper tiny.en",
        "words",
        "wrong",
        "word error rate",
        "against another sentence",
    )
    return markdown_table(
        headings,
        (
            [
                row["system"],
                str(row["words"]),
                str(row["errors"]),
                f"{100 * row['wer']:.1f} %",
                f"{100 * row['wer_shuffled']:.1f} %",
            ]
            for row in rows
        ),
    )
