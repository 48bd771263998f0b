"""Packaging of speechbrain_apcodec.

The top-level folders ``hparams`` and ``recipes`` lie there because a
SpeechBrain user looks for them there. The wheel carries them as
``speechbrain_apcodec/hparams`` and ``speechbrain_apcodec/recipes``, so that
an installed package trains too: a recipe finds ``hparams`` beside ``recipes``
in both places.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
PACKAGE = "speechbrain_apcodec"
#: Where the repository is published, such as https://github.com/OWNER/NAME.
#: Set it before a release: the links of a package index lead there.
REPOSITORY = ""
SUFFIXES = {".csv", ".flac", ".json", ".md", ".py", ".safetensors", ".yaml"}


def version():
    """Read the version without importing the package."""
    text = (ROOT / PACKAGE / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE).group(1)


def long_description(repository=REPOSITORY):
    """Read the README with links that hold on a package index.

    Its links are relative, and no file lies beside it there. Where no
    repository is published yet, the text of a link stays without it.
    """
    folders = {"": "blob/main", "!": "raw/main"}

    def relink(match):
        image, text, path = match.groups()
        if repository:
            return f"{image}[{text}]({repository}/{folders[image]}/{path})"
        return "" if image else text

    return re.sub(
        r"(!?)\[([^]]*)\]\((?!\w+:|#)([^)]+)\)",
        relink,
        (ROOT / "README.md").read_text(encoding="utf-8"),
    )


def project_urls(repository=REPOSITORY):
    """Name the addresses that a package index shows."""
    urls = {"Paper": "https://arxiv.org/abs/2402.10533"}
    if repository:
        urls["Source"] = repository
        urls["Documentation"] = f"{repository}/blob/main/docs/index.md"
        urls["Changes"] = f"{repository}/blob/main/CHANGELOG.md"
    return urls


def files_in(folder):
    """List the files of a folder that a user needs.

    Results are left out: they are what a training run writes, and the
    pictures of the published ones would only make the wheel heavy.
    """
    found = []
    for path in sorted((ROOT / folder).rglob("*")):
        relative = path.relative_to(ROOT / folder)
        wanted = path.suffix in SUFFIXES and "results" not in relative.parts
        if wanted and path.is_file():
            found.append(relative.as_posix())
    return found


COMPLETION = ["argcomplete>=3"]
TRAIN = ["tensorboard>=2.14"]
EVALUATE = [
    "ai-edge-litert>=1.3",
    "pesq>=0.0.4",
    "pystoi>=0.4.1",
    "visqol-python[accel,lattice]>=3.8",
]
BENCHMARK = ["transformers>=4.56"]
ONNX = ["onnx>=1.18", "onnxruntime>=1.22", "onnxscript>=0.7"]
PHONEMES = ["espeakng-loader>=0.2.4", "phonemizer-fork>=3.3"]
DOCS = ["furo>=2024.8", "myst-nb>=1.2", "sphinx>=8"]
TEST = [
    "hypothesis>=6.100",
    "mypy>=1.18",
    "pytest>=8",
    "pytest-xdist>=3.5",
    "ruff==0.12.*",
    "setuptools>=77",
    "yamllint>=1.35",
]

setup(
    name=PACKAGE,
    version=version(),
    description="APCodec, a neural codec for 48 kHz speech, for SpeechBrain",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    author="speechbrain_apcodec contributors",
    project_urls=project_urls(),
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
    ],
    python_requires=">=3.10",
    packages=[
        *find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
        f"{PACKAGE}.hparams",
        f"{PACKAGE}.recipes",
    ],
    package_dir={
        f"{PACKAGE}.hparams": "hparams",
        f"{PACKAGE}.recipes": "recipes",
    },
    package_data={
        PACKAGE: [
            "py.typed",
            *(
                f"pretrained/{name}"
                for name in files_in(f"{PACKAGE}/pretrained")
            ),
        ],
        f"{PACKAGE}.hparams": files_in("hparams"),
        f"{PACKAGE}.recipes": files_in("recipes"),
    },
    install_requires=[
        "huggingface-hub>=0.36",
        "hyperpyyaml>=1.2.2",
        "matplotlib>=3.7",
        "numpy>=1.24",
        "pyyaml>=6",
        "ruamel.yaml>=0.17.28,<0.19",  # 0.19 breaks HyperPyYAML
        "safetensors>=0.4",
        "sentencepiece>=0.2",
        "soundfile>=0.12.1",
        "speechbrain>=1.1.2,<1.2",  # 1.1.x is not API-stable
        # torchaudio 2.11, the newest, is built for CUDA 13.0 and refuses to
        # be imported beside a torch built for another: 2.15 is for 13.2.
        "torch>=2.7.1,<2.15",
        "torchaudio>=2.7.1",
        "tqdm>=4.65",
    ],
    extras_require={
        "completion": COMPLETION,
        "train": TRAIN,
        "eval": EVALUATE,
        "bench": BENCHMARK,
        "onnx": ONNX,
        "phonemes": PHONEMES,
        "docs": DOCS,
        "test": TEST + TRAIN + EVALUATE + ONNX + PHONEMES + DOCS,
    },
    entry_points={
        "console_scripts": ["apcodec = speechbrain_apcodec.cli.main:main"]
    },
)
