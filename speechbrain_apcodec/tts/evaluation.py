"""How well a voice can be understood, beside recordings and the codec.

Each sentence is written down by a recogniser three times: as recorded, after
encoding and decoding, and as the voice says it from text alone. The same
transcripts are also compared with another sentence's text: an error rate far
below that one is understanding, not chance.

Below the output folder::

    voice.json         which voice, seed and drawing; another one is refused
    heard.json         what was understood; resumes
    codec/, voice/     what was heard, FLAC
    attention/         where the voice looked in the text
    per_sentence.csv   text, transcripts and errors
    errors.csv         the table of the means
    errors.md          the same to read

Authors
 * speechbrain_apcodec contributors, 2026
"""

import csv
import json
import re
from pathlib import Path

from tqdm import tqdm

from speechbrain_apcodec.evaluation.recognition import Recognizer
from speechbrain_apcodec.utils.atomic import atomic_path, write_json
from speechbrain_apcodec.utils.audio import read_audio, write_audio
from speechbrain_apcodec.utils.errors import ConfigurationError
from speechbrain_apcodec.utils.figures import save_attention
from speechbrain_apcodec.utils.utterances import SPLIT_NAMES, read_utterances

#: What is compared, and how the table calls it.
SYSTEMS = {
    "recording": "recording",
    "codec": "recording through the codec",
    "voice": "voice, from text",
}

_NUM_PICTURES = 5


def read_sentences(manifest, split="test"):
    """Read recordings with text from a manifest.

    Arguments
    ---------
    manifest : str or pathlib.Path
        CSV or JSON, as `read_utterances` takes it.
    split : str
        The split to take, where the manifest has a column ``split``.

    Returns
    -------
    list of dict
        With ``id``, ``source`` and ``text``.

    Raises
    ------
    ConfigurationError
        If there are fewer than two, so that nothing could be shuffled.
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
    tts, sentences, out_folder, recognise, seed=0, batch_size=8, **options
):
    """Let a voice say sentences, and count what is not understood.

    Arguments
    ---------
    tts : speechbrain_apcodec.tts.TokenTTS
        The voice.
    sentences : list of dict
        From ``read_sentences``.
    out_folder : str or pathlib.Path
        Where to write; the same call continues what was interrupted.
    recognise : callable
        Takes a waveform [samples] and its rate, and returns text.
    seed : int
        Of the voice.
    batch_size : int
        Sentences that are said at the same time.
    **options : dict
        ``temperature``, ``top_k`` and ``guidance``, see
        ``TokenTTS.generate``.

    Returns
    -------
    list of dict
        The rows of ``errors.csv``.

    Raises
    ------
    ConfigurationError
        If the folder holds the results of another voice.
    """
    out_folder = Path(out_folder)
    _claim(tts, out_folder, {"seed": seed, **options})
    heard_file = out_folder / "heard.json"
    heard = {}
    if heard_file.exists():
        heard = json.loads(heard_file.read_text(encoding="utf-8"))
    left = [item for item in sentences if item["id"] not in heard]
    # Of similar length, so that little is computed for nothing.
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


def _claim(tts, out_folder, options):
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
                f"{out_folder} holds the results of another voice or way to "
                "draw: name another folder"
            )
        return
    write_json(path, voice)


def _hear(tts, batch, out_folder, recognise, seed, options):
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
        entry = {
            system: recognise(wav, tts.sample_rate)
            for system, wav in wavs.items()
        }
        entry["seconds"] = len(recording) / tts.sample_rate
        entry["voice_seconds"] = len(wavs["voice"]) / tts.sample_rate
        entry["ended"] = bool(said.ended[number])
        yield item, entry


def _tabulate(sentences, heard, out_folder):
    """Write the tables; return the rows of the means."""
    rows, details = [], []
    # The sentence half a list away is another one.
    half = len(sentences) // 2
    others = sentences[half:] + sentences[:half]
    for item in sentences:
        entry = heard[item["id"]]
        detail = {"id": item["id"], "text": item["text"]}
        for system in SYSTEMS:
            errors, words = Recognizer.word_errors(item["text"], entry[system])
            detail[f"{system}_heard"] = entry[system]
            detail[f"{system}_errors"] = errors
            detail["words"] = words
        detail["seconds"] = round(entry["seconds"], 2)
        detail["voice_seconds"] = round(entry["voice_seconds"], 2)
        detail["ended"] = entry["ended"]
        details.append(detail)
    for system, name in SYSTEMS.items():
        errors, words, shuffled = 0, 0, 0
        for item, other in zip(sentences, others, strict=True):
            understood = heard[item["id"]][system]
            wrong, said = Recognizer.word_errors(item["text"], understood)
            errors, words = errors + wrong, words + said
            shuffled += Recognizer.word_errors(other["text"], understood)[0]
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
    _write_csv(out_folder / "per_sentence.csv", details)
    _write_csv(out_folder / "errors.csv", rows)
    with atomic_path(out_folder / "errors.md") as temporary:
        temporary.write_text(_markdown(rows), encoding="utf-8")
    return rows


def _write_csv(path, rows):
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _markdown(rows):
    """Write the means as a table to read."""
    lines = [
        "| heard by Whisper tiny.en | words | wrong | word error rate | "
        "against another sentence |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['system']} | {row['words']} | {row['errors']} | "
        f"{100 * row['wer']:.1f} % | {100 * row['wer_shuffled']:.1f} % |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
